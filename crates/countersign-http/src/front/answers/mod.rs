//! Answers over HTTP/2 that are not gone: how much room they take together, and which makes room for another.
//!
//! HTTP/1 needs none of it: there a connection has one answer at a time.

mod room;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(super) use room::Peer;
use room::Room;

use super::seats::Neighbour;

/// What an answer costs besides its bytes: the task that sends it, and what h2 keeps of its stream.
const COST: usize = 4 * 1024;

/// The room for answers, which all connections share.
#[derive(Debug)]
pub(super) struct Answers {
    state: Mutex<State>,
    connections: AtomicU64,
}

#[derive(Debug)]
struct State {
    room: Room,
    displaced: HashMap<u64, Arc<Notify>>,
}

impl Answers {
    /// Room for so many bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let state = State { room: Room::new(limit), displaced: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), connections: AtomicU64::new(0) })
    }

    /// The number of another connection.
    pub(super) fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets an answer of so many bytes in, or another part of one. Others may have to go for it.
    pub(super) fn enter(self: &Arc<Self>, peer: Peer, bytes: usize) -> Unsent {
        let told = Arc::new(Notify::new());
        let mut state = self.lock();
        let (number, displaced) = state.room.enter(peer, bytes.saturating_add(COST));
        state.displaced.insert(number, Arc::clone(&told));
        for number in displaced {
            if let Some(told) = state.displaced.remove(&number) {
                told.notify_one();
                metrics::counter!("countersign_http_displaced_total", "kind" => "answer").increment(1);
            }
        }
        Unsent { answers: Arc::clone(self), number, told }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    pub(super) fn new(client: IpAddr, connection: u64) -> Self {
        Self { address: Neighbour::of(client), connection }
    }
}

/// An answer that is not gone. It takes room until it is dropped or displaced.
#[derive(Debug)]
pub(super) struct Unsent {
    answers: Arc<Answers>,
    number: u64,
    told: Arc<Notify>,
}

impl Unsent {
    /// It waits for its client from now on.
    pub(super) fn waits(&self) {
        self.answers.lock().room.waits(self.number);
    }

    /// Completes when it has to go, and at once if it has to already.
    pub(super) async fn displaced(&self) {
        self.told.notified().await;
        self.told.notify_one();
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        state.room.leave(self.number);
        state.displaced.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_is_displaced_is_told_and_what_is_dropped_takes_no_room() {
        let answers = Answers::new(3 * (COST + 10));
        let peers = [Peer::new([192, 0, 2, 1].into(), 1), Peer::new([192, 0, 2, 2].into(), 2)];
        let [old, new, good] = [peers[0], peers[0], peers[1]].map(|peer| answers.enter(peer, 10));
        let is_displaced = |unsent: &Unsent| unsent.displaced().now_or_never().is_some();
        let another = answers.enter(peers[1], 10);
        assert!(is_displaced(&old) && ![&new, &good, &another].into_iter().any(is_displaced));
        drop(old);
        drop(new);
        let more = answers.enter(peers[1], 10);
        assert!(![&good, &another, &more].into_iter().any(is_displaced), "there was room");
        drop((good, another, more));
        assert!(answers.lock().displaced.is_empty());
    }
}
