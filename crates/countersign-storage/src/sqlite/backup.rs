//! Online backups: one consistent file, taken while the store is in use.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::open::{OpenError, beside, check_library, open_for_reading, private, sync_folder_of};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target exists. A backup never overwrites anything.
    #[error("{} exists already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// Copies the store in `database` to the new file `to`, also while another process serves from it.
///
/// The copy is one committed state, in one file, readable by its owner only, and on the disk when this
/// returns. It is marked: when it is first opened, every code that was live is cancelled. It blocks,
/// and needs the key file to be of any use; keep both, apart from each other.
///
/// # Errors
/// `to` exists, or the store cannot be read, or the copy not written. Nothing is left behind then.
pub fn backup(database: &Path, to: &Path) -> Result<(), BackupError> {
    check_library()?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // Written under another name first: a file with the right name is a whole backup.
    let partial = beside(to, ".partial");
    let failed = |path: &Path, source: io::Error| BackupError::File { path: path.to_owned(), source };
    match private(OpenOptions::new().create_new(true)).open(&partial) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(partial));
        }
        created => drop(created.map_err(|source| failed(&partial, source))?),
    }
    let copied = copy(database, &partial).and_then(|()| {
        let finish = || {
            OpenOptions::new().read(true).write(true).open(&partial)?.sync_all()?;
            // Not a rename, which would overwrite a file that appeared meanwhile.
            std::fs::hard_link(&partial, to)?;
            std::fs::remove_file(&partial)?;
            sync_folder_of(to)
        };
        finish().map_err(|source| failed(to, source))
    });
    if copied.is_err() {
        for leftover in [partial.clone(), beside(&partial, "-journal")] {
            let _ = std::fs::remove_file(leftover); // it may not be there
        }
    }
    copied
}

fn copy(database: &Path, to: &Path) -> Result<(), BackupError> {
    let from = open_for_reading(database)?;
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    {
        // One step for all pages is one snapshot: the writer goes on meanwhile, into the log.
        let backup = Backup::new(&from, &mut copy)?;
        while backup.step(-1)? != StepResult::Done {
            std::thread::sleep(std::time::Duration::from_millis(10)); // a checkpoint was in the way
        }
    }
    // One file without a log, so that it can be moved by its name.
    copy.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
    copy.execute("UPDATE state SET restored_pending = 1", ())?;
    Ok(())
}
