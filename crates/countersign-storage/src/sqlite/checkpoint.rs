//! Moving the log into the database, away from the commit path.
//!
//! SQLite would do this inside the commit that happens to make the log too long. Here a thread of its
//! own does it, while the writer goes on. A passive checkpoint disturbs nobody, but as long as the
//! writer adds pages meanwhile, the log only grows. Beginning it anew (`RESTART`) or emptying it
//! (`TRUNCATE`) keeps the writer out for a moment, and so comes right after a passive one, when little
//! is left to move. A log begun anew keeps its blocks, which makes the commits after it cheaper; an
//! empty one keeps nothing, and that has to be: what was wiped from a row still stands in older pages.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::failure::{Failure, Lost};
use super::shared::Shared;

/// How long to leave the writer alone after a reader was in the way.
const AFTER_A_READER: Duration = Duration::from_secs(1);

/// The writer is kept out for no more than about so many pages.
const FEW_PAGES: i64 = 1_000;

/// How often to try to come down to so few, while the writer adds more.
const ROUNDS: u32 = 4;

/// When checkpoints happen.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// How often to look.
    pub(super) tick: Duration,
    /// This many pages that wait in the log are moved.
    pub(super) pages: u32,
    /// A log of this many pages is begun anew.
    pub(super) restart: u32,
    /// After this long it is emptied, if anything was written.
    pub(super) empty_every: Duration,
}

/// Tells the thread to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits; `true` once stopped.
    fn wait(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The checkpointing thread.
pub(super) struct Checkpointer {
    conn: Connection,
    schedule: Schedule,
    shared: Arc<Shared>,
    stop: Arc<Stop>,
}

/// The log's pages, and how many of them are in the database already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Progress {
    /// Whether somebody was in the way.
    busy: bool,
    pages: i64,
    moved: i64,
}

impl Checkpointer {
    pub(super) fn new(conn: Connection, schedule: Schedule, shared: Arc<Shared>, stop: Arc<Stop>) -> Self {
        Self { conn, schedule, shared, stop }
    }

    /// Looks after the log until told to end; then empties it, so that the database file is whole.
    pub(super) fn serve(self) {
        let mut seen = self.shared.commits();
        // What an earlier process left in the log is emptied as well.
        let mut dirty = true;
        let mut empty_at = Instant::now() + self.schedule.empty_every;
        let mut restart_at = Instant::now();
        loop {
            let stopped = self.stop.wait(self.schedule.tick);
            if self.shared.fatal_reason().is_some() {
                return; // the log may not be what it seems; the next start reads it from the disk
            }
            let commits = self.shared.commits();
            let moved_on = commits != std::mem::replace(&mut seen, commits);
            dirty |= moved_on;
            let now = Instant::now();
            let mut result = Ok(());
            if dirty && (stopped || now >= empty_at) {
                result = self.move_and("TRUNCATE").map(|done| {
                    dirty = !done || self.shared.commits() != seen;
                    empty_at = now + if done { self.schedule.empty_every } else { AFTER_A_READER };
                });
            } else if moved_on {
                result = self.look(now >= restart_at).map(|done| {
                    if !done {
                        restart_at = now + AFTER_A_READER;
                    }
                });
            }
            match result {
                Ok(()) => {}
                Err(failure) if failure.lost_sync() => {
                    return self.shared.give_up(Lost::Write(format!("a checkpoint: {failure}")));
                }
                Err(failure) if failure.is_damage() => {
                    return self.shared.give_up(Lost::Damage(failure.to_string()));
                }
                // Nothing is lost: the log still has it all, and the next round tries again.
                Err(failure) => tracing::warn!(error = %failure, "a checkpoint failed"),
            }
            if stopped {
                return;
            }
        }
    }

    /// Moves what is much, and begins the log anew when it is long; `false` when a reader was in the way.
    fn look(&self, may_restart: bool) -> Result<bool, Failure> {
        let log = self.checkpoint("NOOP")?;
        metrics::gauge!("countersign_store_log_pages").set(f64::from(u32::try_from(log.pages).unwrap_or(0)));
        if may_restart && log.pages > i64::from(self.schedule.restart) {
            return self.move_and("RESTART");
        }
        if log.pages - log.moved > i64::from(self.schedule.pages) {
            self.timed("PASSIVE")?;
        }
        Ok(true)
    }

    /// Moves all there is without disturbing anybody, then what has come meanwhile, which is less each
    /// time, and the rest with the writer kept out; `false` when a reader was in the way.
    fn move_and(&self, mode: &'static str) -> Result<bool, Failure> {
        for _ in 0..ROUNDS {
            self.timed("PASSIVE")?;
            let log = self.checkpoint("NOOP")?;
            if log.pages - log.moved <= FEW_PAGES {
                break;
            }
        }
        let _turn = self.shared.turn.to_checkpoint();
        Ok(!self.timed(mode)?.busy)
    }

    fn timed(&self, mode: &'static str) -> Result<Progress, Failure> {
        let begun = Instant::now();
        let progress = self.checkpoint(mode)?;
        metrics::histogram!("countersign_store_checkpoint_seconds", "mode" => mode).record(begun.elapsed());
        Ok(progress)
    }

    fn checkpoint(&self, mode: &str) -> Result<Progress, Failure> {
        let mut statement = self.conn.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
        Ok(statement.query_row((), |row| {
            Ok(Progress { busy: row.get(0)?, pages: row.get(1)?, moved: row.get(2)? })
        })?)
    }
}
