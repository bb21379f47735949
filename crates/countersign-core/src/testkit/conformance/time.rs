//! What time does: clearing up, and never running backwards.

use std::time::Duration;

use crate::engine::{Idempotent, ListQuery, NonceOutcome, Refusal, StartCommand};
use crate::testkit::ManualClock;
use crate::testkit::bench::*;
use crate::testkit::commands::{claim, code, nonce};
use crate::verification::disclose;
use crate::verification::{RecipientLedger, Status, StoredRecipient};

pub(super) async fn a_closed_window_is_written_as_expired<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(599);
    assert!(!bench.sweep().await.did_something());
    bench.at_second(700);
    assert_eq!(bench.sweep().await.expired, 1);
    let stored = bench.record(verification.id).await.verification;
    assert_eq!((stored.status, stored.ended_at), (Status::Expired, Some(verification.expires_at)));
}

/// Shows: O8.
pub(super) async fn a_day_after_the_end_the_address_and_the_notes_are_gone<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let metadata = [("order".to_owned(), "42".to_owned())].into();
    let start = StartCommand { metadata, ..bench.start_of(ALICE) };
    let verification = opened(bench.start(start).await);
    bench.at_second(600 + 86_399);
    bench.sweep().await;
    let before = disclose(&bench.keys, &bench.record(verification.id).await.verification).expect("it opens");
    assert_eq!(before.to, [ALICE]);
    bench.at_second(600 + 86_400);
    assert_eq!(bench.sweep().await.masked, 1);
    let stored = bench.record(verification.id).await.verification;
    assert!(matches!(stored.destinations[0].recipient, StoredRecipient::Masked(_)));
    assert_eq!(stored.metadata, None);
}

/// The outbox forgets with the verification, even where no dispatcher ever ran.
/// Shows: I9.
pub(super) async fn a_closed_window_leaves_no_payload<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(601);
    bench.sweep().await;
    assert!(bench.record(verification.id).await.messages.iter().all(is_wiped));
}

/// Shows: O8, P2.
pub(super) async fn thirty_days_after_the_end_nothing_is_left<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let right = bench.code(verification.id).await;
    bench.check(verification.id, &right).await;
    bench.wait(30 * DAY - SECOND);
    bench.sweep().await;
    assert_eq!(bench.status(verification.id).await, Status::Approved);
    bench.wait(SECOND);
    assert_eq!(bench.sweep().await.deleted, 1);
    let engine = bench.engine();
    assert_eq!(engine.verification(&bench.tenant, verification.id).await.expect("read"), None);
    let (limit, now) = (10, bench.now());
    let everything = ListQuery { identity: None, status: None, before: None, limit, looks: limit, now };
    assert!(engine.list(&bench.tenant, everything).await.expect("list").found.is_empty());
    let check = bench.give(bench.check_of_address(ALICE, &right)).await;
    assert_eq!(check, crate::engine::CheckOutcome::NotFound);
    assert!(!bench.sweep().await.did_something());
}

/// A day after the last event for a recipient, an hour for a client, a day for an answer.
/// Shows: P2.
pub(super) async fn counters_and_answers_that_ran_out_are_forgotten<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start =
        || StartCommand { client: Some([1; 16]), idempotency: Some(claim(1, 1)), ..bench.start_of(ALICE) };
    let verification = opened(fresh(bench.engine().start(start()).await.expect("start")));
    bench.cancel(verification.id).await;
    bench.wait(HOUR);
    assert_eq!(bench.sweep().await.forgotten, 1);
    bench.wait(DAY - HOUR);
    assert_eq!(bench.sweep().await.forgotten, 2);
    assert_eq!(bench.ledger(ALICE).await, RecipientLedger::default());
    assert!(matches!(bench.engine().start(start()).await.expect("start"), Idempotent::Fresh { .. }));
}

pub(super) async fn a_row_of_failures_is_remembered_for_thirty_days<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open_and_exhaust(ALICE).await;
    bench.wait(30 * DAY - SECOND);
    bench.sweep().await;
    assert_eq!(bench.windows(ALICE).await.consecutive_failures, 5);
    bench.wait(SECOND);
    bench.sweep().await;
    assert_eq!(bench.windows(ALICE).await.consecutive_failures, 0);
}

