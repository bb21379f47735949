//! `countersign check-config`

use std::sync::Arc;

use countersign_http::ops::Readiness;

use super::unopened::Unopened;
use super::{ConfigArgs, Failure, keys_of, say};
use crate::clock::{ServiceClock, SystemTime};
use crate::entropy::OsEntropy;
use crate::service::{Parts, Service};
use crate::ways;

/// Everything that starting would find out, except what the store says and whether the addresses are
/// free.
pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let config = args.load()?;
    let keys = Arc::new(keys_of(&config.keys)?);
    let ways = ways::build(&config.service)?;
    let service = Service::assemble(Parts {
        engine: Arc::new(Unopened),
        keys,
        clock: Arc::new(ServiceClock::start(SystemTime, None)),
        entropy: Arc::new(OsEntropy),
        routes: ways.routes,
        config: config.service,
    });
    let _not_served = service.router(Readiness::default(), None, None)?;
    for warning in &config.warnings {
        say(&format!("warning: {warning}"))?;
    }
    say(&format!("{} is in order", args.config.display()))?;
    Ok(())
}
