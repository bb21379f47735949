//! Who is held, what is kept for trusted calls meanwhile, and how a hold ends before its time.

use crate::engine::{
    CheckCommand, CheckOutcome, HeldPage, HeldPlace, HeldQuery, Refusal, Rejection, ResendCommand,
    SendOutcome, StartCommand,
};
use crate::policy::RecipientCaps;
use crate::testkit::bench::*;
use crate::testkit::commands::recipient_keys;
use crate::verification::{ClientKey, EndsHold, Hold, Status, Verification};

const HOME: Option<ClientKey> = Some([1; 16]);
const ELSEWHERE: Option<ClientKey> = Some([2; 16]);

/// A bench at which two failed guesses hold a recipient for the day.
async fn strict<F: EngineFixture>() -> Bench<F> {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.failed_checks_per_day = 2;
    bench
}

/// A stranger's guesses at a code that somebody gets; the verification is pending still.
async fn fail<F: EngineFixture>(
    bench: &Bench<F>,
    to: &str,
    times: u32,
    client: Option<ClientKey>,
) -> Verification {
    let verification = opened(bench.start(bench.start_of(to)).await);
    let wrong = wrong(&bench.code(verification.id).await);
    for _ in 0..times {
        let guess = CheckCommand { client, ..bench.check_of(verification.id, &wrong) };
        assert_eq!(rejection(&bench.give(guess).await), Rejection::WrongCode);
    }
    verification
}

fn trusted<F: EngineFixture>(bench: &Bench<F>, to: &str) -> StartCommand {
    StartCommand { trusted: true, ..bench.start_of(to) }
}

/// Whether a code is right by a trusted call.
async fn proves<F: EngineFixture>(bench: &Bench<F>, verification: &Verification) -> bool {
    let code = bench.code(verification.id).await;
    let guess = CheckCommand { trusted: true, ..bench.check_of(verification.id, &code) };
    matches!(bench.give(guess).await, CheckOutcome::Right { .. })
}

async fn hold<F: EngineFixture>(bench: &Bench<F>, to: &str) -> Option<Hold> {
    bench.ledger(to).await.hold(&bench.caps.recipient, bench.now())
}

/// Shows: F12, A23.
pub(super) async fn f12_a_held_person_proves_themselves_by_trusted_calls<F: EngineFixture>() {
    let bench = strict::<F>().await;
    let strangers = fail(&bench, ALICE, 2, None).await;
    assert!(matches!(refusal(&bench.start(bench.start_of(ALICE)).await), Refusal::RecipientHeld { .. }));
    let reserved = opened(bench.start(trusted(&bench, ALICE)).await);
    assert!(reserved.reserved);
    assert_eq!(bench.status(strangers.id).await, Status::Canceled, "nobody can guess at it any more");
    assert!(proves(&bench, &reserved).await);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.reserved_starts_day, windows.starts_day, windows.failed_checks_day), (1, 1, 2));
    assert!(matches!(hold(&bench, ALICE).await, Some(Hold::FailedChecks(_))), "for all others");
}

/// Neither a guess nor a resend nor a start of somebody else costs it anything.
///
/// Shows: F12, A23.
pub(super) async fn f12_what_is_reserved_is_for_trusted_calls_alone<F: EngineFixture>() {
    let bench = strict::<F>().await;
    fail(&bench, ALICE, 2, None).await;
    let reserved = opened(bench.start(trusted(&bench, ALICE)).await);
    let code = bench.code(reserved.id).await;
    let windows = bench.windows(ALICE).await;
    bench.wait(31 * SECOND);
    for guess in [wrong(&code), code] {
        assert_eq!(rejection(&bench.check(reserved.id, &guess).await), Rejection::RecipientHeld);
        let by_address = bench.check_of_address(ALICE, &guess);
        assert_eq!(rejection(&bench.give(by_address).await), Rejection::RecipientHeld);
    }
    assert!(matches!(refusal(&bench.resend(reserved.id).await), Refusal::RecipientHeld { .. }));
    let context = Some(crate::keys::ContextDigest::from_bytes([1; 32]));
    for start in [bench.start_of(ALICE), StartCommand { context, ..bench.start_of(ALICE) }] {
        assert!(matches!(refusal(&bench.start(start).await), Refusal::RecipientHeld { .. }));
    }
    let stored = bench.record(reserved.id).await.verification;
    assert_eq!((stored.checks_used, stored.sends_used, stored.status), (0, 1, Status::Pending));
    assert_eq!(bench.windows(ALICE).await, windows);
    let again = ResendCommand { trusted: true, ..bench.resend_of(reserved.id) };
    resent(fresh(bench.engine().resend(again).await.expect("resend")));
    assert!(proves(&bench, &reserved).await);
}

