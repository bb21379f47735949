//! Which versions of the keys the rows still need.
//!
//! Looking at every row takes a while in a large store (some ten seconds for ten million rows), so that
//! a start does it only when a version is missing that the store has seen, and forgets the version when
//! no row needs it.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::codec::from_row;
use countersign_core::engine::StoredUser;
use countersign_core::keys::{CodeDigest, Sealed};
use countersign_core::outbox::Message;
use countersign_core::time::Timestamp;
use countersign_core::verification::{StoredRecipient, Verification};
use rusqlite::{Connection, Row};

use super::failure::{Failure, InTable};
use super::open::{OpenError, check_library, open_for_reading};

/// How many rows need each version.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyUse {
    /// Rows with something sealed under that version of `seal`.
    pub seal: BTreeMap<u8, u64>,
    /// Verifications with a live code under that version of `pepper`.
    pub pepper: BTreeMap<u8, u64>,
}

impl KeyUse {
    /// How many rows need the key that is called so in fingerprints, e.g. `seal.1`.
    pub fn rows(&self, name: &str) -> u64 {
        let of = |versions: &BTreeMap<u8, u64>, version: &str| {
            version.parse().ok().and_then(|version: u8| versions.get(&version).copied()).unwrap_or(0)
        };
        match name.split_once('.') {
            Some(("seal", version)) => of(&self.seal, version),
            Some(("pepper", version)) => of(&self.pepper, version),
            _ => 0,
        }
    }

    fn count(&mut self, mut seals: Vec<u8>, mut peppers: Vec<u8>) {
        for (versions, counts) in [(&mut seals, &mut self.seal), (&mut peppers, &mut self.pepper)] {
            versions.sort_unstable();
            versions.dedup();
            for version in versions.iter() {
                *counts.entry(*version).or_default() += 1;
            }
        }
    }
}

/// Counts the rows of the store in `database` by the keys that they need, also while another process
/// serves from it. It blocks. A code that has died by `now` needs no pepper.
///
/// # Errors
/// The store cannot be read.
pub fn key_use(database: &Path, now: Timestamp) -> Result<KeyUse, OpenError> {
    check_library()?;
    let conn = open_for_reading(database)?;
    conn.execute_batch("BEGIN")?; // one snapshot; dropping the connection ends it
    count(&conn, now).map_err(|failure| match failure {
        Failure::Sqlite(error) => error.into(),
        other => OpenError::Damaged(other.to_string()),
    })
}

/// The same on a connection. A row that cannot be read needs no key.
pub(super) fn count(conn: &Connection, now: Timestamp) -> Result<KeyUse, Failure> {
    let mut found = KeyUse::default();
    each(conn, "SELECT row FROM verifications", "verifications", |verification: Verification| {
        let addresses = verification.destinations.iter().filter_map(|d| match &d.recipient {
            StoredRecipient::Sealed(sealed) => Some(sealed),
            StoredRecipient::Masked(_) | StoredRecipient::Nobody => None,
        });
        let codes = verification.destinations.iter().filter_map(|d| d.sealed_code.as_ref());
        let seals = addresses.chain(codes).chain(&verification.metadata).filter_map(Sealed::version);
        let live = verification.ended_at(now).is_none();
        let digests = verification.destinations.iter().filter_map(|d| d.digest.as_ref());
        let peppers = digests.map(CodeDigest::version).filter(|_| live);
        found.count(seals.collect(), peppers.collect());
    })?;
    // What is final holds nothing any more.
    each(conn, "SELECT row FROM messages WHERE due_at IS NOT NULL", "messages", |message: Message| {
        found.count(message.payload.iter().filter_map(Sealed::version).collect(), Vec::new());
    })?;
    each(conn, "SELECT row FROM users", "users", |user: StoredUser| {
        found.count(user.body.version().into_iter().collect(), Vec::new());
    })?;
    Ok(found)
}

fn each<T>(conn: &Connection, sql: &str, table: &'static str, mut look: impl FnMut(T)) -> Result<(), Failure>
where
    T: for<'b> minicbor::Decode<'b, ()>,
{
    let read = |row: &Row<'_>| -> Result<T, Failure> { from_row(row.get_ref(0)?.as_blob()?).in_table(table) };
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(value) => look(value),
            Err(Failure::Corrupt(table)) => tracing::error!(table, "a row cannot be read"),
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
