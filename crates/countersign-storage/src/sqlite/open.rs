//! Opening a store: one process, the right library, the right file, the right schema, the right keys.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::failure::Failure;
use super::files::{self, beside};
use super::migrations::{MIGRATIONS, migrate};
use super::{SqliteOptions, audit_log, fingerprints};

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
        "{} is in use by another process, which holds the lock on {}",
        database.display(), lock.display()
    )]
    InUse {
        /// The database.
        database: PathBuf,
        /// What is locked: the lock file, or the database itself, reached by another name.
        lock: PathBuf,
    },
    /// The database has several names.
    #[error(
        "{} is one of {names} names (hard links) of the same file. The write-ahead log lies beside one name \
         only, so that a start by another name would miss what is in it. Remove the other names",
        database.display()
    )]
    ManyNames {
        /// The database.
        database: PathBuf,
        /// How many names it has.
        names: u64,
    },
    /// A log of another database lies beside it.
    #[error(
        "{log} does not belong to {database}: it was left there by the database that was in this place \
         before. Opening both would damage the data. Nothing was changed. If {database} is the backup or \
         copy that you want to use, move {log} and {index} to another folder and start again. If you want \
         the database from before, put it back first. `countersign restore` does this for a backup",
        database = database.display(), log = log.display(), index = index.display()
    )]
    LeftoverLog {
        /// The database.
        database: PathBuf,
        /// The log.
        log: PathBuf,
        /// The log's index.
        index: PathBuf,
    },
    /// There is a log, but no database.
    #[error(
        "{} is missing or empty, but its write-ahead log {} is there and holds data. Nothing was changed. \
         Put the database back, or move the log to another folder to begin with an empty store",
        database.display(), log.display()
    )]
    LogAlone {
        /// The database.
        database: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// The machine's clock is far from the latest instant that the store has seen.
    #[error(
        "the machine's clock shows {machine}, but this store was last used at {store}, which is {apart} \
         {direction}. Under a wrong clock records would be deleted and codes judged wrongly. Nothing was \
         changed. If the machine's clock is wrong, set it. If it is right (the store was not used for \
         long, or a backup was restored), start once with --accept-clock",
        apart = days(*machine, *store), direction = if store > machine { "later" } else { "earlier" }
    )]
    ClockJump {
        /// The machine's clock.
        machine: Timestamp,
        /// The latest instant that the store has seen.
        store: Timestamp,
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
    /// Rows need a version of a key that is not there.
    #[error(
        "the key {name} is not in the key file, but {rows} {} in the store need it: put it back. A version \
         may be dropped when no row needs it any more; `countersign keys status` counts them",
        if *rows == 1 { "row" } else { "rows" }
    )]
    NeededKey {
        /// Which one, e.g. `seal.1`.
        name: String,
        /// How many rows need it.
        rows: u64,
    },
    /// The store needs a key that is not there.
    #[error("none of the {kind} keys this store was written under is in the key file")]
    MissingKey {
        /// Which kind.
        kind: String,
    },
    /// The file system cannot do what a write-ahead log needs.
    #[error(
        "SQLite keeps no write-ahead log here (its journal mode is {mode}): is the store on a network disk?"
    )]
    NoLog {
        /// What it keeps instead.
        mode: String,
    },
    /// The store is damaged.
    #[error("the store is damaged ({0}). Restore a backup; keep the damaged files")]
    Damaged(String),
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

/// Refuses a SQLite library that is too old.
pub(super) fn check_library() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}

