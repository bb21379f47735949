//! What is counted across verifications.
//!
//! Ledgers outlive verifications: no resend, restart, cancel or other dialect resets them.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::failures::{self, FailureLevel};
use crate::policy::{Caps, FailureBudget, MessageCaps, RecipientCaps};
use crate::time::Timestamp;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many messages of a day are remembered: more than any cap allows, and few enough for a row.
const MOST_SENDS: u32 = 500;

/// Finds the ledger of a client address (of a tenant): keyed, like recipients.
pub type ClientKey = [u8; 16];

/// The instants of past events, newest last, exact to the millisecond, so that a stated waiting time
/// is true. Bounded: events beyond what any cap needs are forgotten.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Events(#[n(0)] Vec<Timestamp>);

impl Events {
    /// How many events lie within `window` before `now`.
    fn within(&self, window: Duration, now: Timestamp) -> u32 {
        u32::try_from(self.0.iter().rev().take_while(|&&at| now.since(at) < window).count())
            .unwrap_or(u32::MAX)
    }

    /// How long until fewer than `cap` events lie within `window`; `None` when that is so already.
    fn wait_for_room(&self, cap: u32, window: Duration, now: Timestamp) -> Option<Duration> {
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
    fn record(&mut self, now: Timestamp, window: Duration, keep: u32) {
        self.0.push(now);
        self.prune(window, now);
        let excess = self.0.len().saturating_sub(keep.max(1) as usize);
        self.0.drain(..excess);
    }

    fn prune(&mut self, window: Duration, now: Timestamp) {
        self.0.retain(|&at| now.since(at) < window);
    }

    fn newest(&self) -> Option<Timestamp> {
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

    fn number(at: Timestamp) -> i64 {
        at.as_millis().div_euclid(Self::WIDTH_MILLIS)
    }

    /// The sum within the last 24 hours.
    fn sum(&self, now: Timestamp) -> u64 {
        let oldest = Self::number(now - DAY);
        self.sums.iter().filter(|(number, _)| *number >= oldest).map(|(_, sum)| *sum).sum()
    }

    fn add(&mut self, amount: u64, now: Timestamp) {
        let (current, oldest) = (Self::number(now), Self::number(now - DAY));
        self.sums.retain(|(number, _)| *number >= oldest);
        match self.sums.last_mut() {
            Some((number, sum)) if *number >= current => *sum = sum.saturating_add(amount),
            _ => self.sums.push((current, amount)),
        }
    }

    /// Takes back what was added at an instant, as far as it still counts.
    fn take(&mut self, amount: u64, added_at: Timestamp) {
        let bucket = Self::number(added_at);
        if let Some((_, sum)) = self.sums.iter_mut().rev().find(|(number, _)| *number == bucket) {
            *sum = sum.saturating_sub(amount);
        }
    }

    /// How long until the oldest bucket that counts has left.
    fn wait(&self, now: Timestamp) -> Duration {
        let oldest = Self::number(now - DAY);
        let leaves =
            |number: i64| Timestamp::from_millis((number + 1).saturating_mul(Self::WIDTH_MILLIS)) + DAY;
        let first = self.sums.iter().find(|(number, sum)| *number >= oldest && *sum > 0);
        first.map_or(Self::WIDTH, |(number, _)| now.until(leaves(*number)))
    }
}

/// Why a recipient gets no codes and no checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Too many failed checks in 24 hours; lifts by itself after this long.
    FailedChecks(Duration),
    /// Too many consecutive failures; an administrator lifts it (NIST SP 800-63B-4 §3.2.2).
    ConsecutiveFailures,
}

impl Hold {
    /// The reason's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailedChecks(_) => "failed_checks",
            Self::ConsecutiveFailures => "consecutive_failures",
        }
    }

    /// When asking again makes sense. A hold that only an administrator lifts says a day.
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::FailedChecks(wait) => wait,
            Self::ConsecutiveFailures => DAY,
        }
    }
}

/// What is known of one recipient of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RecipientLedger {
    #[n(0)]
    starts: Events,
    #[n(1)]
    sends: Events,
    #[n(2)]
    returns: Events,
    #[n(3)]
    failed_checks: Events,
    #[n(4)]
    consecutive_failures: u32,
    #[n(5)]
    held_since: Option<Timestamp>,
}

/// A recipient's counters, as the support desk reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// New verifications in the last hour.
    pub starts_hour: u32,
    /// New verifications in the last 24 hours.
    pub starts_day: u32,
    /// Messages in the last hour.
    pub sends_hour: u32,
    /// Messages in the last 24 hours.
    pub sends_day: u32,
    /// Failed checks in the last hour.
    pub failed_checks_hour: u32,
    /// Failed checks in the last 24 hours.
    pub failed_checks_day: u32,
    /// Failed checks since the last right one.
    pub consecutive_failures: u32,
}

