//! What is known of recipients, while it is new, while it is sorted in, and after a crash in between.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::code::Code;
use countersign_core::engine::ListQuery;
use countersign_core::ids::VerificationId;
use countersign_core::testkit::bench::{Bench, EngineFixture, wrong};
use countersign_core::testkit::commands::recipient_keys;
use countersign_core::verification::RecipientLedger;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::{Store, quiet, recipient};
use crate::sqlite::SqliteOptions;
use crate::sqlite::recipients::gather;
use crate::sqlite::session::Session;
use crate::sqlite::sweep::{Room, sweep};

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
        let query =
            ListQuery { identity, status: None, before: None, limit: 100, looks: 100, now: bench.now() };
        let list = bench.engine().list(&bench.tenant, query).await.unwrap().found;
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

/// Shows: I3.
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

/// Several commands at once for recipients by chance, some of them with a few keys sorted in between.
async fn act_at_once(bench: &Arc<Bench<Store>>, rng: &mut StdRng) {
    let (stall, now) = (bench.fixture.stall().await, bench.now());
    let commands = rng.random_range(1..6);
    let mut running = JoinSet::new();
    for queued in 0..commands {
        let (what, to, keys) =
            (rng.random_range(0..10), recipient(rng.random_range(0..60)), rng.random_range(0..12));
        let to_do = bench.clone();
        running.spawn(async move {
            let (bench, engine) = (&to_do, to_do.engine());
            match what {
                0..5 => drop(engine.start(bench.start_of(&to)).await.unwrap()),
                5..8 => {
                    let guess = Code::parse("999999").unwrap();
                    drop(engine.check(bench.check_of_address(&to, &guess)).await.unwrap());
                }
                8 => drop(engine.release(bench.administer(&to, "recipient.released")).await.unwrap()),
                _ => {
                    let move_some = move |session: &mut Session| gather(session, keys, now);
                    bench.fixture.on_writer(move_some).await.unwrap();
                }
            }
        });
        bench.fixture.wait_for_queue(queued + 1).await;
    }
    drop(stall);
    running.join_all().await;
}

/// Shows: I3, R1.
#[tokio::test]
async fn a_kill_loses_nothing_whatever_batches_went_before() {
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut bench = with_rounds_of(rng.random_range(1..40));
        (bench.terms.keep_recipient, bench.terms.keep_record) = (Duration::ZERO, Duration::from_secs(90));
        let bench = Arc::new(bench);
        for n in 0..60 {
            bench.open(&recipient(n)).await;
        }
        for step in 0..20 {
            act_at_once(&bench, &mut rng).await;
            bench.wait(Duration::from_secs(rng.random_range(0..120)));
            if rng.random_ratio(1, 6) {
                bench.sweep().await;
            }
            let (_folder, path) = bench.fixture.as_after_a_kill();
            let after = known(&Store::bench_at(&path), 60).await;
            assert_eq!(after, known(&*bench, 60).await, "seed {seed}, step {step}");
        }
    }
}

/// Shows: I3.
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

/// Shows: I3.
#[tokio::test]
async fn a_kill_loses_no_change_that_was_made_and_sorted_in_by_one_batch() {
    let bench = Arc::new(with_rounds_of(1_000_000));
    let mut guesses = Vec::new();
    for n in 0..100 {
        let id = bench.open(&recipient(n)).await.id;
        guesses.push((id, wrong(&bench.code(id).await)));
    }
    let (stall, now) = (bench.fixture.stall().await, bench.now());
    let mut checks = JoinSet::new();
    for (id, code) in guesses.into_iter().take(10) {
        let bench = bench.clone();
        checks.spawn(async move { bench.check(id, &code).await });
    }
    bench.fixture.wait_for_queue(10).await;
    let moves = bench.clone();
    let moves = tokio::spawn(async move {
        let gather = move |session: &mut Session| gather(session, 60, now);
        moves.fixture.on_last(gather).await
    });
    bench.fixture.wait_for_queue(11).await;
    drop(stall);
    checks.join_all().await;
    assert_eq!(moves.await.unwrap(), Ok(true), "the round is over");
    let (_folder, path) = bench.fixture.as_after_a_kill();
    assert_eq!(known(&Store::bench_at(&path), 10).await, known(&*bench, 10).await);
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
    // In the middle of a round, at its end, and after it.
    for opened in 10..24 {
        let mut bench = with_rounds_of(8);
        (bench.terms.keep_recipient, bench.terms.keep_record) = (Duration::ZERO, Duration::ZERO);
        for n in 0..opened {
            let verification = bench.open(&recipient(n)).await;
            bench.cancel(verification.id).await;
        }
        assert!(count(&bench, "recipients").await > 0 && count(&bench, "recent_recipients").await > 0);
        // Only the clearing, without the round that it would end first.
        let (now, room) = (bench.now(), Room::new(100));
        for _ in 0..2 {
            let clear = move |session: &mut Session| sweep(session, room, now);
            bench.fixture.on_writer(clear).await.unwrap();
        }
        assert_eq!(count(&bench, "verifications").await, 0);
        let (_folder, path) = bench.fixture.as_after_a_kill();
        let again = Store::bench_at(&path);
        // Their numbers are the next ones', which are of other recipients.
        for n in 0..opened {
            again.open(&recipient(50 + n)).await;
        }
        let known = known(&again, opened).await;
        assert!(known.into_iter().all(|(_, list)| list.is_empty()), "after {opened}");
    }
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
