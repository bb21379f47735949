//! How many requests a tenant may make: a bucket of tokens per tenant, on each node for itself.
//!
//! It stands before everything that costs the others something. Whoever asks more is told
//! to come back, before a store hears of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Timestamp;

/// A tenant's rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Requests a second, in the long run: at least one.
    pub per_second: u32,
    /// Requests at once after a pause: at least one.
    pub burst: u32,
}

impl Rate {
    /// What of it those may use who have not shown that the tenant lets them: otherwise strangers could use up
    /// all of it, and the tenant's own servers would be refused.
    #[must_use]
    pub fn of_strangers(self) -> Self {
        Self { per_second: (self.per_second / 2).max(1), burst: (self.burst / 2).max(1) }
    }

    /// The microseconds between two requests.
    fn apart(self) -> u64 {
        1_000_000 / u64::from(self.per_second.max(1))
    }

    /// Whether a request may be made at `now`, where by earlier ones the next regular one is at `next`.
    /// Answers when the one after it is regular, or how long to wait. Both instants are microseconds.
    fn admit(self, next: u64, now: u64) -> Result<u64, Duration> {
        let tolerance = self.apart() * u64::from(self.burst.max(1) - 1);
        // No request was ever counted so far ahead: the clock was set back, and nobody waits for it.
        let ahead = next > now + tolerance + self.apart();
        let next = if ahead { now } else { next.max(now) };
        match next.checked_sub(now + tolerance) {
            None | Some(0) => Ok(next + self.apart()),
            Some(early) => Err(Duration::from_micros(early)),
        }
    }
}

/// What a tenant has used of its rate.
#[derive(Debug, Default)]
pub struct Meter {
    /// When the next request is regular, in microseconds.
    next: AtomicU64,
}

impl Meter {
    /// Counts a request, or says how long to wait.
    ///
    /// # Errors
    /// There were too many of late.
    pub fn admit(&self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_millis().max(0).unsigned_abs().saturating_mul(1_000);
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let after = rate.admit(next, now)?;
            match self.next.compare_exchange_weak(next, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(another) => next = another,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 100, burst: 5 };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    /// Shows: O4, F15.
    #[test]
    fn f15_a_rate_admits_its_burst_and_then_one_by_one() {
        let meter = Meter::default();
        let admitted = |millis| {
            std::iter::repeat_with(|| meter.admit(RATE, at(millis))).take_while(Result::is_ok).count()
        };
        assert_eq!(admitted(0), 5);
        assert_eq!(meter.admit(RATE, at(0)), Err(Duration::from_millis(10)));
        assert_eq!((admitted(9), admitted(10), admitted(30)), (0, 1, 2));
        let in_a_second: usize = (31..=1_030).map(admitted).sum();
        assert_eq!(in_a_second, 100);
        assert_eq!(admitted(60_000), 5, "a pause gives the burst back, and no more");
    }

    /// Shows: F15.
    #[test]
    fn f15_strangers_have_half_of_a_rate() {
        assert_eq!(RATE.of_strangers(), Rate { per_second: 50, burst: 2 });
        let least = Rate { per_second: 1, burst: 1 };
        assert_eq!(least.of_strangers(), least);
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_longer() {
        let meter = Meter::default();
        for _ in 0..5 {
            meter.admit(RATE, at(3_600_000)).unwrap();
        }
        assert_eq!(meter.admit(RATE, at(3_600_000)), Err(Duration::from_millis(10)));
        meter.admit(RATE, at(0)).unwrap();
    }
}
