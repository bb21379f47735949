//! Guesses.

use std::time::Duration;

use crate::engine::{CancelOutcome, CheckCommand, CheckOutcome, Rejection, StartCommand};
use crate::keys::ContextDigest;
use crate::names::DialectName;
use crate::testkit::bench::*;
use crate::verification::Status;

pub(super) async fn a_code_is_good_only_over_the_wire_api_it_was_asked_over<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    let dialect = DialectName::parse("other").expect("a dialect");
    let check = CheckCommand { dialect, ..bench.check_of_address(ALICE, &code) };
    let outcome = bench.give(check).await;
    assert_eq!(outcome, CheckOutcome::NotFound);
    assert_eq!(bench.record(verification.id).await.verification.checks_used, 0);
    assert!(is_right(&bench.give(bench.check_of(verification.id, &code)).await));
}

/// Shows: I1, N2.
pub(super) async fn second_right_answer_is_already_used<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    assert!(is_right(&bench.check(verification.id, &code).await));
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::AlreadyUsed);
    let stored = bench.record(verification.id).await.verification;
    assert_eq!((stored.status, stored.checks_used), (Status::Approved, 1));
    assert_eq!(stored.ended_at, Some(bench.now()));
}

pub(super) async fn the_fifth_guess_passes_when_it_is_right<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for _ in 0..4 {
        assert_eq!(rejection(&bench.check(verification.id, &wrong(&code)).await), Rejection::WrongCode);
    }
    assert!(is_right(&bench.check(verification.id, &code).await));
}

/// Shows: P36.
pub(super) async fn the_sixth_guess_is_not_compared<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for _ in 0..5 {
        assert_eq!(rejection(&bench.check(verification.id, &wrong(&code)).await), Rejection::WrongCode);
    }
    assert_eq!(bench.status(verification.id).await, Status::Exhausted);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Exhausted);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.failed_checks_hour, windows.failed_checks_day), (5, 5));
}

pub(super) async fn a_resend_refreshes_no_check<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for round in 1..=3 {
        bench.check(verification.id, &wrong(&code)).await;
        bench.wait(2 * MINUTE);
        assert_eq!(resent(bench.resend(verification.id).await).checks_used, round);
    }
    bench.check(verification.id, &wrong(&code)).await;
    bench.check(verification.id, &wrong(&code)).await;
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Exhausted);
}

/// Shows: N2.
pub(super) async fn a_code_is_good_until_its_last_millisecond<F: EngineFixture>() {
    for (millis, right) in [(599_999, true), (600_000, false), (600_001, false)] {
        let bench = Bench::<F>::new().await;
        let verification = bench.open(ALICE).await;
        let code = bench.code(verification.id).await;
        bench.wait(Duration::from_millis(millis));
        let outcome = bench.check(verification.id, &code).await;
        assert_eq!(is_right(&outcome), right, "after {millis} ms");
        assert!(right || rejection(&outcome) == Rejection::Expired);
    }
}

/// A code may die before its verification does; the guess is then not compared and costs nothing.
pub(super) async fn a_code_dies_with_its_own_life<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.code_life = MINUTE;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.wait(MINUTE);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Expired);
    assert_eq!(bench.record(verification.id).await.verification.checks_used, 0);
    resent(bench.resend(verification.id).await);
    assert!(is_right(&bench.check(verification.id, &bench.code(verification.id).await).await));
}

/// Shows: N14.
pub(super) async fn another_context_is_charged_like_a_wrong_guess<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let context = Some(ContextDigest::from_bytes([1; 32]));
    let verification = opened(bench.start(StartCommand { context, ..bench.start_of(ALICE) }).await);
    let code = bench.code(verification.id).await;
    for other in [None, Some(ContextDigest::from_bytes([2; 32]))] {
        let check = CheckCommand { context: other, ..bench.check_of(verification.id, &code) };
        assert_eq!(rejection(&bench.give(check).await), Rejection::ContextMismatch);
    }
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 2);
    let check = CheckCommand { context, ..bench.check_of(verification.id, &code) };
    assert!(is_right(&bench.give(check).await));
}

/// Shows: A6.
pub(super) async fn a_code_is_good_for_its_own_verification_only<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (alice, bob) = (bench.open(ALICE).await, bench.open(BOB).await);
    let (to_alice, to_bob) = (bench.code(alice.id).await, bench.code(bob.id).await);
    assert_eq!(rejection(&bench.check(alice.id, &to_bob).await), Rejection::WrongCode);
    assert_eq!(rejection(&bench.check(bob.id, &to_alice).await), Rejection::WrongCode);
    assert!(is_right(&bench.check(bob.id, &to_bob).await));
}

pub(super) async fn a_guess_by_address_is_for_the_newest<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let nothing = bench.give(bench.check_of_address(ALICE, &crate::testkit::commands::code("1"))).await;
    assert_eq!(nothing, CheckOutcome::NotFound);
    let first = bench.open_and_exhaust(ALICE).await;
    let second = bench.open(ALICE).await;
    let code = bench.code(second.id).await;
    assert!(is_right(&bench.give(bench.check_of_address(ALICE, &code)).await));
    assert_eq!(bench.status(first.id).await, Status::Exhausted);
    let again = bench.give(bench.check_of_address(ALICE, &code)).await;
    assert_eq!(rejection(&again), Rejection::AlreadyUsed);
}

pub(super) async fn a_right_guess_that_does_not_consume_is_charged_and_the_code_stays_good<
    F: EngineFixture,
>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    let look = || CheckCommand { consume: false, ..bench.check_of(verification.id, &code) };
    for charged in 1..=4 {
        assert!(is_right(&bench.give(look()).await));
        let stored = bench.record(verification.id).await.verification;
        assert_eq!((stored.status, stored.checks_used), (Status::Pending, charged));
    }
    assert!(is_right(&bench.check(verification.id, &code).await));
    assert_eq!(bench.status(verification.id).await, Status::Approved);
}

pub(super) async fn what_was_given_up_takes_no_guess<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    assert!(matches!(bench.cancel(verification.id).await, CancelOutcome::Canceled(_)));
    assert!(matches!(bench.cancel(verification.id).await, CancelOutcome::Canceled(_)));
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Canceled);
}

pub(super) async fn what_ended_otherwise_is_not_given_up<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let approved = bench.open(ALICE).await;
    bench.check(approved.id, &bench.code(approved.id).await).await;
    let expired = bench.open(BOB).await;
    bench.at_second(600);
    for (id, status) in [(approved.id, Status::Approved), (expired.id, Status::Expired)] {
        assert!(matches!(bench.cancel(id).await, CancelOutcome::NotPending(_)));
        assert_eq!(bench.status(id).await, status);
    }
}