/// Shows: F12, A23.
pub(super) async fn f12_two_starts_a_day_are_reserved_and_no_more<F: EngineFixture>() {
    let bench = strict::<F>().await;
    fail(&bench, ALICE, 2, None).await;
    for second in [10, 20] {
        bench.at_second(second);
        let reserved = opened(bench.start(trusted(&bench, ALICE)).await);
        bench.cancel(reserved.id).await;
    }
    bench.at_second(30);
    // The day's guesses come back before the first of the reserved starts does.
    let third = refusal(&bench.start(trusted(&bench, ALICE)).await);
    assert_eq!(third, Refusal::RecipientHeld { retry_after: DAY - 30 * SECOND });
    bench.at_second(86_400);
    assert!(!opened(bench.start(trusted(&bench, ALICE)).await).reserved);
}

/// Shows: F12, A23.
pub(super) async fn f12_guesses_at_what_is_reserved_fill_the_row_and_not_the_day<F: EngineFixture>() {
    let mut bench = strict::<F>().await;
    bench.caps.recipient.hold_after = 8;
    fail(&bench, ALICE, 2, None).await;
    let guess_all = async |bench: &Bench<F>| {
        let reserved = opened(bench.start(trusted(bench, ALICE)).await);
        let wrong = wrong(&bench.code(reserved.id).await);
        let mut compared = 0;
        for _ in 0..6 {
            let guess = CheckCommand { trusted: true, ..bench.check_of(reserved.id, &wrong) };
            compared += u32::from(rejection(&bench.give(guess).await) == Rejection::WrongCode);
        }
        compared
    };
    assert_eq!(guess_all(&bench).await, 5);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.failed_checks_day, windows.consecutive_failures), (2, 7));
    assert_eq!(
        bench.engine().tenant_usage(&bench.tenant).await.expect("read").ledger.open_failures(bench.now()),
        7
    );
    assert_eq!(guess_all(&bench).await, 1, "the eighth in a row is the last");
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::ConsecutiveFailures));
}

/// Shows: A23.
pub(super) async fn f12_a_hold_that_lasts_refuses_trusted_calls_too<F: EngineFixture>() {
    let mut bench = strict::<F>().await;
    bench.caps.recipient.hold_after = 3;
    fail(&bench, ALICE, 2, None).await;
    let reserved = opened(bench.start(trusted(&bench, ALICE)).await);
    let code = bench.code(reserved.id).await;
    for (guess, reason) in [(wrong(&code), Rejection::WrongCode), (code, Rejection::RecipientHeld)] {
        let guess = CheckCommand { trusted: true, ..bench.check_of(reserved.id, &guess) };
        assert_eq!(rejection(&bench.give(guess).await), reason);
    }
    let refused = refusal(&bench.start(trusted(&bench, ALICE)).await);
    assert_eq!(refused, Refusal::RecipientHeld { retry_after: DAY });
}

/// Where there is room for everybody, nothing is taken from the reserve; where strangers used up the starts,
/// it is there.
///
/// Shows: F12, A23.
pub(super) async fn f12_starts_that_strangers_use_up_leave_the_reserved_ones<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for _ in 0..5 {
        let start = opened(bench.start(trusted(&bench, ALICE)).await);
        assert!(!start.reserved);
        bench.cancel(start.id).await;
    }
    assert!(matches!(refusal(&bench.start(bench.start_of(ALICE)).await), Refusal::RecipientLimit { .. }));
    bench.at_second(3_300);
    let reserved = opened(bench.start(trusted(&bench, ALICE)).await);
    assert!(reserved.reserved);
    // There is room for everybody again, but not in this one's place.
    bench.at_second(3_600);
    let others = refusal(&bench.start(bench.start_of(ALICE)).await);
    assert_eq!(others, Refusal::RecipientHeld { retry_after: 300 * SECOND });
    assert!(proves(&bench, &reserved).await);
    bench.open(ALICE).await;
}

