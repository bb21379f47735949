//! The verbs: load the state, call core's rule, write what it decided.

use countersign_core::engine::{
    Answer, CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, EnrolCommand,
    EnrolOutcome, IdempotencyClaim, Idempotent, RecipientCommand, ResendCommand, SendOutcome, StartCommand,
    resolve,
};
use countersign_core::keys::RecipientKey;
use countersign_core::names::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::verification::cancel::cancel as cancel_rule;
use countersign_core::verification::check::{check as check_rule, newest};
use countersign_core::verification::enrol::{EnrolState, enrol as enrol_rule};
use countersign_core::verification::resend::resend as resend_rule;
use countersign_core::verification::start::{StartState, start as start_rule};
use countersign_core::verification::{Decision, RecipientLedger, Topic, release as release_rule};

use super::failure::{Failure, InTable};
use super::session::Session;
use super::unit::Unit;
use super::{answers, directory};

/// Decides and writes, once per claim.
fn decide<O: Answer>(
    session: &mut Session,
    tenant: &TenantId,
    claim: Option<IdempotencyClaim>,
    now: Timestamp,
    rule: impl FnOnce(&mut Unit<'_>) -> Result<Decision<O>, Failure>,
) -> Result<Idempotent<O>, Failure> {
    let mut unit = Unit::new(session, tenant, now)?;
    if let Some(claim) = &claim {
        let stored = answers::find(&unit, claim)?;
        if let Some(earlier) = resolve(claim, stored.as_ref(), unit.now).in_table("answers")? {
            return Ok(earlier);
        }
    }
    let Decision { outcome, changes } = rule(&mut unit)?;
    if !changes.is_empty() {
        unit.write(changes)?;
        if let Some(claim) = &claim {
            answers::put(&unit, claim, &outcome)?;
        }
    }
    Ok(Idempotent::Fresh { outcome, at: unit.now })
}

/// Opens a verification or sends again.
pub(super) fn start(
    session: &mut Session,
    command: &mut StartCommand,
) -> Result<Idempotent<SendOutcome>, Failure> {
    let keys = session.keys.clone();
    let tenant = command.tenant.clone();
    decide(session, &tenant, command.idempotency, command.now, |unit| {
        command.now = unit.now;
        Ok(start_rule(start_state(unit, command)?, command, &keys)?)
    })
}

/// What a start reads.
fn start_state(unit: &mut Unit<'_>, command: &StartCommand) -> Result<StartState, Failure> {
    let mut state = StartState::default();
    for destination in &command.destinations {
        let topic = Topic::new(&command.dialect, &command.purpose);
        state.latest.push(unit.latest(&destination.keys.identity, topic)?);
        state.ledgers.recipients.push(unit.ledger(&destination.keys.budget)?);
    }
    if let Some(client) = &command.client {
        state.ledgers.client = unit.client(client)?;
    }
    state.ledgers.tenant = unit.session.tenant_ledger(unit.tenant)?;
    Ok(state)
}

/// Registers a user and sends the first codes.
pub(super) fn enrol(session: &mut Session, command: &mut EnrolCommand) -> Result<EnrolOutcome, Failure> {
    let keys = session.keys.clone();
    let tenant = command.tenant.clone();
    let mut unit = Unit::new(session, &tenant, command.now)?;
    command.now = unit.now;
    let mut state = EnrolState::default();
    if let Some(number) = unit.number {
        let taken = directory::taken(unit.session, number, &command.directory, &command.user)?;
        (state.id_taken, state.name_taken) = taken;
        state.claimants =
            directory::claimants(unit.session, number, &command.directory, &command.user, None)?;
    }
    for start in &mut command.starts {
        start.now = unit.now;
        state.starts.push(start_state(&mut unit, start)?);
    }
    let Decision { outcome, changes } = enrol_rule(state, command, &keys)?;
    if !changes.is_empty() {
        unit.write(changes)?;
    }
    Ok(outcome)
}

/// Sends again, addressed by id.
pub(super) fn resend(
    session: &mut Session,
    command: &mut ResendCommand,
) -> Result<Idempotent<SendOutcome>, Failure> {
    let keys = session.keys.clone();
    let tenant = command.tenant.clone();
    decide(session, &tenant, command.idempotency, command.now, |unit| {
        command.now = unit.now;
        let verification = unit.verification(command.id)?;
        Ok(resend_rule(unit.running(verification)?, command, &keys)?)
    })
}

/// Takes a guess.
pub(super) fn check(
    session: &mut Session,
    command: &mut CheckCommand,
) -> Result<Idempotent<CheckOutcome>, Failure> {
    let keys = session.keys.clone();
    let tenant = command.tenant.clone();
    decide(session, &tenant, command.idempotency, command.now, |unit| {
        command.now = unit.now;
        let topic = |purpose| Topic::new(&command.dialect, purpose);
        let verification = match &command.target {
            CheckTarget::Id(id) => unit.verification(*id)?,
            CheckTarget::Recipient { identity, purposes } => {
                let latest = purposes.iter().map(|purpose| unit.latest(identity, topic(purpose)));
                let latest = latest.collect::<Result<Vec<_>, _>>()?;
                newest(latest.into_iter().flatten(), command)
            }
            CheckTarget::AnyOf { identities, purpose, .. } => {
                let latest = identities.iter().map(|identity| unit.latest(identity, topic(purpose)));
                let latest = latest.collect::<Result<Vec<_>, _>>()?;
                newest(latest.into_iter().flatten(), command)
            }
        };
        Ok(check_rule(unit.running(verification)?, command, &keys))
    })
}

/// Gives up.
pub(super) fn cancel(session: &mut Session, command: &mut CancelCommand) -> Result<CancelOutcome, Failure> {
    let tenant = command.tenant.clone();
    let mut unit = Unit::new(session, &tenant, command.now)?;
    command.now = unit.now;
    let verification = unit.verification(command.id)?;
    let Decision { outcome, changes } = cancel_rule(verification, command);
    if !changes.is_empty() {
        unit.write(changes)?;
    }
    Ok(outcome)
}

/// Lifts a recipient's holds.
pub(super) fn release(session: &mut Session, command: &mut RecipientCommand) -> Result<bool, Failure> {
    let mut unit = Unit::new(session, &command.tenant, command.now)?;
    command.now = unit.now;
    let Some(changes) = release_rule(unit.ledger(&command.keys.budget)?, command) else { return Ok(false) };
    unit.write(changes)?;
    Ok(true)
}

/// A recipient's ledger; the default when nothing is known.
pub(super) fn recipient(
    session: &mut Session,
    tenant: &TenantId,
    budget: &RecipientKey,
) -> Result<RecipientLedger, Failure> {
    Unit::new(session, tenant, Timestamp::from_millis(0))?.ledger(budget)
}

/// The verifications that a recipient joined of late, which are not in the tree yet.
pub(super) fn joined_recently(
    session: &mut Session,
    tenant: &TenantId,
    identity: &RecipientKey,
) -> Result<Vec<i64>, Failure> {
    let Some(number) = session.tenant(tenant)?.map(|tenant| tenant.number) else { return Ok(Vec::new()) };
    Ok(session.recipients.joined(number, identity).collect())
}
