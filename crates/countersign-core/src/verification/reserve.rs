//! What is kept for trusted calls.
//!
//! Whoever asks for codes to somebody's address and types wrong ones uses up that person's starts and
//! guesses, and holds them. So some starts a day are kept for callers who vouch for their requests. What they
//! open is theirs alone: otherwise the next stranger would use that up, too.

use std::time::Duration;

use super::Verification;
use super::limits::Limits;
use crate::engine::{Intent, Refusal, StartCommand};
use crate::time::Timestamp;

/// How a start may open a verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    /// Like any other.
    Usual,
    /// By a start that is kept for trusted calls.
    Reserved,
}

/// Whether a start may use a reserved one: by a trusted call that means to start. A hold that lasts is ended,
/// and not gone around.
pub(super) fn may_use_reserve(command: &StartCommand, limits: &Limits) -> bool {
    command.trusted && command.intent == Intent::Start && !limits.is_hold_lasting()
}

/// How a start opens a verification that the recipient's own limits allow, or refuse for this reason.
///
/// # Errors
/// It does not. Whoever may use the reserve is told when the first of both has room.
pub(super) fn opening(
    refusal: Option<Refusal>,
    command: &StartCommand,
    limits: &Limits,
) -> Result<Opening, Refusal> {
    let Some(refusal) = refusal else { return Ok(Opening::Usual) };
    if !may_use_reserve(command, limits) {
        return Err(refusal);
    }
    let Some(reserve) = limits.wait_for_reserved_start() else { return Ok(Opening::Reserved) };
    Err(match refusal {
        Refusal::RecipientHeld { retry_after } => {
            Refusal::RecipientHeld { retry_after: retry_after.min(reserve) }
        }
        Refusal::RecipientLimit { retry_after } => {
            Refusal::RecipientLimit { retry_after: retry_after.min(reserve) }
        }
        other => other,
    })
}

/// For how long nothing is sent for a running verification and no guess at it is taken, from such a caller.
pub(super) fn refuse_held(
    running: &Verification,
    trusted: bool,
    limits: &Limits,
    now: Timestamp,
) -> Option<Duration> {
    if !running.reserved {
        return limits.hold();
    }
    if trusted && !limits.is_hold_lasting() {
        return None;
    }
    // Whoever is not trusted is told of a hold, also after the day's has ended.
    limits.hold().or_else(|| Some(now.until(running.expires_at)))
}
