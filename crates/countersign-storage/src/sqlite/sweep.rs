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

/// How many rows of each kind may still be cleared. A kind has its own room: however much there is of one
/// (an hour of a busy tenant leaves a million ledgers), none of the others waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    /// Verifications.
    pub(super) verifications: u32,
    /// Recipients' ledgers.
    pub(super) recipients: u32,
    /// Client addresses' ledgers.
    pub(super) clients: u32,
    /// Stored answers.
    pub(super) answers: u32,
    /// Nonces.
    pub(super) nonces: u32,
    /// Users of whom nothing was proven.
    pub(super) users: u32,
}

impl Room {
    /// Room for `limit` of each.
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            verifications: limit,
            recipients: limit,
            clients: limit,
            answers: limit,
            nonces: limit,
            users: limit,
        }
    }

    /// The part of it that one command may take.
    pub(super) fn chunk(self) -> Self {
        self.each(Self::new(CHUNK), u32::min)
    }

    /// What is left after a chunk; nothing of a kind of which it found less than it might.
    pub(super) fn after(self, chunk: Self, used: Self) -> Self {
        let left = self.each(used, |room, used| room - used);
        let full = used.each(chunk, |used, chunk| u32::from(used == chunk));
        left.each(full, |left, full| left * full)
    }

    /// Whether there is none.
    pub(super) fn is_none(self) -> bool {
        self == Self::new(0)
    }

    fn each(self, other: Self, f: impl Fn(u32, u32) -> u32) -> Self {
        Self {
            verifications: f(self.verifications, other.verifications),
            recipients: f(self.recipients, other.recipients),
            clients: f(self.clients, other.clients),
            answers: f(self.answers, other.answers),
            nonces: f(self.nonces, other.nonces),
            users: f(self.users, other.users),
        }
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
    for Due { seq, tenant, verification } in due {
        let cleared = match verification {
            Some(verification) => one(session, seq, tenant, &verification, now, &mut report),
            None => Err(Failure::Corrupt("verifications")),
        };
        if let Err(Failure::Corrupt(table)) = cleared {
            // It must not keep the others from being cleared, nor vanish: somebody has to look at it.
            tracing::error!(seq, table, "a verification is left as it is: a row cannot be read");
            session.execute("UPDATE verifications SET sweep_at = ?2 WHERE seq = ?1", (seq, i64::MAX))?;
        } else {
            cleared?;
        }
    }
    let used = Room { verifications: examined, ..forget(session, room, now)? };
    report.forgotten = used.recipients + used.clients + used.answers + used.nonces + used.users;
    if report.did_something() {
        session.advance_to(now);
    }
    Ok((report, used))
}

/// A verification whose time has come.
struct Due {
    seq: i64,
    /// Its tenant's number.
    tenant: i64,
    /// `None` if it cannot be read.
    verification: Option<Verification>,
}

fn due(session: &Session, limit: u32, now: Timestamp) -> Result<Vec<Due>, Failure> {
    let sql =
        "SELECT seq, tenant, row FROM verifications WHERE sweep_at <= ?1 ORDER BY sweep_at, seq LIMIT ?2";
    let mut statement = session.prepare(sql)?;
    let mut rows = statement.query((now.as_millis(), limit))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let verification = from_row(row.get_ref(2)?.as_blob()?).ok();
        due.push(Due { seq: row.get(0)?, tenant: row.get(1)?, verification });
    }
    Ok(due)
}

fn one(
    session: &mut Session,
    seq: i64,
    number: i64,
    verification: &Verification,
    now: Timestamp,
    report: &mut SweepReport,
) -> Result<(), Failure> {
    // What is over has no use for what was not sent, whether or not a dispatcher comes by.
    outbox::abandon_open(session, seq, None, Abandoned::Expired, now)?;
    let keys = session.keys.clone();
    let mut unit = Unit::numbered_tenant(session, &verification.tenant, Some(number), now);
    unit.remember(Some((seq, verification.clone())));
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
    for (index, destination) in verification.destinations.iter().enumerate() {
        if verification.destinations[..index].iter().any(|other| other.identity == destination.identity) {
            continue; // it joined once
        }
        recipients::leave(session, tenant, &destination.identity, verification, seq)?;
    }
    let (first, last) = outbox::numbers_of(seq);
    session.execute("DELETE FROM messages WHERE seq BETWEEN ?1 AND ?2", (first, last))?;
    session.execute("DELETE FROM verifications WHERE seq = ?1", [seq])?;
    Ok(())
}

/// Deletes ledgers, answers, nonces and unproven users that have run out; answers how many.
fn forget(session: &mut Session, room: Room, now: Timestamp) -> Result<Room, Failure> {
    let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
    let clients = session.execute(
        "DELETE FROM client_ledgers WHERE (tenant, client) IN
           (SELECT tenant, client FROM client_ledgers WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)",
        (now.as_millis(), room.clients),
    )?;
    Ok(Room {
        recipients: recipients::forget(session, room.recipients, now)?,
        clients: count(clients),
        answers: count(answers::forget(session, room.answers, now.as_millis())?),
        nonces: count(nonces::forget(session, room.nonces, now)?),
        users: directory::forget(session, room.users, now)?,
        verifications: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: E12.
    #[test]
    fn e12_a_kind_of_which_nothing_is_left_ends_for_itself_alone() {
        let (room, chunk) = (Room::new(100), Room::new(100).chunk());
        assert_eq!(chunk, Room::new(CHUNK));
        let left = room.after(chunk, Room { answers: 3, nonces: 0, ..chunk });
        assert_eq!(left, Room { answers: 0, nonces: 0, ..Room::new(100 - CHUNK) });
        assert!(!left.is_none() && left.after(left.chunk(), Room::new(0)).is_none());
    }
}
