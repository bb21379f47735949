//! `countersign audit verify`

use anyhow::Context;
use countersign_core::audit::Verifier;
use countersign_storage::sqlite;

use super::{ConfigArgs, Failure, keys_of, say};
use crate::config::StorageUrl;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Walks the whole log and finds any entry that was changed, dropped, inserted or cut off; also
    /// while the service runs
    Verify(ConfigArgs),
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Verify(args) = command;
    let config = args.load()?;
    let keys = keys_of(&config.keys)?;
    let StorageUrl::Sqlite(database) = config.storage;
    let mut verifier = Verifier::new(&keys);
    let walked = sqlite::walk_audit(&database, |entry| verifier.entry(entry))?;
    let entries = walked.and_then(|head| verifier.finish(head.as_ref()));
    let entries = entries.context("the audit log is NOT whole").map_err(Failure::Runtime)?;
    Ok(say(&format!("the audit log is whole: {entries} entries"))?)
}
