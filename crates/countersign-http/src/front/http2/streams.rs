//! The requests of one connection, and how long there has been none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    state: Mutex<StreamsState>,
    /// An answer went out while the service is leaving: the connection is to end.
    pub(super) leaving: Notify,
    /// What was to be thrown away is still in the hands of the network, which takes nothing: the connection is
    /// to be dropped, and what it holds with it.
    pub(super) stuck: Notify,
}

#[derive(Debug, Default)]
struct StreamsState {
    under_way: usize,
    /// When the latest was over.
    ended: Option<Instant>,
}

/// Since when no request is under way.
pub(super) enum Quiet {
    /// There was none yet.
    Always,
    Since(Instant),
    Not,
}

impl Streams {
    pub(super) fn begin(self: &Arc<Self>) -> Stream {
        self.state().under_way += 1;
        Stream { streams: self.clone() }
    }

    pub(super) fn quiet_since(&self) -> Quiet {
        match *self.state() {
            StreamsState { under_way: 0, ended: None } => Quiet::Always,
            StreamsState { under_way: 0, ended: Some(then) } => Quiet::Since(then),
            _ => Quiet::Not,
        }
    }

    fn state(&self) -> MutexGuard<'_, StreamsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way, until it is dropped: answered, or taken back.
pub(super) struct Stream {
    streams: Arc<Streams>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        state.under_way -= 1;
        state.ended = Some(Instant::now());
    }
}
