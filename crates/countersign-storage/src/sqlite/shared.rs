//! What the engine's threads and its callers know of each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::time::Timestamp;
use tokio::sync::{Notify, watch};

use super::failure::Lost;
use super::session::Committed;
use super::turn::Turn;

/// State that outlives no process.
#[derive(Debug)]
pub(super) struct Shared {
    /// The latest instant ever committed.
    high_water: Mutex<Option<Timestamp>>,
    /// Holds one permit while messages were queued that nobody waited for.
    pub(super) messages: Notify,
    /// How many commits there were, so that the checkpointer sees when there is something to do.
    commits: AtomicU64,
    /// Whose turn it is with the log.
    pub(super) turn: Turn,
    /// Why the store is lost; `None` while it is not.
    fatal: watch::Sender<Option<Lost>>,
}

impl Shared {
    pub(super) fn new(high_water: Option<Timestamp>) -> Self {
        Self {
            high_water: Mutex::new(high_water),
            messages: Notify::new(),
            commits: AtomicU64::new(0),
            turn: Turn::default(),
            fatal: watch::Sender::new(None),
        }
    }

    /// Takes note of a commit, before anybody is answered.
    pub(super) fn committed(&self, committed: Committed) {
        *self.high_water.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = committed.high_water;
        if committed.wrote {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        if committed.messages_due {
            self.messages.notify_one();
        }
    }

    /// The latest instant ever committed.
    pub(super) fn high_water(&self) -> Option<Timestamp> {
        *self.high_water.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How many commits there were.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The store is lost. Nothing is acknowledged from now on.
    pub(super) fn give_up(&self, lost: Lost) {
        tracing::error!(reason = %lost, "the store gives up");
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            fatal.get_or_insert(lost);
            first
        });
    }

    /// Why the store is lost.
    pub(super) fn fatal_reason(&self) -> Option<String> {
        self.fatal.borrow().as_ref().map(ToString::to_string)
    }

    /// Waits until the store is lost; returns why.
    pub(super) async fn fatal(&self) -> Lost {
        let mut fatal = self.fatal.subscribe();
        // The sender lives in here, so that the channel cannot close meanwhile.
        let reason = fatal.wait_for(Option::is_some).await.map(|reason| reason.clone());
        reason.ok().flatten().unwrap_or(Lost::Defect("a thread of the store has gone"))
    }
}
