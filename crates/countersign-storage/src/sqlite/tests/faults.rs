//! Full disks, failing disks, stalled disks, and defects of our own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::engine::{ListQuery, StorageError};
use countersign_core::testkit::bench::{ALICE, BOB, Bench, EngineFixture};
use countersign_core::verification::RecipientLedger;
use rusqlite::ffi;

use super::{Store, is_unavailable, quiet, recipient};
use crate::sqlite::session::Session;
use crate::sqlite::{Lost, SqliteOptions};

fn sqlite_error(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

async fn stored(bench: &Bench<Store>) -> usize {
    let (limit, now) = (10_000, bench.now());
    let query = ListQuery { identity: None, status: None, before: None, limit, looks: limit, now };
    bench.engine().list(&bench.tenant, query).await.unwrap().found.len()
}

#[tokio::test]
async fn a_full_disk_refuses_without_a_trace_and_space_heals_it() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    bench.fixture.execute("PRAGMA max_page_count = 60").await;
    let (to, error) = loop {
        let to = recipient(stored(&bench).await.try_into().unwrap());
        if let Err(error) = bench.engine().start(bench.start_of(&to)).await {
            break (to, error);
        }
    };
    assert!(matches!(&error, StorageError::Unavailable(why) if why.contains("full")), "{error:?}");
    assert_eq!(bench.ledger(&to).await, RecipientLedger::default());
    let before = stored(&bench).await;
    assert!(is_unavailable(bench.engine().start(bench.start_of(&to)).await));
    assert_eq!(stored(&bench).await, before);
    bench.fixture.execute("PRAGMA max_page_count = 4294967294").await;
    bench.engine().probe(bench.now()).await.unwrap();
    bench.open(&to).await;
    assert_eq!(stored(&bench).await, before + 1);
}

#[tokio::test]
async fn a_panicking_command_takes_nothing_with_it() {
    let bench = Arc::new(Store::bench(quiet()));
    let stall = bench.fixture.stall().await;
    let (engine, alices, bobs) = (bench.engine(), bench.start_of(ALICE), bench.start_of(BOB));
    let other = engine.clone();
    let alices = tokio::spawn(async move { engine.start(alices).await });
    let panics = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.fixture.on_writer::<()>(|_| panic!("a defect")).await })
    };
    let bobs = tokio::spawn(async move { other.start(bobs).await });
    bench.fixture.wait_for_queue(3).await;
    drop(stall);
    assert!(alices.await.unwrap().is_ok() && bobs.await.unwrap().is_ok());
    assert!(is_unavailable(panics.await.unwrap()));
    assert_eq!(stored(&bench).await, 2);
}

