//! The ledgers of one decision, and what they forbid.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::Failure;
use super::{Changes, ClientKey, FailureLevel, Hold, RecipientLedger, TenantLedger, Verification};
use crate::engine::{Delivery, Refusal};
use crate::keys::RecipientKey;
use crate::policy::{Caps, RecipientCaps, Terms};
use crate::time::Timestamp;

/// The ledgers that a decision reads and charges. Two addresses with one budget (aliases of one
/// mailbox) have one ledger here.
pub(super) struct Limits {
    caps: Caps,
    now: Timestamp,
    /// What is said of the tenant before this decision.
    level: FailureLevel,
    /// Whether the tenant counts what happens: what proves nobody is charged to no tenant.
    test: bool,
    recipients: BTreeMap<RecipientKey, RecipientLedger>,
    tenant: TenantLedger,
    touched: bool,
    tenant_touched: bool,
}

impl Limits {
    /// `test` numbers are counted under limits of their own, whatever the tenant's are.
    pub(super) fn new(
        mut caps: Caps,
        test: bool,
        recipients: impl Iterator<Item = (RecipientKey, RecipientLedger)>,
        tenant: TenantLedger,
        now: Timestamp,
    ) -> Self {
        let mut level = tenant.level(&caps.tenant_failures, now);
        if test {
            caps.recipient = RecipientCaps::TEST_NUMBERS;
            level = FailureLevel::Normal;
        }
        Self {
            caps,
            now,
            level,
            test,
            recipients: recipients.collect(),
            tenant,
            touched: false,
            tenant_touched: false,
        }
    }

    /// How much is guessed at this tenant's codes, as far as it concerns this decision.
    pub(super) fn level(&self) -> FailureLevel {
        self.level
    }

    /// The hold of a ledger under the limits in force.
    pub(super) fn hold_of(&self, ledger: &RecipientLedger) -> Option<Hold> {
        ledger.hold(&self.caps.recipient.at(self.level), self.now)
    }

    /// The longest hold of any of the recipients.
    pub(super) fn hold(&self) -> Option<Duration> {
        let holds = self.recipients.values().filter_map(|ledger| self.hold_of(ledger));
        holds.map(Hold::retry_after).max()
    }

    /// Whether one of the recipients is held until somebody ends it.
    pub(super) fn is_hold_lasting(&self) -> bool {
        let lasts = |ledger| self.hold_of(ledger) == Some(Hold::ConsecutiveFailures);
        self.recipients.values().any(lasts)
    }

    /// How long until a trusted call may use a reserved start of every recipient; `None` when it may now.
    pub(super) fn wait_for_reserved_start(&self) -> Option<Duration> {
        let wait = |ledger: &RecipientLedger| ledger.wait_for_reserved_start(&self.caps.recipient, self.now);
        self.recipients.values().filter_map(wait).max()
    }

    /// A code that could not be checked is not sent.
    pub(super) fn refuse_held(&self) -> Option<Refusal> {
        self.hold().map(|retry_after| Refusal::RecipientHeld { retry_after })
    }

    /// The caps on new verifications, of every recipient.
    pub(super) fn refuse_opening(&self, delivery: Delivery) -> Option<Refusal> {
        let wait = self.recipients.values().filter_map(|ledger| self.wait(ledger, delivery)).max();
        wait.map(|retry_after| Refusal::RecipientLimit { retry_after })
    }

    /// The same for addresses that join a running one.
    pub(super) fn refuse_joining(&self, delivery: Delivery, joining: &[RecipientKey]) -> Option<Refusal> {
        let ledgers = joining.iter().filter_map(|key| self.recipients.get(key));
        let wait = ledgers.filter_map(|ledger| self.wait(ledger, delivery)).max();
        wait.map(|retry_after| Refusal::RecipientLimit { retry_after })
    }

    fn wait(&self, ledger: &RecipientLedger, delivery: Delivery) -> Option<Duration> {
        match delivery {
            Delivery::Return => ledger.wait_for_return(&self.caps.recipient, self.now),
            Delivery::Send | Delivery::Pretend => ledger.wait_for_start(&self.caps.recipient, self.now),
        }
    }

    /// The caps on messages that the caller's API promises, of every recipient.
    pub(super) fn refuse_messages(&self, delivery: Delivery, terms: &Terms) -> Option<Refusal> {
        if delivery == Delivery::Return || self.test {
            return None;
        }
        let wait = |ledger: &RecipientLedger| ledger.wait_for_send(&terms.messages, self.now);
        let wait = self.recipients.values().filter_map(wait).max();
        wait.map(|retry_after| Refusal::RecipientLimit { retry_after })
    }

