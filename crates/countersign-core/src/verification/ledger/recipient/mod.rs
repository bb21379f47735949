//! What is counted for one recipient.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use minicbor::{Decode, Encode};

use super::events::Events;
use super::{ClientKey, DAY, HOUR, Hold};
use crate::ids::VerificationId;
use crate::policy::{MessageCaps, RecipientCaps};
use crate::time::Timestamp;

/// How many messages of a day are remembered: more than any cap allows, and few enough for a row.
const MOST_SENDS: u32 = 500;

/// How many guesses in a row are compared at most, however little each of them counts (NIST SP 800-63B-4
/// §3.2.2: "no more than 100").
const MOST_IN_A_ROW: u32 = 100;

/// How long a keyed hash may be kept that nothing else needs.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// From where the recipient was approved last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Approved {
    /// The client's network.
    #[cbor(n(0), with = "minicbor::bytes")]
    from: ClientKey,
    #[n(1)]
    at: Timestamp,
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
    /// Those that count in full.
    #[n(3)]
    failed_checks: Events,
    /// Those that count in full.
    #[n(4)]
    consecutive_failures: u32,
    #[n(5)]
    held_since: Option<Timestamp>,
    /// Failed checks from another network than the last approval's: each counts half.
    #[n(6)]
    #[cbor(default)]
    failed_elsewhere: Events,
    /// The same of those in a row.
    #[n(7)]
    #[cbor(default)]
    consecutive_elsewhere: u32,
    /// Starts that only trusted calls may use.
    #[n(8)]
    #[cbor(default)]
    reserved_starts: Events,
    #[n(9)]
    #[cbor(default)]
    approved: Option<Approved>,
    /// The verification that was guessed at last; `None` for test numbers.
    #[n(10)]
    #[cbor(default)]
    guessed_at: Option<VerificationId>,
}

/// A recipient's counters, as the support desk reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// New verifications in the last hour.
    pub starts_hour: u32,
    /// New verifications in the last 24 hours.
    pub starts_day: u32,
    /// Reserved starts that trusted calls used in the last 24 hours.
    pub reserved_starts_day: u32,
    /// Messages in the last hour.
    pub sends_hour: u32,
    /// Messages in the last 24 hours.
    pub sends_day: u32,
    /// Failed checks in the last hour. Of those that count half, two are one.
    pub failed_checks_hour: u32,
    /// Failed checks in the last 24 hours, likewise.
    pub failed_checks_day: u32,
    /// Failed checks since the last right one, likewise.
    pub consecutive_failures: u32,
}

/// A failed check, as far as it matters for how much it counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::verification) struct Failure {
    /// The client's network; `None` when the caller told no address.
    pub(in crate::verification) client: Option<ClientKey>,
    /// Whether a trusted call guessed at a reserved verification. The day's guesses of everybody else are not
    /// fewer for it: how many of these there are follows from how many verifications are reserved.
    pub(in crate::verification) reserved: bool,
    /// Which verification was guessed at; `None` for test numbers.
    pub(in crate::verification) at: Option<VerificationId>,
}

/// Where a ledger is in the list of recipients that may be held. Whether one is depends on the limits in force;
/// so an engine lists all that may be, and [`RecipientLedger::hold`] confirms each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MayBeHeld {
    /// When the hold began, if there is one.
    pub since: Timestamp,
    /// Whether it lasts until somebody ends it.
    pub lasting: bool,
    /// How much failed in the day before `since`, in halves of a guess.
    pub halves: u32,
}

impl RecipientLedger {
    /// The counters at `now`.
    pub fn windows(&self, now: Timestamp) -> Windows {
        let failed = |window| {
            let halves = self.failed_elsewhere.within(window, now);
            self.failed_checks.within(window, now) + halves.div_ceil(2)
        };
        Windows {
            starts_hour: self.starts.within(HOUR, now),
            starts_day: self.starts.within(DAY, now),
            reserved_starts_day: self.reserved_starts.within(DAY, now),
            sends_hour: self.sends.within(HOUR, now),
            sends_day: self.sends.within(DAY, now),
            failed_checks_hour: failed(HOUR),
            failed_checks_day: failed(DAY),
            consecutive_failures: self.consecutive_failures + self.consecutive_elsewhere.div_ceil(2),
        }
    }