pub(super) async fn a_hold_is_never_forgotten<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.hold_after = 5;
    bench.open_and_exhaust(ALICE).await;
    bench.wait(1_000 * DAY);
    bench.sweep().await;
    assert!(matches!(refusal(&bench.start(bench.start_of(ALICE)).await), Refusal::RecipientHeld { .. }));
}

pub(super) async fn a_sweep_takes_no_more_than_it_asked_for<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for to in [ALICE, BOB, MAIL] {
        bench.open(to).await;
    }
    bench.at_second(600);
    assert_eq!(bench.engine().sweep(2, bench.now()).await.expect("sweep").expired, 2);
    assert_eq!(bench.engine().sweep(2, bench.now()).await.expect("sweep").expired, 1);
    assert!(!bench.engine().sweep(2, bench.now()).await.expect("sweep").did_something());
}

/// Ledgers that ran out in thousands keep neither nonces nor answers from going.
///
/// Shows: E12.
pub(super) async fn e12_clearing_up_gives_each_kind_its_own_share<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for n in 0..5 {
        let start = bench.start_of(&format!("user-{n}@example.com"));
        bench.start(StartCommand { client: Some([n; 16]), idempotency: Some(claim(n, n)), ..start }).await;
        let nonce = nonce(&bench.tenant, n, bench.now(), bench.now());
        assert_eq!(bench.engine().spend_nonce(nonce).await, Ok(NonceOutcome::Fresh));
    }
    bench.wait(20 * DAY);
    for expected in [4 * 2, 4 * 2, 4, 0] {
        let swept = bench.engine().sweep(2, bench.now()).await.expect("sweep");
        assert_eq!(swept.forgotten, expected, "of ledgers, clients, answers and nonces");
    }
}

/// Shows: I6.
pub(super) async fn a_clock_set_back_gives_no_code_more_life<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let right = bench.code(verification.id).await;
    bench.at_second(600);
    bench.open(BOB).await;
    bench.clock = ManualClock::default();
    assert!(!is_right(&bench.check(verification.id, &right).await));
    assert!(bench.claim().await.iter().all(|message| message.verification != verification.id));
}

/// Shows: I6.
pub(super) async fn a_clock_set_back_shortens_no_cool_down_and_frees_no_counter<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.at_second(3_600);
    let verification = bench.open(ALICE).await;
    bench.clock = ManualClock::default();
    assert_eq!(refusal(&bench.resend(verification.id).await), Refusal::CoolDown { retry_after: 30 * SECOND });
    let own = StartCommand { custom_code: Some(code("222222")), ..bench.start_of(ALICE) };
    let second = opened(bench.start(own).await);
    assert_eq!(second.created_at, verification.created_at);
    let windows = bench.ledger(ALICE).await.windows(verification.created_at);
    assert_eq!(windows.starts_hour, 2);
}

/// Shows: I6.
pub(super) async fn a_clock_set_back_ends_nothing_before_it_began<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.at_second(3_600);
    let verification = bench.open(ALICE).await;
    bench.clock = ManualClock::default();
    bench.cancel(verification.id).await;
    let ended = bench.record(verification.id).await.verification;
    assert_eq!((ended.status, ended.ended_at), (Status::Canceled, Some(verification.created_at)));
}

pub(super) async fn the_high_water_mark_is_the_latest_instant_committed<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let engine = bench.engine();
    assert_eq!(engine.high_water().await.expect("read"), None);
    bench.open(ALICE).await;
    assert_eq!(engine.high_water().await.expect("read"), Some(bench.now()));
    bench.wait(Duration::from_millis(1));
    engine.probe(bench.now()).await.expect("probe");
    assert_eq!(engine.high_water().await.expect("read"), Some(bench.now()));
    engine.probe(ManualClock::START).await.expect("probe");
    assert_eq!(engine.high_water().await.expect("read"), Some(bench.now()));
}