#[tokio::test]
async fn what_a_failing_command_wrote_is_undone_and_its_batch_goes_on() {
    let bench = Arc::new(Store::bench(quiet()));
    let stall = bench.fixture.stall().await;
    let (engine, start) = (bench.engine(), bench.start_of(ALICE));
    let starts = tokio::spawn(async move { engine.start(start).await });
    let fails = {
        let bench = bench.clone();
        tokio::spawn(async move {
            let half = |session: &mut Session| {
                session.execute("INSERT INTO tenants (name) VALUES ('half')", ())?;
                session.execute("INSERT INTO state (one) VALUES (1)", ())?;
                Ok(())
            };
            bench.fixture.on_writer(half).await
        })
    };
    bench.fixture.wait_for_queue(2).await;
    drop(stall);
    assert!(starts.await.unwrap().is_ok());
    assert!(is_unavailable(fails.await.unwrap()));
    let halves = bench.fixture.on_writer(|session| {
        let sql = "SELECT count(*) FROM tenants WHERE name = 'half'";
        Ok(session.conn.query_row(sql, (), |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(halves.await, Ok(0));
}

#[tokio::test]
async fn a_commit_that_fails_for_want_of_space_fails_its_whole_batch_and_no_more() {
    let bench = Store::bench(quiet());
    let stall = bench.fixture.stall().await;
    let (engine, start) = (bench.engine(), bench.start_of(ALICE));
    let starts = tokio::spawn(async move { engine.start(start).await });
    bench.fixture.wait_for_queue(1).await;
    let fails = bench.fixture.on_writer(|session| {
        session.fail_next_commit = Some(sqlite_error(ffi::SQLITE_FULL));
        Ok(())
    });
    let (fails, ()) = tokio::join!(fails, async {
        bench.fixture.wait_for_queue(2).await;
        drop(stall);
    });
    assert!(is_unavailable(fails) && is_unavailable(starts.await.unwrap()));
    assert_eq!(stored(&bench).await, 0);
    bench.open(ALICE).await;
}

#[tokio::test]
async fn after_a_failed_fsync_nothing_is_acknowledged_any_more() {
    let mut bench = Store::bench(quiet());
    let before = bench.open(ALICE).await;
    let fail = |session: &mut Session| {
        session.fail_next_commit = Some(sqlite_error(ffi::SQLITE_IOERR_FSYNC));
        Ok(())
    };
    assert!(is_unavailable(bench.fixture.on_writer(fail).await));
    let fatal = tokio::time::timeout(super::PATIENCE, bench.fixture.sqlite().fatal()).await;
    assert!(matches!(fatal.unwrap(), Lost::Write(_)));
    assert!(is_unavailable(bench.engine().start(bench.start_of(BOB)).await));
    assert!(is_unavailable(bench.engine().probe(bench.now()).await));
    assert!(is_unavailable(bench.engine().verification(&bench.tenant, before.id).await));
    bench.fixture.reopen().await;
    assert_eq!(bench.record(before.id).await.verification.id, before.id);
    bench.open(BOB).await;
}

#[tokio::test]
async fn a_stalled_disk_is_answered_in_time_and_not_worked_off_later() {
    let options = SqliteOptions { request_patience: Duration::from_millis(100), ..quiet() };
    let bench = Store::bench(options);
    let stall = bench.fixture.stall().await;
    let asked = Instant::now();
    assert!(is_unavailable(bench.engine().start(bench.start_of(ALICE)).await));
    assert!(is_unavailable(bench.engine().probe(bench.now()).await));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(stall);
    bench.fixture.execute("SELECT 1").await; // the writer has got past what waited
    assert_eq!(stored(&bench).await, 0);
    assert_eq!(bench.ledger(ALICE).await, RecipientLedger::default());
}

#[tokio::test]
async fn a_caller_who_has_left_gets_nothing_done() {
    let bench = Store::bench(quiet());
    let stall = bench.fixture.stall().await;
    let (engine, start) = (bench.engine(), bench.start_of(ALICE));
    let caller = tokio::spawn(async move { engine.start(start).await });
    bench.fixture.wait_for_queue(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(stall);
    bench.fixture.execute("SELECT 1").await;
    assert_eq!(stored(&bench).await, 0);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = Store::bench(SqliteOptions { queue_bound: 2, ..quiet() });
    let stall = bench.fixture.stall().await;
    for to in [ALICE, BOB] {
        let (engine, start) = (bench.engine(), bench.start_of(to));
        tokio::spawn(async move { engine.start(start).await });
    }
    bench.fixture.wait_for_queue(2).await;
    let third = bench.engine().start(bench.start_of("carol@example.com")).await;
    assert_eq!(third.unwrap_err(), StorageError::Overloaded);
    drop(stall);
}

#[tokio::test]
async fn commands_that_wait_together_share_one_fsync() {
    let bench = Store::bench(quiet());
    bench.open(ALICE).await;
    let before = bench.fixture.sqlite().shared.commits();
    let stall = bench.fixture.stall().await;
    let starts: Vec<_> = (0..50)
        .map(|n| {
            let (engine, start) = (bench.engine(), bench.start_of(&recipient(n)));
            tokio::spawn(async move { engine.start(start).await })
        })
        .collect();
    bench.fixture.wait_for_queue(50).await;
    drop(stall);
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(bench.fixture.sqlite().shared.commits() - before, 1);
    assert_eq!(stored(&bench).await, 51);
}
