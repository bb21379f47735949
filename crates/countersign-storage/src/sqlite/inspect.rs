//! Looking into a store from outside, also while another process serves from it.

use std::path::Path;

use countersign_core::audit::{AuditError, AuditHead, Verifier};
use countersign_core::keys::KeyRing;
use rusqlite::Connection;

use super::failure::Failure;
use super::open::{OpenError, check_library, open_for_reading};
use super::{audit_log, fingerprints, reads};

/// How many entries are read at a time.
const AT_A_TIME: u32 = 1_000;

/// Walks the whole audit log as it is at one moment; returns the number of entries. It blocks. `noted` is
/// a head that was noted earlier, which the log has to go back to.
///
/// # Errors
/// The store cannot be read. The inner error says why the log is not whole.
pub fn verify_audit(
    database: &Path,
    keys: &KeyRing,
    noted: Option<AuditHead>,
) -> Result<Result<u64, AuditError>, OpenError> {
    check_library()?;
    let conn = open_for_reading(database)?;
    conn.execute_batch("BEGIN")?; // one snapshot; dropping the connection ends it
    let mut verifier = Verifier::new(keys);
    if let Some(noted) = noted {
        verifier = verifier.at_least(noted);
    }
    Ok(walk(&conn, keys, verifier)?)
}

