//! What is known under recipients' keys: their ledgers, and which verifications they take part in.
//!
//! ```text
//! commands ──► memory ──► recent_recipients   with every commit: appended
//!                 └─────► recipients          in rounds: sorted in
//! ```
//!
//! Keys are random, and a row that is put into their tree dirties a page of its own. So what is new is
//! kept in memory, and appended to a table from which memory is filled again. Now and then a
//! [`round`] moves all of it into the tree in the order of keys, so many that they share pages.
//!
//! Invariants:
//! - What memory says of a key goes before what the tree says: its ledger replaces the tree's, what it
//!   joined comes on top.
//! - Of the appended rows of one key the last says all that memory says of it.
//! - A row is deleted from the table when what it says, or something newer, is in the tree.
//! - Only rounds and clearing up change the tree.
//! - Who may be held is listed with the append ([`held()`]), and goes from the list with the ledger.

mod filter;
mod forget;
mod held;
mod round;
mod undo;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use countersign_core::codec::from_row;
use countersign_core::keys::RecipientKey;
use countersign_core::time::Timestamp;
use countersign_core::verification::{RecipientLedger, Topic, Verification};
use minicbor::{Decode, Encode};
use rusqlite::Connection;

use super::failure::{Failure, InTable};
use super::session::Session;
use filter::Filter;
use forget::TreeRow;
use round::Round;
use undo::Undo;

pub(super) use forget::forget;
#[cfg(test)]
pub(super) use held::NEWEST_HOLDS;
pub(super) use held::{held, take_over};
pub(super) use round::{gather, write_back};
pub(super) use undo::Mark;

/// Where something stands: the tenant's number and the key.
type Place = (i64, RecipientKey);

/// That a recipient takes part in a verification.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Joined {
    #[n(0)]
    topic: Topic,
    /// Counts what the recipient joined in this topic.
    #[n(1)]
    number: i64,
    /// The verification's `seq`.
    #[n(2)]
    verification: i64,
}

/// What is new of one recipient, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct News {
    /// The whole ledger; `None`: as it stands in the tree.
    #[n(0)]
    ledger: Option<RecipientLedger>,
    /// What it joined since.
    #[n(1)]
    joined: Vec<Joined>,
}

/// What the writing thread remembers. It is read once; a rollback takes back what the transaction
/// changed: see [`undo`].
#[derive(Debug, Default)]
pub(super) struct Recipients {
    news: BTreeMap<Place, News>,
    /// What changed in this transaction and has to be appended.
    changed: Vec<Place>,
    /// The first and the last row of the table; `None` when it is empty.
    rows: Option<(i64, i64)>,
    /// The oldest verification that the table speaks of.
    oldest: Option<i64>,
    round: Option<Round>,
    /// When clearing up last began a round.
    gathered_at: Option<Timestamp>,
    /// The row of the tree that clearing up has looked at last.
    looked_at: TreeRow,
    /// The keys that may stand in the tree; `None` while that is not known: from a start until clearing
    /// up has gone around the tree once.
    in_tree: Option<Filter>,
    /// What the present time around has seen, and what was put into the tree meanwhile.
    seen: Filter,
    /// What a rollback takes back, oldest first.
    undo: Vec<Undo>,
}

