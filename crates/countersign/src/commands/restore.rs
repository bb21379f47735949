//! `countersign restore`

use std::path::Path;

use countersign_storage::sqlite::{self, Installed};

use super::{ConfigArgs, Failure, keys_of, say};
use crate::clock::{SystemTime, TimeSource};
use crate::config::StorageUrl;

pub(super) fn run(args: &ConfigArgs, backup: &Path) -> Result<(), Failure> {
    let config = args.load()?;
    let keys = keys_of(&config.keys)?;
    let StorageUrl::Sqlite(database) = config.storage;
    // Two restores within one second do not happen: the second would find the first one's store.
    let suffix = format!(".before-{}", SystemTime.wall().as_millis() / 1000);
    let Installed { seen, live, audit_entries, moved } = sqlite::install(&database, backup, &keys, &suffix)?;
    say(&format!("checked {}: it is whole, and the keys fit", backup.display()))?;
    match audit_entries {
        Some(entries) => say(&format!("its audit log is whole: {entries} entries"))?,
        None => say("an older version wrote it: its audit log is looked at by the first start")?,
    }
    for file in moved {
        say(&format!("what was in its place is now {}", file.display()))?;
    }
    say(&format!("put it in the place of {}", database.display()))?;
    say(&format!("{live} codes that are live in it are cancelled by the first start"))?;
    if let Some(seen) = seen {
        say(&format!(
            "it was last used at {seen}; if that is more than a day ago, start once with --accept-clock"
        ))?;
    }
    Ok(())
}
