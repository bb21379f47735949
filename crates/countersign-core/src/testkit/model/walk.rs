//! Walks an engine and the model through one sequence, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use super::cast::{self, claim_of, context_of, own_code_of, purpose_of};
use super::reference::{Ask, Checked, Model, Sent};
use super::steps::{Fate, GHOST, Guess, Sequence, Step, Who};
use crate::code::Code;
use crate::engine::{
    AcceptedKind, Answer as _, CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Delivery, Engine,
    IdempotencyClaim, Idempotent, RecipientCommand, ResendCommand, SendOutcome, StartCommand,
};
use crate::entropy::Entropy;
use crate::ids::{MessageId, VerificationId};
use crate::keys::KeyRing;
use crate::names::TenantId;
use crate::outbox::{Abandoned, DeliveryReport, DeliveryResult, Slots};
use crate::policy::{Caps, Terms};
use crate::testkit::bench::{ALICE, EngineFixture};
use crate::testkit::{SeededEntropy, commands, keys};
use crate::time::Timestamp;
use crate::verification::{Status, StoredRecipient};

pub(super) type Result<T = ()> = std::result::Result<T, TestCaseError>;

/// An engine and the model on their way through one sequence.
pub(super) struct Walk<'a, F> {
    fixture: &'a mut F,
    pub(super) model: Model,
    pub(super) terms: Terms,
    pub(super) caps: Caps,
    pub(super) tenants: [TenantId; 2],
    pub(super) keys: KeyRing,
    entropy: SeededEntropy,
    /// How far commands lag behind the latest instant that the engine has committed.
    set_back: Duration,
    /// Submissions that nobody reported on, newest last.
    silent: Vec<Submission>,
    /// By tenant and key.
    answers: BTreeMap<(u8, u8), Answer>,
    /// What it came to, by name: a suite that never meets a limit proves nothing about it.
    pub(super) seen: BTreeSet<String>,
}

#[derive(Clone)]
struct Submission {
    tenant: TenantId,
    message: MessageId,
    verification: VerificationId,
    number: u32,
}

/// An answer as it has to be repeated.
struct Answer {
    claim: IdempotencyClaim,
    outcome: Outcome,
    at: Timestamp,
}

#[derive(Clone, PartialEq, Debug)]
enum Outcome {
    Send(SendOutcome),
    Check(CheckOutcome),
}

