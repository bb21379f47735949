//! Handing messages out: lane by lane, so that what waits for a route that hangs is never walked through.

use std::collections::{BTreeMap, VecDeque};

use countersign_core::outbox::{self, Claim, ClaimCommand, Lane, Message, Rota};
use countersign_core::time::Timestamp;

use super::failure::Failure;
use super::outbox::{Stored, decode, insert, lane, park, put};
use super::session::Session;

/// How many rows one claim looks at, at most. After an outage thousands of expired messages may stand in
/// front of the live ones: they are finished on the way, but not so many at once that other commands wait.
const LOOKED_AT: u32 = 1_024;

/// The next lane in which something waits or is in hand, and whose it is. It jumps over all that is in a lane.
pub(super) const NEXT_LANE: &str =
    "SELECT m.lane, t.name FROM messages m LEFT JOIN tenants t ON t.number = m.lane >> 4
     WHERE m.lane > ?1 AND m.due_at IS NOT NULL ORDER BY m.lane LIMIT 1";

/// What waits in one lane.
#[derive(Default)]
struct Waiting {
    /// Its number; `None` while all that waits was queued just now.
    number: Option<i64>,
    /// Rows that were read: the first ones.
    rows: VecDeque<(i64, Option<Message>)>,
    /// Queued in this transaction and not written yet.
    fresh: VecDeque<Stored>,
}

/// A message whose turn it is.
enum Turn {
    Row(i64, Message),
    Fresh(Stored),
}

/// Takes due messages for which there is a slot, tenant by tenant and the oldest of a lane first; finishes
/// those that are over on the way.
pub(super) fn claim(session: &mut Session, command: &ClaimCommand) -> Result<Vec<Message>, Failure> {
    let ClaimCommand { mut slots, after, lease, now } = command.clone();
    let now = session.judged_at(now);
    let mut lanes = lanes(session)?;
    for fresh in session.outbox.take_fresh() {
        lanes.entry(Lane::of(&fresh.message)).or_default().fresh.push_back(fresh);
    }
    // Each lane reads what it may need if all have the same share.
    let share = (slots.free() / u32::try_from(lanes.len()).unwrap_or(u32::MAX).max(1)).max(1);
    let mut rota = Rota::new(lanes.keys().cloned(), after.as_ref());
    let (mut claimed, mut looked_at) = (Vec::new(), 0);
    while slots.free() > 0
        && let Some(lane) = rota.next()
    {
        if !slots.is_open(&lane) {
            continue;
        }
        let Some(waiting) = lanes.get_mut(&lane) else { continue };
        while let Some(turn) = waiting.next(session, share, now)? {
            looked_at += 1;
            let message = match &turn {
                Turn::Row(_, message) | Turn::Fresh(Stored { message, .. }) => message.clone(),
            };
            let (message, is_claimed) = match outbox::claim(message, lease, now) {
                Claim::NotDue(message) | Claim::Finished(message) => (message, false),
                Claim::Submit(message) => (message, true),
            };
            let seq = match turn {
                Turn::Row(seq, _) => put(session, seq, &message).map(|()| seq)?,
                Turn::Fresh(Stored { seq, .. }) => insert(session, seq, &message).map(|()| seq)?,
            };
            session.advance_to(now);
            if is_claimed {
                slots.take(&message);
                session.outbox.lease(seq, &message);
                claimed.push(message);
                rota.again(lane);
                break;
            }
            if looked_at >= LOOKED_AT {
                break;
            }
        }
        if looked_at >= LOOKED_AT {
            session.messages_are_due();
            break;
        }
    }
    session.outbox.fresh = lanes.into_values().flat_map(|waiting| waiting.fresh).collect();
    Ok(claimed)
}

impl Waiting {
    /// The message that is due longest; what was queued just now is the newest.
    fn next(&mut self, session: &mut Session, share: u32, now: Timestamp) -> Result<Option<Turn>, Failure> {
        loop {
            if self.rows.is_empty()
                && let Some(number) = self.number
            {
                self.rows = due(session, number, share, now)?;
                if self.rows.is_empty() {
                    self.number = None;
                }
            }
            match self.rows.pop_front() {
                Some((seq, Some(message))) => return Ok(Some(Turn::Row(seq, message))),
                Some((seq, None)) => park(session, seq)?,
                None => return Ok(self.fresh.pop_front().map(Turn::Fresh)),
            }
        }
    }
}

/// The lanes in which anything waits or is in hand: one search for each, however much that is.
fn lanes(session: &Session) -> Result<BTreeMap<Lane, Waiting>, Failure> {
    let (mut lanes, mut last) = (BTreeMap::new(), 0_i64);
    loop {
        let found = session.find(NEXT_LANE, [last], |row| {
            let number: i64 = row.get(0)?;
            let name = row.get_ref(1)?.as_str_or_null()?;
            Ok((number, name.and_then(|name| lane(number, name))))
        })?;
        let Some((number, lane)) = found else { return Ok(lanes) };
        if let Some(lane) = lane {
            lanes.insert(lane, Waiting { number: Some(number), ..Waiting::default() });
        }
        last = number;
    }
}

/// The first due messages of a lane; `None` for one that cannot be read.
fn due(
    session: &Session,
    lane: i64,
    limit: u32,
    now: Timestamp,
) -> Result<VecDeque<(i64, Option<Message>)>, Failure> {
    let mut statement = session.prepare(
        "SELECT seq, row FROM messages WHERE lane = ?1 AND due_at <= ?2 ORDER BY due_at, seq LIMIT ?3",
    )?;
    let mut rows = statement.query((lane, now.as_millis(), limit))?;
    let mut due = VecDeque::new();
    while let Some(row) = rows.next()? {
        due.push_back((row.get(0)?, decode(row.get_ref(1)?.as_blob()?)));
    }
    Ok(due)
}
