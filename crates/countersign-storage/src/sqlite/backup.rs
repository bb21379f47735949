//! Online backups: one consistent file, taken while the store is in use.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::files::{beside, private, sync_folder_of};
use super::open::{OpenError, check_library, open_for_reading};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target exists. A backup never overwrites anything.
    #[error("{} exists already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The file that a backup is written to before it gets its name exists.
    #[error("{} exists: another backup is being written, or one was killed. If none is, remove it", .0.display())]
    Unfinished(PathBuf),
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
            return Err(BackupError::Unfinished(partial));
        }
        created => drop(created.map_err(|source| failed(&partial, source))?),
    }
    let copied = copy(database, &partial).and_then(|()| {
        let finish = || {
            OpenOptions::new().read(true).write(true).open(&partial)?.sync_all()?;
            put_in_place(&partial, to)?;
            sync_folder_of(to)
        };
        finish().map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => failed(to, source),
        })
    });
    if copied.is_err() {
        for leftover in [partial.clone(), beside(&partial, "-journal")] {
            let _ = std::fs::remove_file(leftover); // it may not be there
        }
    }
    copied
}

/// Gives a finished backup its name. A file that has the name meanwhile is not overwritten.
fn put_in_place(partial: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, partial, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system knows it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
    }
    rename_if_free(partial, to)
}

/// The same on any file system: whoever takes the name between the look and the rename is overwritten.
fn rename_if_free(partial: &Path, to: &Path) -> io::Result<()> {
    match to.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(partial, to),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    /// Where the system cannot rename without overwriting, a look goes before it.
    ///
    /// Shows: E15.
    #[test]
    fn e15_a_backup_gets_its_name_on_any_file_system_and_takes_none_away() {
        let folder = tempfile::tempdir().unwrap();
        let (partial, to) = (folder.path().join("b.partial"), folder.path().join("b"));
        for rename in [put_in_place, rename_if_free] {
            fs::write(&partial, "new").unwrap();
            rename(&partial, &to).unwrap();
            assert_eq!((fs::read_to_string(&to).unwrap(), partial.exists()), ("new".into(), false));
            fs::write(&partial, "newer").unwrap();
            let refused = rename(&partial, &to).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&to).unwrap(), "new");
            fs::remove_file(&to).unwrap();
        }
    }
}
