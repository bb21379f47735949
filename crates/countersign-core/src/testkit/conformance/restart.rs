//! What a restart keeps: everything.

use crate::engine::{
    CheckCommand, Idempotent, NameConflict, NonceCommand, NonceOutcome, PutUser, Refusal, Rejection,
    StartCommand, UserIndex,
};
use crate::outbox::{Abandoned, MAX_SUBMISSIONS, MessageState};
use crate::testkit::bench::*;
use crate::testkit::commands::{claim, directory, nonce};
use crate::testkit::conformance::directory::user;
use crate::testkit::conformance::nonces::give;
use crate::verification::Status;

pub(super) async fn a_restart_keeps_what_is_pending_and_its_checks<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for _ in 0..4 {
        bench.check(verification.id, &wrong(&code)).await;
    }
    let before = bench.record(verification.id).await;
    bench.fixture.reopen().await;
    assert_eq!(bench.record(verification.id).await, before);
    assert_eq!(rejection(&bench.check(verification.id, &wrong(&code)).await), Rejection::WrongCode);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Exhausted);
}

/// Shows: I1, P29.
pub(super) async fn a_restart_revives_no_used_code<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    assert!(is_right(&bench.check(verification.id, &code).await));
    bench.fixture.reopen().await;
    assert_eq!(bench.status(verification.id).await, Status::Approved);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::AlreadyUsed);
}

/// Shows: I2.
pub(super) async fn a_restart_keeps_counters_and_holds<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.hold_after = 5;
    bench.caps.client_starts_per_hour = 1;
    bench.caps.client_limit_refuses = true;
    let from_client = |bench: &Bench<F>, to| StartCommand { client: Some([1; 16]), ..bench.start_of(to) };
    opened(bench.start(from_client(&bench, MAIL)).await);
    bench.open_and_exhaust(ALICE).await;
    let ledger = bench.ledger(ALICE).await;
    bench.fixture.reopen().await;
    assert_eq!(bench.ledger(ALICE).await, ledger);
    assert!(matches!(refusal(&bench.start(bench.start_of(ALICE)).await), Refusal::RecipientHeld { .. }));
    assert!(matches!(refusal(&bench.start(from_client(&bench, BOB)).await), Refusal::ClientLimit { .. }));
    let usage = bench.engine().tenant_usage(&bench.tenant).await.expect("usage");
    assert_eq!((usage.ledger.open_failures(bench.now()), usage.ledger.starts(bench.now())), (5, 2));
}

/// Shows: I8.
pub(super) async fn a_restart_keeps_answers<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    let check = CheckCommand { idempotency: Some(claim(1, 1)), ..bench.check_of(verification.id, &code) };
    let Idempotent::Fresh { outcome, at } = bench.engine().check(check.clone()).await.expect("check") else {
        panic!("not fresh")
    };
    bench.wait(HOUR);
    bench.fixture.reopen().await;
    let again = bench.engine().check(check).await.expect("check");
    assert_eq!(again, Idempotent::Replayed { outcome, at });
}

/// Nobody holds them any more: what was in flight goes out at once, and stays counted.
///
/// Shows: E11.
pub(super) async fn e11_a_restart_keeps_messages_and_frees_their_leases<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let leased = bench.claim().await.remove(0);
    let queued = bench.open(BOB).await;
    bench.fixture.reopen().await;
    let claimed = bench.claim().await;
    let seen: Vec<_> = claimed.iter().map(|m| (m.verification, m.submissions)).collect();
    assert_eq!(seen, [(leased.verification, 2), (queued.id, 1)], "the older one first");
    bench.report(&leased, failed()).await;
    assert_eq!(bench.record(leased.verification).await.messages[0], claimed[0], "it is another lease");
    bench.report(&leased, taken()).await;
    let stored = &bench.record(leased.verification).await.messages[0];
    assert!(matches!(stored.state, MessageState::Sent { .. }));
}

/// Shows: E11, I4.
pub(super) async fn e11_restarts_add_no_submission<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    for _ in 0..MAX_SUBMISSIONS {
        assert_eq!(bench.claim().await.len(), 1);
        bench.fixture.reopen().await;
    }
    assert!(bench.claim().await.is_empty());
    let message = &bench.record(verification.id).await.messages[0];
    assert_eq!(message.state, MessageState::Abandoned { reason: Abandoned::Submissions });
}

/// Shows: I6.
pub(super) async fn a_restart_turns_no_clock_back<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.at_second(600);
    bench.engine().probe(bench.now()).await.expect("probe");
    bench.fixture.reopen().await;
    bench.clock = crate::testkit::ManualClock::default();
    assert!(!is_right(&bench.check(verification.id, &code).await));
}

pub(super) async fn a_restart_keeps_users_and_the_audit_log<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let stored = user(&bench, 1, ALICE);
    let put =
        bench.engine().put_user(&bench.tenant, &directory(), stored.clone(), None, NameConflict::Move).await;
    assert_eq!(put, Ok(PutUser::Written));
    bench.engine().erase(bench.administer(BOB, "recipient.erased")).await.expect("erase");
    let (head, log) = (bench.engine().audit_head().await.expect("read"), bench.audit().await);
    bench.fixture.reopen().await;
    let found =
        bench.engine().find_user(&bench.tenant, &directory(), UserIndex::Id([1; 16])).await.expect("find");
    assert_eq!(found, Some(stored));
    assert_eq!((bench.engine().audit_head().await.expect("read"), bench.audit().await), (head, log));
}

/// Shows: A8.
pub(super) async fn a_restart_keeps_nonces_and_their_number<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let of_two = |bench: &Bench<F>, key| {
        let command = nonce(&bench.tenant, key, bench.now() + MINUTE, bench.now());
        NonceCommand { budget: 2, ..command }
    };
    for key in [1, 2] {
        assert_eq!(give(&bench, of_two(&bench, key)).await, NonceOutcome::Fresh);
    }
    bench.fixture.reopen().await;
    for key in [1, 2] {
        assert_eq!(give(&bench, of_two(&bench, key)).await, NonceOutcome::Seen { same_request: true });
    }
    assert_eq!(give(&bench, of_two(&bench, 3)).await, NonceOutcome::Full);
}
