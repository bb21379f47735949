//! What can go wrong inside a running store, and what that means for the caller.

use countersign_core::codec::Undecodable;
use countersign_core::engine::StorageError;
use countersign_core::verification::Damaged;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};

/// Why a store is lost: nothing is acknowledged any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Lost {
    /// A write that was reported as failed may or may not be on the disk. The next start reads what is
    /// really there.
    #[error("a write may be lost: {0}")]
    Write(String),
    /// The database is damaged. A restart does not mend that, a backup does.
    #[error("the database is damaged: {0}")]
    Damage(String),
    /// The program has a defect.
    #[error("{0}")]
    Defect(&'static str),
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A row of this table cannot be read.
    #[error("a row of {0} cannot be read")]
    Corrupt(&'static str),
    /// A file of the store cannot be written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A rule panicked: a defect of ours, not of the store.
    #[error("the command panicked")]
    Panicked,
}

impl Failure {
    /// Whether it would strike every other command as well, so that trying them makes no sense.
    pub(super) fn strikes_all(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
            )
        ) || self.is_damage()
    }

    /// Whether the database itself is damaged. No command can help that, and none that still seems to
    /// work can be trusted: the store is lost.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// Whether written data may not have reached the disk although the kernel no longer says so. A
    /// second fsync may answer "done" without having done anything (PostgreSQL's `data_sync_retry`
    /// documents the same), so that nothing this process acknowledges can be trusted any more.
    pub(super) fn lost_sync(&self) -> bool {
        matches!(self.extended_code(), Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC))
    }

    /// The same for an error of COMMIT, where any input or output error leaves open how much of the
    /// log was written and synced.
    pub(super) fn lost_commit(&self) -> bool {
        self.code() == Some(ErrorCode::SystemIoFailure)
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Corrupt(_) | Self::File(_) | Self::Panicked => None,
        }
    }

    fn extended_code(&self) -> Option<i32> {
        match self {
            Self::Sqlite(error) => error.sqlite_error().map(|e| e.extended_code),
            Self::Corrupt(_) | Self::File(_) | Self::Panicked => None,
        }
    }
}

impl From<&Failure> for StorageError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Corrupt(table) => Self::Corrupt { table },
            Failure::Panicked => Self::Unavailable("internal error".into()),
            Failure::File(error) => Self::Unavailable(error.to_string()),
            Failure::Sqlite(error) => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => Self::Corrupt { table: "the database" },
                error if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                    Self::Corrupt { table: "the database" }
                }
                error => Self::Unavailable(error.to_string()),
            },
        }
    }
}

impl From<Damaged> for Failure {
    fn from(_: Damaged) -> Self {
        Self::Corrupt("verifications")
    }
}

impl From<rusqlite::types::FromSqlError> for Failure {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Sqlite(error.into())
    }
}

/// Says in which table an undecodable row stands.
pub(super) trait InTable<T> {
    /// Names the table.
    fn in_table(self, table: &'static str) -> Result<T, Failure>;
}

impl<T> InTable<T> for Result<T, Undecodable> {
    fn in_table(self, table: &'static str) -> Result<T, Failure> {
        self.map_err(|_| Failure::Corrupt(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn sqlite(extended: i32) -> Failure {
        Failure::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None))
    }

    /// Shows: R3.
    #[test]
    fn a_full_disk_strikes_all_but_loses_nothing() {
        let full = sqlite(ffi::SQLITE_FULL);
        assert_eq!((full.strikes_all(), full.lost_sync(), full.lost_commit()), (true, false, false));
    }

    /// Shows: R3.
    #[test]
    fn a_failed_fsync_is_never_mistaken_for_anything_else() {
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(sqlite(code).lost_sync() && sqlite(code).lost_commit());
        }
        let read = sqlite(ffi::SQLITE_IOERR_READ);
        assert_eq!((read.lost_sync(), read.lost_commit()), (false, true));
    }

    /// Corruption counted as the fault of the command that met it, and the node went on.
    ///
    /// Shows: E15.
    #[test]
    fn e15_damage_is_never_the_commands_own_fault() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CORRUPT_INDEX, ffi::SQLITE_NOTADB] {
            assert!(sqlite(code).is_damage() && sqlite(code).strikes_all());
        }
        assert!(!Failure::Corrupt("users").is_damage(), "one row that does not open is no damage");
        assert!(!sqlite(ffi::SQLITE_IOERR_READ).is_damage());
    }

    #[test]
    fn a_constraint_is_the_commands_own_fault() {
        assert!(!sqlite(ffi::SQLITE_CONSTRAINT_UNIQUE).strikes_all());
        assert!(!Failure::Corrupt("users").strikes_all());
    }
}
