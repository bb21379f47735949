//! Opening a verification, or sending again because one is pending.

use super::{Decision, Ledgers, Verification};
use crate::engine::{SendOutcome, StartCommand};
use crate::keys::KeyRing;

/// What a start reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StartState {
    /// Per destination, the newest verification of its identity and the command's purpose, however
    /// it stands.
    pub latest: Vec<Option<Verification>>,
    /// The ledgers: one per destination, the client's, the tenant's.
    pub ledgers: Ledgers,
}

/// Decides a start.
pub fn start(state: StartState, command: &StartCommand, keys: &KeyRing) -> Decision<SendOutcome> {
    let _ = (state, command, keys);
    todo!()
}
