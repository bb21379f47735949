//! Threads with a read-only connection each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_core::engine::StorageError;
use rusqlite::Connection;

use super::calls::Calls;
use super::failure::{Failure, Lost};
use super::shared::Shared;

/// How many steps of SQLite's machine lie between two looks at the deadline: some microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// A read-only connection.
///
/// A read ends at its caller's deadline at the latest. That keeps a scan from running for nobody, and
/// from holding the log's old pages: a checkpoint cannot go beyond what somebody still reads.
pub(super) struct Reader {
    conn: Connection,
    /// The deadline, in milliseconds after `started`.
    deadline: Arc<AtomicU64>,
    started: Instant,
}

impl Reader {
    pub(super) fn new(mut conn: Connection) -> rusqlite::Result<Self> {
        conn.set_prepared_statement_cache_capacity(32);
        let (started, deadline) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let watched = deadline.clone();
        conn.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || millis(started.elapsed()) >= watched.load(Ordering::Relaxed)),
        )?;
        Ok(Self { conn, deadline, started })
    }

    /// The connection, inside one snapshot.
    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Serves calls until there are no more.
    pub(super) fn serve(mut self, calls: &Calls<Self>, shared: &Shared) {
        while let Some(calls) = calls.pop(1) {
            for mut call in calls {
                let Some(deadline) = call.wanted_until() else { continue };
                let end = millis(deadline.saturating_duration_since(self.started));
                self.deadline.store(end, Ordering::Relaxed);
                let result = self.snapshot(|reader| call.run(reader)).map_err(|failure| {
                    tracing::warn!(error = %failure, "a read failed");
                    if failure.is_damage() {
                        shared.give_up(Lost::Damage(failure.to_string()));
                    }
                    StorageError::from(&failure)
                });
                // What is read from a store that is lost meanwhile is not to be trusted.
                let lost = shared.fatal_reason().map(StorageError::Unavailable);
                call.finish(lost.map_or(result, Err));
            }
        }
    }

    /// Runs several statements on one state of the store.
    fn snapshot(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        self.conn.prepare_cached("BEGIN")?.execute(())?;
        let result = run(self);
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        if !self.conn.is_autocommit() {
            self.conn.prepare_cached("ROLLBACK")?.execute(())?;
        }
        result
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
