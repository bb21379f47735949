//! `countersign check-config`

use super::{ConfigArgs, Failure, say};

pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let config = args.load()?;
    for warning in &config.warnings {
        say(&format!("warning: {warning}"))?;
    }
    say(&format!("{} is in order", args.config.display()))?;
    Ok(())
}
