//! `countersign audit verify`

use anyhow::Context;
use countersign_core::audit::{AuditError, AuditHead};
use countersign_core::keys::AuditMac;
use countersign_storage::sqlite;
use data_encoding::HEXLOWER_PERMISSIVE;

use super::{ConfigArgs, Failure, keys_of, say};
use crate::config::StorageUrl;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Walks the whole log and finds any entry that was changed, dropped, inserted or cut off; also
    /// while the service runs
    Verify {
        #[command(flatten)]
        config: ConfigArgs,
        /// An end of the log that was noted earlier: the service logs it every minute as "audit head".
        /// Finds a store that was put back to an older state as a whole
        #[arg(long, value_name = "SEQ:SEAL", value_parser = noted)]
        at_least: Option<AuditHead>,
    },
}

/// Reads `SEQ:SEAL`.
fn noted(text: &str) -> Result<AuditHead, &'static str> {
    const FORM: &str = "must be a number above 0, a colon and 64 hexadecimal digits";
    let (seq, seal) = text.split_once(':').ok_or(FORM)?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(FORM)?;
    let seal = HEXLOWER_PERMISSIVE.decode(seal.as_bytes()).map_err(|_| FORM)?;
    Ok(AuditHead { seq, mac: AuditMac::from_bytes(seal.try_into().map_err(|_| FORM)?) })
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Verify { config, at_least } = command;
    let config = config.load()?;
    let keys = keys_of(&config.keys)?;
    let StorageUrl::Sqlite(database) = config.storage;
    let entries = match sqlite::verify_audit(&database, &keys, *at_least)? {
        // Says nothing about the log.
        Err(error @ AuditError::OtherKey) => return Err(Failure::Configuration(error.into())),
        verified => verified.context("the audit log is NOT whole").map_err(Failure::Runtime)?,
    };
    Ok(say(&format!("the audit log is whole: {entries} entries"))?)
}
