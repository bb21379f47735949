//! Giving up.

use super::{Decision, Verification};
use crate::engine::{CancelCommand, CancelOutcome};

/// Decides a cancel.
pub fn cancel(verification: Option<Verification>, command: &CancelCommand) -> Decision<CancelOutcome> {
    let _ = (verification, command);
    todo!()
}