impl RecipientLedger {
    /// The counters at `now`.
    pub fn windows(&self, now: Timestamp) -> Windows {
        Windows {
            starts_hour: self.starts.within(HOUR, now),
            starts_day: self.starts.within(DAY, now),
            sends_hour: self.sends.within(HOUR, now),
            sends_day: self.sends.within(DAY, now),
            failed_checks_hour: self.failed_checks.within(HOUR, now),
            failed_checks_day: self.failed_checks.within(DAY, now),
            consecutive_failures: self.consecutive_failures,
        }
    }

    /// Whether the recipient is held, and why.
    pub fn hold(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Hold> {
        if self.held_since.is_some() {
            return Some(Hold::ConsecutiveFailures);
        }
        self.failed_checks.wait_for_room(caps.failed_checks_per_day, DAY, now).map(Hold::FailedChecks)
    }

    /// How long until another start has room; `None` when it has now.
    pub fn wait_for_start(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Duration> {
        let hour = self.starts.wait_for_room(caps.starts_per_hour, HOUR, now);
        let day = self.starts.wait_for_room(caps.starts_per_day, DAY, now);
        hour.max(day)
    }

    /// How long until another message has room; `None` when it has now.
    pub fn wait_for_send(&self, caps: &MessageCaps, now: Timestamp) -> Option<Duration> {
        let wait = |cap: Option<u16>, window| self.sends.wait_for_room(u32::from(cap?), window, now);
        wait(caps.per_hour, HOUR).max(wait(caps.per_day, DAY))
    }

    /// How long until another code may be handed back; `None` when it may now.
    pub fn wait_for_return(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Duration> {
        self.returns.wait_for_room(caps.returns_per_hour, HOUR, now)
    }

    /// Counts a new verification.
    pub(super) fn record_start(&mut self, caps: &RecipientCaps, now: Timestamp) {
        self.starts.record(now, DAY, caps.starts_per_hour.max(caps.starts_per_day));
    }

    /// Counts a message.
    pub(super) fn record_send(&mut self, now: Timestamp) {
        self.sends.record(now, DAY, MOST_SENDS);
    }

    /// Counts a code handed back to the caller.
    pub(super) fn record_return(&mut self, caps: &RecipientCaps, now: Timestamp) {
        self.returns.record(now, HOUR, caps.returns_per_hour);
    }

    /// Counts a failed check. `true` when this one put the recipient on hold.
    pub(super) fn record_failure(&mut self, caps: &RecipientCaps, now: Timestamp) -> bool {
        self.failed_checks.record(now, DAY, caps.failed_checks_per_day);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let newly_held = self.held_since.is_none() && self.consecutive_failures >= caps.hold_after;
        if newly_held {
            self.held_since = Some(now);
        }
        newly_held
    }

    /// A right code ends the row of failures; the windows stay. `true` when there was one.
    pub(super) fn record_success(&mut self) -> bool {
        std::mem::take(&mut self.consecutive_failures) > 0
    }

    /// Lifts every hold: an administrator vouches for the recipient. Starts and sends stay counted.
    pub fn release(&mut self) {
        self.held_since = None;
        self.consecutive_failures = 0;
        self.failed_checks = Events::default();
    }

    /// When nothing in here counts any longer and the row may go; `None` while a hold lasts.
    pub fn forget_at(&self) -> Option<Timestamp> {
        if self.held_since.is_some() {
            return None;
        }
        let newest = [&self.starts, &self.sends, &self.returns, &self.failed_checks]
            .into_iter()
            .filter_map(Events::newest)
            .max()?;
        // A row of failures is remembered for as long as a keyed index may be kept (30 days).
        let keep = if self.consecutive_failures > 0 { 30 * DAY } else { DAY };
        Some(newest + keep)
    }
}

/// What is known of one client address of one tenant: the front door, not the proof. IPv6 addresses
/// share a ledger per /64.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct ClientLedger {
    #[n(0)]
    starts: Events,
}

impl ClientLedger {
    /// How long until another start has room; `None` when it has now.
    pub fn wait_for_start(&self, caps: &Caps, now: Timestamp) -> Option<Duration> {
        self.starts.wait_for_room(caps.client_starts_per_hour, HOUR, now)
    }

    pub(super) fn record_start(&mut self, caps: &Caps, now: Timestamp) {
        self.starts.record(now, HOUR, caps.client_starts_per_hour);
    }

    /// An approval gives the start of its verification back: who proves an address is no flood. `true`
    /// when it still counted.
    pub(super) fn give_back(&mut self, started_at: Timestamp) -> bool {
        let place = self.starts.0.iter().rposition(|at| *at == started_at);
        place.map(|index| self.starts.0.remove(index)).is_some()
    }

    /// When nothing in here counts any longer.
    pub fn forget_at(&self) -> Option<Timestamp> {
        self.starts.newest().map(|newest| newest + HOUR)
    }
}

/// What is counted for a tenant as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct TenantLedger {
    // Number 0 was all failed checks, those of approved verifications included.
    #[n(1)]
    spend_micros: Buckets,
    #[n(2)]
    #[cbor(default)]
    open_failures: Buckets,
    #[n(3)]
    #[cbor(default)]
    starts: Buckets,
    /// The level that was told last, so that each entering is told once.
    #[n(4)]
    #[cbor(default)]
    told: FailureLevel,
}

impl TenantLedger {
    /// Failed checks in the last 24 hours of verifications that have not been approved.
    pub fn open_failures(&self, now: Timestamp) -> u64 {
        self.open_failures.sum(now)
    }