/// Shows: F12.
pub(super) async fn f12_guesses_from_elsewhere_than_the_last_approval_count_half<F: EngineFixture>() {
    let bench = strict::<F>().await;
    let approval = bench.open(ALICE).await;
    let right = bench.check_of(approval.id, &bench.code(approval.id).await);
    bench.give(CheckCommand { client: HOME, ..right }).await;
    fail(&bench, ALICE, 3, ELSEWHERE).await;
    assert_eq!(hold(&bench, ALICE).await, None);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.failed_checks_day, windows.consecutive_failures), (2, 2), "one and a half");
    // The person's own counts in full, and so does one of whom nobody knows from where.
    assert!(bench.engine().release(bench.administer(ALICE, "x")).await.is_ok_and(|was_held| !was_held));
    let pending = bench.check_of_address(ALICE, &crate::testkit::commands::code("wrong0"));
    bench.give(CheckCommand { client: HOME, ..pending }).await;
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::FailedChecks(DAY)));
}

/// Shows: F12, O9.
pub(super) async fn f12_who_is_erased_leaves_no_network_behind<F: EngineFixture>() {
    let bench = strict::<F>().await;
    let approval = bench.open(ALICE).await;
    let right = bench.check_of(approval.id, &bench.code(approval.id).await);
    bench.give(CheckCommand { client: HOME, ..right }).await;
    bench.engine().erase(bench.administer(ALICE, "recipient.erased")).await.expect("erase");
    fail(&bench, ALICE, 2, ELSEWHERE).await;
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::FailedChecks(DAY)));
}

/// Shows: F12.
pub(super) async fn f12_a_proof_on_another_channel_ends_a_hold<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.hold_after = 2;
    fail(&bench, ALICE, 2, None).await;
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::ConsecutiveFailures));
    let ends = EndsHold { budget: recipient_keys(&bench.tenant, ALICE).budget, masked: "+12******01".into() };
    // A verification that runs already says nothing of the hold: this is another one.
    let before = opened(bench.start(trusted(&bench, MAIL)).await);
    let proof = StartCommand { ends_hold: Some(ends), ..trusted(&bench, MAIL) };
    let proof = opened(bench.start(proof).await);
    assert_eq!(bench.status(before.id).await, Status::Canceled);
    let code = bench.code(proof.id).await;
    bench.check(proof.id, &wrong(&code)).await;
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::ConsecutiveFailures), "nothing was proven");
    bench.give(CheckCommand { consume: false, ..bench.check_of(proof.id, &code) }).await;
    assert_eq!(hold(&bench, ALICE).await, Some(Hold::ConsecutiveFailures), "nothing was approved");
    bench.check(proof.id, &code).await;
    assert_eq!(hold(&bench, ALICE).await, None);
    let audit: Vec<_> = bench.audit().await.into_iter().map(|e| (e.action, e.subject, e.actor)).collect();
    assert_eq!(audit.len(), 2);
    let actor = format!("verification:{}", proof.id);
    assert_eq!(audit[1], ("recipient.released".into(), "+12******01".into(), actor));
    bench.wait(10 * MINUTE);
    bench.open(ALICE).await;
}

/// Nobody is released who is not held, and the log tells of no release then.
pub(super) async fn f12_a_proof_that_ends_no_hold_is_one_like_any_other<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    fail(&bench, ALICE, 3, None).await;
    let ends = EndsHold { budget: recipient_keys(&bench.tenant, ALICE).budget, masked: String::new() };
    let proof = opened(bench.start(StartCommand { ends_hold: Some(ends), ..trusted(&bench, MAIL) }).await);
    assert!(proves(&bench, &proof).await);
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 3);
    assert_eq!(bench.audit().await, []);
}

