//! The outbox's rows. Who gets them is in [`claim`](super::claim).

use std::collections::{HashMap, VecDeque};

use countersign_core::codec::{from_row, to_row};
use countersign_core::ids::MessageId;
use countersign_core::names::{Channel, TenantId};
use countersign_core::outbox::{self, Abandoned, DeliveryReport, Lane, Message};
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

/// All that is open, which is walked through once, when a store is opened.
pub(super) const ALL_OPEN: &str = "SELECT seq, lane, row FROM messages WHERE due_at IS NOT NULL";

/// How many bits of a lane's number are the channel's and the test numbers'; the rest is the tenant's.
const LANE_BITS: u32 = 4;

/// What the writing thread remembers of the outbox.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Queued in this transaction and not written yet: most are claimed before it commits, and so are
    /// written once and not twice. Whatever reads or changes messages by SQL has them written first.
    pub(super) fresh: VecDeque<Stored>,
    /// Claimed and not reported yet, as they stand in their rows: what became of them can be written
    /// without reading them again.
    leased: HashMap<MessageId, Stored>,
    /// What a rollback takes back, oldest first.
    undo: Vec<Undo>,
}

/// A message and its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) message: Message,
}

/// One change in memory. A lease that was given up is not among them: what is not known of a message is
/// read from its row.
#[derive(Debug)]
enum Undo {
    /// A message was queued.
    Queued,
    /// The first one in the queue was written.
    Written(Stored),
    /// These were handed to a claim, which writes some of them and puts the others back.
    Taken(VecDeque<Stored>),
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

/// Makes the outbox of a process that is gone this one's. Nobody else can have the store open, so that
/// every lease in it belongs to somebody who is gone: a lease need not say whose it is. Rows that were
/// written before there were lanes get theirs.
pub(super) fn take_over(session: &mut Session) -> Result<(), Failure> {
    let mut changed = Vec::new();
    {
        let mut statement = session.prepare(ALL_OPEN)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let Some(message) = decode(row.get_ref(2)?.as_blob()?) else { continue };
            let in_lane = row.get::<_, i64>(1)? != 0;
            match outbox::free(message.clone()) {
                Some(freed) => changed.push((row.get(0)?, freed)),
                None if in_lane => {}
                None => changed.push((row.get(0)?, message)),
            }
        }
    }
    for (seq, message) in changed {
        let lane = lane_of(session, &message)?;
        session.execute("UPDATE messages SET lane = ?2 WHERE seq = ?1", (seq, lane))?;
        put(session, seq, &message)?;
    }
    Ok(())
}

/// The number of the lane that a message waits in.
pub(super) fn lane_of(session: &mut Session, message: &Message) -> Result<i64, Failure> {
    let channel = match message.channel {
        Channel::Sms => 0,
        Channel::Voice => 1,
        Channel::Email => 2,
        Channel::Whatsapp => 3,
    };
    let tenant = session.tenant_number(&message.tenant)?;
    Ok(tenant << LANE_BITS | channel << 1 | i64::from(message.test))
}

/// The lane of that number, if it is one; `tenant` is the name of its tenant.
pub(super) fn lane(number: i64, tenant: &str) -> Option<Lane> {
    let channel = match (number >> 1) & 7 {
        0 => Channel::Sms,
        1 => Channel::Voice,
        2 => Channel::Email,
        3 => Channel::Whatsapp,
        _ => return None,
    };
    Some(Lane { tenant: TenantId::parse(tenant).ok()?, channel, test: number & 1 == 1 })
}

impl Outbox {
    /// Takes note of what a dispatcher has.
    pub(super) fn lease(&mut self, seq: i64, message: &Message) {
        self.leased.insert(message.id, Stored { seq, message: message.clone() });
        self.undo.push(Undo::Leased(message.id));
    }

    /// What was queued and not written yet, for a claim that writes it or puts it back.
    pub(super) fn take_fresh(&mut self) -> VecDeque<Stored> {
        let fresh = std::mem::take(&mut self.fresh);
        if !fresh.is_empty() {
            self.undo.push(Undo::Taken(fresh.clone()));
        }
        fresh
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
                Some(Undo::Taken(fresh)) => self.fresh = fresh,
                Some(Undo::Leased(message)) => drop(self.leased.remove(&message)),
                None => {}
            }
        }
    }
}

pub(super) fn decode(row: &[u8]) -> Option<Message> {
    from_row(row).ok()
}

/// Takes a row out of the queue as it is: one that cannot be read must not keep the others waiting.
pub(super) fn park(session: &Session, seq: i64) -> Result<(), Failure> {
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

/// Writes a message for the first time.
pub(super) fn insert(session: &mut Session, seq: i64, message: &Message) -> Result<(), Failure> {
    let lane = lane_of(session, message)?;
    let sql = "INSERT INTO messages (seq, id, lane, due_at, row) VALUES (?1, ?2, ?3, ?4, ?5)";
    session.execute(sql, (seq, message.id.as_bytes(), lane, due_at(message), to_row(message)))?;
    Ok(())
}

/// Writes a message that has changed.
pub(super) fn put(session: &mut Session, seq: i64, message: &Message) -> Result<(), Failure> {
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
