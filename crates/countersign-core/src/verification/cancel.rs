//! Giving up.

use super::{Changes, Decision, DropMessages, Status, Verification};
use crate::engine::{CancelCommand, CancelOutcome};
use crate::outbox::Abandoned;

/// Decides a cancel. Giving up twice is giving up once; what ended otherwise stays as it ended.
pub fn cancel(verification: Option<Verification>, command: &CancelCommand) -> Decision<CancelOutcome> {
    let Some(mut verification) = verification.filter(|v| v.tenant == command.tenant) else {
        return Decision::unchanged(CancelOutcome::NotFound);
    };
    match verification.status_at(command.now) {
        Status::Canceled => Decision::unchanged(CancelOutcome::Canceled(Box::new(verification.snapshot()))),
        Status::Approved | Status::Expired | Status::Exhausted => {
            Decision::unchanged(CancelOutcome::NotPending(Box::new(verification.snapshot())))
        }
        Status::Pending => {
            verification.end(Status::Canceled, command.now);
            let drop = DropMessages {
                verification: verification.id,
                destination: None,
                reason: Abandoned::Superseded,
            };
            Decision {
                outcome: CancelOutcome::Canceled(Box::new(verification.snapshot())),
                changes: Changes {
                    verifications: vec![verification],
                    drop_messages: vec![drop],
                    ..Changes::default()
                },
            }
        }
    }
}
