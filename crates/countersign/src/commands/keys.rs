//! `countersign keys generate` and `countersign keys status`

use std::collections::BTreeSet;
use std::path::PathBuf;

use countersign_storage::sqlite;

use super::{ConfigArgs, Failure, keys_of, say};
use crate::clock::{SystemTime, TimeSource};
use crate::config::StorageUrl;
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
    /// Counts the rows that need each version of a key; also while the service runs. It looks at every
    /// row
    Status(ConfigArgs),
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
        Command::Status(config) => status(config),
    }
}

fn status(config: &ConfigArgs) -> Result<(), Failure> {
    let config = config.load()?;
    let keys = keys_of(&config.keys)?;
    let StorageUrl::Sqlite(database) = config.storage;
    let needed = sqlite::key_use(&database, SystemTime.wall())?;
    let mut names: BTreeSet<String> = keys.fingerprints().into_iter().map(|(name, _)| name).collect();
    let own = names.clone();
    names.extend(needed.seal.keys().map(|version| format!("seal.{version}")));
    names.extend(needed.pepper.keys().map(|version| format!("pepper.{version}")));
    for name in names.iter().filter(|name| name.contains('.')) {
        let missing = if own.contains(name) { "" } else { ", and it is NOT in the key file" };
        say(&format!("{name}: {} rows need it{missing}", needed.rows(name)))?;
    }
    Ok(())
}