fn walk(
    conn: &Connection,
    keys: &KeyRing,
    mut verifier: Verifier<'_>,
) -> Result<Result<u64, AuditError>, Failure> {
    if !fingerprints::is_audit_key(conn, keys)? {
        return Ok(Err(AuditError::OtherKey));
    }
    let mut after = 0;
    loop {
        let entries = reads::audit_entries(conn, after, AT_A_TIME)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        if let Some(error) = entries.iter().find_map(|entry| verifier.entry(entry).err()) {
            return Ok(Err(error));
        }
    }
    let sealed = reads::audit_head(conn)?;
    let fits = match &sealed {
        Some(sealed) => !audit_log::is_older_than_rows(conn, sealed.mark)?,
        None => audit_log::is_new(conn)?,
    };
    Ok(if fits { verifier.finish(sealed.as_ref()) } else { Err(AuditError::Head) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::PathBuf;
    use std::sync::Arc;

    use countersign_core::audit::{self, ADOPTED, AuditEvent, MISMATCH, SealedHead};
    use countersign_core::engine::Engine;
    use countersign_core::keys::AuditMac;
    use countersign_core::testkit::{ManualClock, commands, keys, tenant};
    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::migrations::{MIGRATIONS, migrate};
    use crate::sqlite::{SqliteEngine, SqliteOptions};

    /// A store in use.
    struct Store {
        engine: Option<SqliteEngine>,
        _folder: TempDir,
        database: PathBuf,
    }

    impl Store {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("store.db");
            Self { engine: Some(open(&database)), _folder: folder, database }
        }

        /// With a log of three entries.
        async fn with_three_entries() -> Self {
            let store = Self::new();
            for action in ["a", "b", "c"] {
                store.append(action).await;
            }
            store
        }

        fn engine(&self) -> &SqliteEngine {
            self.engine.as_ref().unwrap()
        }

        async fn append(&self, action: &str) {
            let event = AuditEvent {
                at: ManualClock::START,
                tenant: None,
                actor: "operator".into(),
                action: action.into(),
                subject: String::new(),
            };
            self.engine().append_audit(vec![event]).await.unwrap();
        }

        async fn actions(&self) -> Vec<String> {
            let log = self.engine().audit_entries(0, 10).await.unwrap();
            let events = log.iter().map(|entry| countersign_core::codec::from_row(&entry.event).unwrap());
            events.map(|event: AuditEvent| event.action).collect()
        }

        async fn start(&self, after: u64) {
            let now = ManualClock::START + std::time::Duration::from_secs(after);
            let start =
                commands::start(&tenant("acme").id, "+12125550101", now, [after.to_le_bytes()[0]; 32]);
            self.engine().start(start).await.unwrap();
        }

        async fn head(&self) -> SealedHead {
            self.engine().audit_head().await.unwrap().unwrap()
        }

        fn restart(&mut self) {
            self.engine = None;
            self.engine = Some(open(&self.database));
        }

        fn tamper(&self, change: &str) {
            Connection::open(&self.database).unwrap().execute_batch(change).unwrap();
        }

        fn verify(&self) -> Result<u64, AuditError> {
            verify_audit(&self.database, &keys(), None).unwrap()
        }

        fn verify_at_least(&self, noted: AuditHead) -> Result<u64, AuditError> {
            verify_audit(&self.database, &keys(), Some(noted)).unwrap()
        }

        /// The log's end as a statement that puts it back later.
        fn end(&self) -> String {
            let sql = "SELECT 'audit_seq = ' || audit_seq || ', audit_mac = ' || quote(audit_mac)
                || ', audit_seal = ' || quote(audit_seal) FROM state";
            let set: String =
                Connection::open(&self.database).unwrap().query_row(sql, (), |row| row.get(0)).unwrap();
            format!("UPDATE state SET {set}")
        }
    }

    fn open(database: &Path) -> SqliteEngine {
        let ring = Arc::new(keys());
        SqliteEngine::open(database, ring, SqliteOptions::default(), ManualClock::START).unwrap()
    }

    /// Shows: K7, F17.
    #[tokio::test]
    async fn a_log_in_use_is_read_from_outside_and_every_kind_of_tampering_is_found() {
        for (change, whole) in [
            ("", true),
            ("UPDATE audit SET event = zeroblob(9) WHERE seq = 2", false),
            ("DELETE FROM audit WHERE seq = 2", false),
            ("DELETE FROM audit WHERE seq = 3", false),
            ("DELETE FROM audit", false),
            ("UPDATE state SET audit_seal = NULL", false),
            ("UPDATE state SET audit_seq = 2; DELETE FROM audit WHERE seq = 3", false),
            ("UPDATE state SET audit_seq = 0, audit_mac = zeroblob(32); DELETE FROM audit", false),
            ("UPDATE state SET high_water = high_water - 1", false),
            ("UPDATE state SET high_water = high_water + 1", false),
            ("INSERT INTO audit SELECT 4, event, mac FROM audit WHERE seq = 3", false),
        ] {
            let store = Store::with_three_entries().await;
            store.start(1).await;
            store.tamper(change);
            assert_eq!(store.verify().is_ok(), whole, "{change}: {:?}", store.verify());
        }
    }

    /// An emptied log was a whole log of no entries.
    ///
    /// Shows: F17, E4.
    #[tokio::test]
    async fn f17_an_empty_log_is_whole_only_in_a_new_store() {
        assert_eq!(Store::new().verify(), Ok(0));
        let store = Store::with_three_entries().await;
        store.start(1).await;
        let empty = "DELETE FROM audit;
            UPDATE state SET audit_seq = NULL, audit_mac = NULL, audit_seal = NULL";
        for change in [empty, "UPDATE state SET high_water = NULL"] {
            store.tamper(change);
            assert_eq!(store.verify(), Err(AuditError::Head), "{change}");
        }
    }

    /// The head of yesterday, taken from a backup, hid what was cut off since.
    ///
    /// Shows: F17, E4.
    #[tokio::test]
    async fn f17_an_older_head_does_not_fit_the_store_of_now() {
        let store = Store::with_three_entries().await;
        let (end, noted) = (store.end(), store.head().await.head);
        store.start(60).await;
        store.append("what has to go").await;
        assert_eq!(store.verify(), Ok(4));
        store.tamper(&format!("{end}; DELETE FROM audit WHERE seq = 4"));
        assert_eq!(store.verify(), Err(AuditError::Head));

        // With the mark put back as well, the rows are newer than it.
        let mark = ManualClock::START.as_millis();
        store.tamper(&format!("UPDATE state SET high_water = {mark}"));
        assert_eq!(store.verify(), Err(AuditError::Head));
        // And with the rows gone too it is the store of then, which only a note outside of it tells.
        store.tamper("DELETE FROM verifications");
        assert_eq!(store.verify(), Ok(3));
        assert_eq!(store.verify_at_least(noted), Ok(3));
    }

    /// Shows: F17.
    #[tokio::test]
    async fn f17_a_store_that_was_put_back_as_a_whole_is_found_by_a_note() {
        let mut store = Store::with_three_entries().await;
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup.db");
        crate::sqlite::backup(&store.database, &backup).unwrap();
        store.append("what has to go").await;
        let noted = store.head().await.head;
        assert_eq!(store.verify_at_least(noted), Ok(4));
        store.append("and on").await;
        assert_eq!(store.verify_at_least(noted), Ok(5));

        store.engine = None;
        for suffix in ["-wal", "-shm"] {
            std::fs::remove_file(crate::sqlite::files::beside(&store.database, suffix)).unwrap();
        }
        std::fs::copy(&backup, &store.database).unwrap();
        assert_eq!(store.verify(), Ok(3));
        assert_eq!(store.verify_at_least(noted), Err(AuditError::Older { noted: 4, found: 3 }));
        store.restart();
        assert_eq!(store.verify(), Ok(4), "the restore is an entry");
        assert_eq!(store.verify_at_least(noted), Err(AuditError::Replaced(4)));
    }

    /// The next commit sealed what it found.
    ///
    /// Shows: F17.
    #[tokio::test]
    async fn f17_a_start_does_not_whitewash_a_log_that_was_cut_off() {
        let mut store = Store::with_three_entries().await;
        let end = store.end();
        store.start(60).await;
        store.append("what has to go").await;
        store.engine = None;
        store.tamper(&format!("{end}; DELETE FROM audit WHERE seq = 4"));
        store.restart();
        store.append("business as usual").await;
        assert_eq!(store.verify(), Err(AuditError::Mismatch(4)));
        assert_eq!(store.actions().await, ["a", "b", "c", MISMATCH, "business as usual"]);
        store.restart();
        assert_eq!(store.engine().audit_entries(0, 10).await.unwrap().len(), 5, "it is said once");
    }

    /// The store of a version that sealed the head alone.
    fn of_before(head_seal: impl Fn(&AuditHead) -> AuditMac) -> Store {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("store.db");
        let conn = Connection::open(&database).unwrap();
        migrate(&conn, &MIGRATIONS[..3], |_, _| Ok(())).unwrap();
        let event = |action: &str| AuditEvent {
            at: ManualClock::START,
            tenant: None,
            actor: "operator".into(),
            action: action.into(),
            subject: String::new(),
        };
        let (entries, head) = audit::append(&keys(), None, &[event("a"), event("b")]);
        for entry in entries {
            let row = (entry.seq.cast_signed(), &entry.event, entry.mac.as_bytes());
            conn.execute("INSERT INTO audit (seq, event, mac) VALUES (?1, ?2, ?3)", row).unwrap();
        }
        let row = (head.seq.cast_signed(), head.mac.as_bytes(), *head_seal(&head).as_bytes());
        conn.execute("INSERT INTO audit_head (one, seq, mac, seal) VALUES (1, ?1, ?2, ?3)", row).unwrap();
        drop(conn);
        Store { engine: None, _folder: folder, database }
    }

    /// Shows: F17.
    #[tokio::test]
    async fn f17_the_head_of_an_older_version_is_taken_over_if_it_holds() {
        let sealed = |head: &AuditHead| keys().audit_mac(&head.mac, &[b"head", &head.seq.to_be_bytes()]);
        let mut store = of_before(sealed);
        store.restart();
        assert_eq!(store.verify(), Ok(3));
        store.append("c").await;
        store.restart();
        assert_eq!(store.verify(), Ok(4));
        assert_eq!(store.actions().await, ["a", "b", ADOPTED, "c"], "it is said");

        let mut forged = of_before(|_| AuditMac::from_bytes([7; 32]));
        forged.restart();
        assert_eq!(forged.verify(), Err(AuditError::Mismatch(3)));
    }

    /// The table that only an older version wrote, made by hand, had an emptied log sealed as a whole one.
    ///
    /// Shows: F17.
    #[tokio::test]
    async fn f17_no_head_is_taken_over_but_by_the_start_that_brings_the_store_up_to_date() {
        let table = "CREATE TABLE audit_head (one, seq, mac, seal)";
        let head = keys().audit_mac(&AuditMac::from_bytes([0; 32]), &[b"head", &0_u64.to_be_bytes()]);
        let [first, second] = [0..16, 16..32].map(|half| head.as_bytes()[half].try_into().unwrap());
        let seal = [first, second].map(u128::from_be_bytes);
        let sealed = format!(
            "INSERT INTO audit_head VALUES (1, 0, zeroblob(32), x'{:032x}{:032x}')",
            seal[0], seal[1]
        );
        let unsealed = "UPDATE state SET audit_seq = NULL, audit_mac = NULL, audit_seal = NULL";
        for (change, found) in [
            (format!("DELETE FROM audit; {table}"), Err(AuditError::Mismatch(1))),
            (format!("DELETE FROM audit; {table}; {sealed}"), Err(AuditError::Mismatch(1))),
            (format!("DELETE FROM audit; {table}; {sealed}; {unsealed}"), Err(AuditError::Mismatch(1))),
            (format!("{table}; {sealed}"), Ok(3)),
        ] {
            let mut store = Store::with_three_entries().await;
            store.engine = None;
            store.tamper(&change);
            store.restart();
            assert_eq!(store.verify(), found, "{change}");
            let left = "SELECT count(*) FROM sqlite_schema WHERE name = 'audit_head'";
            let left: i64 =
                Connection::open(&store.database).unwrap().query_row(left, (), |row| row.get(0)).unwrap();
            assert_eq!(left, 0, "{change}");
        }
    }

    /// A log under another key looked like one whose first entry had been changed.
    #[tokio::test]
    async fn a_key_that_did_not_write_the_log_is_told_from_tampering() {
        let store = Store::with_three_entries().await;
        let other = crate::sqlite::fingerprints::tests::ring(&[(1, 1)], &[(1, 2)], 3, 5);
        assert_eq!(verify_audit(&store.database, &other, None).unwrap(), Err(AuditError::OtherKey));
    }
}