/// Opens the write connection and brings the store up to date. All that the log held is in the database
/// and on the disk then.
pub(super) fn open_for_writing(
    database: &Path,
    keys: &KeyRing,
    options: &SqliteOptions,
    now: Timestamp,
) -> Result<Connection, OpenError> {
    let log = beside(database, "-wal");
    // Asked before SQLite reads the log into it.
    let run_in_file = if files::has_log(database) { files::run_in_file(database) } else { None };
    let conn = connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::from_secs(5))?;
    if check_ours(&conn, database)? {
        run_in_file.map_or(Ok(()), |run| same_run(&conn, database, run))?;
        confirm_clock(&conn, now, options.longest_jump)?;
    }
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoLog { mode });
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
         PRAGMA wal_autocheckpoint = 0;",
        cache_kib = options.cache_kib
    ))?;
    let settled = settle(&conn, &log)?;
    migrate(&conn, MIGRATIONS, |conn, change| match change {
        audit_log::HEAD_MOVES => {
            fingerprints::compare(conn, keys)?; // under another key no head holds
            Ok(audit_log::adopt_unmarked_head(conn, keys, now)?)
        }
        _ => Ok(()),
    })?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    fingerprints::agree(&conn, keys, now)?; // dropping the connection rolls back
    if settled {
        conn.execute("UPDATE state SET run_before = run, run = random()", ())?;
    }
    conn.execute_batch("COMMIT")?;
    if settled && settle(&conn, &log)? {
        conn.execute("UPDATE state SET run_before = NULL", ())?;
    }
    Ok(conn)
}

/// Refuses a log that another run of the program wrote than the database file: one of the two was put
/// here from elsewhere.
///
/// Each start draws a number. It reaches the database file before anything else is written to the log,
/// so that the file's number is that of the log, or the one before it while a start is being killed.
fn same_run(conn: &Connection, database: &Path, in_file: i64) -> Result<(), OpenError> {
    let runs: Result<[Option<i64>; 2], _> =
        conn.query_row("SELECT run, run_before FROM state", (), |row| Ok([row.get(0)?, row.get(1)?]));
    match runs {
        Ok(runs) if runs.contains(&Some(in_file)) => Ok(()),
        Ok(_) => Err(files::leftover(database)),
        // A log of before there were such numbers.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => Err(files::leftover(database)),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a clock that is further than `longest` from the latest instant that the store has seen.
fn confirm_clock(conn: &Connection, now: Timestamp, longest: Option<Duration>) -> Result<(), OpenError> {
    let Some(longest) = longest else { return Ok(()) };
    let seen: Option<i64> = conn.query_row("SELECT high_water FROM state", (), |row| row.get(0))?;
    match seen.map(Timestamp::from_millis) {
        Some(store) if now.apart(store) > longest => Err(OpenError::ClockJump { machine: now, store }),
        _ => Ok(()),
    }
}

/// A length of time for an operator to read.
fn days(one: Timestamp, other: Timestamp) -> String {
    match one.apart(other).as_secs() / 86_400 {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Moves all that is in the log into the database and syncs it; `false` when something was in the way,
/// a backup that is being taken or a full disk. Then the log is synced where it is.
///
/// What an earlier process left in the log may have reached the system's memory only: it was killed
/// before its fsync, or its fsync failed, after which the next one may answer "done" for nothing. What is
/// answered from now on builds on it, so it is written again before.
fn settle(conn: &Connection, log: &Path) -> Result<bool, OpenError> {
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, bool>(0));
    match busy {
        Ok(false) => return Ok(true),
        Ok(true) => {}
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {}
        Err(error) => return Err(error.into()),
    }
    tracing::warn!("the write-ahead log cannot be moved into the database now; it is synced as it is");
    files::sync_again(log).map_err(|source| OpenError::File { path: log.to_owned(), source })?;
    Ok(false)
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

/// Whether there is a store of ours in the file. Anything else than that or an empty file is refused.
pub(super) fn check_ours(conn: &Connection, database: &Path) -> Result<bool, OpenError> {
    let foreign = || OpenError::Foreign { path: database.to_owned() };
    let number = |sql| conn.query_row(sql, (), |row| row.get::<_, i64>(0));
    let tables = match number("SELECT count(*) FROM sqlite_schema") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        tables => tables?,
    };
    let ours = number("PRAGMA application_id")? == APPLICATION_ID;
    let empty = tables == 0 && number("PRAGMA user_version")? == 0;
    if ours || empty { Ok(!empty) } else { Err(foreign()) }
}
