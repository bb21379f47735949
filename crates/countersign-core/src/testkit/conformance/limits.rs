//! What is counted across verifications.

use std::time::Duration;

use crate::engine::{Delivery, Refusal, Rejection, SendOutcome, StartCommand};
use crate::names::TenantId;
use crate::policy::FailureBudget;
use crate::testkit::bench::*;
use crate::testkit::commands::code;
use crate::verification::{FailureLevel, Hold};

/// Opens and gives up at once, which leaves the start counted.
async fn open_and_cancel<F: EngineFixture>(bench: &Bench<F>) {
    let verification = bench.open(ALICE).await;
    bench.cancel(verification.id).await;
}

pub(super) async fn five_starts_an_hour_are_accepted_and_no_more<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for second in 0..5 {
        bench.at_second(second);
        open_and_cancel(&bench).await;
    }
    let refused = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(refused, Refusal::RecipientLimit { retry_after: 3596 * SECOND });
    bench.at_second(3600);
    bench.open(ALICE).await;
    bench.open(BOB).await;
}

pub(super) async fn ten_starts_a_day_are_accepted_and_no_more<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for hour in 0..10 {
        bench.at_second(hour * 3600);
        open_and_cancel(&bench).await;
    }
    bench.at_second(86_399);
    let refused = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(refused, Refusal::RecipientLimit { retry_after: SECOND });
    bench.at_second(86_400);
    bench.open(ALICE).await;
}

pub(super) async fn of_two_full_windows_the_longer_wait_counts<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.starts_per_hour = 2;
    bench.caps.recipient.starts_per_day = 3;
    for second in [0, 3_000, 3_600] {
        bench.at_second(second);
        open_and_cancel(&bench).await;
    }
    let refused = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(refused, Refusal::RecipientLimit { retry_after: 23 * HOUR });
}

/// The first failure is one second older than the others, so that the hold ends with it.
/// Shows: A1.
pub(super) async fn twenty_failed_checks_hold_until_the_oldest_is_a_day_old<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for second in 0..4 {
        bench.at_second(second);
        bench.open_and_exhaust(ALICE).await;
    }
    let (held, now) = (bench.ledger(ALICE).await, bench.now());
    assert_eq!(held.hold(&bench.caps.recipient, now), Some(Hold::FailedChecks(DAY - 3 * SECOND)));
    let refused = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(refused, Refusal::RecipientHeld { retry_after: DAY - 3 * SECOND });
    bench.at_second(86_400);
    bench.open(ALICE).await;
}

pub(super) async fn while_held_nothing_is_compared_and_nothing_charged<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.failed_checks_per_day = 2;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.check(verification.id, &wrong(&code)).await;
    bench.check(verification.id, &wrong(&code)).await;
    bench.at_second(30);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::RecipientHeld);
    assert!(matches!(refusal(&bench.resend(verification.id).await), Refusal::RecipientHeld { .. }));
    let stored = bench.record(verification.id).await.verification;
    assert_eq!((stored.checks_used, stored.sends_used), (2, 1));
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 2);
}

/// Shows: N3.
pub(super) async fn a_row_of_failures_holds_until_an_administrator_releases<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.hold_after = 5;
    bench.open_and_exhaust(ALICE).await;
    bench.wait(365 * DAY);
    let refused = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(refused, Refusal::RecipientHeld { retry_after: DAY });
    let release = || bench.administer(ALICE, "recipient.released");
    assert!(bench.engine().release(release()).await.expect("release"));
    assert!(!bench.engine().release(release()).await.expect("release"), "there is none any more");
    bench.open(ALICE).await;
    let actions: Vec<_> = bench.audit().await.into_iter().map(|event| event.action).collect();
    assert_eq!(actions, ["recipient.held", "recipient.released"]);
}

pub(super) async fn a_release_forgives_failures_and_no_starts<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.failed_checks_per_day = 5;
    bench.open_and_exhaust(ALICE).await;
    assert!(bench.engine().release(bench.administer(ALICE, "recipient.released")).await.expect("release"));
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.failed_checks_day, windows.consecutive_failures), (0, 0));
    assert_eq!((windows.starts_hour, windows.sends_hour), (1, 1));
}

