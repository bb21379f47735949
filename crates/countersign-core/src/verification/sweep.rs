//! What time and administrators do to a verification that nobody asks about.

use super::disclose;
use super::{Status, StoredRecipient, Verification};
use crate::keys::KeyRing;
use crate::time::Timestamp;

/// What is to be done with a verification whose time has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SweepAction {
    /// Write it back: its end is recorded now.
    Expire(Verification),
    /// Write it back: it no longer knows its full recipient nor the caller's notes.
    Mask(Verification),
    /// Delete it with its messages and index rows.
    Delete,
    /// Nothing yet.
    Keep,
}

impl Verification {
    /// The next instant at which [`sweep`] has something to do; `None` never.
    pub fn sweep_at(&self) -> Timestamp {
        let Some(ended) = self.ended_at else { return self.expires_at };
        if self.is_masked() { ended + self.terms.keep_record } else { ended + self.terms.keep_recipient }
    }

    fn is_masked(&self) -> bool {
        self.metadata.is_none()
            && self.destinations.iter().all(|d| !matches!(d.recipient, StoredRecipient::Sealed(_)))
    }
}

/// Decides what time does to a verification.
pub fn sweep(mut verification: Verification, keys: &KeyRing, now: Timestamp) -> SweepAction {
    if now < verification.sweep_at() {
        return SweepAction::Keep;
    }
    match verification.ended_at {
        None => {
            let deadline = verification.expires_at;
            verification.end(Status::Expired, deadline);
            SweepAction::Expire(verification)
        }
        Some(_) if verification.is_masked() => SweepAction::Delete,
        Some(_) => {
            let masked: Vec<String> = match disclose(keys, &verification) {
                Ok(disclosed) => disclosed
                    .to
                    .iter()
                    .map(|to| crate::recipient::Recipient::from_canonical(to).masked())
                    .collect(),
                // A row that does not open has nothing left to mask, and must not stop the sweep.
                Err(_) => vec!["unreadable".to_owned(); verification.destinations.len()],
            };
            wipe(&mut verification, masked);
            SweepAction::Mask(verification)
        }
    }
}

/// Erases what identifies the recipient, at the recipient's request; what is pending is cancelled.
/// Every open message of the verification is to be abandoned with it.
pub fn erase(mut verification: Verification, now: Timestamp) -> Verification {
    match verification.status_at(now) {
        Status::Pending => verification.end(Status::Canceled, now),
        Status::Expired if verification.ended_at.is_none() => {
            let deadline = verification.expires_at;
            verification.end(Status::Expired, deadline);
        }
        _ => {}
    }
    let masked = vec!["erased".to_owned(); verification.destinations.len()];
    wipe(&mut verification, masked);
    verification
}

fn wipe(verification: &mut Verification, masked: Vec<String>) {
    verification.metadata = None;
    for (destination, masked) in verification.destinations.iter_mut().zip(masked) {
        if matches!(destination.recipient, StoredRecipient::Sealed(_)) {
            destination.recipient = StoredRecipient::Masked(masked);
        }
    }
}
