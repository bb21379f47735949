//! Counting what happened in a rolling window: event by event, or in buckets.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::DAY;
use crate::time::Timestamp;

/// The instants of past events, newest last, exact to the millisecond, so that a stated waiting time
/// is true. Bounded: events beyond what any cap needs are forgotten.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Events(#[n(0)] pub(super) Vec<Timestamp>);

impl Events {
    /// How many events lie within `window` before `now`.
    pub(super) fn within(&self, window: Duration, now: Timestamp) -> u32 {
        u32::try_from(self.0.iter().rev().take_while(|&&at| now.since(at) < window).count())
            .unwrap_or(u32::MAX)
    }

    /// How long until fewer than `cap` events lie within `window`; `None` when that is so already.
    pub(super) fn wait_for_room(&self, cap: u32, window: Duration, now: Timestamp) -> Option<Duration> {
        if self.within(window, now) < cap {
            return None;
        }
        // The cap-th newest has to leave. A cap of zero never has room; the whole window is as good
        // an answer as any.
        let newest_first = self.0.iter().rev();
        let leaving = newest_first.copied().nth((cap as usize).saturating_sub(1)).unwrap_or(now);
        Some(window.saturating_sub(now.since(leaving)))
    }

    /// Records an event and forgets what lies outside `window` or beyond the `keep` newest.
    pub(super) fn record(&mut self, now: Timestamp, window: Duration, keep: u32) {
        self.0.push(now);
        self.prune(window, now);
        let excess = self.0.len().saturating_sub(keep.max(1) as usize);
        self.0.drain(..excess);
    }

    pub(super) fn prune(&mut self, window: Duration, now: Timestamp) {
        self.0.retain(|&at| now.since(at) < window);
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.0.last().copied()
    }
}

/// A rolling count in buckets, for sums too large to keep event by event.
///
/// A bucket counts in full until all of it has left the window: it errs on the strict side, by at
/// most one bucket.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct Buckets {
    /// (bucket number since the epoch, sum), oldest first.
    #[n(0)]
    sums: Vec<(i64, u64)>,
}

impl Buckets {
    const WIDTH_MILLIS: i64 = 15 * 60 * 1000;
    const WIDTH: Duration = Duration::from_millis(Self::WIDTH_MILLIS.unsigned_abs());

    pub(super) fn number(at: Timestamp) -> i64 {
        at.as_millis().div_euclid(Self::WIDTH_MILLIS)
    }

    /// The sum within the last 24 hours.
    pub(super) fn sum(&self, now: Timestamp) -> u64 {
        let oldest = Self::number(now - DAY);
        self.sums.iter().filter(|(number, _)| *number >= oldest).map(|(_, sum)| *sum).sum()
    }

    pub(super) fn add(&mut self, amount: u64, now: Timestamp) {
        let (current, oldest) = (Self::number(now), Self::number(now - DAY));
        self.sums.retain(|(number, _)| *number >= oldest);
        match self.sums.last_mut() {
            Some((number, sum)) if *number >= current => *sum = sum.saturating_add(amount),
            _ => self.sums.push((current, amount)),
        }
    }

    /// Takes back what was added at an instant, as far as it still counts.
    pub(super) fn take(&mut self, amount: u64, added_at: Timestamp) {
        let bucket = Self::number(added_at);
        if let Some((_, sum)) = self.sums.iter_mut().rev().find(|(number, _)| *number == bucket) {
            *sum = sum.saturating_sub(amount);
        }
    }

    /// How long until the oldest bucket that counts has left.
    pub(super) fn wait(&self, now: Timestamp) -> Duration {
        let oldest = Self::number(now - DAY);
        let leaves =
            |number: i64| Timestamp::from_millis((number + 1).saturating_mul(Self::WIDTH_MILLIS)) + DAY;
        let first = self.sums.iter().find(|(number, sum)| *number >= oldest && *sum > 0);
        first.map_or(Self::WIDTH, |(number, _)| now.until(leaves(*number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_795_161_600_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn buckets_err_on_the_strict_side_by_one_bucket_at_most() {
        let mut buckets = Buckets::default();
        buckets.add(3, at(0));
        assert_eq!(buckets.sum(at(86_399)), 3);
        assert_eq!(buckets.sum(at(86_400 + 900)), 0);
        assert!(buckets.wait(at(10)) <= DAY + Buckets::WIDTH);
    }
}