    /// Whether the recipient is held, and why.
    pub fn hold(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Hold> {
        if self.held_since.is_some() {
            return Some(Hold::ConsecutiveFailures);
        }
        self.wait_for_check(caps.failed_checks_per_day, now).map(Hold::FailedChecks)
    }

    /// How long until less than `cap` whole guesses failed in 24 hours; `None` when that is so now.
    fn wait_for_check(&self, cap: u32, now: Timestamp) -> Option<Duration> {
        if self.failed_elsewhere.newest().is_none() {
            return self.failed_checks.wait_for_room(cap, DAY, now);
        }
        let mut room = cap.saturating_mul(2);
        for (at, halves) in self.failed_newest_first() {
            room = room.saturating_sub(halves);
            if now.since(at) >= DAY {
                return None;
            }
            if room == 0 {
                return Some(DAY.saturating_sub(now.since(at)));
            }
        }
        None
    }

    /// The failed checks that count for the day, each with its halves.
    fn failed_newest_first(&self) -> Vec<(Timestamp, u32)> {
        let full = self.failed_checks.0.iter().map(|at| (*at, 2));
        let mut failed: Vec<_> = full.chain(self.failed_elsewhere.0.iter().map(|at| (*at, 1))).collect();
        failed.sort_unstable_by_key(|(at, _)| Reverse(*at));
        failed
    }

    /// Where it is in the list of recipients that may be held; `None` for one that is not held under any limits.
    pub fn may_be_held(&self) -> Option<MayBeHeld> {
        // Of test numbers only a hold that lasts is of interest: their days have limits of their own.
        let failed = self.failed_newest_first();
        let newest = failed.first().map(|(at, _)| *at).filter(|_| self.guessed_at.is_some());
        let since = self.held_since.or(newest)?;
        let of_the_day = failed.iter().filter(|(at, _)| since.since(*at) < DAY);
        let halves = of_the_day.map(|(_, halves)| halves).sum();
        Some(MayBeHeld { since, lasting: self.held_since.is_some(), halves })
    }

    /// The verification that was guessed at last.
    pub const fn guessed_at(&self) -> Option<VerificationId> {
        self.guessed_at
    }

    /// How long until another start has room; `None` when it has now.
    pub fn wait_for_start(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Duration> {
        let hour = self.starts.wait_for_room(caps.starts_per_hour, HOUR, now);
        let day = self.starts.wait_for_room(caps.starts_per_day, DAY, now);
        hour.max(day)
    }

    /// How long until a trusted call may use another reserved start; `None` when it may now.
    pub fn wait_for_reserved_start(&self, caps: &RecipientCaps, now: Timestamp) -> Option<Duration> {
        self.reserved_starts.wait_for_room(caps.reserved_starts_per_day, DAY, now)
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
    pub(in crate::verification) fn record_start(&mut self, caps: &RecipientCaps, now: Timestamp) {
        self.starts.record(now, DAY, caps.starts_per_hour.max(caps.starts_per_day));
    }

    /// Counts a new verification that used a reserved start.
    pub(in crate::verification) fn record_reserved_start(&mut self, caps: &RecipientCaps, now: Timestamp) {
        self.reserved_starts.record(now, DAY, caps.reserved_starts_per_day);
    }

    /// Counts a message.
    pub(in crate::verification) fn record_send(&mut self, now: Timestamp) {
        self.sends.record(now, DAY, MOST_SENDS);
    }

    /// Counts a code handed back to the caller.
    pub(in crate::verification) fn record_return(&mut self, caps: &RecipientCaps, now: Timestamp) {
        self.returns.record(now, HOUR, caps.returns_per_hour);
    }

    /// Counts a failed check. `true` when this one put the recipient on hold until somebody ends it.
    pub(in crate::verification) fn record_failure(
        &mut self,
        caps: &RecipientCaps,
        failure: Failure,
        now: Timestamp,
    ) -> bool {
        let Failure { client, reserved, at } = failure;
        self.guessed_at = at;
        let day = caps.failed_checks_per_day;
        if self.is_elsewhere(client, now) {
            if !reserved {
                self.failed_elsewhere.record(now, DAY, day.saturating_mul(2));
            }
            self.consecutive_elsewhere = self.consecutive_elsewhere.saturating_add(1);
        } else {
            if !reserved {
                self.failed_checks.record(now, DAY, day);
            }
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        }
        let newly_held = self.held_since.is_none() && self.is_row_too_long(caps);
        if newly_held {
            self.held_since = Some(now);
        }
        newly_held
    }

    /// Two halves are a whole, and there is an end to halves.
    fn is_row_too_long(&self, caps: &RecipientCaps) -> bool {
        let guesses = self.consecutive_failures.saturating_add(self.consecutive_elsewhere);
        let halves = guesses.saturating_add(self.consecutive_failures);
        halves >= caps.hold_after.saturating_mul(2) || guesses >= caps.hold_after.max(MOST_IN_A_ROW)
    }

    /// Whether a client is known to be in another network than the one from which the recipient was approved
    /// last. What is not known counts in full. A caller who forges addresses gains the halves and no more.
    fn is_elsewhere(&self, client: Option<ClientKey>, now: Timestamp) -> bool {
        let home = self.approved.filter(|approved| now.since(approved.at) < MONTH);
        home.zip(client).is_some_and(|(home, client)| home.from != client)
    }

    /// A right code ends the row of failures; the windows stay. `true` when there was one.
    pub(in crate::verification) fn record_success(&mut self) -> bool {
        std::mem::take(&mut self.consecutive_failures) + std::mem::take(&mut self.consecutive_elsewhere) > 0
    }

    /// Remembers from where the recipient was approved; `true` when that is worth writing. The same network is
    /// noted once a day.
    pub(in crate::verification) fn record_approval(
        &mut self,
        client: Option<ClientKey>,
        now: Timestamp,
    ) -> bool {
        let known = self.approved.filter(|approved| now.since(approved.at) < DAY);
        if known.map(|approved| approved.from) == client && (known.is_some() || self.approved.is_none()) {
            return false;
        }
        self.approved = client.map(|from| Approved { from, at: now });
        true
    }

    /// Lifts every hold: an administrator vouches for the recipient, or they proved another address of theirs.
    /// Starts and sends stay counted.
    pub fn release(&mut self) {
        self.held_since = None;
        self.consecutive_failures = 0;
        self.consecutive_elsewhere = 0;
        self.failed_checks = Events::default();
        self.failed_elsewhere = Events::default();
    }

    /// Forgets where the recipient was; what counts stays. `true` when anything was known.
    pub fn forget_whereabouts(&mut self) -> bool {
        self.approved.take().is_some()
    }

    /// When nothing in here counts any longer and the row may go; `None` while a hold lasts.
    pub fn forget_at(&self) -> Option<Timestamp> {
        if self.held_since.is_some() {
            return None;
        }
        let events = [&self.starts, &self.sends, &self.returns, &self.failed_checks];
        let newest = events.into_iter().chain([&self.failed_elsewhere, &self.reserved_starts]);
        let newest = newest.filter_map(Events::newest).max();
        // A row of failures is remembered for as long as a keyed index may be kept.
        let row = self.consecutive_failures + self.consecutive_elsewhere > 0;
        let counted = newest.map(|newest| newest + if row { MONTH } else { DAY });
        counted.max(self.approved.map(|approved| approved.at + MONTH))
    }
}
