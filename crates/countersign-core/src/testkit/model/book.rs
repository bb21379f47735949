//! What the model remembers across verifications: every event, counted when asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::steps::Who;
use crate::engine::{Delivery, Refusal};
use crate::policy::{Caps, FailureBudget};
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const QUARTER: i64 = 900_000;

/// Whose recipient: nothing is counted across tenants.
pub(super) type Party = (u8, Who);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    Send,
    Return,
    Failure,
    /// One that counts half.
    FailureElsewhere,
    /// One that is kept for trusted calls.
    ReservedStart,
}

pub(super) struct Book {
    pub(super) now: Timestamp,
    caps: Caps,
    events: Vec<(Party, Event, Timestamp)>,
    /// Those that count in full, and those that count half.
    failures_in_a_row: BTreeMap<Party, (u32, u32)>,
    /// From which client each was approved last, and when that was noted.
    approved: BTreeMap<Party, (u8, Timestamp)>,
    held: BTreeSet<Party>,
    /// Tenant and client.
    client_starts: Vec<(u8, u8, Timestamp)>,
    /// With the verification, by its number in the model.
    failed_checks: Vec<(u8, usize, Timestamp)>,
    /// Verifications that somebody could prove.
    starts: Vec<(u8, u64, Timestamp)>,
    spent: Vec<(u8, u64, Timestamp)>,
}

impl Book {
    pub(super) fn new(caps: Caps, now: Timestamp) -> Self {
        Self {
            now,
            caps,
            events: Vec::new(),
            failures_in_a_row: BTreeMap::new(),
            approved: BTreeMap::new(),
            held: BTreeSet::new(),
            client_starts: Vec::new(),
            failed_checks: Vec::new(),
            starts: Vec::new(),
            spent: Vec::new(),
        }
    }

    // -- writing --

    pub(super) fn write(&mut self, party: Party, event: Event) {
        self.events.push((party, event, self.now));
    }

    pub(super) fn write_client(&mut self, tenant: u8, client: u8) {
        if client != 0 {
            self.client_starts.push((tenant, client, self.now));
        }
    }

    pub(super) fn write_cost(&mut self, tenant: u8, delivery: Delivery, cost: u64) {
        if delivery == Delivery::Send && self.caps.tenant_spend_per_day_micros.is_some() && cost > 0 {
            self.spent.push((tenant, cost, self.now));
        }
    }

    /// A verification that counts for its tenant.
    pub(super) fn write_opening(&mut self, tenant: u8) {
        self.starts.push((tenant, 1, self.now));
    }

    /// A failed check that counts for its tenant, unless its verification is approved later.
    pub(super) fn write_tenant_failure(&mut self, tenant: u8, proof: usize) {
        self.failed_checks.push((tenant, proof, self.now));
    }

    /// A verification is approved: its failures do not count, nor does its start for its client.
    pub(super) fn forgive(&mut self, proof: usize, tenant: u8, client: u8, opened: Timestamp) {
        self.failed_checks.retain(|(_, of, _)| *of != proof);
        let start = self.client_starts.iter().rposition(|start| *start == (tenant, client, opened));
        start.map(|start| self.client_starts.remove(start));
    }

    /// One failed check, of all the verification's addresses.
    pub(super) fn write_failure(&mut self, parties: &[Party], client: u8, reserved: bool) {
        for party in parties {
            let home = self.approved.get(party).filter(|(_, at)| self.now.since(*at) < 30 * DAY);
            let elsewhere = client > 0 && home.is_some_and(|(home, _)| *home != client);
            if !reserved {
                self.write(*party, if elsewhere { Event::FailureElsewhere } else { Event::Failure });
            }
            let (full, half) = self.failures_in_a_row.entry(*party).or_default();
            *(if elsewhere { &mut *half } else { &mut *full }) += 1;
            let after = self.caps.recipient.hold_after;
            if f64::from(*full) + f64::from(*half) / 2.0 >= f64::from(after)
                || *full + *half >= after.max(100)
            {
                self.held.insert(*party);
            }
        }
    }

