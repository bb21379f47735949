//! What must be presented once only.

use std::time::Duration;

use crate::engine::{NonceCommand, NonceKind, NonceOutcome};
use crate::names::TenantId;
use crate::testkit::ManualClock;
use crate::testkit::bench::*;
use crate::testkit::commands::nonce;

const AGAIN: NonceOutcome = NonceOutcome::Seen { same_request: true };

/// What came of spending a nonce that is kept for a minute.
pub(super) async fn spend<F: EngineFixture>(bench: &Bench<F>, key: u8) -> NonceOutcome {
    give(bench, nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now())).await
}

pub(super) async fn give<F: EngineFixture>(bench: &Bench<F>, command: NonceCommand) -> NonceOutcome {
    bench.engine().spend_nonce(command).await.expect("spend")
}

/// Shows: A8.
pub(super) async fn a_nonce_is_fresh_once_and_seen_ever_after<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
    for _ in 0..3 {
        assert_eq!(spend(&bench, 1).await, AGAIN);
    }
    assert_eq!(spend(&bench, 2).await, NonceOutcome::Fresh);
}

pub(super) async fn a_nonce_of_another_request_is_seen_all_the_same<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    spend(&bench, 1).await;
    let command = nonce(&bench.tenant, 1, bench.now() + HOUR, bench.now());
    let other = NonceCommand { request: [2; 16], ..command };
    assert_eq!(give(&bench, other).await, NonceOutcome::Seen { same_request: false });
    assert_eq!(spend(&bench, 1).await, AGAIN);
}

pub(super) async fn nonces_of_two_tenants_are_two_nonces<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
}

/// Also when it is presented again meanwhile, and however often there is a sweep.
/// Shows: A8.
pub(super) async fn a_nonce_is_kept_until_its_last_instant<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    spend(&bench, 1).await;
    for _ in 0..2 {
        bench.wait(MINUTE / 2);
        assert!(!bench.sweep().await.did_something());
        assert_eq!(spend(&bench, 1).await, AGAIN);
    }
    bench.wait(Duration::from_millis(1));
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
    assert_eq!(spend(&bench, 1).await, AGAIN);
}

pub(super) async fn a_nonce_that_ran_out_is_swept_and_may_come_again<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for key in 1..=3 {
        spend(&bench, key).await;
    }
    bench.wait(MINUTE + Duration::from_millis(1));
    assert_eq!(bench.engine().sweep(2, bench.now()).await.expect("sweep").forgotten, 2);
    assert_eq!(bench.engine().sweep(2, bench.now()).await.expect("sweep").forgotten, 1);
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
}

/// Shows: I6, A8.
pub(super) async fn a_clock_set_back_forgets_no_nonce<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.at_second(90);
    bench.engine().probe(bench.now()).await.expect("probe");
    bench.clock = ManualClock::default();
    // By the clock it would be kept for a minute; by the store's time it is over.
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Over);
    bench.at_second(40);
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
    bench.clock = ManualClock::default();
    assert_eq!(spend(&bench, 1).await, AGAIN);
}

pub(super) async fn a_nonce_whose_time_is_over_is_refused<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.at_second(60);
    let last = bench.now() - Duration::from_millis(1);
    for _ in 0..2 {
        let late = nonce(&bench.tenant, 1, last, bench.now());
        assert_eq!(give(&bench, late).await, NonceOutcome::Over);
    }
}

/// Shows: A8.
pub(super) async fn a_full_budget_refuses_and_forgets_nothing<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let of_three = |bench: &Bench<F>, key| {
        let command = nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now());
        NonceCommand { budget: 3, ..command }
    };
    for key in 1..=3 {
        assert_eq!(give(&bench, of_three(&bench, key)).await, NonceOutcome::Fresh);
    }
    for _ in 0..2 {
        assert_eq!(give(&bench, of_three(&bench, 4)).await, NonceOutcome::Full);
    }
    for key in 1..=3 {
        assert_eq!(give(&bench, of_three(&bench, key)).await, AGAIN);
    }
    bench.tenant = TenantId::parse("other").expect("a tenant id");
    assert_eq!(give(&bench, of_three(&bench, 4)).await, NonceOutcome::Fresh);
}

/// A nonce that comes again after its time takes the place of its own row.
pub(super) async fn a_budget_has_room_again_when_nonces_ran_out<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let of_two = |key| {
        let command = nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now());
        NonceCommand { budget: 2, ..command }
    };
    give(&bench, of_two(1)).await;
    give(&bench, of_two(2)).await;
    bench.wait(MINUTE + SECOND);
    assert_eq!(give(&bench, of_two(1)).await, NonceOutcome::Fresh);
    assert_eq!(bench.sweep().await.forgotten, 1);
    assert_eq!(give(&bench, of_two(3)).await, NonceOutcome::Fresh);
    assert_eq!(give(&bench, of_two(4)).await, NonceOutcome::Full);
}

/// Nonces of requests without a time are kept for long; they fill a budget of their own.
/// Shows: F6.
pub(super) async fn f6_undated_nonces_have_a_budget_of_their_own<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let of = |bench: &Bench<F>, kind, key| {
        let command = nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now());
        NonceCommand { kind, budget: 2, ..command }
    };
    for key in 1..=2 {
        assert_eq!(give(&bench, of(&bench, NonceKind::Undated, key)).await, NonceOutcome::Fresh);
    }
    assert_eq!(give(&bench, of(&bench, NonceKind::Undated, 3)).await, NonceOutcome::Full);
    bench.fixture.reopen().await;
    // One nonce is good for one request, dated or not.
    assert_eq!(give(&bench, of(&bench, NonceKind::Dated, 1)).await, AGAIN);
    assert_eq!(give(&bench, of(&bench, NonceKind::Dated, 4)).await, NonceOutcome::Fresh);
    let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
    assert_eq!((usage.nonces, usage.undated_nonces), (1, 2));
    bench.wait(MINUTE + SECOND);
    // In the place of one that ran out, and counted with its own kind.
    assert_eq!(give(&bench, of(&bench, NonceKind::Dated, 1)).await, NonceOutcome::Fresh);
    let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
    assert_eq!((usage.nonces, usage.undated_nonces), (2, 1));
    bench.sweep().await;
    let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
    assert_eq!((usage.nonces, usage.undated_nonces), (1, 0));
}

/// Shows: F6.
pub(super) async fn f6_a_nonce_that_is_only_looked_at_is_not_kept<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let look = |key| {
        let command = nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now());
        NonceCommand { keep: false, budget: 0, ..command }
    };
    for _ in 0..2 {
        assert_eq!(give(&bench, look(1)).await, NonceOutcome::Fresh);
    }
    assert_eq!(spend(&bench, 1).await, NonceOutcome::Fresh);
    assert_eq!(give(&bench, look(1)).await, AGAIN);
}
