//! Ending a hold before its time: an administrator does, or a proof on another channel.

use minicbor::{Decode, Encode};

use super::limits::Limits;
use super::{Changes, RecipientLedger, Verification};
use crate::audit::AuditEvent;
use crate::engine::RecipientCommand;
use crate::keys::RecipientKey;
use crate::time::Timestamp;

/// Whose hold ends with an approval.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct EndsHold {
    /// Finds their ledger.
    #[n(0)]
    pub budget: RecipientKey,
    /// Their masked address, for the audit log.
    #[n(1)]
    pub masked: String,
}

/// Decides an administrator's release; `None` when the recipient is not held.
pub fn release(mut ledger: RecipientLedger, command: &RecipientCommand) -> Option<Changes> {
    ledger.hold(&command.caps, command.now)?;
    ledger.release();
    let (ledgers, audit) = (vec![(command.keys.budget, ledger)], vec![command.audit.clone()]);
    Some(Changes { ledgers, audit, ..Changes::default() })
}

/// Ends the hold of the recipient that an approved verification names, if there is one.
pub(super) fn by_proof(
    approved: &Verification,
    other: Option<RecipientLedger>,
    limits: &Limits,
    changes: &mut Changes,
    now: Timestamp,
) {
    let (Some(ends), Some(mut ledger)) = (&approved.ends_hold, other) else { return };
    if limits.hold_of(&ledger).is_none() {
        return;
    }
    ledger.release();
    changes.ledgers.push((ends.budget, ledger));
    changes.audit.push(AuditEvent {
        at: now,
        tenant: Some(approved.tenant.clone()),
        actor: format!("verification:{}", approved.id),
        action: "recipient.released".to_owned(),
        subject: ends.masked.clone(),
    });
}