impl Recipients {
    /// Reads what was appended and not yet deleted.
    pub(super) fn load(conn: &Connection) -> Result<Self, Failure> {
        let mut loaded = Self::default();
        let empty = "SELECT NOT EXISTS (SELECT 1 FROM recipients)";
        if conn.prepare_cached(empty)?.query_row((), |row| row.get(0))? {
            loaded.in_tree = Some(Filter::default());
        }
        let mut statement =
            conn.prepare_cached("SELECT seq, tenant, key, row FROM recent_recipients ORDER BY seq")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let place = (row.get(1)?, RecipientKey::from_bytes(row.get(2)?));
            let news = from_row(row.get_ref(3)?.as_blob()?).in_table("recent_recipients")?;
            loaded.appended(row.get(0)?, &news);
            loaded.news.insert(place, news);
        }
        Ok(loaded)
    }

    /// Takes note of a row of the table.
    fn appended(&mut self, seq: i64, news: &News) {
        self.rows = Some((self.rows.map_or(seq, |(first, _)| first), seq));
        let oldest = news.joined.iter().map(|joined| joined.verification).min();
        self.oldest = earlier(self.oldest, oldest);
        if let Some(round) = &mut self.round {
            round.oldest_after = earlier(round.oldest_after, oldest);
        }
    }

    /// The verifications that were joined of late.
    pub(super) fn joined(&self, tenant: i64, key: &RecipientKey) -> impl Iterator<Item = i64> {
        self.news_of(tenant, key).iter().map(|joined| joined.verification)
    }

    fn news_of(&self, tenant: i64, key: &RecipientKey) -> &[Joined] {
        self.news.get(&(tenant, *key)).map_or(&[], |news| &news.joined)
    }

    fn may_be_in_tree(&self, key: &RecipientKey) -> bool {
        self.in_tree.as_ref().is_none_or(|filter| filter.may_have(key))
    }

    /// Changes what is new of a recipient; `change` says how to take it back.
    fn change(&mut self, place: Place, change: impl FnOnce(&mut News) -> Undo) {
        self.changed.push(place);
        let news = match self.news.entry(place) {
            Entry::Occupied(news) => news.into_mut(),
            Entry::Vacant(news) => {
                self.undo.push(Undo::Added(place));
                news.insert(News::default())
            }
        };
        self.undo.push(change(news));
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// The recipient's newest verification in a topic: its number among those, and its `seq`.
pub(super) fn latest(
    session: &Session,
    tenant: i64,
    key: &RecipientKey,
    topic: &Topic,
) -> Result<Option<(i64, i64)>, Failure> {
    let news = session.recipients.news_of(tenant, key).iter().rfind(|joined| joined.topic == *topic);
    if let Some(joined) = news {
        return Ok(Some((joined.number, joined.verification)));
    }
    if !session.recipients.may_be_in_tree(key) {
        return Ok(None);
    }
    let sql = "SELECT joined, verification FROM recipients
               WHERE tenant = ?1 AND key = ?2 AND purpose = ?3 ORDER BY joined DESC LIMIT 1";
    session.find(sql, (tenant, key.as_bytes(), topic.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Which of a recipient's rows that say what it joined. The default stands before all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct JoinedRow {
    /// The topic; the column is called after what topics once were.
    pub(super) purpose: String,
    pub(super) joined: i64,
}

/// The next `limit` verifications that the recipient takes part in, each with its `seq`.
pub(super) fn joined_after(
    session: &Session,
    tenant: i64,
    key: &RecipientKey,
    after: &JoinedRow,
    limit: u32,
) -> Result<Vec<(JoinedRow, i64)>, Failure> {
    let news = session.recipients.news_of(tenant, key).iter().map(|joined| {
        let purpose = joined.topic.as_str().to_owned();
        (JoinedRow { purpose, joined: joined.number }, joined.verification)
    });
    let mut found: Vec<_> = news.filter(|(row, _)| row > after).collect();
    let mut statement = session.prepare(
        "SELECT purpose, joined, verification FROM recipients
         WHERE tenant = ?1 AND key = ?2 AND (purpose, joined) > (?3, ?4) AND verification IS NOT NULL
         ORDER BY purpose, joined LIMIT ?5",
    )?;
    let mut rows = statement.query((tenant, key.as_bytes(), &after.purpose, after.joined, limit))?;
    while let Some(row) = rows.next()? {
        found.push((JoinedRow { purpose: row.get(0)?, joined: row.get(1)? }, row.get(2)?));
    }
    found.sort_unstable();
    found.dedup(); // after a crash something may stand in both
    found.truncate(limit as usize);
    Ok(found)
}

/// The recipient's ledger; `None` when nothing is known.
pub(super) fn ledger(
    session: &Session,
    tenant: i64,
    key: &RecipientKey,
) -> Result<Option<RecipientLedger>, Failure> {
    let news = session.recipients.news.get(&(tenant, *key));
    if let Some(ledger) = news.and_then(|news| news.ledger.as_ref()) {
        return Ok(Some(ledger.clone()));
    }
    if !session.recipients.may_be_in_tree(key) {
        return Ok(None);
    }
    let sql = "SELECT row FROM recipients WHERE tenant = ?1 AND key = ?2 AND purpose = '' AND joined = 0";
    session.find(sql, (tenant, key.as_bytes()), |row| {
        from_row(row.get_ref(0)?.as_blob()?).in_table("recipients")
    })
}

/// Takes note that the recipient takes part in a verification, as the `number`-th in this topic.
pub(super) fn join(
    session: &mut Session,
    tenant: i64,
    key: &RecipientKey,
    topic: &Topic,
    number: i64,
    verification: i64,
) {
    let joined = Joined { topic: topic.clone(), number, verification };
    let place = (tenant, *key);
    session.recipients.change(place, |news| {
        news.joined.push(joined);
        Undo::Joined(place)
    });
}

/// Inserts or replaces the recipient's ledger.
pub(super) fn put_ledger(session: &mut Session, tenant: i64, key: &RecipientKey, ledger: &RecipientLedger) {
    let place = (tenant, *key);
    session.recipients.change(place, |news| Undo::Ledger(place, news.ledger.replace(ledger.clone())));
}

/// How many rows at either end of a topic's are looked at first.
const NEAR_AN_END: i64 = 64;

/// The row of the tree that says that the recipient takes part in a verification. There is no index for it: the
/// oldest go first, so that it is among the first ones, or among the last ones if it is deleted early. An address
/// that joined 300,000 costs no more than others.
fn row_of(
    session: &Session,
    tenant: i64,
    key: &RecipientKey,
    joined: &Verification,
    verification: i64,
) -> Result<Option<JoinedRow>, Failure> {
    let (topic, purpose) = (joined.topic(), joined.purpose.as_str());
    // Rows of before have the purpose alone, whatever the wire API.
    let before = Some(purpose).filter(|purpose| *purpose != topic.as_str());
    for (order, rows) in [("ASC", NEAR_AN_END), ("DESC", NEAR_AN_END), ("ASC", i64::MAX)] {
        let sql = format!(
            "SELECT joined FROM
               (SELECT joined, verification FROM recipients
                WHERE tenant = ?1 AND key = ?2 AND purpose = ?3 ORDER BY joined {order} LIMIT ?4)
             WHERE verification = ?5 LIMIT 1"
        );
        for purpose in [topic.as_str()].into_iter().chain(before) {
            let values = (tenant, key.as_bytes(), purpose, rows, verification);
            if let Some(joined) = session.find(&sql, values, |row| Ok(row.get(0)?))? {
                return Ok(Some(JoinedRow { purpose: purpose.to_owned(), joined }));
            }
        }
    }
    Ok(None)
}

/// Takes the recipient out of a verification that is deleted.
pub(super) fn leave(
    session: &mut Session,
    tenant: i64,
    key: &RecipientKey,
    left: &Verification,
    verification: i64,
) -> Result<(), Failure> {
    if session.recipients.may_be_in_tree(key)
        && let Some(row) = row_of(session, tenant, key, left, verification)?
    {
        session.execute(
            "DELETE FROM recipients WHERE tenant = ?1 AND key = ?2 AND purpose = ?3 AND joined = ?4",
            (tenant, key.as_bytes(), &row.purpose, row.joined),
        )?;
    }
    // A row of the table that still says so would be believed after a crash, when the number may be
    // another verification's: a later row has to say otherwise.
    if session.recipients.oldest.is_some_and(|oldest| oldest <= verification) {
        let place = (tenant, *key);
        session.recipients.change(place, |news| {
            let before = news.joined.clone();
            news.joined.retain(|joined| joined.verification != verification);
            Undo::Left(place, before)
        });
    }
    Ok(())
}
