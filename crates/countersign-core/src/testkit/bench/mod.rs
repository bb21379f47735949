//! A tenant at work on an engine under test: every command in one line.

mod fixture;
mod outcomes;

use std::sync::Arc;
use std::time::Duration;

pub use fixture::{EngineFixture, MemoryFixture};
pub use outcomes::*;

use super::commands::{self, recipient_keys};
use super::{ManualClock, SeededEntropy, keys};
use crate::audit::AuditEvent;
use crate::code::Code;
use crate::codec;
use crate::engine::{
    CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Engine, RecipientCommand, ResendCommand,
    SendOutcome, StartCommand, SweepReport, VerificationRecord,
};
use crate::entropy::{Entropy, Seed};
use crate::ids::VerificationId;
use crate::keys::KeyRing;
use crate::names::TenantId;
use crate::outbox::{DeliveryResult, Message, Payload, Slots};
use crate::policy::{Caps, Terms};
use crate::time::{Clock, Timestamp};
use crate::verification::{RecipientLedger, Status, Verification, Windows};

/// A fictional number (+1 212 555 01xx is reserved for fiction).
pub const ALICE: &str = "+12125550101";
/// Another one.
pub const BOB: &str = "+12125550102";
/// A fictional mailbox (RFC 2606).
pub const MAIL: &str = "alice@example.com";

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub const HOUR: Duration = Duration::from_secs(3600);
/// One day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A tenant at work on an engine.
pub struct Bench<F> {
    /// Where the engine comes from.
    pub fixture: F,
    /// What time it is.
    pub clock: ManualClock,
    /// Who asks.
    pub tenant: TenantId,
    /// What its verifications run under.
    pub terms: Terms,
    /// Its limits.
    pub caps: Caps,
    /// The keys of the engine.
    pub keys: KeyRing,
    entropy: SeededEntropy,
}

impl<F: EngineFixture> Bench<F> {
    /// Tenant `acme` with the default policy at an empty store.
    pub async fn new() -> Self {
        Self::over(F::fresh().await)
    }

    /// The same over a store that is there already.
    pub fn over(fixture: F) -> Self {
        Self {
            fixture,
            clock: ManualClock::default(),
            tenant: TenantId::parse("acme").expect("a tenant id"),
            terms: Terms::default(),
            caps: Caps::default(),
            keys: keys(),
            entropy: SeededEntropy::default(),
        }
    }

