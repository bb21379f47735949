//! Clearing up ledgers that have run out.

use countersign_core::keys::RecipientKey;
use countersign_core::time::Timestamp;

use super::{Recipients, Session, Undo, held};
use crate::sqlite::failure::Failure;

/// How many rows of the tree one command looks at: under a millisecond of the writer's time.
const LOOKS: u32 = 2_048;

/// How many of them it reads at once.
const STEP: u32 = 256;

/// Which row of the tree. The default stands before all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TreeRow {
    tenant: i64,
    key: [u8; 16],
    purpose: String,
    joined: i64,
}

impl Recipients {
    /// All keys of the tree were seen: from now on this is known.
    fn end_tour(&mut self) {
        let before = self.in_tree.replace(std::mem::take(&mut self.seen));
        self.undo.push(Undo::Toured(before));
    }
}

/// Deletes up to `room` ledgers that have run out; answers how many. What is new is not among them.
///
/// It goes around the tree, some rows at a time: an index by their ends would cost every start more
/// than this costs all of them.
pub(in crate::sqlite) fn forget(session: &mut Session, room: u32, now: Timestamp) -> Result<u32, Failure> {
    let (mut forgotten, mut looked) = (0, 0);
    let mut at = session.recipients.looked_at.clone();
    let mut from_the_start = at == TreeRow::default();
    while forgotten < room && looked < LOOKS {
        let rows = rows_after(session, &at, STEP)?;
        if rows.is_empty() {
            // Once around since the beginning: all that stands there was seen.
            session.recipients.end_tour();
            at = TreeRow::default();
            if from_the_start {
                break;
            }
            from_the_start = true;
        }
        for (row, forget_at) in rows {
            looked += 1;
            at = row;
            session.recipients.seen.insert(&RecipientKey::from_bytes(at.key));
            if forget_at.is_some_and(|end| end <= now.as_millis()) {
                delete_ledger(session, &at)?;
                forgotten += 1;
                if forgotten == room {
                    break;
                }
            }
        }
    }
    session.recipients.looked_at = at;
    Ok(forgotten)
}

/// The next rows of the tree, and when each may go.
fn rows_after(session: &Session, at: &TreeRow, limit: u32) -> Result<Vec<(TreeRow, Option<i64>)>, Failure> {
    let mut statement = session.prepare(
        "SELECT tenant, key, purpose, joined, forget_at FROM recipients
         WHERE (tenant, key, purpose, joined) > (?1, ?2, ?3, ?4)
         ORDER BY tenant, key, purpose, joined LIMIT ?5",
    )?;
    let mut rows = statement.query((at.tenant, at.key, &at.purpose, at.joined, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (tenant, key, purpose, joined) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        found.push((TreeRow { tenant, key, purpose, joined }, row.get(4)?));
    }
    Ok(found)
}

/// A ledger that is newer than the tree's stays, and so does its place in the list of holds.
fn delete_ledger(session: &Session, row: &TreeRow) -> Result<(), Failure> {
    let sql = "DELETE FROM recipients WHERE tenant = ?1 AND key = ?2 AND purpose = '' AND joined = 0";
    session.execute(sql, (row.tenant, row.key))?;
    let place = (row.tenant, RecipientKey::from_bytes(row.key));
    let newer = session.recipients.news.get(&place).is_some_and(|news| news.ledger.is_some());
    if newer { Ok(()) } else { held::unlist(session, place) }
}
