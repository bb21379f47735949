//! The embedded engine: one SQLite file, nothing to install.
//!
//! ```text
//! callers ──► queue ──► writer ──────► database-wal ──► database
//!        │              one thread,         ▲  checkpointer, a thread of its own
//!        │              one fsync per batch │
//!        └──► queue ──► readers ────────────┘
//! ```
//!
//! Invariants:
//! - A command is answered after the commit that holds all it changed is on the disk.
//! - One process per file; one thread writes; connections never leave their threads.
//! - A failed fsync is never retried: nothing is acknowledged after it, and [`SqliteEngine::fatal`]
//!   tells the program to end.
//!
//! Where to find what: [`open`] checks the file, the library and the keys; [`writer`] commits;
//! [`mod@unit`] reads for a command and [`changes`] writes for it; [`commands`], [`outbox`], [`mod@claim`],
//! [`directory`], [`nonces`], [`erase`] and [`sweep`] are the engine's methods; [`reads`] is what needs no decision;
//! [`scans`] says whose turn it is with what takes long;
//! [`recipients`] is where ledgers stand, and in what order they get there.

mod answers;
mod audit_log;
mod backup;
mod calls;
mod changes;
mod checkpoint;
mod claim;
mod commands;
mod directory;
mod engine;
mod erase;
mod failure;
mod files;
mod fingerprints;
mod inspect;
mod install;
mod key_use;
mod migrations;
mod nonces;
mod open;
mod outbox;
mod queue;
mod reader;
mod reads;
mod recipients;
mod restore;
mod scans;
mod session;
mod shared;
mod shares;
mod sweep;
#[cfg(test)]
mod tests;
mod threads;
mod turn;
mod unit;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;

pub use backup::{BackupError, backup};
pub use failure::Lost;
pub use inspect::verify_audit;
pub use install::{InstallError, Installed, install};
pub use key_use::{KeyUse, key_use};
pub use open::OpenError;

use calls::{Calls, Port};
use checkpoint::{Checkpointer, Schedule, Stop};
use erase::UnderWay;
use reader::Reader;
use scans::OneEach;
use session::Session;
use shared::Shared;
use threads::Threads;
use writer::Writer;

/// How an engine behaves. The defaults suit a server; [`SqliteOptions::default`].
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How long a request waits for its answer. Then it is told that the store is unavailable, and if
    /// it was not begun it never will be.
    pub request_patience: Duration,
    /// The same for work that nobody waits for in front of a screen: the outbox and clearing up.
    pub background_patience: Duration,
    /// How many commands of each urgency may wait. One more is told that the store is overloaded.
    pub queue_bound: usize,
    /// How many commands one commit may hold.
    pub batch_bound: usize,
    /// After so much work within a batch the writer can be taken back to where it is: a command that fails
    /// makes it repeat no more than that.
    pub mark_every: Duration,
    /// How many threads read.
    pub readers: usize,
    /// After so many changes to what is known of recipients, these are sorted into their tree.
    pub recipients_round: u32,
    /// The writer's page cache, in KiB.
    pub cache_kib: u32,
    /// This many pages (of 4 KiB) that wait in the log are moved into the database.
    pub checkpoint_pages: u32,
    /// A log of this many pages is begun anew, for which the writer has to pause for a moment.
    pub log_pages: u32,
    /// The log is emptied at least this often: what was wiped from a row still stands in the log's
    /// older pages. Must leave room for another try within 60 s.
    pub empty_log_every: Duration,
    /// How far the present instant may be from the latest that the store has seen, either way, when it is
    /// opened. `None` takes any: for clocks that are not a machine's, and when an operator has said so.
    pub longest_jump: Option<Duration>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            request_patience: Duration::from_millis(1_500),
            background_patience: Duration::from_secs(30),
            queue_bound: 2_048,
            batch_bound: 256,
            mark_every: Duration::from_millis(1),
            readers: 3,
            recipients_round: 32_768,
            cache_kib: 16 * 1024,
            checkpoint_pages: 1_000,
            log_pages: 16_000,
            empty_log_every: Duration::from_secs(20),
            longest_jump: None,
        }
    }
}

