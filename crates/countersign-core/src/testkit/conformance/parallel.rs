//! Many at once.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::code::Code;
use crate::directory::{Directories, User, UserBy, UserChange};
use crate::engine::{
    AcceptedKind, CheckOutcome, Idempotent, NonceCommand, NonceOutcome, Rejection, SendOutcome, StartCommand,
    UserIndex,
};
use crate::engine::{NameConflict, PutUser, StoredUser};
use crate::outbox::Slots;
use crate::testkit::bench::*;
use crate::testkit::commands::{claim, claim_into, directory, nonce};
use crate::testkit::conformance::directory::user;
use crate::testkit::{ManualClock, SeededEntropy};
use crate::time::Timestamp;
use crate::verification::Status;

/// Lets all of them go at the same time; answers what each came to.
pub(super) async fn all_at_once<T: Send + 'static, Fut: Future<Output = T> + Send + 'static>(
    acts: impl IntoIterator<Item = Fut>,
) -> Vec<T> {
    let acts: Vec<Fut> = acts.into_iter().collect();
    let start = Arc::new(Barrier::new(acts.len()));
    let mut running = JoinSet::new();
    for act in acts {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            act.await
        });
    }
    running.join_all().await
}

async fn guess_at_once<F: EngineFixture>(
    bench: &Bench<F>,
    guesses: Vec<crate::engine::CheckCommand>,
) -> Vec<CheckOutcome> {
    all_at_once(guesses.into_iter().map(|guess| {
        let engine = bench.engine();
        async move { fresh(engine.check(guess).await.expect("check")) }
    }))
    .await
}

async fn start_at_once<F: EngineFixture>(
    bench: &Bench<F>,
    starts: Vec<StartCommand>,
) -> Vec<Idempotent<SendOutcome>> {
    all_at_once(starts.into_iter().map(|start| {
        let engine = bench.engine();
        async move { engine.start(start).await.expect("start") }
    }))
    .await
}

/// One verification of `ALICE` and its code.
async fn open_with_code<F: EngineFixture>(bench: &Bench<F>) -> (crate::ids::VerificationId, Code) {
    let verification = bench.open(ALICE).await;
    (verification.id, bench.code(verification.id).await)
}

/// Shows: I1.
pub(super) async fn of_64_parallel_right_codes_one_wins<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (id, code) = open_with_code(&bench).await;
    let outcomes = guess_at_once(&bench, vec![bench.check_of(id, &code); 64]).await;
    assert_eq!(outcomes.iter().filter(|outcome| is_right(outcome)).count(), 1);
    let used = |o: &&CheckOutcome| !is_right(o) && rejection(o) == Rejection::AlreadyUsed;
    assert_eq!(outcomes.iter().filter(used).count(), 63);
    assert_eq!(bench.record(id).await.verification.checks_used, 1);
}

/// Shows: I2, A2.
pub(super) async fn of_100_parallel_wrong_codes_five_are_compared<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (id, code) = open_with_code(&bench).await;
    let outcomes = guess_at_once(&bench, vec![bench.check_of(id, &wrong(&code)); 100]).await;
    let reasons: Vec<Rejection> = outcomes.iter().map(rejection).collect();
    assert_eq!(reasons.iter().filter(|r| **r == Rejection::WrongCode).count(), 5);
    assert_eq!(reasons.iter().filter(|r| **r == Rejection::Exhausted).count(), 95);
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 5);
}

/// Shows: N8, A2, P8.
pub(super) async fn right_codes_among_many_wrong_ones_win_once_at_most<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (id, code) = open_with_code(&bench).await;
    let mut guesses = vec![bench.check_of(id, &wrong(&code)); 96];
    for place in [1, 30, 60, 90] {
        guesses.insert(place, bench.check_of(id, &code));
    }
    let outcomes = guess_at_once(&bench, guesses).await;
    assert!(outcomes.iter().filter(|outcome| is_right(outcome)).count() <= 1);
    let stored = bench.record(id).await.verification;
    assert!(stored.status != Status::Pending && stored.checks_used <= 5);
}

pub(super) async fn parallel_starts_open_one_verification<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let starts = (0..32).map(|_| bench.start_of(ALICE)).collect();
    let kinds: Vec<_> =
        start_at_once(&bench, starts).await.into_iter().map(|answer| accepted(fresh(answer)).0).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == AcceptedKind::Opened).count(), 1);
    assert_eq!(bench.windows(ALICE).await.sends_hour, 1);
}

/// Shows: I5.
pub(super) async fn parallel_starts_never_pass_the_cap<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let purpose = |n: u32| format!("purpose-{n}").parse().expect("a purpose");
    let starts = (0..32).map(|n| StartCommand { purpose: purpose(n), ..bench.start_of(ALICE) }).collect();
    let answers = start_at_once(&bench, starts).await;
    let accepted = answers.into_iter().map(fresh).filter(|o| matches!(o, SendOutcome::Accepted(_))).count();
    assert_eq!((accepted, bench.windows(ALICE).await.starts_hour), (5, 5));
}

/// Shows: I8.
pub(super) async fn parallel_requests_with_one_key_have_one_effect<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = || StartCommand { idempotency: Some(claim(1, 1)), ..bench.start_of(ALICE) };
    let answers = start_at_once(&bench, (0..32).map(|_| start()).collect()).await;
    let fresh = answers.iter().filter(|answer| matches!(answer, Idempotent::Fresh { .. })).count();
    assert_eq!((fresh, bench.windows(ALICE).await.sends_hour), (1, 1));
    let again = accepted(replayed(bench.engine().start(start()).await.expect("start"))).1;
    for answer in answers {
        match answer {
            Idempotent::Fresh { outcome, .. } | Idempotent::Replayed { outcome, .. } => {
                assert_eq!(accepted(outcome).1, again);
            }
            Idempotent::Mismatch => panic!("the request is the same"),
        }
    }
}

