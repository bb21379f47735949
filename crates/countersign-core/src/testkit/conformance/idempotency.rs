//! One effect for repeated requests.

use std::time::Duration;

use crate::code::Code;
use crate::engine::{
    Accepted, CheckCommand, Delivery, IdempotencyClaim, Idempotent, Refusal, ResendCommand, SendOutcome,
    StartCommand,
};
use crate::names::TenantId;
use crate::testkit::bench::*;
use crate::testkit::commands::claim;

fn claiming<F: EngineFixture>(bench: &Bench<F>, claim: IdempotencyClaim) -> StartCommand {
    StartCommand { idempotency: Some(claim), ..bench.start_of(ALICE) }
}

/// Shows: I8.
pub(super) async fn a_repeated_start_gets_the_same_answer_and_has_one_effect<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (first, at) = match bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start") {
        Idempotent::Fresh { outcome, at } => (outcome, at),
        other => panic!("{other:?}"),
    };
    bench.at_second(45);
    let again = bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start");
    assert_eq!(again, Idempotent::Replayed { outcome: first.clone(), at });
    assert_eq!(bench.record(accepted(first).1.id).await.messages.len(), 1);
    assert_eq!(bench.windows(ALICE).await.sends_hour, 1);
}

pub(super) async fn a_repeated_resend_sends_once<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(30);
    let resend = || ResendCommand { idempotency: Some(claim(1, 1)), ..bench.resend_of(verification.id) };
    let first = fresh(bench.engine().resend(resend()).await.expect("resend"));
    bench.at_second(300);
    assert_eq!(replayed(bench.engine().resend(resend()).await.expect("resend")), first);
    assert_eq!(bench.record(verification.id).await.verification.sends_used, 2);
}

/// Shows: A5.
pub(super) async fn a_repeated_check_is_charged_once_and_approved_twice<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    let check = |n, code: &Code| CheckCommand {
        idempotency: Some(claim(n, n)),
        ..bench.check_of(verification.id, code)
    };
    for (n, guess, right) in [(1, wrong(&code), false), (2, code.clone(), true)] {
        let first = fresh(bench.engine().check(check(n, &guess)).await.expect("check"));
        assert_eq!(is_right(&first), right);
        assert_eq!(replayed(bench.engine().check(check(n, &guess)).await.expect("check")), first);
    }
    assert_eq!(bench.record(verification.id).await.verification.checks_used, 2);
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 1);
}

/// Shows: O6.
pub(super) async fn one_key_for_two_requests_is_a_mismatch<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    opened(fresh(bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start")));
    let other = StartCommand { idempotency: Some(claim(1, 2)), ..bench.start_of(BOB) };
    assert_eq!(bench.engine().start(other).await.expect("start"), Idempotent::Mismatch);
    assert_eq!(bench.windows(BOB).await.starts_hour, 0);
}

/// Shows: O6.
pub(super) async fn keys_of_two_tenants_are_two_keys<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    opened(fresh(bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start")));
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    opened(fresh(bench.engine().start(claiming(&bench, claim(1, 2))).await.expect("start")));
}

/// Shows: O6.
pub(super) async fn an_answer_is_kept_for_a_day<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    opened(fresh(bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start")));
    bench.wait(DAY.checked_sub(Duration::from_millis(1)).expect("a day is longer"));
    replayed(bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start"));
    bench.wait(Duration::from_millis(1));
    opened(fresh(bench.engine().start(claiming(&bench, claim(1, 1))).await.expect("start")));
}

/// Shows: O6.
pub(super) async fn a_stored_answer_holds_no_code<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = || StartCommand { delivery: Delivery::Return, ..claiming(&bench, claim(1, 1)) };
    returned(fresh(bench.engine().start(start()).await.expect("start")));
    let SendOutcome::Accepted(again) = replayed(bench.engine().start(start()).await.expect("start")) else {
        panic!("refused")
    };
    let Accepted { verification, code, .. } = *again;
    assert_eq!(code, None);
    assert!(verification.destinations.iter().all(|d| d.sealed_code.is_none() && d.digest.is_none()));
}

pub(super) async fn what_was_refused_without_effect_may_be_asked_again<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let resend = || ResendCommand { idempotency: Some(claim(1, 1)), ..bench.resend_of(verification.id) };
    let early = fresh(bench.engine().resend(resend()).await.expect("resend"));
    assert_eq!(refusal(&early), Refusal::CoolDown { retry_after: 30 * SECOND });
    bench.at_second(30);
    resent(fresh(bench.engine().resend(resend()).await.expect("resend")));
    replayed(bench.engine().resend(resend()).await.expect("resend"));
}
