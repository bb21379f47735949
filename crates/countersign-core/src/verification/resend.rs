//! Sending again.

use super::{Decision, Ledgers, Verification};
use crate::engine::{ResendCommand, SendOutcome};
use crate::keys::KeyRing;

/// What a resend or a check reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunningState {
    /// The verification, if there is one.
    pub verification: Option<Verification>,
    /// The ledgers: one per destination of it, and the tenant's.
    pub ledgers: Ledgers,
}

/// Decides a resend.
pub fn resend(state: RunningState, command: &ResendCommand, keys: &KeyRing) -> Decision<SendOutcome> {
    let _ = (state, command, keys);
    todo!()
}
