//! A bounded queue with two lanes, between many callers and few threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How urgent a command is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Urgent, and never refused: what was done outside already and must not be forgotten. There is
    /// never more of it than was handed out before.
    Owed,
    /// Taken first: somebody waits in front of a screen with a code in hand.
    Urgent,
    /// Everything else. Its turn comes in every batch.
    Normal,
}

/// Why an item was not taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// The lane is full.
    Full,
    /// The queue is closed, and why.
    Closed(String),
}

struct State<T> {
    urgent: VecDeque<T>,
    normal: VecDeque<T>,
    closed: Option<String>,
}

/// Items waiting for a thread. A full lane refuses at once: waiting longer would only make every
/// answer late.
pub(super) struct Queue<T> {
    /// A std mutex: it is held for a push or a pop and never across an await.
    state: Mutex<State<T>>,
    arrived: Condvar,
    bound: usize,
}

impl<T> Queue<T> {
    /// A queue that holds up to `bound` items per lane.
    pub(super) fn new(bound: usize) -> Self {
        let state = State { urgent: VecDeque::new(), normal: VecDeque::new(), closed: None };
        Self { state: Mutex::new(state), arrived: Condvar::new(), bound }
    }

    /// Takes an item in, or says why not.
    pub(super) fn push(&self, lane: Lane, item: T) -> Result<(), Refused> {
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(Refused::Closed(reason.clone()));
        }
        let items = match lane {
            Lane::Owed | Lane::Urgent => &mut state.urgent,
            Lane::Normal => &mut state.normal,
        };
        if items.len() >= self.bound && lane != Lane::Owed {
            return Err(Refused::Full);
        }
        items.push_back(item);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for an item and takes up to `max`: urgent ones first, but a quarter of the room stays for
    /// the others. `None` once the queue is closed and empty.
    pub(super) fn pop(&self, max: usize) -> Option<Vec<T>> {
        let mut state = self.state();
        loop {
            let waiting = state.urgent.len() + state.normal.len();
            if waiting > 0 {
                let reserved = state.normal.len().min(max / 4);
                let urgent = state.urgent.len().min(max - reserved);
                let normal = state.normal.len().min(max - urgent);
                let mut items = Vec::with_capacity(urgent + normal);
                items.extend(state.urgent.drain(..urgent));
                items.extend(state.normal.drain(..normal));
                return Some(items);
            }
            if state.closed.is_some() {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Refuses whatever comes from now on. What is waiting is still handed out.
    pub(super) fn close(&self, reason: &str) {
        self.state().closed.get_or_insert_with(|| reason.to_owned());
        self.arrived.notify_all();
    }

    /// How many items wait.
    pub(super) fn depth(&self) -> usize {
        let state = self.state();
        state.urgent.len() + state.normal.len()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under the lock, so a poisoned one is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_refuses_at_once_and_leaves_the_other_open() {
        let queue = Queue::new(1);
        queue.push(Lane::Normal, 1).unwrap();
        assert_eq!(queue.push(Lane::Normal, 2), Err(Refused::Full));
        assert_eq!(queue.push(Lane::Urgent, 3), Ok(()));
        assert_eq!(queue.push(Lane::Urgent, 4), Err(Refused::Full));
        assert_eq!(queue.push(Lane::Owed, 5), Ok(()));
        assert_eq!(queue.pop(9), Some(vec![3, 5, 1]));
    }

    #[test]
    fn urgent_items_go_first_without_starving_the_others() {
        let queue = Queue::new(100);
        (0..10).for_each(|n| queue.push(Lane::Normal, n).unwrap());
        (100..110).for_each(|n| queue.push(Lane::Urgent, n).unwrap());
        assert_eq!(queue.pop(8).unwrap(), [100, 101, 102, 103, 104, 105, 0, 1]);
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has_and_then_ends() {
        let queue = Queue::new(10);
        queue.push(Lane::Normal, 1).unwrap();
        queue.close("shutting down");
        assert_eq!(queue.push(Lane::Normal, 2), Err(Refused::Closed("shutting down".into())));
        assert_eq!(queue.pop(10), Some(vec![1]));
        assert_eq!(queue.pop(10), None);
    }
}
