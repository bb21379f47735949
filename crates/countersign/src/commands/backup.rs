//! `countersign backup`

use std::path::Path;

use countersign_storage::sqlite;

use super::{ConfigArgs, Failure, say};
use crate::config::StorageUrl;

pub(super) fn run(args: &ConfigArgs, to: &Path) -> Result<(), Failure> {
    let StorageUrl::Sqlite(database) = args.load()?.storage;
    sqlite::backup(&database, to)?;
    say(&format!(
        "wrote {}. It is one consistent state; codes that are live in it are cancelled when it is first \
         opened. Without the key file it cannot be read.",
        to.display()
    ))?;
    Ok(())
}
