//! What the core's outcomes mean to every dialect alike.

use std::time::Duration;

use countersign_core::engine::{Accepted, AcceptedKind, Idempotent};
use countersign_core::time::Timestamp;

use crate::observe::Cause;

/// What was decided, and when. Requests of dialects claim no idempotency keys, so that it is always now.
///
/// # Errors
/// A key was claimed after all, which is a mistake of ours.
pub(crate) fn decided<O>(outcome: Idempotent<O>) -> Result<(O, Timestamp), Cause> {
    match outcome {
        Idempotent::Fresh { outcome, at } | Idempotent::Replayed { outcome, at } => Ok((outcome, at)),
        Idempotent::Mismatch => Err(Cause("an idempotency key that was never claimed".into())),
    }
}

/// How long until asking for a message makes sense, where none was sent because the last one is too recent;
/// `None` when one was sent, by this request or by the same one a moment ago.
pub(crate) fn cooling_down(accepted: &Accepted, at: Timestamp) -> Option<Duration> {
    match accepted.kind {
        AcceptedKind::Opened | AcceptedKind::Resent | AcceptedKind::Repeated => None,
        AcceptedKind::CoolingDown => {
            let running = &accepted.verification;
            Some(at.until(running.next_send_at(at).unwrap_or(running.expires_at)))
        }
    }
}