impl<'a, F: EngineFixture> Walk<'a, F> {
    /// `number` keeps the tenants of one sequence apart from those of every other.
    pub(super) fn new(fixture: &'a mut F, sequence: &Sequence, number: u64, now: Timestamp) -> Self {
        let tenant = |letter| TenantId::parse(&format!("{letter}{number}")).expect("a tenant id");
        Self {
            fixture,
            model: Model::new(sequence.terms.clone(), sequence.caps, now),
            terms: sequence.terms.clone(),
            caps: sequence.caps,
            tenants: [tenant('a'), tenant('b')],
            keys: keys(),
            entropy: SeededEntropy::new(number),
            set_back: Duration::ZERO,
            silent: Vec::new(),
            answers: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn engine(&self) -> Arc<dyn Engine> {
        self.fixture.engine()
    }

    /// The instant that commands carry.
    pub(super) fn now(&self) -> Timestamp {
        self.model.now() - self.set_back
    }

    pub(super) async fn through(&mut self, steps: &[Step]) -> Result {
        for (number, step) in steps.iter().enumerate() {
            self.step(step).await.map_err(|error| match error {
                TestCaseError::Fail(why) => TestCaseError::fail(format!("in step {number}: {why}")),
                reject @ TestCaseError::Reject(_) => reject,
            })?;
        }
        self.compare_everything().await?;
        self.see_the_end();
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result {
        match step {
            Step::Wait(time) => {
                self.model.book.now = self.model.now() + *time;
                self.set_back = Duration::ZERO;
                Ok(())
            }
            Step::WaitUntil { nth, just_before } => {
                let millis = Duration::from_millis(u64::from(*just_before));
                if let Some(edge) = self.model.edges().into_iter().nth(usize::from(*nth)) {
                    self.model.book.now = edge - millis;
                    self.set_back = Duration::ZERO;
                }
                Ok(())
            }
            Step::SetBack(time) => {
                self.engine().probe(self.model.now()).await?;
                self.set_back = *time;
                Ok(())
            }
            Step::Reopen => {
                self.fixture.reopen().await;
                self.model.reopen();
                self.compare_everything().await
            }
            Step::Spend(spend) => self.spend(*spend).await,
            Step::Sweep => {
                clear(self.engine().as_ref(), self.now()).await?;
                self.model.sweep();
                self.compare_everything().await
            }
            Step::Start { .. } => self.start(step).await,
            Step::Resend { .. } => self.resend(step).await,
            Step::CheckById { .. } | Step::CheckByAddress { .. } => self.check(step).await,
            Step::Cancel { nth, foreign } => self.cancel(*nth, *foreign).await,
            Step::Dispatch(fate) => self.dispatch(*fate).await,
            Step::ReportLate { nth, fate } => self.report_late(*nth, *fate).await,
            Step::Release { tenant, who } => {
                let caps = self.caps_in_force(*tenant).await?;
                let command = self.administer(*tenant, *who, "recipient.released");
                let lifted = self.engine().release(RecipientCommand { caps, ..command }).await?;
                prop_assert_eq!(lifted, self.model.book.release((*tenant, *who)), "released");
                self.compare_ledger(*tenant, *who).await
            }
            Step::Erase { tenant, who } => {
                let command = self.administer(*tenant, *who, "recipient.erased");
                self.engine().erase(command).await?;
                self.model.erase((*tenant, *who));
                self.expect_erased(*tenant, *who);
                self.compare_everything().await
            }
        }
    }

    /// From now on, answers about verifications of an erased address tell no address.
    fn expect_erased(&mut self, tenant: u8, who: Who) {
        let proofs = self.model.proofs.iter().filter(|p| p.tenant == tenant && !p.deleted);
        let erased = proofs.filter(|p| p.addresses.iter().any(|a| a.who == who));
        let erased: BTreeSet<_> = erased.filter_map(|p| p.id).collect();
        for answer in self.answers.values_mut() {
            let told = match &mut answer.outcome {
                Outcome::Send(outcome) => outcome.verification_mut(),
                Outcome::Check(outcome) => outcome.verification_mut(),
            };
            let Some(told) = told.filter(|v| erased.contains(&v.id)) else { continue };
            told.metadata = None;
            for destination in &mut told.destinations {
                if matches!(destination.recipient, StoredRecipient::Sealed(_)) {
                    destination.recipient = StoredRecipient::Masked("erased".into());
                }
            }
        }
    }

    async fn start(&mut self, step: &Step) -> Result {
        let Step::Start {
            tenant,
            purpose,
            to,
            user,
            intent,
            delivery,
            context,
            own_code,
            client,
            trusted,
            cost,
            claim,
        } = step
        else {
            unreachable!("start() gets starts")
        };
        let (tenant, claim) = (*tenant, claim_of(*claim, 0));
        let ask = Ask {
            tenant,
            purpose: *purpose,
            to: to.clone(),
            user: *user,
            intent: *intent,
            delivery: if to.contains(&GHOST) { Delivery::Pretend } else { *delivery },
            context: *context,
            own_code: (*own_code > 0).then(|| own_code_of(*own_code)),
            client: *client,
            trusted: *trusted,
            cost: *cost,
        };
        let basis = commands::start(self.tenant(tenant), ALICE, self.now(), self.entropy.seed());
        let command = StartCommand {
            purpose: purpose_of(*purpose),
            intent: *intent,
            delivery: ask.delivery,
            destinations: to.iter().map(|who| self.destination(tenant, *who, *user)).collect(),
            custom_code: ask.own_code.clone(),
            context: context_of(*context),
            client: (*client > 0).then_some([*client; 16]),
            trusted: *trusted,
            terms: self.terms.clone(),
            caps: self.caps,
            cost_micros: *cost,
            idempotency: claim,
            ..basis
        };
        let answer = self.engine().start(command).await?;
        let Some((outcome, at)) = self.once(tenant, claim, answer, Outcome::Send)? else { return Ok(()) };
        let expected = self.model.start(&ask);
        self.sent(tenant, expected, outcome, at, claim).await?;
        for who in to {
            self.compare_ledger(tenant, *who).await?;
        }
        Ok(())
    }

    async fn resend(&mut self, step: &Step) -> Result {
        let Step::Resend { nth, foreign, delivery, trusted, cost, claim } = step else {
            unreachable!("resend() gets resends")
        };
        let Some((proof, id, tenant)) = self.pick(*nth, *foreign) else { return Ok(()) };
        let claim = claim_of(*claim, 1);
        let command = ResendCommand {
            delivery: *delivery,
            trusted: *trusted,
            caps: self.caps,
            cost_micros: *cost,
            idempotency: claim,
            ..commands::resend(self.tenant(tenant), id, self.now(), self.entropy.seed())
        };
        let answer = self.engine().resend(command).await?;
        let Some((outcome, at)) = self.once(tenant, claim, answer, Outcome::Send)? else { return Ok(()) };
        let expected = self.model.resend(tenant, proof, *delivery, *trusted, *cost);
        self.sent(tenant, expected, outcome, at, claim).await
    }

    /// What a start or resend came to.
    async fn sent(
        &mut self,
        tenant: u8,
        expected: Sent,
        outcome: SendOutcome,
        at: Timestamp,
        claim: Option<IdempotencyClaim>,
    ) -> Result {
        prop_assert_eq!(at, self.model.now(), "judged at");
        let mut accepted = match outcome {
            SendOutcome::Accepted(accepted) => accepted,
            SendOutcome::Refused(refusal) => {
                self.see(&refusal);
                prop_assert_eq!(Sent::Refused(refusal), expected);
                return Ok(());
            }
        };
        self.see(&accepted.kind);
        let (kind, proof) = match expected {
            Sent::Opened(proof) => (AcceptedKind::Opened, proof),
            Sent::Resent(proof) => (AcceptedKind::Resent, proof),
            Sent::CoolingDown(proof) => (AcceptedKind::CoolingDown, proof),
            Sent::Refused(refusal) => return Err(fail(format!("{:?}, not {refusal:?}", accepted.kind))),
        };
        prop_assert_eq!(accepted.kind, kind);
        self.model.proofs[proof].id.get_or_insert(accepted.verification.id);
        self.compare_verification(proof, &accepted.verification)?;
        if let Some(code) = accepted.code.take() {
            self.learn_returned(proof, &code)?;
        }
        if let Some(claim) = claim.filter(|_| kind != AcceptedKind::CoolingDown) {
            accepted.client_is_over = false; // never stored
            let outcome = Outcome::Send(SendOutcome::Accepted(accepted));
            self.answers.insert((tenant, claim.key[0]), Answer { claim, outcome, at });
        }
        // Others may have given way.
        for other in 0..self.model.proofs.len() {
            if self.model.proofs[other].tenant == tenant {
                self.compare_stored(other).await?;
            }
        }
        Ok(())
    }

    async fn check(&mut self, step: &Step) -> Result {
        let (tenant, proof, target, only, guess, context, consume, from, claim) = match step {
            Step::CheckById { nth, foreign, guess, other_context, consume, client, trusted, claim } => {
                let Some((proof, id, tenant)) = self.pick(*nth, *foreign) else { return Ok(()) };
                let context = (self.model.proofs[proof].context + u8::from(*other_context)) % 3;
                let (target, claim, from) = (CheckTarget::Id(id), claim_of(*claim, 2), (*client, *trusted));
                (tenant, proof, target, None, *guess, context, *consume, from, claim)
            }
            Step::CheckByAddress { tenant, purpose, who, guess, client } => {
                let found = self.model.latest(*tenant, *purpose, *who);
                let identity = self.recipient(*tenant, *who).identity;
                let target = CheckTarget::Recipient { identity, purposes: vec![purpose_of(*purpose)] };
                let context = found.map_or(0, |proof| self.model.proofs[proof].context);
                let (found, from) = (found.unwrap_or(usize::MAX), (*client, false));
                (*tenant, found, target, Some(*who), *guess, context, true, from, None)
            }
            _ => unreachable!("check() gets checks"),
        };
        let code = self.guess(proof, guess);
        let command = CheckCommand {
            context: context_of(context),
            client: (from.0 > 0).then_some([from.0; 16]),
            trusted: from.1,
            consume,
            caps: self.caps,
            idempotency: claim,
            ..commands::check(self.tenant(tenant), target, code.clone(), self.now())
        };
        let answer = self.engine().check(command).await?;
        let Some((outcome, at)) = self.once(tenant, claim, answer, Outcome::Check)? else { return Ok(()) };
        prop_assert_eq!(at, self.model.now(), "judged at");
        let charged = |model: &Model| model.proofs.get(proof).map(|p| p.checks);
        let before = charged(&self.model);
        let expected = self.model.check(tenant, proof, only, &code, context, consume, from);
        let (came_to, verification) = match &outcome {
            CheckOutcome::Right { verification } => (Checked::Right(proof), Some(verification)),
            CheckOutcome::Rejected { verification, reason, retry_after } => {
                self.see(reason);
                (Checked::Rejected(proof, *reason, *retry_after), Some(verification))
            }
            CheckOutcome::NotFound => (Checked::NotFound, None),
        };
        self.see(&came_to);
        prop_assert_eq!(came_to, expected);
        let Some(verification) = verification else { return Ok(()) };
        self.compare_verification(proof, verification)?;
        if let Some(claim) = claim.filter(|_| charged(&self.model) != before) {
            let answer = Answer { claim, outcome: Outcome::Check(outcome), at };
            self.answers.insert((tenant, claim.key[0]), answer);
        }
        for place in 0..self.model.proofs[proof].addresses.len() {
            let who = self.model.proofs[proof].addresses[place].who;
            self.compare_ledger(tenant, who).await?;
        }
        self.compare_stored(proof).await
    }

    fn guess(&self, proof: usize, guess: Guess) -> Code {
        let proofs = &self.model.proofs;
        let addresses = proofs.get(proof).map_or(&[][..], |p| &p.addresses);
        let code = match guess {
            Guess::Wrong => None,
            Guess::Live(place) => {
                let place = usize::from(place).min(addresses.len().saturating_sub(1));
                addresses.get(place).and_then(|a| a.code.as_ref())
            }
            Guess::First => addresses.first().and_then(|a| a.past.first()),
            Guess::Newest => proofs.last().and_then(|p| p.addresses.first()?.code.as_ref()),
        };
        code.cloned().unwrap_or_else(|| commands::code("wrong00000"))
    }

    async fn cancel(&mut self, nth: u8, foreign: bool) -> Result {
        let Some((proof, id, tenant)) = self.pick(nth, foreign) else { return Ok(()) };
        let outcome = self.engine().cancel(commands::cancel(self.tenant(tenant), id, self.now())).await?;
        let expected = self.model.cancel(tenant, proof);
        match outcome {
            CancelOutcome::NotFound => prop_assert_eq!(expected, None),
            CancelOutcome::Canceled(verification) => {
                prop_assert_eq!(expected, Some(Status::Canceled));
                self.compare_verification(proof, &verification)?;
            }
            CancelOutcome::NotPending(verification) => {
                prop_assert!(expected.is_some_and(|status| status != Status::Canceled));
                self.compare_verification(proof, &verification)?;
            }
        }
        self.compare_stored(proof).await
    }

    /// Takes whatever is due and deals one fate to all of it.
    async fn dispatch(&mut self, fate: Fate) -> Result {
        let mut claimed = Vec::new();
        loop {
            let batch =
                self.engine().claim_messages(commands::claim_into(Slots::in_all(64), self.now())).await?;
            if batch.is_empty() {
                break;
            }
            let ours = batch.into_iter().filter(|m| self.tenants.contains(&m.tenant));
            claimed.extend(ours.map(|m| Submission {
                tenant: m.tenant,
                message: m.id,
                verification: m.verification,
                number: m.attempts,
            }));
        }
        let came: BTreeSet<_> = claimed.iter().map(|s| (s.message, s.number)).collect();
        prop_assert_eq!(came.len(), claimed.len(), "one claim per message");
        prop_assert_eq!(came, self.model.claim().into_iter().collect(), "claimed");
        match fate {
            Fate::Silence => self.silent.extend(claimed),
            fate => self.report(&claimed, fate).await?,
        }
        self.compare_everything().await
    }

    async fn report_late(&mut self, nth: u8, fate: Fate) -> Result {
        let Some(place) = self.silent.len().checked_sub(1 + usize::from(nth)) else { return Ok(()) };
        let late = self.silent[place].clone();
        self.report(&[late], fate).await?;
        self.compare_everything().await
    }

    async fn report(&mut self, submissions: &[Submission], fate: Fate) -> Result {
        let mut reports = Vec::new();
        for Submission { tenant, message, verification, number } in submissions.iter().cloned() {
            let provider = "inbox".parse().expect("a provider name");
            let result = match fate {
                Fate::Silence => continue,
                Fate::Taken => {
                    self.model.taken(message);
                    DeliveryResult::Accepted { provider }
                }
                Fate::Failed { submitted, retry_after } => {
                    self.model.not_taken(message, number, Ok((submitted, retry_after)));
                    DeliveryResult::Failed { provider: Some(provider), submitted, retry_after }
                }
                Fate::GivenUp => {
                    let reason = Abandoned::Unknown;
                    self.model.not_taken(message, number, Err(reason));
                    DeliveryResult::GivenUp { reason }
                }
            };
            reports.push(DeliveryReport { tenant, message, verification, attempt: number, result });
        }
        Ok(self.engine().record_deliveries(reports, self.now()).await?)
    }

    /// The outcome, when the engine had to decide; `None` when it had to repeat or refuse, and did.
    fn once<O>(
        &mut self,
        tenant: u8,
        claim: Option<IdempotencyClaim>,
        answer: Idempotent<O>,
        outcome: fn(O) -> Outcome,
    ) -> Result<Option<(O, Timestamp)>> {
        let is_kept = |a: &&Answer| self.model.now().since(a.at) < Duration::from_secs(86_400);
        let earlier = claim.and_then(|c| self.answers.get(&(tenant, c.key[0]))).filter(is_kept);
        let named = match (answer, earlier) {
            (Idempotent::Fresh { outcome, at }, None) => return Ok(Some((outcome, at))),
            (Idempotent::Replayed { outcome: again, at }, Some(earlier))
                if claim.is_some_and(|c| c.fingerprint == earlier.claim.fingerprint) =>
            {
                prop_assert_eq!((&outcome(again), at), (&earlier.outcome, earlier.at), "repeated");
                "Replayed"
            }
            (Idempotent::Mismatch, Some(earlier))
                if claim.is_some_and(|c| c.fingerprint != earlier.claim.fingerprint) =>
            {
                "Mismatch"
            }
            (_, None) => return Err(fail("repeats what was not asked before")),
            (_, Some(_)) => return Err(fail("does not repeat what was asked before, or something else")),
        };
        self.see(&cast::Name(named));
        Ok(None)
    }

    /// The n-th newest verification, its id, and in whose name to ask.
    fn pick(&self, nth: u8, foreign: bool) -> Option<(usize, VerificationId, u8)> {
        let proof = self.model.proofs.len().checked_sub(1 + usize::from(nth))?;
        let picked = &self.model.proofs[proof];
        Some((proof, picked.id?, picked.tenant ^ u8::from(foreign)))
    }
}

/// Clears up until nothing is left to do.
pub(super) async fn clear(engine: &dyn Engine, now: Timestamp) -> Result {
    while engine.sweep(256, now).await?.did_something() {}
    Ok(())
}

pub(super) fn fail(why: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(why.into())
}