/// Nobody is told to come back later because another request with the key is under way: whoever comes second
/// waits for the first one's commit and reads what it stored.
/// Shows: O6.
pub(super) async fn parallel_requests_with_one_key_are_all_answered<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = |n: u8| StartCommand { idempotency: Some(claim(1, n % 2)), ..bench.start_of(ALICE) };
    let answers = start_at_once(&bench, (0..32).map(start).collect()).await;
    let of_kind = |kind: fn(&Idempotent<SendOutcome>) -> bool| answers.iter().filter(|a| kind(a)).count();
    let fresh = of_kind(|answer| matches!(answer, Idempotent::Fresh { .. }));
    let replayed = of_kind(|answer| matches!(answer, Idempotent::Replayed { .. }));
    let mismatched = of_kind(|answer| matches!(answer, Idempotent::Mismatch));
    assert_eq!((fresh, replayed, mismatched), (1, 15, 16));
    assert_eq!(bench.windows(ALICE).await.sends_hour, 1);
}

/// Shows: P21.
pub(super) async fn no_message_goes_to_two_dispatchers<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for number in 0..20 {
        bench.open(&format!("+121255501{number:02}")).await;
    }
    let now = bench.now();
    let claims = (0..8).map(|_| {
        let engine = bench.engine();
        let command = claim_into(Slots::in_all(5), now);
        async move { engine.claim_messages(command).await.expect("claim") }
    });
    let mut ids: Vec<_> = all_at_once(claims).await.into_iter().flatten().map(|m| m.id).collect();
    ids.sort_unstable();
    let claimed = ids.len();
    ids.dedup();
    assert_eq!((claimed, ids.len()), (20, 20));
}

pub(super) async fn of_parallel_writes_of_one_user_one_wins<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = user(&bench, 1, ALICE);
    let put = bench.engine().put_user(&bench.tenant, &directory(), first, None, NameConflict::Move).await;
    assert_eq!(put, Ok(PutUser::Written));
    let writes = (0..16).map(|_| {
        let (engine, tenant) = (bench.engine(), bench.tenant.clone());
        let change = StoredUser { sequence: 2, ..user(&bench, 1, BOB) };
        async move {
            engine.put_user(&tenant, &directory(), change, Some(1), NameConflict::Move).await
                == Ok(PutUser::Written)
        }
    });
    let won = all_at_once(writes).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    let stored =
        bench.engine().find_user(&bench.tenant, &directory(), UserIndex::Id([1; 16])).await.expect("find");
    assert_eq!(stored.map(|user| user.sequence), Some(2));
}

pub(super) async fn of_parallel_changes_of_one_user_none_is_lost<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let (keys, clock) = (Arc::new(crate::testkit::keys()), Arc::new(ManualClock::default()));
    let entropy = Arc::new(SeededEntropy::default());
    let directory = Directories::new(bench.engine(), keys, clock, entropy).named(directory());
    directory.put(&bench.tenant, "1", &UserChange::default(), None).await.expect("put");
    let changes = (0..16).map(|n| {
        let (directory, tenant) = (directory.clone(), bench.tenant.clone());
        let note = move |user: &mut User| {
            user.contact_changes.push(Timestamp::from_millis(n));
            Ok::<_, ()>(())
        };
        async move { directory.update(&tenant, "1", note).await.expect("update").is_some() }
    });
    assert!(all_at_once(changes).await.into_iter().all(|done| done));
    let user = directory.find(&bench.tenant, UserBy::Id("1")).await.expect("find").expect("it is there");
    assert_eq!((user.contact_changes.len(), user.sequence), (16, 17));
}

/// Shows: A8.
pub(super) async fn of_100_parallel_nonces_one_is_fresh<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let spends = (0..100).map(|_| {
        let (engine, now) = (bench.engine(), bench.now());
        let command = nonce(&bench.tenant, 1, now + MINUTE, now);
        async move { engine.spend_nonce(command).await.expect("spend") }
    });
    let outcomes = all_at_once(spends).await;
    let came_to = |what| outcomes.iter().filter(|outcome| **outcome == what).count();
    assert_eq!(came_to(NonceOutcome::Fresh), 1);
    assert_eq!(came_to(NonceOutcome::Seen { same_request: true }), 99);
}

pub(super) async fn parallel_nonces_never_pass_the_budget<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let spends = (0..32).map(|key| {
        let (engine, now) = (bench.engine(), bench.now());
        let command = nonce(&bench.tenant, key, now + MINUTE, now);
        async move { engine.spend_nonce(NonceCommand { budget: 5, ..command }).await.expect("spend") }
    });
    let outcomes = all_at_once(spends).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == NonceOutcome::Fresh).count(), 5);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == NonceOutcome::Full).count(), 27);
}

pub(super) async fn parallel_audit_entries_make_one_chain<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let event = crate::testkit::commands::audit_event(&bench.tenant, "event", bench.now());
    let appends = (0..16).map(|_| {
        let (engine, event) = (bench.engine(), event.clone());
        async move { engine.append_audit(vec![event]).await.expect("append") }
    });
    all_at_once(appends).await;
    let mut verifier = crate::audit::Verifier::new(&bench.keys);
    for entry in bench.engine().audit_entries(0, 100).await.expect("read") {
        verifier.entry(&entry).expect("an unbroken chain");
    }
    assert_eq!(verifier.finish(bench.engine().audit_head().await.expect("read").as_ref()), Ok(16));
}
