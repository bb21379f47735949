//! The outbox's rows.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use countersign_core::codec::{from_row, to_row};
use countersign_core::ids::MessageId;
use countersign_core::outbox::{self, Abandoned, Claim, DeliveryReport, Message};
use countersign_core::time::Timestamp;

use super::failure::Failure;
use super::session::Session;

/// How many bits of a message's number are its own; the rest is its verification's.
const OWN_BITS: u32 = 12;

/// The numbers that the messages of a verification have.
pub(super) fn numbers_of(verification: i64) -> (i64, i64) {
    let first = verification << OWN_BITS;
    (first, first | ((1 << OWN_BITS) - 1))
}

/// The verification that the message of this number belongs to.
pub(super) const fn verification_of(message: i64) -> i64 {
    message >> OWN_BITS
}

/// What the writing thread remembers of the outbox.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Queued in this transaction and not written yet: most are claimed before it commits, and so are
    /// written once and not twice. Whatever reads or changes messages by SQL has them written first.
    fresh: VecDeque<Stored>,
    /// Claimed and not reported yet, as they stand in their rows: what became of them can be written
    /// without reading them again.
    leased: HashMap<MessageId, Stored>,
    /// What a rollback takes back, oldest first.
    undo: Vec<Undo>,
}

/// A message and its number.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stored {
    seq: i64,
    message: Message,
}

/// One change in memory. A lease that was given up is not among them: what is not known of a message is
/// read from its row.
#[derive(Debug)]
enum Undo {
    /// A message was queued.
    Queued,
    /// The first one in the queue was written.
    Written(Stored),
    /// A message was leased.
    Leased(MessageId),
}

/// Queues a message behind the others of its verification, of which there are `before` if that is
/// known.
pub(super) fn queue(
    session: &mut Session,
    verification: i64,
    before: Option<i64>,
    message: Message,
) -> Result<(), Failure> {
    let (first, last) = numbers_of(verification);
    let seq = if let Some(before) = before {
        first + before
    } else {
        write_back(session)?;
        let sql = "SELECT coalesce(max(seq) + 1, ?1) FROM messages WHERE seq BETWEEN ?1 AND ?2";
        session.prepare(sql)?.query_row((first, last), |row| row.get(0))?
    };
    session.outbox.fresh.push_back(Stored { seq, message });
    session.outbox.undo.push(Undo::Queued);
    Ok(())
}

/// Writes the messages that were queued and that nobody has claimed.
pub(super) fn write_back(session: &mut Session) -> Result<(), Failure> {
    while let Some(fresh) = session.outbox.fresh.pop_front() {
        let inserted = insert(session, fresh.seq, &fresh.message);
        session.outbox.undo.push(Undo::Written(fresh));
        inserted?;
        session.messages_are_due();
    }
    Ok(())
}

/// Abandons a verification's open messages, leased ones included: all, or those to one destination.
pub(super) fn abandon_open(
    session: &mut Session,
    verification: i64,
    destination: Option<u8>,
    reason: Abandoned,
    now: Timestamp,
) -> Result<(), Failure> {
    write_back(session)?;
    let (first, last) = numbers_of(verification);
    let mut open = Vec::new();
    {
        let mut statement = session
            .prepare("SELECT seq, row FROM messages WHERE seq BETWEEN ?1 AND ?2 AND due_at IS NOT NULL")?;
        let mut rows = statement.query((first, last))?;
        while let Some(row) = rows.next()? {
            open.push((row.get(0)?, decode(row.get_ref(1)?.as_blob()?)));
        }
    }
    for (seq, message) in open {
        match message {
            None => park(session, seq)?,
            Some(mut message) if destination.is_none_or(|index| message.destination == index) => {
                message.abandon(reason, now);
                put(session, seq, &message)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Takes up to `limit` due messages, oldest first; finishes those that are over on the way.
pub(super) fn claim(
    session: &mut Session,
    limit: u32,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Message>, Failure> {
    // After an outage thousands of expired messages may stand in front of the live ones. They are
    // finished here in rounds of `limit`, but not so many at once that other commands wait.
    const ROUNDS: u32 = 8;
    let now = session.judged_at(now);
    let mut claimed = Vec::new();
    for round in 0..ROUNDS {
        let room = limit.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
        let due = due(session, room, now)?;
        let drained = due.len() < room as usize;
        for (seq, message) in due {
            let Some(message) = message else {
                park(session, seq)?;
                continue;
            };
            match outbox::claim(message, lease, now) {
                Claim::NotDue(_) => continue,
                Claim::Finished(message) => put(session, seq, &message)?,
                Claim::Submit(message) => {
                    put(session, seq, &message)?;
                    session.outbox.lease(seq, &message);
                    claimed.push(message);
                }
            }
            session.advance_to(now);
        }
        if drained || room == 0 {
            break;
        }
        if round + 1 == ROUNDS {
            session.messages_are_due();
        }
    }
    while claimed.len() < limit as usize
        && let Some(Stored { seq, message }) = session.outbox.fresh.pop_front()
    {
        session.outbox.undo.push(Undo::Written(Stored { seq, message: message.clone() }));
        match outbox::claim(message, lease, now) {
            Claim::NotDue(message) | Claim::Finished(message) => insert(session, seq, &message)?,
            Claim::Submit(message) => {
                insert(session, seq, &message)?;
                session.outbox.lease(seq, &message);
                claimed.push(message);
            }
        }
        session.advance_to(now);
    }
    Ok(claimed)
}

impl Outbox {
    fn lease(&mut self, seq: i64, message: &Message) {
        self.leased.insert(message.id, Stored { seq, message: message.clone() });
        self.undo.push(Undo::Leased(message.id));
    }

    /// This moment: how many changes there were.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// What was changed is committed and stays.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back what was changed since then.
    pub(super) fn back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Queued) => drop(self.fresh.pop_back()),
                Some(Undo::Written(fresh)) => self.fresh.push_front(fresh),
                Some(Undo::Leased(message)) => drop(self.leased.remove(&message)),
                None => {}
            }
        }
    }
}

/// The first due messages; `None` for one that cannot be read.
fn due(session: &Session, limit: u32, now: Timestamp) -> Result<Vec<(i64, Option<Message>)>, Failure> {
    let mut statement =
        session.prepare("SELECT seq, row FROM messages WHERE due_at <= ?1 ORDER BY due_at, seq LIMIT ?2")?;
    let mut rows = statement.query((now.as_millis(), limit))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push((row.get(0)?, decode(row.get_ref(1)?.as_blob()?)));
    }
    Ok(due)
}

