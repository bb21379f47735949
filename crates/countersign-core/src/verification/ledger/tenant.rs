//! What is counted for a tenant.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::super::failures::{self, FailureLevel};
use super::events::Buckets;
use crate::policy::{Caps, FailureBudget};
use crate::time::Timestamp;

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

    pub(in crate::verification) fn record_start(&mut self, now: Timestamp) {
        self.starts.add(1, now);
    }

    pub(in crate::verification) fn record_failure(&mut self, now: Timestamp) {
        self.open_failures.add(1, now);
    }

    /// An approval gives back the failures of its verification: whoever mistypes and then proves the
    /// address was not guessing.
    pub(in crate::verification) fn give_back(&mut self, failures: impl Iterator<Item = Timestamp>) {
        failures.for_each(|at| self.open_failures.take(1, at));
    }

    /// The level that has been entered and not been told yet. A level is told again only after half of
    /// its failures are gone: a count that wavers around a figure is one event.
    pub(in crate::verification) fn tell(
        &mut self,
        budget: &FailureBudget,
        now: Timestamp,
    ) -> Option<FailureLevel> {
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

    pub(in crate::verification) fn record_spend(&mut self, cost_micros: u64, now: Timestamp) {
        self.spend_micros.add(cost_micros, now);
    }
}
