//! Clearing up what time has ended, a few rows per command so that others get their turn between.

use countersign_core::codec::from_row;
use countersign_core::engine::SweepReport;
use countersign_core::outbox::Abandoned;
use countersign_core::time::Timestamp;
use countersign_core::verification::{SweepAction, Verification, sweep as sweep_rule};

use super::failure::Failure;
use super::session::Session;
use super::unit::Unit;
use super::{answers, directory, nonces, outbox, recipients};

/// How many rows of each kind one command clears at most: some milliseconds of the writer's time.
pub(super) const CHUNK: u32 = 64;

/// How many rows of each kind may still be cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    /// Verifications.
    pub(super) verifications: u32,
    /// Ledgers, stored answers, nonces and unproven users.
    pub(super) others: u32,
}

impl Room {
    /// Room for `limit` of each.
    pub(super) const fn new(limit: u32) -> Self {
        Self { verifications: limit, others: limit }
    }

    /// The part of it that one command may take.
    pub(super) fn chunk(self) -> Self {
        Self { verifications: self.verifications.min(CHUNK), others: self.others.min(CHUNK) }
    }

    /// What is left after a chunk; nothing of a kind of which it found less than it might.
    pub(super) fn after(self, chunk: Self, used: Self) -> Self {
        let left = |room: u32, chunk: u32, used: u32| if used < chunk { 0 } else { room - used };
        Self {
            verifications: left(self.verifications, chunk.verifications, used.verifications),
            others: left(self.others, chunk.others, used.others),
        }
    }

    /// Whether there is none.
    pub(super) const fn is_none(self) -> bool {
        self.verifications == 0 && self.others == 0
    }
}

/// Clears up to `room`; answers what was done, and how much room that took.
pub(super) fn sweep(
    session: &mut Session,
    room: Room,
    now: Timestamp,
) -> Result<(SweepReport, Room), Failure> {
    outbox::write_back(session)?;
    let now = session.judged_at(now);
    let mut report = SweepReport::default();
    let due = due(session, room.verifications, now)?;
    let examined = u32::try_from(due.len()).unwrap_or(u32::MAX);
    for (seq, verification) in due {
        if let Some(verification) = verification {
            one(session, seq, &verification, now, &mut report)?;
        } else {
            // It must not keep the others from being cleared, nor vanish: somebody has to look at it.
            tracing::error!(seq, "a row of verifications cannot be read; it is left as it is");
            session.execute("UPDATE verifications SET sweep_at = ?2 WHERE seq = ?1", (seq, i64::MAX))?;
        }
    }
    report.forgotten = forget(session, room.others, now)?;
    if report.did_something() {
        session.advance_to(now);
    }
    Ok((report, Room { verifications: examined, others: report.forgotten }))
}

fn due(session: &Session, limit: u32, now: Timestamp) -> Result<Vec<(i64, Option<Verification>)>, Failure> {
    let mut statement = session
        .prepare("SELECT seq, row FROM verifications WHERE sweep_at <= ?1 ORDER BY sweep_at, seq LIMIT ?2")?;
    let mut rows = statement.query((now.as_millis(), limit))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push((row.get(0)?, from_row(row.get_ref(1)?.as_blob()?).ok()));
    }
    Ok(due)
}

fn one(
    session: &mut Session,
    seq: i64,
    verification: &Verification,
    now: Timestamp,
    report: &mut SweepReport,
) -> Result<(), Failure> {
    // What is over has no use for what was not sent, whether or not a dispatcher comes by.
    outbox::abandon_open(session, seq, None, Abandoned::Expired, now)?;
    let keys = session.keys.clone();
    let mut unit = Unit::new(session, &verification.tenant, now)?;
    unit.remember(Some((seq, verification.clone())));
    let number = unit.number.ok_or(Failure::Corrupt("tenants"))?;
    match sweep_rule(verification.clone(), &keys, now) {
        SweepAction::Keep => {}
        SweepAction::Expire(expired) => {
            unit.put_verification(number, &expired)?;
            report.expired += 1;
        }
        SweepAction::Mask(masked) => {
            unit.put_verification(number, &masked)?;
            answers::forget_recipient(unit.session, &masked)?;
            report.masked += 1;
        }
        SweepAction::Delete => {
            delete(unit.session, number, seq, verification)?;
            report.deleted += 1;
        }
    }
    Ok(())
}

fn delete(session: &mut Session, tenant: i64, seq: i64, verification: &Verification) -> Result<(), Failure> {
    for destination in &verification.destinations {
        recipients::leave(session, tenant, &destination.identity, &verification.purpose, seq)?;
    }
    let (first, last) = outbox::numbers_of(seq);
    session.execute("DELETE FROM messages WHERE seq BETWEEN ?1 AND ?2", (first, last))?;
    session.execute("DELETE FROM verifications WHERE seq = ?1", [seq])?;
    Ok(())
}

/// Deletes ledgers, answers, nonces and unproven users that have run out.
fn forget(session: &mut Session, room: u32, now: Timestamp) -> Result<u32, Failure> {
    let (at, now) = (now, now.as_millis());
    let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
    let recipients = recipients::forget(session, room, at)?;
    let clients = count(session.execute(
        "DELETE FROM client_ledgers WHERE (tenant, client) IN
           (SELECT tenant, client FROM client_ledgers WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)",
        (now, room - recipients),
    )?);
    let answers = count(answers::forget(session, room - recipients - clients, now)?);
    let nonces = count(nonces::forget(session, room - recipients - clients - answers, at)?);
    let users = directory::forget(session, room - recipients - clients - answers - nonces, at)?;
    Ok(recipients + clients + answers + nonces + users)
}
