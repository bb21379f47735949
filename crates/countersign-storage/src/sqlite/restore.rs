//! What happens when a backup is opened for the first time.
//!
//! Between backup and restore codes were used up that the backup still thinks are live. None of them
//! may come back: whatever is pending is cancelled, and no message of before is sent.

use countersign_core::audit::AuditEvent;
use countersign_core::engine::CancelCommand;
use countersign_core::outbox::Abandoned;
use countersign_core::time::Timestamp;
use countersign_core::verification::cancel::cancel as cancel_rule;

use super::failure::Failure;
use super::outbox;
use super::session::Session;
use super::unit::{self, Unit};

/// Whether this file is a backup that was never opened.
pub(super) fn is_pending(session: &Session) -> Result<bool, Failure> {
    let pending = session.find("SELECT restored_pending FROM state", (), |row| Ok(row.get(0)?))?;
    Ok(pending.unwrap_or(false))
}

/// Cancels every live code; answers how many. One transaction: a process killed meanwhile begins anew.
pub(super) fn cancel_live_codes(session: &mut Session, now: Timestamp) -> Result<u32, Failure> {
    let now = session.judged_at(now);
    let mut pending = Vec::new();
    {
        let mut statement = session.prepare("SELECT seq, row FROM verifications WHERE status = 0")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            pending.push(unit::verification(row)?);
        }
    }
    let mut canceled = 0;
    for (seq, verification) in pending {
        let command = CancelCommand { tenant: verification.tenant.clone(), id: verification.id, now };
        let mut unit = Unit::new(session, &command.tenant, now)?;
        unit.remember(Some((seq, verification.clone())));
        let changes = cancel_rule(Some(verification), &command).changes;
        if !changes.is_empty() {
            unit.write(changes)?;
            canceled += 1;
        }
    }
    abandon_all(session, now)?;
    session.execute("UPDATE state SET restored_pending = 0", ())?;
    session.advance_to(now);
    session.append_audit(&[AuditEvent {
        at: now,
        tenant: None,
        actor: "system".into(),
        action: "store.restored".into(),
        subject: format!("{canceled} live codes canceled"),
    }])?;
    Ok(canceled)
}

/// Abandons every open message: also those whose verification had ended, or whose window had closed.
fn abandon_all(session: &mut Session, now: Timestamp) -> Result<(), Failure> {
    let mut verifications: Vec<i64> = Vec::new();
    {
        let mut statement = session.prepare("SELECT seq FROM messages WHERE due_at IS NOT NULL")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            verifications.push(outbox::verification_of(row.get(0)?));
        }
    }
    verifications.dedup();
    verifications
        .into_iter()
        .try_for_each(|seq| outbox::abandon_open(session, seq, None, Abandoned::Superseded, now))
}
