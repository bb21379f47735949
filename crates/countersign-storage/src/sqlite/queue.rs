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
    /// Handed out behind the others: it takes what they leave.
    Last,
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
    last: VecDeque<T>,
    closed: Option<String>,
    /// How many threads wait for an item. Waking one costs a system call, also when there is none.
    waiting: usize,
}

impl<T> State<T> {
    fn depth(&self) -> usize {
        self.urgent.len() + self.normal.len() + self.last.len()
    }
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
        let state = State {
            urgent: VecDeque::new(),
            normal: VecDeque::new(),
            last: VecDeque::new(),
            closed: None,
            waiting: 0,
        };
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
            Lane::Last => &mut state.last,
        };
        if items.len() >= self.bound && lane != Lane::Owed {
            return Err(Refused::Full);
        }
        items.push_back(item);
        if state.waiting > 0 {
            drop(state);
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for an item and takes up to `max`: urgent ones first, but a quarter of the room stays for
    /// each of the other lanes. `None` once the queue is closed and empty.
    pub(super) fn pop(&self, max: usize) -> Option<Vec<T>> {
        let mut state = self.state();
        loop {
            if state.depth() > 0 {
                let reserved = |lane: &VecDeque<T>| lane.len().min(max / 4);
                let urgent = state.urgent.len().min(max - reserved(&state.normal) - reserved(&state.last));
                let normal = state.normal.len().min(max - urgent - reserved(&state.last));
                let last = state.last.len().min(max - urgent - normal);
                let mut items = Vec::with_capacity(urgent + normal + last);
                items.extend(state.urgent.drain(..urgent));
                items.extend(state.normal.drain(..normal));
                items.extend(state.last.drain(..last));
                return Some(items);
            }
            if state.closed.is_some() {
                return None;
            }
            state.waiting += 1;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Refuses whatever comes from now on. What is waiting is still handed out.
    pub(super) fn close(&self, reason: &str) {
        self.state().closed.get_or_insert_with(|| reason.to_owned());
        self.arrived.notify_all();
    }

    /// How many items wait.
    pub(super) fn depth(&self) -> usize {
        self.state().depth()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under the lock, so a poisoned one is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: O3.
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

    /// Shows: O3.
    #[test]
    fn urgent_items_go_first_without_starving_the_others() {
        let queue = Queue::new(100);
        (0..10).for_each(|n| queue.push(Lane::Normal, n).unwrap());
        (100..110).for_each(|n| queue.push(Lane::Urgent, n).unwrap());
        assert_eq!(queue.pop(8).unwrap(), [100, 101, 102, 103, 104, 105, 0, 1]);
    }

    #[test]
    fn what_takes_the_rest_comes_behind_all_that_came_before_and_after_it() {
        let queue = Queue::new(100);
        queue.push(Lane::Last, 200).unwrap();
        (0..10).for_each(|n| queue.push(Lane::Normal, n).unwrap());
        assert_eq!(queue.pop(4).unwrap(), [0, 1, 2, 200]);
        queue.push(Lane::Last, 201).unwrap();
        queue.push(Lane::Urgent, 100).unwrap();
        assert_eq!(queue.pop(20).unwrap(), [100, 3, 4, 5, 6, 7, 8, 9, 201]);
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