/// Shows: N3.
pub(super) async fn a_right_code_ends_the_row_of_failures_and_not_the_days<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.check(verification.id, &wrong(&code)).await;
    assert_eq!(bench.windows(ALICE).await.consecutive_failures, 1);
    bench.check(verification.id, &code).await;
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.consecutive_failures, windows.failed_checks_day), (0, 1));
}

/// Shows: A20.
pub(super) async fn a_client_address_opens_no_more_than_its_cap<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.client_starts_per_hour = 2;
    bench.caps.client_limit_refuses = true;
    let from = |client: u8, to: &str| StartCommand { client: Some([client; 16]), ..bench.start_of(to) };
    opened(bench.start(from(1, ALICE)).await);
    opened(bench.start(from(1, BOB)).await);
    let refused = refusal(&bench.start(from(1, MAIL)).await);
    assert_eq!(refused, Refusal::ClientLimit { retry_after: HOUR });
    opened(bench.start(from(2, MAIL)).await);
}

/// Shows: F19.
pub(super) async fn f19_a_client_address_over_its_cap_is_reported_and_not_refused<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.client_starts_per_hour = 2;
    for (to, over) in [(ALICE, false), (BOB, false), (MAIL, true)] {
        let start = StartCommand { client: Some([1; 16]), ..bench.start_of(to) };
        let SendOutcome::Accepted(accepted) = bench.start(start).await else { panic!("refused") };
        assert_eq!(accepted.client_is_over, over, "{to}");
    }
}

/// A class of pupils who all prove their numbers needs no more places than those who are at it.
/// Shows: F19.
pub(super) async fn f19_an_approval_gives_its_clients_start_back<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.client_starts_per_hour = 1;
    bench.caps.client_limit_refuses = true;
    let from = |bench: &Bench<F>, to: &str| StartCommand { client: Some([1; 16]), ..bench.start_of(to) };
    for to in [ALICE, BOB, MAIL] {
        let verification = opened(bench.start(from(&bench, to)).await);
        let refused = refusal(&bench.start(from(&bench, "+12125550199")).await);
        assert!(matches!(refused, Refusal::ClientLimit { .. }), "{refused:?}");
        bench.wait(MINUTE);
        bench.fixture.reopen().await;
        let code = bench.code(verification.id).await;
        bench.check(verification.id, &wrong(&code)).await;
        assert!(is_right(&bench.check(verification.id, &code).await));
    }
}

/// At each level what runs goes on as it began, what is opened is harder to guess, and a right code is
/// accepted.
/// Shows: F5, P18.
pub(super) async fn f5_the_tenants_failures_raise_the_bar_and_lock_nobody_out<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.tenant_failures = FailureBudget { alert: 2, raised: 5, severe: 8 };
    let level = async |bench: &Bench<F>| {
        let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
        usage.ledger.level(&bench.caps.tenant_failures, bench.now())
    };
    let before = bench.open(BOB).await;
    bench.open_and_exhaust(ALICE).await;
    assert_eq!(level(&bench).await, FailureLevel::Raised);
    let raised = bench.open(MAIL).await;
    assert_eq!([before.terms.code.length, raised.terms.code.length], [6, 8]);
    let code = bench.code(raised.id).await;
    assert_eq!(code.expose().len(), 8);
    for _ in 0..3 {
        bench.check(raised.id, &wrong(&code)).await;
    }
    assert_eq!(level(&bench).await, FailureLevel::Severe);
    let held = bench.check(raised.id, &code).await;
    assert_eq!(rejection(&held), Rejection::RecipientHeld, "two failures hold a recipient now");
    assert!(is_right(&bench.check(before.id, &bench.code(before.id).await).await));
    let told: Vec<_> = (bench.audit().await.into_iter())
        .filter(|event| event.action == "tenant.failures")
        .map(|event| event.subject)
        .collect();
    assert_eq!(told, ["alert", "raised", "severe"], "each level is told once");
    bench.fixture.reopen().await;
    assert_eq!(level(&bench).await, FailureLevel::Severe);
    bench.wait(DAY + 15 * MINUTE);
    assert_eq!(level(&bench).await, FailureLevel::Normal);
    assert_eq!(bench.open(MAIL).await.terms.code.length, 6);
}

