//! Taking a guess.
//!
//! The order is the point: the check is charged first and compared after, in one commit, so that no
//! number of parallel guesses buys one more comparison.

use std::time::Duration;

use super::limits::Limits;
use super::resend::RunningState;
use super::reserve::refuse_held;
use super::{
    Changes, Decision, Destination, DropMessages, FailureLevel, Status, StoredRecipient, Verification,
    release,
};
use crate::audit::AuditEvent;
use crate::engine::{CheckCommand, CheckOutcome, CheckTarget, Proven, Rejection};
use crate::keys::KeyRing;
use crate::outbox::Abandoned;
use crate::policy::CodeSharing;

/// Decides a check.
pub fn check(mut state: RunningState, command: &CheckCommand, keys: &KeyRing) -> Decision<CheckOutcome> {
    let now = command.now;
    // By its id, another wire API's verification is an unknown one.
    let by_id = matches!(command.target, CheckTarget::Id(_));
    let theirs = |v: &Verification| v.tenant == command.tenant && (!by_id || v.dialect == command.dialect);
    let Some(mut verification) = state.verification.take().filter(theirs) else {
        return Decision::unchanged(CheckOutcome::NotFound);
    };
    let window = now.until(verification.expires_at);
    let ended = match verification.status_at(now) {
        Status::Pending => None,
        Status::Approved => Some((Rejection::AlreadyUsed, Duration::ZERO)),
        Status::Canceled => Some((Rejection::Canceled, Duration::ZERO)),
        Status::Expired => Some((Rejection::Expired, Duration::ZERO)),
        Status::Exhausted => Some((Rejection::Exhausted, window)),
    };
    if let Some((reason, retry_after)) = ended {
        return Decision::unchanged(rejected(&verification, reason, retry_after));
    }
    let mut limits = Limits::new(
        command.caps,
        verification.is_test(),
        verification.budgets().zip(state.ledgers.recipients),
        state.ledgers.tenant,
        now,
    );
    if let Some(retry_after) = refuse_held(&verification, command.trusted, &limits, now) {
        return Decision::unchanged(rejected(&verification, Rejection::RecipientHeld, retry_after));
    }
    if command.only_of_length && command.code.expose().len() != usize::from(verification.terms.code.length) {
        return Decision::unchanged(rejected(&verification, Rejection::OtherLength, Duration::ZERO));
    }
    let candidates: Vec<Destination> =
        verification.destinations.iter().filter(|d| is_meant(d, &command.target)).cloned().collect();
    if candidates.iter().all(|d| d.digest.is_none() || now >= d.code_expires_at) {
        return Decision::unchanged(rejected(&verification, Rejection::Expired, Duration::ZERO));
    }

    // From here on the check is paid for, whatever it says.
    verification.checks_used = verification.checks_used.saturating_add(1);
    let last = verification.checks_used >= verification.terms.max_checks;
    let context_fits = verification.context == command.context;
    let dialect_fits = verification.dialect == command.dialect;
    // Every candidate is compared, so that the time taken does not tell which one matched.
    let matching: Vec<&Destination> = candidates
        .iter()
        .filter(|d| {
            let live = now < d.code_expires_at;
            // A look-alike's code is drawn and compared like any other, and proves nobody.
            let somebody = d.recipient != StoredRecipient::Nobody && !verification.pretended;
            let compare = |digest| keys.code_matches(&digest, verification.code_context(d), &command.code);
            d.digest.is_some_and(compare) & live & context_fits & dialect_fits & somebody
        })
        .collect();

    let mut changes = Changes::default();
    let right = !matching.is_empty();
    let reason = if context_fits { Rejection::WrongCode } else { Rejection::ContextMismatch };
    let mut ends = None;
    if right {
        let proven: Vec<_> = matching.iter().map(|d| d.budget).collect();
        limits.record_success(&proven);
        if command.consume {
            ends = Some(Status::Approved);
            limits.record_approval(&proven, command.client);
            limits.give_back(&std::mem::take(&mut verification.failures));
            if let Some(client) = verification.client
                && state.ledgers.client.give_back(verification.created_at)
            {
                changes.client = Some((client, state.ledgers.client));
            }
            if command.record_proof {
                changes.proven = proofs(&verification, &matching);
            }
        } else if last {
            ends = Some(Status::Exhausted);
        }
    } else {
        if limits.record_failure(&verification, command.client) {
            changes.audit.push(held(&verification, now));
        }
        // A guess at what proves nobody takes nothing from anybody, whatever it costs to make.
        let proves_nobody = verification.is_test()
            || verification.pretended
            || candidates.iter().all(|d| d.recipient == StoredRecipient::Nobody);
        if !proves_nobody {
            verification.failures.push(now);
            let entered = limits.record_tenant_failure();
            changes.audit.extend(entered.map(|level| failures(&verification, level, now)));
        }
        ends = last.then_some(Status::Exhausted);
    }
    if let Some(status) = ends {
        verification.end(status, now);
        changes.drop_messages.push(DropMessages {
            verification: verification.id,
            destination: None,
            reason: Abandoned::Superseded,
        });
    }
    limits.write_into(&mut changes);
    if ends == Some(Status::Approved) {
        release::by_proof(&verification, state.ledgers.also_released, &limits, &mut changes, now);
    }
    let outcome = if right {
        CheckOutcome::Right { verification: Box::new(verification.snapshot()) }
    } else {
        rejected(&verification, reason, if last { window } else { Duration::ZERO })
    };
    changes.verifications.push(verification);
    Decision { outcome, changes }
}