fn decode(row: &[u8]) -> Option<Message> {
    from_row(row).ok()
}

/// Takes a row out of the queue as it is: one that cannot be read must not keep the others waiting.
fn park(session: &Session, seq: i64) -> Result<(), Failure> {
    tracing::error!(seq, "a row of messages cannot be read; it will not be sent");
    session.execute("UPDATE messages SET due_at = NULL WHERE seq = ?1", [seq])?;
    Ok(())
}

/// Writes what became of claimed messages.
pub(super) fn record(
    session: &mut Session,
    reports: &[DeliveryReport],
    now: Timestamp,
) -> Result<(), Failure> {
    write_back(session)?;
    let now = session.judged_at(now);
    for report in reports {
        let found = match session.outbox.leased.remove(&report.message) {
            None => find(session, report)?,
            leased => leased,
        };
        let Some(Stored { seq, message }) = found else { continue };
        if let Some(message) = outbox::record(message, report, now) {
            put(session, seq, &message)?;
            session.advance_to(now);
            if message.due_at().is_some_and(|due| due <= now) {
                session.messages_are_due();
            }
        }
    }
    Ok(())
}

/// Reads the message that a report is about.
fn find(session: &mut Session, report: &DeliveryReport) -> Result<Option<Stored>, Failure> {
    let Some(tenant) = session.tenant(&report.tenant)?.map(|tenant| tenant.number) else { return Ok(None) };
    let sql = "SELECT seq FROM verifications WHERE tenant = ?1 AND id = ?2";
    let found = session.find(sql, (tenant, report.verification.as_bytes()), |row| Ok(row.get(0)?))?;
    let Some(verification) = found else { return Ok(None) };
    let (first, last) = numbers_of(verification);
    let sql = "SELECT seq, row FROM messages WHERE seq BETWEEN ?1 AND ?2 AND id = ?3";
    let found = session.find(sql, (first, last, report.message.as_bytes()), |row| {
        Ok((row.get::<_, i64>(0)?, decode(row.get_ref(1)?.as_blob()?)))
    })?;
    match found {
        None => Ok(None),
        Some((seq, Some(message))) => Ok(Some(Stored { seq, message })),
        Some((seq, None)) => {
            // The other reports of the batch must not be lost with it: they would be sent twice.
            park(session, seq)?;
            Ok(None)
        }
    }
}

fn insert(session: &Session, seq: i64, message: &Message) -> Result<(), Failure> {
    let sql = "INSERT INTO messages (seq, id, due_at, row) VALUES (?1, ?2, ?3, ?4)";
    session.execute(sql, (seq, message.id.as_bytes(), due_at(message), to_row(message)))?;
    Ok(())
}

fn put(session: &mut Session, seq: i64, message: &Message) -> Result<(), Failure> {
    session.outbox.leased.remove(&message.id);
    let sql = "UPDATE messages SET due_at = ?2, row = ?3 WHERE seq = ?1";
    session.execute(sql, (seq, due_at(message), to_row(message)))?;
    Ok(())
}

fn due_at(message: &Message) -> Option<i64> {
    message.due_at().map(Timestamp::as_millis)
}

/// Compares memory with the store, at the beginning of a transaction.
#[cfg(test)]
pub(super) fn agrees_with_store(session: &Session) -> Result<(), Failure> {
    assert!(session.outbox.fresh.is_empty() && session.outbox.undo.is_empty());
    for leased in session.outbox.leased.values() {
        let sql = "SELECT row FROM messages WHERE seq = ?1";
        let stored = session.find(sql, [leased.seq], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))?;
        assert_eq!(stored.flatten().as_ref(), Some(&leased.message));
    }
    Ok(())
}
