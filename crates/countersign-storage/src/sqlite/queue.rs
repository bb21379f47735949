//! A bounded queue with lanes, between many callers and few threads, fair to all tenants.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use countersign_core::names::TenantId;

use super::shares::Shares;

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
    owed: VecDeque<T>,
    urgent: Shares<T>,
    normal: Shares<T>,
    last: Shares<T>,
    closed: Option<String>,
    /// How often fewer than four items were handed out at once.
    few_taken: usize,
    /// How many threads wait for an item. Waking one costs a system call, also when there is none.
    waiting: usize,
}

impl<T> State<T> {
    fn depth(&self) -> usize {
        self.owed.len() + self.urgent.len() + self.normal.len() + self.last.len()
    }

    /// How much of the room for `max` items stays for normal ones and for the last ones.
    fn quarters(&mut self, max: usize) -> [usize; 2] {
        let quarters = if max >= 4 {
            [max / 4; 2]
        } else {
            self.few_taken = self.few_taken.wrapping_add(1);
            [2, 0].map(|turn| max.min(usize::from(self.few_taken % 4 == turn)))
        };
        [quarters[0].min(self.normal.len()), quarters[1].min(self.last.len())]
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
            owed: VecDeque::new(),
            urgent: Shares::default(),
            normal: Shares::default(),
            last: Shares::default(),
            closed: None,
            few_taken: 0,
            waiting: 0,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new(), bound }
    }

    /// Takes an item of a tenant (or of nobody) in, or says why not. A full lane has room for a tenant
    /// that has less than others in it: answers what another one's last item was, which is out now.
    pub(super) fn push(&self, lane: Lane, whose: Option<&TenantId>, item: T) -> Result<Option<T>, Refused> {
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(Refused::Closed(reason.clone()));
        }
        let items = match lane {
            Lane::Owed => None,
            Lane::Urgent => Some(&mut state.urgent),
            Lane::Normal => Some(&mut state.normal),
            Lane::Last => Some(&mut state.last),
        };
        let mut out = None;
        if let Some(items) = items {
            if items.len() >= self.bound {
                out = Some(items.make_room_for(whose).ok_or(Refused::Full)?);
            }
            items.push(whose, item);
        } else {
            state.owed.push_back(item);
        }
        if state.waiting > 0 {
            drop(state);
            self.arrived.notify_one();
        }
        Ok(out)
    }

    /// Waits for an item and takes up to `max`: urgent ones first, but a quarter of the room stays for
    /// each of the other lanes. Where there is room for fewer than four, each of them has the first place
    /// every fourth time. `None` once the queue is closed and empty.
    pub(super) fn pop(&self, max: usize) -> Option<Vec<T>> {
        let mut state = self.state();
        loop {
            if state.depth() > 0 {
                let [for_normal, for_last] = state.quarters(max);
                let urgent = max - for_normal - for_last;
                let owed = state.owed.len().min(urgent);
                let urgent = state.urgent.len().min(urgent - owed);
                let normal = state.normal.len().min(max - owed - urgent - for_last);
                let last = state.last.len().min(max - owed - urgent - normal);
                let mut items = Vec::with_capacity(owed + urgent + normal + last);
                items.extend(state.owed.drain(..owed));
                state.urgent.take(urgent, &mut items);
                state.normal.take(normal, &mut items);
                state.last.take(last, &mut items);
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
        queue.push(Lane::Normal, None, 1).unwrap();
        assert_eq!(queue.push(Lane::Normal, None, 2), Err(Refused::Full));
        assert_eq!(queue.push(Lane::Urgent, None, 3), Ok(None));
        assert_eq!(queue.push(Lane::Urgent, None, 4), Err(Refused::Full));
        assert_eq!(queue.push(Lane::Owed, None, 5), Ok(None));
        assert_eq!(queue.pop(9), Some(vec![5, 3, 1]));
    }

    /// Shows: O3.
    #[test]
    fn urgent_items_go_first_without_starving_the_others() {
        let queue = Queue::new(100);
        for n in 0..10 {
            queue.push(Lane::Normal, None, n).unwrap();
        }
        for n in 100..110 {
            queue.push(Lane::Urgent, None, n).unwrap();
        }
        assert_eq!(queue.pop(8).unwrap(), [100, 101, 102, 103, 104, 105, 0, 1]);
    }

    /// A reader takes one at a time: as long as somebody looked at a single verification, nobody's list was read.
    ///
    /// Shows: F10.
    #[test]
    fn f10_whoever_takes_one_at_a_time_comes_to_every_lane() {
        let queue = Queue::new(100);
        for n in 0..20 {
            queue.push(Lane::Urgent, None, n).unwrap();
        }
        for n in 100..110 {
            queue.push(Lane::Normal, None, n).unwrap();
        }
        queue.push(Lane::Last, None, 200).unwrap();
        let taken: Vec<i32> = (0..8).flat_map(|_| queue.pop(1).unwrap()).collect();
        assert_eq!(taken, [0, 100, 1, 200, 2, 101, 3, 4]);
        assert_eq!(queue.pop(3), Some(vec![5, 6, 7]));
        assert_eq!(queue.pop(3), Some(vec![8, 9, 102]));
    }

    #[test]
    fn what_takes_the_rest_comes_behind_all_that_came_before_and_after_it() {
        let queue = Queue::new(100);
        queue.push(Lane::Last, None, 200).unwrap();
        for n in 0..10 {
            queue.push(Lane::Normal, None, n).unwrap();
        }
        assert_eq!(queue.pop(4).unwrap(), [0, 1, 2, 200]);
        queue.push(Lane::Last, None, 201).unwrap();
        queue.push(Lane::Urgent, None, 100).unwrap();
        assert_eq!(queue.pop(20).unwrap(), [100, 3, 4, 5, 6, 7, 8, 9, 201]);
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has_and_then_ends() {
        let queue = Queue::new(10);
        queue.push(Lane::Normal, None, 1).unwrap();
        queue.close("shutting down");
        assert_eq!(queue.push(Lane::Normal, None, 2), Err(Refused::Closed("shutting down".into())));
        assert_eq!(queue.pop(10), Some(vec![1]));
        assert_eq!(queue.pop(10), None);
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    /// Shows: O4.
    #[test]
    fn o4_a_tenant_that_asks_a_lot_waits_for_itself_alone() {
        let (queue, loud, quiet) = (Queue::new(1_000), tenant("loud"), tenant("quiet"));
        for n in 0..500 {
            queue.push(Lane::Normal, Some(&loud), n).unwrap();
        }
        for n in 900..903 {
            queue.push(Lane::Normal, Some(&quiet), n).unwrap();
        }
        queue.push(Lane::Normal, None, 999).unwrap();
        assert_eq!(queue.pop(8).unwrap(), [0, 900, 999, 1, 901, 2, 902, 3]);
        queue.push(Lane::Normal, Some(&quiet), 904).unwrap();
        assert_eq!(queue.pop(3).unwrap(), [4, 904, 5]);
        assert_eq!(queue.depth(), 494);
    }

    /// Shows: O4.
    #[test]
    fn o4_no_tenants_fill_a_lane_for_another_one() {
        let (queue, loud, shrill) = (Queue::new(10), tenant("loud"), tenant("shrill"));
        for n in 0..6 {
            queue.push(Lane::Normal, Some(&loud), n).unwrap();
        }
        for n in 20..24 {
            queue.push(Lane::Normal, Some(&shrill), n).unwrap();
        }
        assert_eq!(queue.push(Lane::Normal, Some(&loud), 6), Err(Refused::Full));
        // The last one of whoever has most is out.
        assert_eq!(queue.push(Lane::Normal, Some(&tenant("quiet")), 30), Ok(Some(5)));
        assert_eq!(queue.push(Lane::Normal, None, 40), Ok(Some(4)));
        assert_eq!(queue.depth(), 10);
        assert_eq!(queue.pop(10).unwrap(), [0, 20, 30, 40, 1, 21, 2, 22, 3, 23]);
    }

    /// Shows: O3.
    #[test]
    fn of_four_full_lanes_the_last_two_keep_a_quarter_each() {
        let queue = Queue::new(10);
        queue.push(Lane::Owed, None, 0).unwrap();
        for (lane, first) in [(Lane::Urgent, 100), (Lane::Normal, 200), (Lane::Last, 300)] {
            (first..first + 10).for_each(|n| assert_eq!(queue.push(lane, None, n), Ok(None)));
        }
        assert_eq!(queue.pop(8).unwrap(), [0, 100, 101, 102, 200, 201, 300, 301]);
        (10..20).for_each(|n| assert_eq!(queue.push(Lane::Owed, None, n), Ok(None)));
        assert_eq!(queue.pop(8).unwrap(), [10, 11, 12, 13, 202, 203, 302, 303]);
    }

    #[test]
    fn what_is_owed_goes_before_all_and_is_never_refused() {
        let (queue, loud) = (Queue::new(2), tenant("loud"));
        for n in 0..2 {
            queue.push(Lane::Urgent, Some(&loud), n).unwrap();
        }
        (10..15).for_each(|n| assert_eq!(queue.push(Lane::Owed, None, n), Ok(None)));
        assert_eq!(queue.pop(6).unwrap(), [10, 11, 12, 13, 14, 0]);
    }
}
