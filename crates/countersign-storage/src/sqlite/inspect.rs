//! Looking into a store from outside, also while another process serves from it.

use std::path::Path;

use countersign_core::audit::{AuditEntry, AuditHead};

use super::failure::Failure;
use super::open::{OpenError, check_library, open_for_reading};
use super::reads;

/// How many entries are read at a time.
const AT_A_TIME: u32 = 1_000;

/// Hands every entry of the audit log to `entry`, in order, and answers its head: all of it as it
/// stood at one moment. It blocks. The inner result is the first error of `entry`, after which
/// nothing more is read.
///
/// # Errors
/// The store cannot be read.
pub fn walk_audit<E>(
    database: &Path,
    mut entry: impl FnMut(&AuditEntry) -> Result<(), E>,
) -> Result<Result<Option<AuditHead>, E>, OpenError> {
    check_library()?;
    let conn = open_for_reading(database)?;
    conn.execute_batch("BEGIN")?; // one snapshot; dropping the connection ends it
    let read = |failure| match failure {
        Failure::Sqlite(error) => OpenError::Sqlite(error),
        other => OpenError::Damaged(other.to_string()),
    };
    let mut after = 0;
    loop {
        let entries = reads::audit_entries(&conn, after, AT_A_TIME).map_err(read)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        if let Some(error) = entries.iter().find_map(|e| entry(e).err()) {
            return Ok(Err(error));
        }
    }
    reads::audit_head(&conn).map(Ok).map_err(read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use countersign_core::audit::{AuditError, AuditEvent, Verifier};
    use countersign_core::engine::Engine;
    use countersign_core::testkit::{ManualClock, keys};
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::{SqliteEngine, SqliteOptions};

    /// Walks the log of a store in use, of three entries, after somebody has changed the file.
    async fn verified_after(change: &str) -> Result<u64, AuditError> {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("store.db");
        let ring = Arc::new(keys());
        let engine =
            SqliteEngine::open(&database, Arc::clone(&ring), SqliteOptions::default(), ManualClock::START)
                .unwrap();
        let event = |action: &str| AuditEvent {
            at: ManualClock::START,
            tenant: None,
            actor: "operator".into(),
            action: action.into(),
            subject: String::new(),
        };
        engine.append_audit(vec![event("a"), event("b"), event("c")]).await.unwrap();
        Connection::open(&database).unwrap().execute_batch(change).unwrap();
        let mut verifier = Verifier::new(&ring);
        let head = walk_audit(&database, |entry| verifier.entry(entry)).unwrap()?;
        verifier.finish(head.as_ref())
    }

    /// Shows: K7.
    #[tokio::test]
    async fn a_log_in_use_is_read_from_outside_and_every_kind_of_tampering_is_found() {
        assert_eq!(verified_after("").await, Ok(3));
        for change in [
            "UPDATE audit SET event = zeroblob(9) WHERE seq = 2",
            "DELETE FROM audit WHERE seq = 2",
            "DELETE FROM audit WHERE seq = 3",
            "DELETE FROM audit",
            "DELETE FROM audit_head",
            "UPDATE audit_head SET seq = 2; DELETE FROM audit WHERE seq = 3",
            "INSERT INTO audit SELECT 4, event, mac FROM audit WHERE seq = 3",
        ] {
            verified_after(change).await.unwrap_err();
        }
    }
}
