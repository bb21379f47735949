//! The store's files, before SQLite looks at them: which file it is, that nobody else has it, and
//! whether what lies beside it belongs to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::open::OpenError;

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the header says how the file is written: 1 is a rollback journal, 2 a write-ahead log.
const WRITE_VERSION: usize = 18;

/// The locks of an open store. They end with this value, which has to live longer than every
/// connection of the engine.
#[derive(Debug)]
pub(super) struct Locks {
    /// The lock file beside the database.
    name: File,
    /// The database itself, if there was one.
    file: Option<File>,
}

impl Drop for Locks {
    /// A process that is just being forked holds these files, too, and with them the locks, until it
    /// runs its own program: closing them would not be enough.
    fn drop(&mut self) {
        for file in self.file.iter().chain([&self.name]) {
            if let Err(error) = file.unlock() {
                tracing::warn!(%error, "the store is not unlocked before its files are closed");
            }
        }
    }
}

/// The file beside the database whose name ends in `suffix`.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The database's own path: no link leads to it. SQLite puts the log beside this one, and so do we with
/// the lock file, so that every way to the database meets the same lock.
pub(super) fn resolve(database: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::File { path: database.to_owned(), source };
    match database.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = database.file_name().ok_or_else(|| failed(error))?;
            let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(folder.unwrap_or(Path::new(".")).canonicalize().map_err(failed)?.join(name))
        }
        resolved => resolved.map_err(failed),
    }
}

/// Locks the store for this process and creates the database file if there is none, readable by its
/// owner only. SQLite gives the log and its index the same mode.
///
/// Two locks: the lock file, and the database itself, which may be reached by another name where one
/// file is mounted in two places. SQLite's own locks are of another kind (POSIX) and do not mind, but
/// the system drops them when *any* handle of this process to the database is closed. So the handle
/// that is locked here stays open as long as the store, and no other is opened before the lock file is
/// ours.
pub(super) fn claim(database: &Path) -> Result<Locks, OpenError> {
    let failed = |source| OpenError::File { path: database.to_owned(), source };
    let name = lock_name(database)?;
    if !database.exists() {
        no_log(database)?;
    }
    let file = open_or_create(database).map_err(failed)?;
    refuse_other_names(&file, database)?;
    lock_file(&file, database)?;
    belongs_together(&file, database)?;
    Ok(Locks { name, file: Some(file) })
}

/// Locks the store to put another one in its place, whatever state it is in; there may be none.
pub(super) fn lock_for_replacing(database: &Path) -> Result<Locks, OpenError> {
    let name = lock_name(database)?;
    let file = match private(&mut OpenOptions::new()).open(database) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        opened => Some(opened.map_err(|source| OpenError::File { path: database.to_owned(), source })?),
    };
    file.as_ref().map_or(Ok(()), |file| lock_file(file, database))?;
    Ok(Locks { name, file })
}

/// Locks the lock file, which is created if need be.
fn lock_name(database: &Path) -> Result<File, OpenError> {
    let path = beside(database, ".lock");
    let name = private(OpenOptions::new().create(true).truncate(false)).open(&path);
    let name = name.map_err(|source| OpenError::File { path: path.clone(), source })?;
    locked(name.try_lock(), database, &path).map(|()| name)
}

/// Locks the database itself. Not where the system has one kind of lock for all: SQLite would wait for us.
fn lock_file(file: &File, database: &Path) -> Result<(), OpenError> {
    if cfg!(target_os = "linux") { locked(file.try_lock(), database, database) } else { Ok(()) }
}

fn locked(result: Result<(), TryLockError>, database: &Path, lock: &Path) -> Result<(), OpenError> {
    result.map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { database: database.to_owned(), lock: lock.to_owned() },
        TryLockError::Error(source) => OpenError::File { path: lock.to_owned(), source },
    })
}

fn open_or_create(database: &Path) -> io::Result<File> {
    match private(OpenOptions::new().create_new(true)).open(database) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            private(&mut OpenOptions::new()).open(database)
        }
        created => {
            let file = created?;
            file.sync_all()?;
            sync_folder_of(database)?;
            Ok(file)
        }
    }
}

/// The log lies beside the name under which the database was opened: under another name it would be
/// missed.
fn refuse_other_names(file: &File, database: &Path) -> Result<(), OpenError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata();
        let names = metadata.map_err(|source| OpenError::File { path: database.to_owned(), source })?.nlink();
        if names > 1 {
            return Err(OpenError::ManyNames { database: database.to_owned(), names });
        }
    }
    Ok(())
}

/// Refuses a log that was left beside another database: SQLite would move it into this one.
///
/// A database that a log belongs to says in its header that it has one. A backup says that it has none.
fn belongs_together(file: &File, database: &Path) -> Result<(), OpenError> {
    let header = header(file).map_err(|source| OpenError::File { path: database.to_owned(), source })?;
    match header {
        None => no_log(database),
        Some(header) if header.starts_with(MAGIC) && header[WRITE_VERSION] == 1 && has_log(database) => {
            Err(leftover(database))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses a log without a database: SQLite would delete it.
fn no_log(database: &Path) -> Result<(), OpenError> {
    if !has_log(database) {
        return Ok(());
    }
    Err(OpenError::LogAlone { database: database.to_owned(), log: beside(database, "-wal") })
}

/// Whether there is a log beside the database that holds something. The index without a log is made anew
/// by whoever opens the database first.
pub(super) fn has_log(database: &Path) -> bool {
    std::fs::metadata(beside(database, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// The log beside `database` is not its own.
pub(super) fn leftover(database: &Path) -> OpenError {
    OpenError::LeftoverLog {
        database: database.to_owned(),
        log: beside(database, "-wal"),
        index: beside(database, "-shm"),
    }
}

/// The first bytes of the file; `None` if it has fewer.
fn header(mut file: &File) -> io::Result<Option<[u8; 20]>> {
    use std::io::{Read, Seek};
    let mut header = [0; 20];
    file.rewind()?;
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Some(header)),
    }
}

/// Which run wrote the database file, as it is without its log; `None` if that cannot be told, for
/// example because a kill interrupted a checkpoint.
pub(super) fn run_in_file(database: &Path) -> Option<i64> {
    let path = database.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).ok()?;
    conn.query_row("SELECT run FROM state", (), |row| row.get(0)).ok()?
}

/// Writes the log's own bytes over it and syncs it. After a failed fsync the system may take what only
/// its memory holds for written; bytes that were written again are really synced.
pub(super) fn sync_again(log: &Path) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut file = match private(&mut OpenOptions::new()).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut bytes = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&bytes[..read])?;
        at += read as u64;
    }
}

/// Makes the frame that follows the log's first `frames` unreadable, and with it all behind it.
pub(super) fn cut_log(log: &Path, frames: u64, page_size: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    // The file format: https://sqlite.org/fileformat2.html#walformat
    const LOG_HEADER: u64 = 32;
    const FRAME_HEADER: [u8; 24] = [0; 24];
    let at = LOG_HEADER + frames * (FRAME_HEADER.len() as u64 + page_size);
    let mut file = private(&mut OpenOptions::new()).open(log)?;
    if file.metadata()?.len() <= at {
        return Ok(());
    }
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&FRAME_HEADER)?;
    // Nothing is acknowledged on the strength of this one: it makes a refusal last through a power cut.
    file.sync_all()
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
