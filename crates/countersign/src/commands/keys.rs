//! `countersign keys generate`

use std::path::PathBuf;

use super::{Failure, say};
use crate::entropy::OsEntropy;
use crate::keyfile;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a new key file, or prints one
    Generate {
        /// Where to write it, readable by its owner only; it must not exist. Without this the secrets
        /// are printed
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Generate { out: None } => Ok(say(keyfile::generate(&OsEntropy).trim_end())?),
        Command::Generate { out: Some(path) } => {
            keyfile::create(path, &OsEntropy)?;
            say(&format!(
                "wrote {0}. Keep a copy apart from the database's backups: without it they cannot be read.",
                path.display()
            ))?;
            Ok(())
        }
    }
}
