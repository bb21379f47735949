//! What is known of recipients, while it is new, while it is sorted in, and after a crash in between.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::engine::ListQuery;
use countersign_core::ids::VerificationId;
use countersign_core::testkit::bench::{Bench, EngineFixture, wrong};
use countersign_core::testkit::commands::recipient_keys;
use countersign_core::verification::RecipientLedger;

use super::{Store, quiet, recipient};
use crate::sqlite::SqliteOptions;
use crate::sqlite::session::Session;

/// A store in which every few changes make a round.
fn with_rounds_of(changes: u32) -> Bench<Store> {
    Store::bench(SqliteOptions { recipients_round: changes, ..quiet() })
}

/// What the store knows of the first `count` recipients.
async fn known<F: EngineFixture>(
    bench: &Bench<F>,
    count: u32,
) -> Vec<(RecipientLedger, Vec<VerificationId>)> {
    let mut known = Vec::new();
    for n in 0..count {
        let identity = Some(recipient_keys(&bench.tenant, &recipient(n)).identity);
        let query = ListQuery { identity, status: None, before: None, limit: 100, now: bench.now() };
        let list = bench.engine().list(&bench.tenant, query).await.unwrap();
        known.push((bench.ledger(&recipient(n)).await, list.iter().map(|v| v.id).collect()));
    }
    known
}

async fn count(bench: &Bench<Store>, table: &'static str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let count = move |session: &mut Session| Ok(session.conn.query_row(&sql, (), |row| row.get(0))?);
    bench.fixture.on_writer(count).await.unwrap()
}

/// Starts, failed checks and second verifications for recipients in no order.
async fn act(bench: &Bench<Store>, step: u32) {
    let verification = bench.open(&recipient(step * 7 % 20)).await;
    if step.is_multiple_of(3) {
        let code = bench.code(verification.id).await;
        bench.check(verification.id, &wrong(&code)).await;
    }
    bench.cancel(verification.id).await;
}

#[tokio::test]
async fn a_kill_at_any_moment_of_a_round_loses_nothing_of_any_recipient() {
    let bench = with_rounds_of(12);
    for step in 0..60 {
        act(&bench, step).await;
        let (_folder, path) = bench.fixture.as_after_a_kill();
        assert_eq!(known(&Store::bench_at(&path), 20).await, known(&bench, 20).await, "after step {step}");
    }
    assert!(count(&bench, "recipients").await > 20, "no round took place");
}

#[tokio::test]
async fn a_batch_that_is_undone_in_the_middle_of_a_round_loses_nothing_either() {
    let bench = Arc::new(with_rounds_of(6));
    for step in 0..40 {
        act(&bench, step).await;
        let before = known(&*bench, 20).await;
        let stall = bench.fixture.stall().await;
        let (opens, fails) = (bench.clone(), bench.clone());
        let opens = tokio::spawn(async move { opens.open(&recipient(100 + step)).await });
        bench.fixture.wait_for_queue(1).await;
        let fails = tokio::spawn(async move { fails.fixture.on_last::<()>(|_| panic!("a defect")).await });
        bench.fixture.wait_for_queue(2).await;
        drop(stall);
        let opened = opens.await.unwrap().id;
        assert!(fails.await.unwrap().is_err());
        assert_eq!(known(&*bench, 20).await, before, "after step {step}");
        assert_eq!(known(&*bench, 101 + step).await.pop().unwrap().1, [opened]);
    }
}

#[tokio::test]
async fn clearing_up_sorts_in_what_is_new_and_leaves_nothing_of_it_behind() {
    let bench = with_rounds_of(1_000_000);
    for step in 0..30 {
        act(&bench, step).await;
    }
    let before = known(&bench, 20).await;
    assert_eq!(count(&bench, "recipients").await, 0);
    bench.sweep().await;
    assert_eq!(count(&bench, "recent_recipients").await, 0);
    assert_eq!(known(&bench, 20).await, before);
    assert_eq!(bench.ledger(&recipient(99)).await, RecipientLedger::default());
}

#[tokio::test]
async fn a_deleted_verification_does_not_come_back_although_it_was_sorted_in_a_moment_ago() {
    let mut bench = with_rounds_of(8);
    (bench.terms.keep_recipient, bench.terms.keep_record) = (Duration::ZERO, Duration::ZERO);
    for n in 0..10 {
        let verification = bench.open(&recipient(n)).await;
        bench.cancel(verification.id).await;
    }
    assert!(count(&bench, "recipients").await > 0 && count(&bench, "recent_recipients").await > 0);
    // Only the clearing, without the round that it would end first.
    let (now, room) = (bench.now(), crate::sqlite::sweep::Room::new(100));
    for _ in 0..2 {
        let clear = move |session: &mut Session| crate::sqlite::sweep::sweep(session, room, now);
        bench.fixture.on_writer(clear).await.unwrap();
    }
    assert_eq!(count(&bench, "verifications").await, 0);
    let (_folder, path) = bench.fixture.as_after_a_kill();
    let again = Store::bench_at(&path);
    // Their numbers are the next ones', which are of other recipients.
    for n in 0..10 {
        again.open(&recipient(50 + n)).await;
    }
    assert!(known(&again, 10).await.into_iter().all(|(_, list)| list.is_empty()));
}

#[tokio::test]
async fn whoever_is_in_the_tree_is_found_there_after_a_start_too() {
    let mut bench = with_rounds_of(1);
    for n in 0..50 {
        bench.open(&recipient(n)).await;
    }
    bench.sweep().await;
    let before = known(&bench, 50).await;
    bench.fixture.reopen().await;
    assert_eq!(known(&bench, 50).await, before, "before clearing up has gone around");
    for _ in 0..3 {
        bench.sweep().await;
        assert_eq!(known(&bench, 50).await, before, "afterwards");
    }
    // A second start is a double click, and not a second verification.
    for n in 0..50 {
        bench.start(bench.start_of(&recipient(n))).await;
    }
    assert_eq!(count(&bench, "verifications").await, 50);
}
