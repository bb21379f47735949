//! Sending again, addressed by id.

use super::issue::{Addressed, Issuer};
use super::limits::Limits;
use super::reserve::refuse_held;
use super::start::accepted;
use super::{Changes, Damaged, Decision, Ledgers, Status, Verification};
use crate::engine::{AcceptedKind, Delivery, Refusal, ResendCommand, SendOutcome};
use crate::keys::KeyRing;

/// What a resend or a check reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunningState {
    /// The verification, if there is one.
    pub verification: Option<Verification>,
    /// The ledgers: one per destination of it, that of the client that started it, the tenant's, and that of the
    /// recipient whose hold it ends.
    pub ledgers: Ledgers,
}

/// Decides a resend. It never refreshes checks and never extends the deadline.
///
/// # Errors
/// A stored address does not open.
pub fn resend(
    state: RunningState,
    command: &ResendCommand,
    keys: &KeyRing,
) -> Result<Decision<SendOutcome>, Damaged> {
    let now = command.now;
    let refused = |refusal| Ok(Decision::unchanged(SendOutcome::Refused(refusal)));
    let theirs = |v: &Verification| v.tenant == command.tenant && v.dialect == command.dialect;
    let Some(mut running) = state.verification.filter(theirs) else {
        return refused(Refusal::NotFound);
    };
    let status = running.status_at(now);
    if status != Status::Pending {
        return refused(Refusal::NotPending { status });
    }
    let mut limits = Limits::new(
        command.caps,
        running.is_test(),
        running.budgets().zip(state.ledgers.recipients),
        state.ledgers.tenant,
        now,
    );
    // What was pretended is pretended again, whoever asks: same work, same answer, nobody is reached.
    let delivery = if running.pretended { Delivery::Pretend } else { command.delivery };
    let held = refuse_held(&running, command.trusted, &limits, now);
    let refusal = held
        .map(|retry_after| Refusal::RecipientHeld { retry_after })
        .or_else(|| limits.refuse_sending(&running, delivery))
        .or_else(|| limits.refuse_messages(delivery, &running.terms))
        .or_else(|| limits.refuse_cost(delivery, command.cost_micros));
    if let Some(refusal) = refusal {
        return refused(refusal);
    }
    let to: Vec<Addressed> = (running.destinations.iter().enumerate())
        .map(|(index, d)| Addressed { index, channel: command.channel.unwrap_or(d.channel) })
        .collect();
    // The caller's link is not kept; who wants it in the next mail, too, sends again by a start.
    let mut issuer = Issuer { keys, delivery, link: None, now, rng: command.seed.rng(), known: Vec::new() };
    let codes = issuer.issue(&mut running, &to, None)?;
    running.sent_for = None;
    limits.record_issue(delivery, command.cost_micros, running.budgets());
    let mut changes =
        Changes { messages: codes.messages, drop_messages: codes.drop_messages, ..Changes::default() };
    limits.write_into(&mut changes);
    let outcome = accepted(AcceptedKind::Resent, &running, delivery, codes.code);
    changes.verifications.push(running);
    Ok(Decision { outcome, changes })
}
