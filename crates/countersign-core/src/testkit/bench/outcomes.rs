//! What outcomes say, for tests that expect one.

use std::time::Duration;

use crate::code::Code;
use crate::engine::{AcceptedKind, CheckOutcome, Idempotent, Refusal, Rejection, SendOutcome};
use crate::outbox::{DeliveryReport, DeliveryResult, Message, MessageState};
use crate::testkit::commands;
use crate::verification::Verification;

/// The outcome of something that happened now.
#[track_caller]
pub fn fresh<O: std::fmt::Debug>(answer: Idempotent<O>) -> O {
    match answer {
        Idempotent::Fresh { outcome, .. } => outcome,
        other => panic!("not fresh: {other:?}"),
    }
}

/// The outcome of something that happened before.
#[track_caller]
pub fn replayed<O: std::fmt::Debug>(answer: Idempotent<O>) -> O {
    match answer {
        Idempotent::Replayed { outcome, .. } => outcome,
        other => panic!("not replayed: {other:?}"),
    }
}

/// What was accepted, and how.
#[track_caller]
pub fn accepted(outcome: SendOutcome) -> (AcceptedKind, Verification) {
    match outcome {
        SendOutcome::Accepted(accepted) => (accepted.kind, accepted.verification),
        SendOutcome::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// The verification that was opened.
#[track_caller]
pub fn opened(outcome: SendOutcome) -> Verification {
    let (kind, verification) = accepted(outcome);
    assert_eq!(kind, AcceptedKind::Opened);
    verification
}

/// The running verification that sent again.
#[track_caller]
pub fn resent(outcome: SendOutcome) -> Verification {
    let (kind, verification) = accepted(outcome);
    assert_eq!(kind, AcceptedKind::Resent);
    verification
}

/// The code that was handed back.
#[track_caller]
pub fn returned(outcome: SendOutcome) -> Code {
    match outcome {
        SendOutcome::Accepted(accepted) => accepted.code.expect("a code is handed back"),
        SendOutcome::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// Why nothing was sent.
#[track_caller]
pub fn refusal(outcome: &SendOutcome) -> Refusal {
    match outcome {
        SendOutcome::Refused(refusal) => *refusal,
        SendOutcome::Accepted(accepted) => panic!("accepted: {:?}", accepted.kind),
    }
}

/// Whether a guess was right.
pub fn is_right(outcome: &CheckOutcome) -> bool {
    matches!(outcome, CheckOutcome::Right { .. })
}

/// Why a guess was not accepted.
#[track_caller]
pub fn rejection(outcome: &CheckOutcome) -> Rejection {
    match outcome {
        CheckOutcome::Rejected { reason, .. } => *reason,
        other => panic!("not rejected: {other:?}"),
    }
}

/// A guess of the same length that is not the code.
pub fn wrong(code: &Code) -> Code {
    let (first, rest) = code.expose().split_at(1);
    let other = if first == "1" { "2" } else { "1" };
    commands::code(&format!("{other}{rest}"))
}

/// A report on a message as it was claimed.
pub fn report(message: &Message, result: DeliveryResult) -> DeliveryReport {
    DeliveryReport {
        tenant: message.tenant.clone(),
        message: message.id,
        verification: message.verification,
        attempt: message.attempts,
        result,
    }
}

/// A provider took it.
pub fn taken() -> DeliveryResult {
    DeliveryResult::Accepted { provider: "inbox".parse().expect("a provider name") }
}

/// A provider definitely failed; try again at once.
pub fn failed() -> DeliveryResult {
    let provider = Some("inbox".parse().expect("a provider name"));
    DeliveryResult::Failed { provider, submitted: true, retry_after: Duration::ZERO }
}

/// Whether a message is final and without its payload.
pub fn is_wiped(message: &Message) -> bool {
    let is_final = matches!(message.state, MessageState::Sent { .. } | MessageState::Abandoned { .. });
    is_final && message.payload.is_none()
}
