//! Taking back what a transaction changed in memory.

use countersign_core::verification::RecipientLedger;
#[cfg(test)]
use rusqlite::OptionalExtension;

use super::forget::TreeRow;
use super::round::Round;
use super::{Filter, Joined, News, Place, Recipients, Timestamp};
#[cfg(test)]
use crate::sqlite::failure::Failure;

/// One change, and what stood there before.
#[derive(Debug)]
pub(super) enum Undo {
    /// Nothing new was known of a recipient.
    Added(Place),
    /// A ledger was put.
    Ledger(Place, Option<RecipientLedger>),
    /// A recipient joined one verification more.
    Joined(Place),
    /// A recipient left a verification.
    Left(Place, Vec<Joined>),
    /// What was new went into the tree.
    Moved(Place, News),
    /// Clearing up has gone around the tree.
    Toured(Option<Filter>),
}

/// A moment in a transaction: how many changes there were, and all values that are small enough to
/// be copied.
#[derive(Clone, Debug)]
pub(in crate::sqlite) struct Mark {
    undo: usize,
    changed: Vec<Place>,
    rows: Option<(i64, i64)>,
    oldest: Option<i64>,
    round: Option<Round>,
    gathered_at: Option<Timestamp>,
    looked_at: TreeRow,
}

impl Recipients {
    /// This moment.
    pub(in crate::sqlite) fn mark(&self) -> Mark {
        Mark {
            undo: self.undo.len(),
            changed: self.changed.clone(),
            rows: self.rows,
            oldest: self.oldest,
            round: self.round.clone(),
            gathered_at: self.gathered_at,
            looked_at: self.looked_at.clone(),
        }
    }

    /// What was changed is committed and stays.
    pub(in crate::sqlite) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back what was changed since then.
    pub(in crate::sqlite) fn back_to(&mut self, mark: &Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Added(place)) => drop(self.news.remove(&place)),
                Some(Undo::Ledger(place, before)) => self.alter(place, |news| news.ledger = before),
                Some(Undo::Joined(place)) => self.alter(place, |news| drop(news.joined.pop())),
                Some(Undo::Left(place, before)) => self.alter(place, |news| news.joined = before),
                Some(Undo::Moved(place, news)) => drop(self.news.insert(place, news)),
                Some(Undo::Toured(before)) => {
                    // What was seen on that tour, and nothing else, is what is known of the tree.
                    self.seen = std::mem::replace(&mut self.in_tree, before).unwrap_or_default();
                }
                None => {}
            }
        }
        let mark = mark.clone();
        self.changed = mark.changed;
        self.rows = mark.rows;
        self.oldest = mark.oldest;
        self.round = mark.round;
        self.gathered_at = mark.gathered_at;
        self.looked_at = mark.looked_at;
    }

    fn alter(&mut self, place: Place, change: impl FnOnce(&mut News)) {
        change(self.news.entry(place).or_default());
    }
}

#[cfg(test)]
impl Recipients {
    /// Compares memory with the store, at the beginning of a transaction.
    pub(in crate::sqlite) fn agrees_with_store(&self, conn: &rusqlite::Connection) -> Result<(), Failure> {
        let stored = Self::load(conn)?;
        assert_eq!((self.rows, self.undo.len(), self.changed.len()), (stored.rows, 0, 0));
        // A round takes rows out of the table when it ends.
        let moved = self.round.as_ref().and_then(|round| round.moved);
        let not_moved = |place: &Place| moved.is_none_or(|last| *place > last);
        for (place, news) in self.news.iter().filter(|(place, _)| not_moved(place)) {
            assert_eq!(stored.news.get(place), Some(news));
        }
        // What was appended in the middle of a round, and moved by it, stays in the table a round longer.
        let gone = stored.news.iter().filter(|(place, _)| !self.news.contains_key(place));
        for ((tenant, key), news) in gone.filter(|(place, _)| not_moved(place)) {
            let sql = "SELECT row FROM recipients WHERE tenant = ?1 AND key = ?2 AND joined = 0";
            let ledger: Option<Vec<u8>> =
                conn.prepare(sql)?.query_row((tenant, key.as_bytes()), |row| row.get(0)).optional()?;
            assert_eq!(ledger, news.ledger.as_ref().map(countersign_core::codec::to_row));
            for joined in &news.joined {
                let sql =
                    "SELECT count(*) FROM recipients WHERE tenant = ?1 AND key = ?2 AND verification = ?3";
                let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                let found =
                    conn.prepare(sql)?.query_row((tenant, key.as_bytes(), joined.verification), count);
                assert_eq!(found?, 1);
            }
        }
        let mut statement = conn.prepare("SELECT DISTINCT key FROM recipients")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            assert!(self.may_be_in_tree(&countersign_core::keys::RecipientKey::from_bytes(row.get(0)?)));
        }
        Ok(())
    }
}