    /// The engine under test.
    pub fn engine(&self) -> Arc<dyn Engine> {
        self.fixture.engine()
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Lets time pass until `seconds` after the clock's start.
    pub fn at_second(&self, seconds: u64) {
        self.wait(self.now().until(ManualClock::START + Duration::from_secs(seconds)));
    }

    /// Fresh chance.
    pub fn seed(&self) -> Seed {
        self.entropy.seed()
    }

    // -- commands, to be changed before they are given --

    /// Sends a code to one address.
    pub fn start_of(&self, to: &str) -> StartCommand {
        let command = commands::start(&self.tenant, to, self.now(), self.seed());
        StartCommand { terms: self.terms.clone(), caps: self.caps, ..command }
    }

    /// Sends a code to one address of a user.
    pub fn start_for(&self, to: &str, user: u8) -> StartCommand {
        let destinations = vec![commands::destination_of(&self.tenant, to, user)];
        StartCommand { destinations, ..self.start_of(to) }
    }

    /// Sends codes to several addresses of user 1 at once.
    pub fn start_of_all(&self, to: &[&str]) -> StartCommand {
        let destinations = to.iter().map(|to| commands::destination_of(&self.tenant, to, 1)).collect();
        StartCommand { destinations, ..self.start_of(to[0]) }
    }

    /// Sends again.
    pub fn resend_of(&self, id: VerificationId) -> ResendCommand {
        ResendCommand { caps: self.caps, ..commands::resend(&self.tenant, id, self.now(), self.seed()) }
    }

    /// Takes a guess.
    pub fn check_of(&self, id: VerificationId, code: &Code) -> CheckCommand {
        let target = CheckTarget::Id(id);
        CheckCommand { caps: self.caps, ..commands::check(&self.tenant, target, code.clone(), self.now()) }
    }

    /// Takes a guess for the newest verification of an address.
    pub fn check_of_address(&self, to: &str, code: &Code) -> CheckCommand {
        let identity = recipient_keys(&self.tenant, to).identity;
        let target = CheckTarget::Recipient { identity, purposes: vec![commands::purpose()] };
        CheckCommand { caps: self.caps, ..commands::check(&self.tenant, target, code.clone(), self.now()) }
    }

    /// An administrator's act on an address.
    pub fn administer(&self, to: &str, action: &str) -> RecipientCommand {
        let command = commands::administer(&self.tenant, to, action, self.now());
        RecipientCommand { caps: self.caps.recipient, ..command }
    }

    // -- what happens now --

    /// Gives a start.
    pub async fn start(&self, command: StartCommand) -> SendOutcome {
        fresh(self.engine().start(command).await.expect("start"))
    }

    /// Opens a verification for one address.
    pub async fn open(&self, to: &str) -> Verification {
        opened(self.start(self.start_of(to)).await)
    }

    /// Opens a verification for one address of user 1.
    pub async fn open_for(&self, to: &str) -> Verification {
        opened(self.start(self.start_for(to, 1)).await)
    }

    /// Opens a verification and exhausts its checks.
    pub async fn open_and_exhaust(&self, to: &str) -> Verification {
        let verification = self.open(to).await;
        let wrong = wrong(&self.code(verification.id).await);
        for _ in 0..verification.terms.max_checks {
            self.check(verification.id, &wrong).await;
        }
        verification
    }

    /// Sends again.
    pub async fn resend(&self, id: VerificationId) -> SendOutcome {
        fresh(self.engine().resend(self.resend_of(id)).await.expect("resend"))
    }

    /// Takes a guess.
    pub async fn check(&self, id: VerificationId, code: &Code) -> CheckOutcome {
        self.give(self.check_of(id, code)).await
    }

    /// Gives a check.
    pub async fn give(&self, command: CheckCommand) -> CheckOutcome {
        fresh(self.engine().check(command).await.expect("check"))
    }

    /// Gives up.
    pub async fn cancel(&self, id: VerificationId) -> CancelOutcome {
        self.engine().cancel(commands::cancel(&self.tenant, id, self.now())).await.expect("cancel")
    }

    /// What is stored of a verification.
    pub async fn record(&self, id: VerificationId) -> VerificationRecord {
        self.engine().verification(&self.tenant, id).await.expect("read").expect("it is stored")
    }

    /// How a verification stands.
    pub async fn status(&self, id: VerificationId) -> Status {
        self.record(id).await.verification.status_at(self.now())
    }

    /// Its messages that wait to be sent, oldest first.
    pub async fn open_messages(&self, id: VerificationId) -> Vec<Message> {
        let messages = self.record(id).await.messages.into_iter();
        messages.filter(|message| message.due_at().is_some()).collect()
    }

    /// The code of the newest message that still has one.
    pub async fn code(&self, id: VerificationId) -> Code {
        let messages = self.open_messages(id).await;
        self.code_in(messages.last().expect("a message waits"))
    }

    /// The code in a message.
    pub fn code_in(&self, message: &Message) -> Code {
        Payload::open(message, &self.keys).expect("it opens").code
    }

    /// A recipient's ledger.
    pub async fn ledger(&self, to: &str) -> RecipientLedger {
        let budget = recipient_keys(&self.tenant, to).budget;
        self.engine().recipient(&self.tenant, &budget).await.expect("read")
    }

    /// A recipient's counters now.
    pub async fn windows(&self, to: &str) -> Windows {
        self.ledger(to).await.windows(self.now())
    }

    /// Takes every due message, for half a minute.
    pub async fn claim(&self) -> Vec<Message> {
        self.claim_into(Slots::in_all(100)).await
    }

    /// The same, as far as there are slots.
    pub async fn claim_into(&self, slots: Slots) -> Vec<Message> {
        let command = commands::claim_into(slots, self.now());
        self.engine().claim_messages(command).await.expect("claim")
    }

    /// Reports what became of a claimed message.
    pub async fn report(&self, message: &Message, result: DeliveryResult) {
        let report = report(message, result);
        self.engine().record_deliveries(vec![report], self.now()).await.expect("record");
    }

    /// Clears up until nothing is left to do; answers what was done in all.
    pub async fn sweep(&self) -> SweepReport {
        let mut sum = SweepReport::default();
        loop {
            let round = self.engine().sweep(100, self.now()).await.expect("sweep");
            if !round.did_something() {
                return sum;
            }
            sum.expired += round.expired;
            sum.masked += round.masked;
            sum.deleted += round.deleted;
            sum.forgotten += round.forgotten;
        }
    }

    /// Every event of the audit log.
    pub async fn audit(&self) -> Vec<AuditEvent> {
        let entries = self.engine().audit_entries(0, 1_000).await.expect("read");
        entries.iter().map(|entry| codec::from_row(&entry.event).expect("an event")).collect()
    }
}
