//! The engine's threads, and the locks that live as long as any of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::failure::Lost;
use super::files::Locks;
use super::shared::Shared;

/// What a thread holds until its connection is closed. Fields are dropped in this order.
struct Presence {
    /// The store stays locked while anybody may still write to it.
    _locks: Arc<Locks>,
    /// Nobody sends anything here: it only tells, by its end, that the thread has ended.
    _alive: Sender<()>,
}

/// Threads with a connection each.
#[derive(Debug)]
pub(super) struct Threads {
    /// Taken when they are joined.
    locks: Mutex<Option<(Arc<Locks>, Sender<()>)>>,
    /// A mutex only because receivers cannot be shared.
    ended: Mutex<Receiver<()>>,
}

impl Threads {
    /// No threads yet, and the store's locks.
    pub(super) fn new(locks: Locks) -> Self {
        let (alive, ended) = channel();
        Self { locks: Mutex::new(Some((Arc::new(locks), alive))), ended: Mutex::new(ended) }
    }

    /// Runs `work` on a thread of its own. Should it panic, the store is lost: nobody would serve its
    /// calls any more.
    pub(super) fn spawn(&self, name: &str, shared: &Arc<Shared>, work: impl FnOnce() + Send + 'static) {
        let held = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((locks, alive)) = held.as_ref() else { return };
        let presence = Presence { _locks: locks.clone(), _alive: alive.clone() };
        let shared = shared.clone();
        let run = move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                shared.give_up(Lost::Defect("a thread of the store panicked"));
            }
            drop(presence);
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).expect("the system can start a thread");
    }

    /// Waits until all have ended, but not for ever: a disk that hangs must not keep the program from
    /// ending. The locks are held until the last of them has really gone.
    pub(super) fn join(&self, patience: Duration) {
        drop(self.locks.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the store's threads do not end");
        }
    }
}
