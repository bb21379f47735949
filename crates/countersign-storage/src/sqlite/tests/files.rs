//! Locks, modes, and files that are not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::testkit::bench::{ALICE, BOB, HOUR, SECOND};
use countersign_core::testkit::keys;
use rusqlite::Connection;

use super::{Store, open, quiet};
use crate::sqlite::files::{beside, cut_log};
use crate::sqlite::migrations::MIGRATIONS;
use crate::sqlite::{OpenError, SqliteEngine, SqliteOptions};

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

/// Every file of a folder with its bytes, but for the lock file and the log's index, which say nothing.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .filter(|(name, _)| {
            Path::new(name).extension().is_none_or(|end| end != "lock") && !name.ends_with("-shm")
        })
        .collect();
    files.sort();
    files
}

/// A backup was copied over the database of a node that had been killed, as its operator would do it. The
/// old log was moved into it: used codes were pending again, or the database was malformed.
///
/// Shows: E6.
#[tokio::test]
async fn e6_a_leftover_log_beside_a_backup_is_refused() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let backup = bench.fixture.folder.path().join("backup.db");
    crate::sqlite::backup(&bench.fixture.path(), &backup).unwrap();
    bench.open(BOB).await;
    let (folder, path) = bench.fixture.as_after_a_kill();
    fs::copy(&backup, &path).unwrap();

    let before = contents(folder.path());
    for _ in 0..2 {
        let refused = open(&path, &quiet()).unwrap_err();
        let OpenError::LeftoverLog { log, .. } = &refused else { panic!("{refused}") };
        assert_eq!(log, &beside(&path.canonicalize().unwrap(), "-wal"));
        assert!(refused.to_string().contains("move"), "{refused}");
        assert_eq!(contents(folder.path()), before, "nothing is touched");
    }
    fs::rename(beside(&path, "-wal"), folder.path().join("old-wal")).unwrap();
    let restored = Store::bench_at(&path);
    assert_eq!(restored.fixture.sqlite().verifications().await, 1);
}

/// The same with a copy of the database alone, taken while the node was stopped: it says that it has a
/// log, and only the run tells that this log is not its own.
///
/// Shows: E6.
#[tokio::test]
async fn e6_a_log_of_a_later_run_is_refused() {
    let mut bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.fixture.engine = None; // stopped: all is in the database
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("store.db");
    fs::copy(bench.fixture.path(), &copy).unwrap();
    bench.fixture.engine = Some(Arc::new(open(&bench.fixture.path(), &quiet()).unwrap()));
    bench.open(BOB).await;
    let (killed, path) = bench.fixture.as_after_a_kill();
    drop(open(&path, &quiet()).unwrap()); // with its own database the log is welcome

    let (_second, path) = bench.fixture.as_after_a_kill();
    drop(killed);
    fs::copy(&copy, &path).unwrap();
    let before = contents(path.parent().unwrap());
    assert!(matches!(open(&path, &quiet()), Err(OpenError::LeftoverLog { .. })));
    assert_eq!(contents(path.parent().unwrap()), before);
}

/// SQLite deletes a log whose database is gone, and with it what was answered last.
///
/// Shows: E6.
#[tokio::test]
async fn e6_a_log_without_its_database_is_refused_and_kept() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let (folder, path) = bench.fixture.as_after_a_kill();
    fs::remove_file(&path).unwrap();
    let before = contents(folder.path());
    assert!(matches!(open(&path, &quiet()), Err(OpenError::LogAlone { .. })));
    assert_eq!(contents(folder.path()), before);
    fs::write(&path, "").unwrap();
    assert!(matches!(open(&path, &quiet()), Err(OpenError::LogAlone { .. })));
}

/// The lock was beside the name that was given.
///
/// Shows: E8.
#[tokio::test]
async fn e8_a_symbolic_link_does_not_open_a_store_twice() {
    let store = Store::new(quiet());
    let link = store.folder.path().join("link.db");
    std::os::unix::fs::symlink(store.path(), &link).unwrap();
    assert!(matches!(open(&link, &quiet()), Err(OpenError::InUse { .. })));
    let Store { engine, folder, .. } = store;
    drop(engine);
    let linked = open(&link, &quiet()).unwrap();
    let by_its_own_name = folder.path().join("store.db");
    assert!(matches!(open(&by_its_own_name, &quiet()), Err(OpenError::InUse { .. })));
    assert!(!beside(&link, ".lock").exists(), "there is one lock, beside the file itself");
    drop(linked);
}

/// A log lies beside one name only.
///
/// Shows: E8.
#[tokio::test]
async fn e8_a_store_with_two_names_is_not_opened_by_either() {
    let mut store = Store::new(quiet());
    store.engine = None;
    let other = store.folder.path().join("other.db");
    fs::hard_link(store.path(), &other).unwrap();
    for path in [&store.path(), &other] {
        let refused = open(path, &quiet()).unwrap_err();
        assert!(matches!(refused, OpenError::ManyNames { names: 2, .. }), "{refused}");
    }
    fs::remove_file(&other).unwrap();
    open(&store.path(), &quiet()).unwrap();
}