    /// The running verification's own limits on another send. A code that is returned waits for no
    /// cool-down and is no send; it has a cap of its own.
    pub(super) fn refuse_sending(&self, running: &Verification, delivery: Delivery) -> Option<Refusal> {
        if delivery == Delivery::Return {
            return self.refuse_opening(delivery);
        }
        match running.next_send_at(self.now) {
            None => Some(Refusal::SendsExhausted { retry_after: self.now.until(running.expires_at) }),
            Some(next) if self.now < next => Some(Refusal::CoolDown { retry_after: self.now.until(next) }),
            Some(_) => None,
        }
    }

    /// The tenant's spend cap. What is only pretended costs nothing and is refused all the same: otherwise
    /// a cap that is used up would tell who is registered.
    pub(super) fn refuse_cost(&self, delivery: Delivery, cost_micros: u64) -> Option<Refusal> {
        match delivery {
            Delivery::Return => None,
            Delivery::Send | Delivery::Pretend => {
                let wait = self.tenant.wait_for_spend(&self.caps, cost_micros, self.now);
                wait.map(|retry_after| Refusal::TenantBudget { retry_after })
            }
        }
    }

    /// Charges every recipient for a new verification, and counts it to the tenant where it can be proven.
    pub(super) fn record_opening(&mut self, delivery: Delivery, reserved: bool) {
        if !self.test && delivery != Delivery::Pretend {
            self.tenant.record_start(self.now);
            self.tenant_touched = true;
        }
        if reserved {
            self.touched = true;
            for ledger in self.recipients.values_mut() {
                ledger.record_reserved_start(&self.caps.recipient, self.now);
            }
            return;
        }
        let keys: Vec<RecipientKey> = self.recipients.keys().copied().collect();
        self.record_joining(delivery, &keys);
    }

    /// Charges the given recipients for a new verification.
    pub(super) fn record_joining(&mut self, delivery: Delivery, joining: &[RecipientKey]) {
        if delivery == Delivery::Return {
            return; // counted as a return instead
        }
        self.touched = true;
        for key in joining {
            if let Some(ledger) = self.recipients.get_mut(key) {
                ledger.record_start(&self.caps.recipient, self.now);
            }
        }
    }

    /// Counts a message, or a returned code, to each of the given recipients, and its cost.
    pub(super) fn record_issue(
        &mut self,
        delivery: Delivery,
        cost_micros: u64,
        to: impl Iterator<Item = RecipientKey>,
    ) {
        self.touched = true;
        for key in to {
            let Some(ledger) = self.recipients.get_mut(&key) else { continue };
            match delivery {
                Delivery::Return => ledger.record_return(&self.caps.recipient, self.now),
                Delivery::Send | Delivery::Pretend => ledger.record_send(self.now),
            }
        }
        if delivery == Delivery::Send && cost_micros > 0 && self.caps.tenant_spend_per_day_micros.is_some() {
            self.tenant.record_spend(cost_micros, self.now);
            self.tenant_touched = true;
        }
    }

    /// Charges a failed check at a verification to every recipient of it; `true` when it put one on a hold that
    /// lasts.
    pub(super) fn record_failure(&mut self, at: &Verification, client: Option<ClientKey>) -> bool {
        self.touched = true;
        let failure = Failure { client, reserved: at.reserved, at: (!self.test).then_some(at.id) };
        let mut newly_held = false;
        for ledger in self.recipients.values_mut() {
            newly_held |= ledger.record_failure(&self.caps.recipient, failure, self.now);
        }
        newly_held
    }

    /// Charges a failed check to the tenant; the level that it enters by it.
    pub(super) fn record_tenant_failure(&mut self) -> Option<FailureLevel> {
        self.tenant_touched = true;
        self.tenant.record_failure(self.now);
        self.tenant.tell(&self.caps.tenant_failures, self.now)
    }

    /// Takes back the tenant's failures of a verification that is approved.
    pub(super) fn give_back(&mut self, failures: &[Timestamp]) {
        if !failures.is_empty() {
            self.tenant_touched = true;
            self.tenant.give_back(failures.iter().copied());
        }
    }

    /// Ends the row of failures of the given recipients.
    pub(super) fn record_success(&mut self, of: &[RecipientKey]) {
        for key in of {
            if let Some(ledger) = self.recipients.get_mut(key) {
                self.touched |= ledger.record_success();
            }
        }
    }

    /// Notes from where the given recipients were approved.
    pub(super) fn record_approval(&mut self, of: &[RecipientKey], client: Option<ClientKey>) {
        for key in of {
            if let Some(ledger) = self.recipients.get_mut(key) {
                self.touched |= ledger.record_approval(client, self.now);
            }
        }
    }

    /// Hands the charged ledgers over for writing.
    pub(super) fn write_into(&mut self, changes: &mut Changes) {
        if self.touched {
            changes.ledgers = std::mem::take(&mut self.recipients).into_iter().collect();
        }
        if self.tenant_touched {
            changes.tenant = Some(std::mem::take(&mut self.tenant));
        }
    }
}