/// The embedded engine.
pub struct SqliteEngine {
    path: PathBuf,
    options: SqliteOptions,
    writer: Port<Session>,
    reader: Port<Reader>,
    scans: OneEach,
    erasures: Arc<UnderWay>,
    /// Whose erasure is being carried out.
    erasing: OneEach,
    /// Held while a command is carried out that takes the writer some milliseconds, so that no batch has two.
    heavy: tokio::sync::Mutex<()>,
    shared: Arc<Shared>,
    threads: Threads,
}

impl std::fmt::Debug for SqliteEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteEngine").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteEngine {
    /// Opens the store in `path`, or creates it there; the folder must exist. It blocks.
    ///
    /// `now` is the present instant: a restored backup is cleared as of then. Inside a tokio runtime, that
    /// runtime hands the answers out and has to outlive the callers.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        path: &Path,
        keys: Arc<KeyRing>,
        options: SqliteOptions,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        open::check_library()?;
        let path = &*files::resolve(path)?;
        let threads = Threads::new(files::claim(path)?);
        let conn = open::open_for_writing(path, &keys, &options, now)?;
        let mut session = Session::new(conn, keys, options.recipients_round);
        let high_water = prepare(&mut session, now)?;
        let shared = Arc::new(Shared::new(high_water));

        let to_write: Arc<Calls<Session>> = Arc::new(Calls::new(options.queue_bound));
        let to_read: Arc<Calls<Reader>> = Arc::new(Calls::new(options.queue_bound));
        let checkpoints = Arc::new(Stop::default());
        let mut readers = Vec::new();
        for _ in 0..options.readers.max(1) {
            readers.push(Reader::new(open::open_for_reading(path)?)?);
        }
        let checkpointer = Checkpointer::new(
            open::open_for_checkpoints(path)?,
            Schedule {
                tick: Duration::from_millis(100).min(options.empty_log_every),
                pages: options.checkpoint_pages,
                restart: options.log_pages,
                empty_every: options.empty_log_every,
            },
            shared.clone(),
            checkpoints.clone(),
        );
        let writer =
            Writer::new(session, to_write.clone(), shared.clone(), options.batch_bound, options.mark_every);
        let written = checkpoints.clone();
        threads.spawn("store-writer", &shared, move || {
            writer.serve();
            written.stop(); // the log is emptied last
        });
        threads.spawn("store-checkpoint", &shared, move || checkpointer.serve());
        for reader in readers {
            let (calls, state) = (to_read.clone(), shared.clone());
            threads.spawn("store-reader", &shared, move || reader.serve(&calls, &state));
        }
        Ok(Self {
            path: path.to_owned(),
            options,
            writer: Port::new(to_write),
            reader: Port::new(to_read),
            scans: OneEach::default(),
            erasures: Arc::default(),
            erasing: OneEach::default(),
            heavy: tokio::sync::Mutex::new(()),
            shared,
            threads,
        })
    }

    /// Waits until the store is lost; returns why. Every command fails from then on, and the program has
    /// to end with an error.
    pub async fn fatal(&self) -> Lost {
        self.shared.fatal().await
    }

    /// Copies the store to the new file `to`: see [`mod@backup`]. It blocks.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        backup(&self.path, to)
    }
}

impl Drop for SqliteEngine {
    /// Carries out what waits, empties the log and lets go of the file.
    fn drop(&mut self) {
        self.writer.close("the store is closing");
        self.reader.close("the store is closing");
        self.threads.join(Duration::from_secs(5));
    }
}

/// What has to happen before the first command; answers the high-water mark.
fn prepare(session: &mut Session, now: Timestamp) -> Result<Option<Timestamp>, OpenError> {
    let prepared = session.begin().and_then(|()| {
        audit_log::take_over(session, now)?;
        if restore::is_pending(session)? {
            let canceled = restore::cancel_live_codes(session, now)?;
            tracing::warn!(canceled, "this store is a restored backup: its live codes are cancelled");
        }
        outbox::take_over(session)?;
        recipients::take_over(session)?;
        session.commit()
    });
    match prepared {
        Ok(committed) => Ok(committed.high_water),
        Err(failure) => Err(failure.into()),
    }
}