fn rejected(verification: &Verification, reason: Rejection, retry_after: Duration) -> CheckOutcome {
    CheckOutcome::Rejected { verification: Box::new(verification.snapshot()), reason, retry_after }
}

/// Named by an address, a guess is for that address' code only; named by id, for any of them.
fn is_meant(destination: &Destination, target: &CheckTarget) -> bool {
    match target {
        CheckTarget::Id(_) => true,
        CheckTarget::Recipient { identity, .. } => destination.identity == *identity,
        CheckTarget::AnyOf { identities, .. } => identities.contains(&destination.identity),
    }
}

/// Of the verifications that several addresses, or one for several purposes, joined last, the one that a guess
/// for any of them is for: the newest that waits for it, or else the newest of all. One guess is for one
/// verification: otherwise it would be charged, or compared, more than once.
pub fn newest(found: impl IntoIterator<Item = Verification>, command: &CheckCommand) -> Option<Verification> {
    let is_anothers = |v: &Verification| match &command.target {
        CheckTarget::AnyOf { owner, .. } => v.owner().is_some_and(|other| other != owner),
        CheckTarget::Id(_) | CheckTarget::Recipient { .. } => false,
    };
    let waits =
        |v: &Verification| v.dialect == command.dialect && v.status_at(command.now) == Status::Pending;
    found
        .into_iter()
        .filter(|verification| !is_anothers(verification))
        .max_by_key(|verification| (waits(verification), verification.created_at, verification.id))
}

/// What the right code proves, with the users it was asked for: the addresses that it was handed out for.
/// Where several addresses have one code, whoever read one of them has it, so that it proves none.
fn proofs(verification: &Verification, matching: &[&Destination]) -> Vec<Proven> {
    let is_shared = verification.terms.sharing == CodeSharing::Shared || verification.custom_code;
    let is_shared = is_shared && verification.destinations.len() > 1;
    let handed_out = matching.iter().filter(|d| d.code_sent);
    let mut proven: Vec<Proven> = handed_out
        .filter_map(|d| d.owner.as_ref())
        .map(|owner| Proven { user: owner.user.clone(), address: (!is_shared).then_some(owner.address) })
        .collect();
    proven.dedup();
    proven
}

/// The tenant's failures reached a level.
fn failures(verification: &Verification, level: FailureLevel, now: crate::time::Timestamp) -> AuditEvent {
    AuditEvent {
        at: now,
        tenant: Some(verification.tenant.clone()),
        actor: "system".to_owned(),
        action: "tenant.failures".to_owned(),
        subject: level.as_str().to_owned(),
    }
}

fn held(verification: &Verification, now: crate::time::Timestamp) -> AuditEvent {
    AuditEvent {
        at: now,
        tenant: Some(verification.tenant.clone()),
        actor: "system".to_owned(),
        action: "recipient.held".to_owned(),
        subject: verification.id.to_string(),
    }
}