/// The database itself is locked as well: mounted at two places it has two lock files. What is locked is
/// seen from outside, because closing the file in this process would drop SQLite's locks.
///
/// Shows: E8.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn e8_the_database_file_itself_is_locked_while_it_is_open() {
    let locked = |path: &Path| {
        let flock = std::process::Command::new("flock").arg("-n").arg(path).arg("true").status();
        !flock.unwrap().success()
    };
    let store = Store::new(quiet());
    assert!(locked(&store.path()));
    let Store { engine, folder, .. } = store;
    drop(engine);
    assert!(!locked(&folder.path().join("store.db")));
}

/// How many verifications are in the database file, without its log.
fn in_the_file(path: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(format!("file:{}?immutable=1", path.display()), flags).unwrap();
    conn.query_row("SELECT count(*) FROM verifications", (), |row| row.get(0)).unwrap()
}

/// What a killed process had written may be in the system's memory only. It was built on without having
/// been synced.
///
/// Shows: E9.
#[tokio::test]
async fn e9_what_a_log_holds_is_moved_and_synced_before_anything_is_answered() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.open(BOB).await;
    let (_folder, path) = bench.fixture.as_after_a_kill();
    let after = Store::bench_at(&path);
    let (copies, copy) = Store::as_after_a_kill_of(&path);
    assert_eq!(in_the_file(&copy), 2);
    drop((after, copies));
}

/// Somebody who reads, such as a backup, keeps the log from being moved. It is written again instead.
///
/// Shows: E9.
#[tokio::test]
async fn e9_a_log_that_somebody_reads_is_synced_where_it_is() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let (_folder, path) = bench.fixture.as_after_a_kill();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM verifications").unwrap();
    let before = fs::metadata(beside(&path, "-wal")).unwrap().len();
    let after = Store::bench_at(&path);
    assert_eq!(after.fixture.sqlite().verifications().await, 1);
    assert!(fs::metadata(beside(&path, "-wal")).unwrap().len() >= before, "the reader still needs it");
    drop((after, reader));
    for _ in 0..2 {
        assert_eq!(Store::bench_at(&path).fixture.sqlite().verifications().await, 1);
    }
}

/// What a failed commit left in the log was found by the next start: a start that had been refused was
/// sent.
///
/// Shows: E9.
#[tokio::test]
async fn e9_a_log_that_is_cut_holds_what_was_before_the_cut_and_nothing_behind_it() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let length = fs::metadata(beside(&bench.fixture.path(), "-wal")).unwrap().len();
    let frames = (length - 32) / (24 + 4096); // the file format's headers
    bench.open(BOB).await;
    bench.open("carol@example.com").await;
    for (cut_after, left) in [(None, 3), (Some(frames), 1), (Some(1_000_000), 3)] {
        let (_folder, path) = bench.fixture.as_after_a_kill();
        if let Some(frames) = cut_after {
            cut_log(&beside(&path, "-wal"), frames, 4096).unwrap();
        }
        let after = Store::bench_at(&path);
        assert_eq!(after.fixture.sqlite().verifications().await, left, "{cut_after:?}");
        // A bench draws the same ids again at the same instants.
        after.wait(HOUR);
        after.open("dave@example.com").await;
    }
}

/// A start under a clock that was a year ahead deleted every record within seconds.
///
/// Shows: E7.
#[tokio::test]
async fn e7_a_clock_that_is_days_from_what_the_store_has_seen_is_refused() {
    let day = Duration::from_secs(24 * 3600);
    let careful = SqliteOptions { longest_jump: Some(day), ..quiet() };
    let mut bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let seen = bench.now();
    bench.fixture.engine = None;
    let at = |now, options: &SqliteOptions| {
        SqliteEngine::open(&bench.fixture.path(), Arc::new(keys()), options.clone(), now)
    };
    let before = contents(bench.fixture.folder.path());
    for wrong in [seen + day + SECOND, seen + 365 * day, seen - (day + SECOND)] {
        let refused = at(wrong, &careful).unwrap_err();
        let OpenError::ClockJump { machine, store } = &refused else { panic!("{refused}") };
        assert_eq!((*machine, *store), (wrong, seen));
        let text = refused.to_string();
        assert!(text.contains("--accept-clock") && text.contains(&seen.to_string()), "{text}");
        assert_eq!(contents(bench.fixture.folder.path()), before);
    }
    for right in [seen - day, seen, seen + day] {
        at(right, &careful).unwrap();
    }
    at(seen + 365 * day, &quiet()).unwrap();
}
