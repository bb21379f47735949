//! Putting a backup in the place of a store.
//!
//! At no moment do the files of two stores lie together as if they were one: a process that is killed in
//! between leaves something that a start refuses.

use std::io;
use std::path::{Path, PathBuf};

use countersign_core::audit::AuditError;
use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::files::{self, beside, private, sync_folder_of};
use super::migrations::MIGRATIONS;
use super::open::{OpenError, check_library, check_ours};
use super::{fingerprints, inspect};

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    /// The latest instant that the backup has seen.
    pub seen: Option<Timestamp>,
    /// How many codes are live in it; they are cancelled when it is first opened.
    pub live: u64,
    /// How many entries its audit log has; `None` for a backup of an older version, whose log is looked at
    /// when it is first opened.
    pub audit_entries: Option<u64>,
    /// The files that were in its place before, where they are now.
    pub moved: Vec<PathBuf>,
}

/// Why a backup was not installed. Nothing was changed, unless a file could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The store is in use, or the backup cannot be read with these keys.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is not a file by itself.
    #[error("{} has a write-ahead log beside it: it is a store or a raw copy of one, not a backup", .0.display())]
    HasLog(PathBuf),
    /// It is damaged.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// Its audit log is not whole.
    #[error("the audit log of the backup is not whole: {0}")]
    Audit(#[from] AuditError),
    /// A file cannot be written or moved.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<rusqlite::Error> for InstallError {
    fn from(error: rusqlite::Error) -> Self {
        OpenError::from(error).into()
    }
}

/// Checks the backup, moves the store in `database` aside, all its files, and puts a copy of the backup in
/// its place. It blocks. `suffix` is what the names of the moved files end in.
///
/// # Errors
/// See [`InstallError`].
pub fn install(
    database: &Path,
    backup: &Path,
    keys: &KeyRing,
    suffix: &str,
) -> Result<Installed, InstallError> {
    check_library()?;
    let database = &*files::resolve(database)?;
    let _locks = files::lock_for_replacing(database)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::File { path, source }
    };
    let copy = beside(database, ".restoring");
    let mut source = std::fs::File::open(backup).map_err(failed(backup))?;
    if files::has_log(backup) {
        return Err(InstallError::HasLog(backup.to_owned()));
    }
    // What a killed restore left.
    let _may_not_be_there = std::fs::remove_file(&copy);
    let mut target =
        private(std::fs::OpenOptions::new().create_new(true)).open(&copy).map_err(failed(&copy))?;
    let checked = io::copy(&mut source, &mut target)
        .map_err(failed(&copy))
        .and_then(|_| check(&copy, keys))
        .and_then(|checked| target.sync_all().map_err(failed(&copy)).map(|()| checked));
    let installed = match checked {
        Ok(installed) => installed,
        Err(error) => {
            let _left = std::fs::remove_file(&copy);
            return Err(error);
        }
    };
    // The database first: a log without it is refused at a start. Then the backup, which is refused beside
    // a log. Only then the log.
    let mut moved = Vec::new();
    let mut aside = |path: PathBuf| -> Result<(), InstallError> {
        let to = beside(&path, suffix);
        match std::fs::rename(&path, &to) {
            Ok(()) => moved.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(InstallError::File { path, source }),
        }
        Ok(())
    };
    aside(database.to_owned())?;
    std::fs::rename(&copy, database).map_err(failed(&copy))?;
    sync_folder_of(database).map_err(failed(database))?;
    for name in ["-wal", "-shm"] {
        aside(beside(database, name))?;
    }
    sync_folder_of(database).map_err(failed(database))?;
    Ok(Installed { moved, ..installed })
}

/// Whether the copy is a whole store of ours that these keys open; marks it as one to be restored.
fn check(copy: &Path, keys: &KeyRing) -> Result<Installed, InstallError> {
    let is_present = {
        let conn = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if !check_ours(&conn, copy)? {
            return Err(OpenError::Foreign { path: copy.to_owned() }.into());
        }
        let found: usize = conn.query_row("PRAGMA user_version", (), |row| row.get::<_, u32>(0))? as usize;
        if found > MIGRATIONS.len() {
            return Err(OpenError::NewerSchema { found, known: MIGRATIONS.len() }.into());
        }
        let verdict: String = conn.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))?;
        if verdict != "ok" {
            return Err(InstallError::Damaged(verdict));
        }
        fingerprints::compare(&conn, keys)?;
        conn.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
        conn.execute("UPDATE state SET restored_pending = 1", ())?;
        found == MIGRATIONS.len()
    };
    let audit_entries = if is_present { Some(inspect::verify_audit(copy, keys, None)??) } else { None };
    let conn = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let seen: Option<i64> = conn.query_row("SELECT high_water FROM state", (), |row| row.get(0))?;
    let live = "SELECT count(*) FROM verifications WHERE status = 0 AND expires_at > ?1";
    let live: i64 = conn.query_row(live, [seen.unwrap_or_default()], |row| row.get(0))?;
    let live = live.max(0).unsigned_abs();
    Ok(Installed { seen: seen.map(Timestamp::from_millis), live, audit_entries, moved: Vec::new() })
}
