//! Appending what is new, and sorting it into the tree.

use std::ops::Bound;
use std::time::Duration;

use countersign_core::codec::to_row;
use countersign_core::time::Timestamp;

use super::{News, Place, Session, Undo, held};
use crate::sqlite::failure::Failure;

/// How many keys are moved for each key that changed: a round has to be faster than what comes in.
const PACE: usize = 2;

/// How long what is new may stay out of the tree when too little comes in for a round: clearing up
/// looks for ledgers there, and each is kept for a day at least.
const GATHER_EVERY: Duration = Duration::from_secs(60);

/// A round that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Round {
    /// The last row of the table when it began: up to it they are deleted in the end.
    until: i64,
    /// The last key that was moved.
    pub(super) moved: Option<Place>,
    /// The oldest verification that the rows after `until` speak of.
    pub(super) oldest_after: Option<i64>,
}

/// Appends what changed, and goes on with a round.
pub(in crate::sqlite) fn write_back(session: &mut Session) -> Result<(), Failure> {
    let appended = append(session)?;
    let enough = i64::from(session.recipients_round);
    let many = session.recipients.rows.is_some_and(|(first, last)| last - first >= enough);
    if many && session.recipients.round.is_none() {
        begin(session);
    }
    go_on(session, PACE * appended)?;
    Ok(())
}

/// Appends what changed; answers of how many keys. Comes before anything is moved: a key that went
/// from memory to the tree unwritten would leave its older rows as the last word on it.
fn append(session: &mut Session) -> Result<usize, Failure> {
    let mut changed = std::mem::take(&mut session.recipients.changed);
    changed.sort_unstable();
    changed.dedup();
    for place in &changed {
        let Some(news) = session.recipients.news.get(place).cloned() else { continue };
        let seq = session.recipients.rows.map_or(1, |(_, last)| last + 1);
        session.execute(
            "INSERT INTO recent_recipients (seq, tenant, key, row) VALUES (?1, ?2, ?3, ?4)",
            (seq, place.0, place.1.as_bytes(), to_row(&news)),
        )?;
        session.recipients.appended(seq, &news);
        news.ledger.as_ref().map_or(Ok(()), |ledger| held::list(session, *place, ledger))?;
    }
    Ok(changed.len())
}

/// Moves up to `keys`, in a round that it begins if the last one was a while ago; `false` when there is
/// nothing more to do.
pub(in crate::sqlite) fn gather(session: &mut Session, keys: usize, now: Timestamp) -> Result<bool, Failure> {
    append(session)?;
    if session.recipients.round.is_none() {
        let lately = session.recipients.gathered_at.is_some_and(|at| now < at + GATHER_EVERY);
        if session.recipients.rows.is_none() || lately {
            return Ok(false);
        }
        session.recipients.gathered_at = Some(now);
        begin(session);
    }
    go_on(session, keys)
}

fn begin(session: &mut Session) {
    let until = session.recipients.rows.map_or(0, |(_, last)| last);
    session.recipients.round = Some(Round { until, moved: None, oldest_after: None });
}

/// Moves the next keys of the round, if there is one; `false` when there is none, or none any more.
fn go_on(session: &mut Session, keys: usize) -> Result<bool, Failure> {
    for _ in 0..keys {
        let Some(round) = &mut session.recipients.round else { return Ok(false) };
        let after = round.moved.map_or(Bound::Unbounded, Bound::Excluded);
        let next = session.recipients.news.range((after, Bound::Unbounded)).next();
        let Some((&place, _)) = next else {
            end(session)?;
            return Ok(false);
        };
        round.moved = Some(place);
        let news = session.recipients.news.remove(&place).unwrap_or_default();
        let put = put_into_tree(session, place, &news);
        session.recipients.undo.push(Undo::Moved(place, news));
        put?;
    }
    Ok(session.recipients.round.is_some())
}

fn put_into_tree(session: &mut Session, (tenant, key): Place, news: &News) -> Result<(), Failure> {
    if let Some(ledger) = &news.ledger {
        session.execute(
            "INSERT INTO recipients (tenant, key, purpose, joined, forget_at, row)
             VALUES (?1, ?2, '', 0, ?3, ?4)
             ON CONFLICT (tenant, key, purpose, joined) DO UPDATE SET forget_at = ?3, row = ?4",
            (tenant, key.as_bytes(), ledger.forget_at().map(Timestamp::as_millis), to_row(ledger)),
        )?;
    }
    for joined in &news.joined {
        // After a crash a round meets again what it had moved.
        session.execute(
            "INSERT INTO recipients (tenant, key, purpose, joined, verification)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, key, purpose, joined) DO NOTHING",
            (tenant, key.as_bytes(), joined.topic.as_str(), joined.number, joined.verification),
        )?;
    }
    session.recipients.seen.insert(&key);
    session.recipients.in_tree.iter_mut().for_each(|filter| filter.insert(&key));
    Ok(())
}

/// All that the table said when the round began is in the tree.
fn end(session: &mut Session) -> Result<(), Failure> {
    let Some(round) = session.recipients.round.take() else { return Ok(()) };
    session.execute("DELETE FROM recent_recipients WHERE seq <= ?1", [round.until])?;
    let rows = session.recipients.rows;
    session.recipients.rows =
        rows.filter(|(_, last)| *last > round.until).map(|(_, last)| (round.until + 1, last));
    session.recipients.oldest = round.oldest_after;
    Ok(())
}