    /// Where each of them was approved is noted, the same place once a day.
    pub(super) fn write_approval(&mut self, parties: &[Party], client: u8) {
        for party in parties {
            let lately = |(home, at): &(u8, Timestamp)| *home == client && self.now.since(*at) < DAY;
            match self.approved.get(party) {
                Some(noted) if lately(noted) => {}
                _ if client == 0 => drop(self.approved.remove(party)),
                _ => drop(self.approved.insert(*party, (client, self.now))),
            }
        }
    }

    /// Who is erased leaves no place behind.
    pub(super) fn erase(&mut self, party: Party) {
        self.approved.remove(&party);
    }

    pub(super) fn write_success(&mut self, parties: &[Party]) {
        self.failures_in_a_row.retain(|party, _| !parties.contains(party));
    }

    /// Whether there was a hold to lift.
    pub(super) fn release(&mut self, party: Party) -> bool {
        let was_held = self.hold(party).is_some();
        if was_held {
            self.held.remove(&party);
            self.failures_in_a_row.remove(&party);
            let failed = [Event::Failure, Event::FailureElsewhere];
            self.events.retain(|(whose, what, _)| *whose != party || !failed.contains(what));
        }
        was_held
    }

    /// A row of failures is remembered for 30 days after the last event; the rest has run out by then.
    pub(super) fn forget(&mut self) {
        let (held, events, now) = (&self.held, &self.events, self.now);
        self.failures_in_a_row.retain(|party, _| {
            let newest = events.iter().filter(|(whose, _, _)| whose == party).map(|(_, _, at)| *at).max();
            let approved = self.approved.get(party).map(|(_, at)| *at);
            held.contains(party) || newest.max(approved).is_some_and(|newest| now < newest + 30 * DAY)
        });
    }

    // -- counting --

    /// When events leave the windows they are counted in, past and future.
    pub(super) fn edges(&self) -> BTreeSet<Timestamp> {
        self.events.iter().flat_map(|(_, _, at)| [*at + HOUR, *at + DAY]).collect()
    }

    pub(super) fn count(&self, party: Party, event: Event, window: Duration) -> u32 {
        u32::try_from(self.times(party, event, window).len()).expect("a sequence is short")
    }

    fn times(&self, party: Party, event: Event, window: Duration) -> Vec<Timestamp> {
        let theirs = self.events.iter().filter(|(whose, what, _)| (*whose, *what) == (party, event));
        theirs.map(|(_, _, at)| *at).filter(|at| self.now.since(*at) < window).collect()
    }

    /// How long until the events within the window are fewer than `cap`.
    fn wait(&self, times: &[Timestamp], cap: u32, window: Duration) -> Option<Duration> {
        let leaving = times.len().checked_sub(cap as usize)?;
        Some(self.now.until(times[leaving] + window))
    }

    fn wait_for(&self, party: Party, event: Event, cap: u32, window: Duration) -> Option<Duration> {
        self.wait(&self.times(party, event, window), cap, window)
    }

    /// Sums of the whole tenant go by quarters of an hour, each counted until all of it is a day old.
    fn day_of(&self, tenant: u8, log: &[(u8, u64, Timestamp)]) -> (u64, Duration) {
        let quarter = |at: Timestamp| at.as_millis().div_euclid(QUARTER);
        let counted =
            log.iter().filter(|(whose, _, at)| *whose == tenant && quarter(*at) >= quarter(self.now - DAY));
        let sum = counted.clone().map(|(_, amount, _)| amount).sum();
        let oldest = counted.map(|(_, _, at)| quarter(*at)).min().unwrap_or_default();
        (sum, self.now.until(Timestamp::from_millis((oldest + 1) * QUARTER) + DAY))
    }

    /// Rounded up, as it is shown.
    pub(super) fn row_of_failures(&self, party: Party) -> u32 {
        let (full, half) = self.failures_in_a_row.get(&party).copied().unwrap_or_default();
        full + half.div_ceil(2)
    }

    /// The same of a window.
    pub(super) fn failures(&self, party: Party, window: Duration) -> u32 {
        let half = self.count(party, Event::FailureElsewhere, window);
        self.count(party, Event::Failure, window) + half.div_ceil(2)
    }

