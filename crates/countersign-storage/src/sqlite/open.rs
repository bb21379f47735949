//! Opening a store: one process, the right library, the right file, the right schema, the right keys.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_core::keys::KeyRing;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fingerprints;
use super::migrations::{MIGRATIONS, migrate};

/// The oldest SQLite that may be used. Before 3.51.3, two connections that commit and checkpoint at
/// the same moment, as ours do, could corrupt a WAL database (<https://sqlite.org/wal.html#walresetbug>).
const OLDEST_SQLITE: i32 = 3_051_003;

/// "CSGN": marks a file as ours, so that another program's database is never migrated.
const APPLICATION_ID: i64 = 0x4353_474E;

/// Why a store was not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is in use by another process, which holds the lock file {}",
        database.display(), lock.display()
    )]
    InUse {
        /// The database.
        database: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// A file cannot be created or opened.
    #[error("cannot open {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program was linked with a SQLite that may corrupt its database.
    #[error("SQLite {found} is too old: 3.51.3 or newer is needed, older ones can corrupt a WAL database")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// The file is some other program's.
    #[error("{} is not a Countersign store", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer version of the program wrote it.
    #[error("the store has schema {found}, this program knows up to {known}: use a newer version of it")]
    NewerSchema {
        /// The store's schema.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// A key is not the one under which the store was written.
    #[error("the key {name} is not the one this store was written under")]
    WrongKey {
        /// Which one.
        name: String,
    },
    /// The store needs a key that is not there.
    #[error("none of the {kind} keys this store was written under is in the key file")]
    MissingKey {
        /// Which kind.
        kind: String,
    },
    /// The store is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// The file next to the database whose name ends in `suffix`.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses a SQLite library that is too old.
pub(super) fn check_library() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}

/// Locks the store for this process, for as long as the file is kept open.
pub(super) fn lock(database: &Path) -> Result<File, OpenError> {
    let path = beside(database, ".lock");
    let failed = |source| OpenError::File { path: path.clone(), source };
    let file = private(OpenOptions::new().create(true).truncate(false)).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(OpenError::InUse { database: database.to_owned(), lock: path.clone() })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Creates the database file if there is none, readable by its owner only. SQLite gives the log and
/// its index the same mode.
///
/// SQLite's own locks belong to the process and are dropped when *any* handle to the file is closed
/// (POSIX), so that nothing may open the file like this later.
pub(super) fn create(database: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::File { path: database.to_owned(), source };
    match private(OpenOptions::new().create_new(true)).open(database) {
        Ok(file) => {
            file.sync_all().map_err(failed)?;
            sync_folder_of(database).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(failed(source)),
    }
}

/// Makes a new file's name durable.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(()); // elsewhere a folder cannot be opened as a file
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Files for their owner only.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.read(true).write(true)
}

/// Opens the write connection and brings the store up to date.
pub(super) fn open_for_writing(
    database: &Path,
    keys: &KeyRing,
    cache_kib: u32,
) -> Result<Connection, OpenError> {
    let conn = connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::from_secs(5))?;
    check_ours(&conn, database)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Damaged(format!(
            "the journal mode is {mode}, not WAL: is it on a network disk?"
        )));
    }
    conn.execute_batch(&format!(
        "-- An fsync for every commit: with NORMAL a power cut would undo answers that were given.
         PRAGMA synchronous = FULL;
         -- On macOS an fsync does not reach the disk; these do. Elsewhere they change nothing.
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         -- What was wiped is overwritten at once. FAST would spare the writes for pages that become
         -- free as a whole, and leave their content there; only clearing up frees pages, so that the
         -- commands people wait for pay nothing for ON.
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         -- There are no foreign keys: checking for them would only cost.
         PRAGMA foreign_keys = OFF;
         -- The checkpointer does this.
         PRAGMA wal_autocheckpoint = 0;"
    ))?;
    migrate(&conn, MIGRATIONS)?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    fingerprints::agree(&conn, keys)?; // dropping the connection rolls back
    conn.execute_batch("COMMIT")?;
    Ok(conn)
}

/// Opens a connection for the checkpointer.
pub(super) fn open_for_checkpoints(database: &Path) -> Result<Connection, OpenError> {
    // While it waits for a reader, an emptying checkpoint keeps the writer out: so it hardly waits.
    let conn = connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::from_millis(20))?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(conn)
}

/// Opens a connection for reading.
pub(super) fn open_for_reading(database: &Path) -> Result<Connection, OpenError> {
    let conn = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY, Duration::from_secs(1))?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;")?;
    Ok(conn)
}

fn connect(database: &Path, access: OpenFlags, patience: Duration) -> Result<Connection, OpenError> {
    // A connection stays with its thread, so that SQLite's own mutexes are not needed.
    let conn = Connection::open_with_flags(database, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(patience)?;
    // Closing never checkpoints by itself: after a lost write the log must stay as it is.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Plans do not depend on values. Without this a statement whose plan might is prepared again
    // whenever another value is bound to it, which costs more than running it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// An empty file or a store of ours.
fn check_ours(conn: &Connection, database: &Path) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign { path: database.to_owned() };
    let number = |sql| conn.query_row(sql, (), |row| row.get::<_, i64>(0));
    let tables = match number("SELECT count(*) FROM sqlite_schema") {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        tables => tables?,
    };
    let ours = number("PRAGMA application_id")? == APPLICATION_ID;
    let empty = tables == 0 && number("PRAGMA user_version")? == 0;
    if ours || empty { Ok(()) } else { Err(foreign()) }
}