/// Shows: F5.
pub(super) async fn f5_an_approval_gives_back_what_its_verification_failed<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let failures = async |bench: &Bench<F>| {
        let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
        usage.ledger.open_failures(bench.now())
    };
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for _ in 0..3 {
        bench.check(verification.id, &wrong(&code)).await;
        bench.wait(MINUTE);
    }
    let other = bench.open(BOB).await;
    bench.check(other.id, &wrong(&bench.code(other.id).await)).await;
    assert_eq!(failures(&bench).await, 4);
    bench.check(verification.id, &code).await;
    assert_eq!(failures(&bench).await, 1);
    bench.wait(DAY + 15 * MINUTE);
    assert_eq!(failures(&bench).await, 0);
}

/// Shows: F5.
pub(super) async fn f5_what_proves_nobody_is_charged_to_no_tenant<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let mut test = bench.start_of(ALICE);
    test.destinations[0].test = true;
    let mut nobody = StartCommand { delivery: Delivery::Pretend, ..bench.start_of(BOB) };
    nobody.destinations[0].recipient = None;
    for start in [test, nobody] {
        let verification = opened(bench.start(start).await);
        for _ in 0..5 {
            let outcome = bench.check(verification.id, &code("WRONG1")).await;
            assert_eq!(rejection(&outcome), Rejection::WrongCode);
        }
    }
    let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
    assert_eq!((usage.ledger.open_failures(bench.now()), usage.ledger.starts(bench.now())), (0, 0));
}

/// Shows: A20.
pub(super) async fn what_a_tenant_spends_a_day_stays_under_its_cap<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.tenant_spend_per_day_micros = Some(100);
    let costing = |to, cost_micros| StartCommand { cost_micros, ..bench.start_of(to) };
    opened(bench.start(costing(ALICE, 60)).await);
    assert!(matches!(refusal(&bench.start(costing(BOB, 41)).await), Refusal::TenantBudget { .. }));
    let returned = StartCommand { delivery: Delivery::Return, ..costing(BOB, 41) };
    opened(bench.start(returned).await);
    opened(bench.start(costing(MAIL, 40)).await);
    bench.wait(DAY + 15 * MINUTE);
    opened(bench.start(costing(BOB, 100)).await);
}

pub(super) async fn limits_of_one_tenant_do_not_touch_another<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.failed_checks_per_day = 5;
    bench.caps.tenant_failures = FailureBudget { alert: 1, raised: 1, severe: 1 };
    bench.open_and_exhaust(ALICE).await;
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    let verification = bench.open(ALICE).await;
    assert_eq!(verification.terms.code.length, 6);
    assert!(is_right(&bench.check(verification.id, &bench.code(verification.id).await).await));
}

/// A resend, a new start, another purpose: one budget of guesses in all.
/// Shows: I2, A3, P10.
pub(super) async fn no_detour_buys_a_twenty_first_guess<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.starts_per_hour = 100;
    bench.caps.recipient.starts_per_day = 100;
    let mut compared = 0;
    for round in 0_u64..30 {
        bench.wait(Duration::from_secs(31));
        let purpose = if round % 2 == 0 { "login" } else { "payment" }.parse().expect("a purpose");
        let own = code(&format!("{}", 555_555 + round));
        let start = StartCommand { purpose, custom_code: Some(own), ..bench.start_of(ALICE) };
        let crate::engine::SendOutcome::Accepted(running) = bench.start(start).await else { continue };
        for guess in 0..6 {
            if guess == 3 {
                bench.wait(Duration::from_secs(31));
                bench.resend(running.verification.id).await;
            }
            let outcome = bench.check(running.verification.id, &code("000000")).await;
            compared += u32::from(rejection(&outcome) == Rejection::WrongCode);
        }
    }
    assert_eq!(compared, 20);
}