    /// How much is guessed at a tenant's codes: 0 is as usual, 3 severe.
    pub(super) fn level(&self, tenant: u8) -> u8 {
        let failures: Vec<_> = self.failed_checks.iter().map(|(whose, _, at)| (*whose, 1, *at)).collect();
        let (failures, starts) = (self.day_of(tenant, &failures).0, self.day_of(tenant, &self.starts).0);
        let FailureBudget { alert, raised, severe } = self.caps.tenant_failures;
        let steps = [(alert, 1), (raised, 5), (severe, 50)];
        let reached = |(least, percent): &(u32, u64)| {
            failures >= u64::from(*least) && failures >= starts * percent / 100
        };
        u8::try_from(steps.iter().filter(|step| reached(step)).count()).expect("three steps")
    }

    pub(super) fn hold(&self, party: Party) -> Option<Duration> {
        let usual = self.caps.recipient.failed_checks_per_day;
        let cap = if self.level(party.0) == 3 { usual.min(2) } else { usual };
        if self.held.contains(&party) {
            return Some(DAY);
        }
        // What is left of the day's guesses when each of them has left it, in turn.
        let full = self.times(party, Event::Failure, DAY).into_iter().map(|at| (at, 2));
        let half = self.times(party, Event::FailureElsewhere, DAY).into_iter().map(|at| (at, 1));
        let mut day: Vec<(Timestamp, u32)> = full.chain(half).collect();
        day.sort_unstable();
        let mut left: u32 = day.iter().map(|(_, halves)| halves).sum();
        let mut wait = None;
        for (at, halves) in day {
            if left < 2 * cap {
                break;
            }
            left -= halves;
            wait = Some(self.now.until(at + DAY));
        }
        wait
    }

    /// Whether one of them is held until somebody ends it.
    pub(super) fn is_held_for_good(&self, tenant: u8, to: &[Who]) -> bool {
        to.iter().any(|who| self.held.contains(&(tenant, *who)))
    }

    /// How long until all of them may be started by a trusted call.
    pub(super) fn wait_for_reserved(&self, tenant: u8, to: &[Who]) -> Option<Duration> {
        let cap = self.caps.recipient.reserved_starts_per_day;
        to.iter().filter_map(|who| self.wait_for((tenant, *who), Event::ReservedStart, cap, DAY)).max()
    }

    pub(super) fn held(&self, tenant: u8, to: &[Who]) -> Option<Duration> {
        to.iter().filter_map(|who| self.hold((tenant, *who))).max()
    }

    pub(super) fn forbids_anything(&self, tenant: u8, to: &[Who]) -> Option<Refusal> {
        self.held(tenant, to).map(|retry_after| Refusal::RecipientHeld { retry_after })
    }

    pub(super) fn forbids_newcomers(&self, tenant: u8, to: &[Who], delivery: Delivery) -> Option<Refusal> {
        let caps = self.caps.recipient;
        let wait = |who: &Who| {
            let party = (tenant, *who);
            if delivery == Delivery::Return {
                return self.wait_for(party, Event::Return, caps.returns_per_hour, HOUR);
            }
            let hour = self.wait_for(party, Event::Start, caps.starts_per_hour, HOUR);
            hour.max(self.wait_for(party, Event::Start, caps.starts_per_day, DAY))
        };
        to.iter().filter_map(wait).max().map(|retry_after| Refusal::RecipientLimit { retry_after })
    }

    pub(super) fn forbids_client(&self, tenant: u8, client: u8) -> Option<Refusal> {
        let theirs = self.client_starts.iter().filter(|(t, c, _)| (*t, *c) == (tenant, client));
        let times: Vec<_> = theirs.map(|t| t.2).filter(|at| self.now.since(*at) < HOUR).collect();
        let wait = self.wait(&times, self.caps.client_starts_per_hour, HOUR);
        wait.filter(|_| client != 0 && self.caps.client_limit_refuses)
            .map(|retry_after| Refusal::ClientLimit { retry_after })
    }

    pub(super) fn forbids_cost(&self, tenant: u8, delivery: Delivery, cost: u64) -> Option<Refusal> {
        let cap = self.caps.tenant_spend_per_day_micros.filter(|_| delivery != Delivery::Return)?;
        let (sum, wait) = self.day_of(tenant, &self.spent);
        // With nothing spent there is nothing to wait for; costs in the model stay below the cap.
        (sum + cost > cap).then_some(Refusal::TenantBudget { retry_after: wait })
    }
}