    /// New verifications in the last 24 hours.
    pub fn starts(&self, now: Timestamp) -> u64 {
        self.starts.sum(now)
    }

    /// How much is guessed without success.
    pub fn level(&self, budget: &FailureBudget, now: Timestamp) -> FailureLevel {
        failures::level(self.open_failures(now), self.starts(now), budget)
    }

    /// Millionths of the tenant's currency spent in the last 24 hours.
    pub fn spend_micros(&self, now: Timestamp) -> u64 {
        self.spend_micros.sum(now)
    }

    /// How long until `cost` fits under the spend cap; `None` when it does now.
    pub fn wait_for_spend(&self, caps: &Caps, cost_micros: u64, now: Timestamp) -> Option<Duration> {
        let cap = caps.tenant_spend_per_day_micros?;
        (self.spend_micros(now).saturating_add(cost_micros) > cap).then(|| self.spend_micros.wait(now))
    }

    pub(super) fn record_start(&mut self, now: Timestamp) {
        self.starts.add(1, now);
    }

    pub(super) fn record_failure(&mut self, now: Timestamp) {
        self.open_failures.add(1, now);
    }

    /// An approval gives back the failures of its verification: whoever mistypes and then proves the
    /// address was not guessing.
    pub(super) fn give_back(&mut self, failures: impl Iterator<Item = Timestamp>) {
        failures.for_each(|at| self.open_failures.take(1, at));
    }

    /// The level that has been entered and not been told yet. A level is told again only after half of
    /// its failures are gone: a count that wavers around a figure is one event.
    pub(super) fn tell(&mut self, budget: &FailureBudget, now: Timestamp) -> Option<FailureLevel> {
        let (failures, starts) = (self.open_failures(now), self.starts(now));
        let level = failures::level(failures, starts, budget);
        if level > self.told {
            self.told = level;
            return Some(level);
        }
        if failures < failures::threshold(self.told, starts, budget) / 2 {
            self.told = level;
        }
        None
    }

    pub(super) fn record_spend(&mut self, cost_micros: u64, now: Timestamp) {
        self.spend_micros.add(cost_micros, now);
    }
}

/// The ledgers that one decision reads, in the order of its destinations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledgers {
    /// One per destination; an absent row is the default.
    pub recipients: Vec<RecipientLedger>,
    /// The client address', when the command names one.
    pub client: ClientLedger,
    /// The tenant's.
    pub tenant: TenantLedger,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_795_161_600_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn the_sixth_start_waits_until_the_first_is_an_hour_old() {
        let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
        for minute in 0..5 {
            assert_eq!(ledger.wait_for_start(&caps, at(60 * minute)), None);
            ledger.record_start(&caps, at(60 * minute));
        }
        assert_eq!(ledger.wait_for_start(&caps, at(300)), Some(Duration::from_secs(3300)));
        assert_eq!(ledger.wait_for_start(&caps, at(3600)), None);
    }

    #[test]
    fn the_longer_of_two_waits_is_told() {
        let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
        for hour in [0, 2, 4, 6, 8, 10, 12, 14, 16, 18] {
            ledger.record_start(&caps, at(3600 * hour));
        }
        assert_eq!(ledger.wait_for_start(&caps, at(3600 * 19)), Some(Duration::from_secs(5 * 3600)));
    }

    #[test]
    fn a_success_ends_the_row_of_failures_but_not_the_day() {
        let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
        for i in 0..20 {
            assert_eq!(ledger.hold(&caps, at(i)), None);
            ledger.record_failure(&caps, at(i));
        }
        ledger.record_success();
        assert_eq!(ledger.windows(at(20)).consecutive_failures, 0);
        assert_eq!(ledger.hold(&caps, at(20)), Some(Hold::FailedChecks(Duration::from_secs(24 * 3600 - 20))));
    }

    /// Shows: N3.
    #[test]
    fn the_fiftieth_consecutive_failure_holds_until_released() {
        let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
        let held: Vec<bool> = (0..51).map(|i| ledger.record_failure(&caps, at(i * 86_400))).collect();
        assert_eq!(held.iter().position(|&h| h), Some(49));
        assert_eq!(ledger.hold(&caps, at(365 * 86_400)), Some(Hold::ConsecutiveFailures));
        assert_eq!(ledger.forget_at(), None);
        ledger.release();
        assert_eq!(ledger.hold(&caps, at(365 * 86_400)), None);
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
