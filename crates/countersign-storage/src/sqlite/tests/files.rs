//! Locks, modes, and files that are not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_core::testkit::bench::ALICE;
use rusqlite::Connection;

use super::{Store, open, quiet};
use crate::sqlite::OpenError;
use crate::sqlite::migrations::MIGRATIONS;
use crate::sqlite::open::beside;

#[tokio::test]
async fn a_second_process_is_told_which_file_is_in_use() {
    let store = Store::new(quiet());
    let refused = open(&store.path(), &quiet()).unwrap_err();
    let OpenError::InUse { database, lock } = &refused else { panic!("{refused}") };
    assert_eq!((database, lock), (&store.path(), &beside(&store.path(), ".lock")));
    assert!(refused.to_string().contains(store.path().to_str().unwrap()), "{refused}");
    let (path, folder) = (store.path(), store.folder);
    drop(store.engine);
    open(&path, &quiet()).unwrap();
    drop(folder);
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = fs::metadata(beside(&bench.fixture.path(), suffix)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "store.db{suffix}");
    }
}

#[tokio::test]
async fn files_of_other_programs_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for path in [text, other] {
        let before = fs::read(&path).unwrap();
        assert!(matches!(open(&path, &quiet()), Err(OpenError::Foreign { .. })), "{}", path.display());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let mut store = Store::new(quiet());
    store.engine = None;
    Connection::open(store.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open(&store.path(), &quiet()), Err(OpenError::NewerSchema { found: 99, .. })));
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let refused = open("/nonexistent/store.db".as_ref(), &quiet()).unwrap_err();
    assert!(refused.to_string().contains("/nonexistent/store.db"), "{refused}");
}

#[tokio::test]
async fn a_kill_inside_a_schema_change_leaves_it_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let conn = Connection::open(&path).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(())).unwrap();
    let (half, _) = MIGRATIONS[0].split_at(MIGRATIONS[0].find("CREATE TABLE messages").unwrap());
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {half}; PRAGMA user_version = 1;")).unwrap();
    conn.cache_flush().unwrap(); // the half of it stands in the log
    let killed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        let mut copy = std::process::Command::new("cp");
        assert!(copy.arg(folder.path().join(name)).arg(killed.path()).status().unwrap().success());
    }
    assert!(fs::metadata(killed.path().join("store.db-wal")).unwrap().len() > 4096);
    Store::bench_at(&killed.path().join("store.db")).open(ALICE).await;
}