async fn held<F: EngineFixture>(bench: &Bench<F>, before: Option<HeldPlace>, limit: u32) -> HeldPage {
    let (caps, now) = (bench.caps.recipient, bench.now());
    let query = HeldQuery { caps, before, limit, looks: HeldQuery::LOOKS, now };
    bench.engine().held(&bench.tenant, query).await.expect("list")
}

/// Shows: F12.
pub(super) async fn f12_who_is_held_is_listed_newest_first_and_in_pages<F: EngineFixture>() {
    let mut bench = strict::<F>().await;
    bench.caps.recipient.hold_after = 4;
    let lasting = fail(&bench, BOB, 2, None).await;
    bench.wait(DAY);
    let guess = bench.start(bench.start_of(BOB)).await;
    let at = opened(guess).id;
    for _ in 0..2 {
        bench.check(at, &crate::testkit::commands::code("wrong0")).await;
    }
    let mut expected = vec![(recipient_keys(&bench.tenant, BOB).budget, Some(at), bench.now())];
    assert_ne!(lasting.id, at);
    for n in 0..5 {
        bench.wait(SECOND);
        let to = format!("user-{n}+tag@example.com");
        let verification = fail(&bench, &to, 2, None).await;
        let budget = recipient_keys(&bench.tenant, &to).budget;
        expected.push((budget, Some(verification.id), bench.now()));
    }
    fail(&bench, "one-typo@example.com", 1, None).await;
    expected.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = held(&bench, before, 4).await;
        assert!(page.found.len() <= 4);
        let Some(last) = page.found.last() else { break };
        before = Some(last.place);
        let told =
            page.found.iter().map(|h| (h.place.budget, h.verification.as_ref().map(|v| v.id), h.place.since));
        seen.extend(told);
    }
    assert_eq!(seen, expected);
    let ours = std::mem::replace(&mut bench.tenant, "other".parse().expect("a tenant"));
    assert_eq!(held(&bench, None, 100).await.found, [], "they are nobody's of another tenant");
    bench.tenant = ours;
    // A restart keeps the list; a day later only what lasts is in it.
    bench.fixture.reopen().await;
    assert_eq!(held(&bench, None, 100).await.found.len(), 6);
    bench.wait(DAY);
    bench.sweep().await;
    let left: Vec<_> = held(&bench, None, 100).await.found.into_iter().map(|h| h.place.budget).collect();
    assert_eq!(left, [expected.last().expect("one").0]);
    bench.engine().release(bench.administer(BOB, "recipient.released")).await.expect("release");
    assert_eq!(held(&bench, None, 100).await.found, []);
}

/// Limits that change, and test numbers, whose limits are others.
pub(super) async fn f12_who_is_held_goes_by_the_limits_in_force<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    fail(&bench, ALICE, 3, None).await;
    let mut test = bench.start_of(BOB);
    test.destinations[0].test = true;
    let number = opened(bench.start(test).await);
    for _ in 0..3 {
        bench.check(number.id, &crate::testkit::commands::code("wrong0")).await;
    }
    assert_eq!(held(&bench, None, 10).await.found, []);
    bench.caps.recipient = RecipientCaps { failed_checks_per_day: 3, ..bench.caps.recipient };
    let found = held(&bench, None, 10).await.found;
    assert_eq!(
        found.iter().map(|h| h.place.budget).collect::<Vec<_>>(),
        [recipient_keys(&bench.tenant, ALICE).budget]
    );
}

/// Of parallel trusted starts for other purposes no more open than are reserved.
///
/// Shows: A23.
pub(super) async fn f12_parallel_trusted_starts_never_pass_the_reserve<F: EngineFixture>() {
    let bench = strict::<F>().await;
    fail(&bench, ALICE, 2, None).await;
    let purpose = |n: u32| format!("purpose-{n}").parse().expect("a purpose");
    let starts = (0..16).map(|n| StartCommand { purpose: purpose(n), ..trusted(&bench, ALICE) });
    let tasks: Vec<_> = starts
        .map(|start| {
            let engine = bench.engine();
            tokio::spawn(async move { fresh(engine.start(start).await.expect("start")) })
        })
        .collect();
    let mut opened = 0;
    for task in tasks {
        opened += u32::from(matches!(task.await.expect("a start"), SendOutcome::Accepted(_)));
    }
    assert_eq!(opened, 2);
}
