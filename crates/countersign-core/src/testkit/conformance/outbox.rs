//! Messages on their way out.

use std::time::Duration;

use crate::outbox::{Abandoned, DeliveryResult, MAX_SUBMISSIONS, Message, MessageState, Slots};
use crate::testkit::bench::*;

/// One message of one verification, as it stands.
async fn only_message<F: EngineFixture>(bench: &Bench<F>, message: &Message) -> Message {
    let messages = bench.record(message.verification).await.messages;
    messages.into_iter().find(|m| m.id == message.id).expect("it is kept")
}

fn abandoned(reason: Abandoned) -> MessageState {
    MessageState::Abandoned { reason }
}

pub(super) async fn claimed_message_returns_after_its_lease<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let first = bench.claim().await;
    assert_eq!((first.len(), first[0].submissions), (1, 1));
    assert_eq!(first[0].state, MessageState::Leased { until: bench.now() + 30 * SECOND });
    bench.wait(Duration::from_millis(29_999));
    assert!(bench.claim().await.is_empty());
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.claim().await[0].submissions, 2);
}

pub(super) async fn a_claim_takes_no_more_than_it_asked_for<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for to in [ALICE, BOB, MAIL] {
        bench.open(to).await;
    }
    let claim = || bench.claim_into(Slots::in_all(2));
    assert_eq!(claim().await.len(), 2);
    assert_eq!(claim().await.len(), 1);
    assert_eq!(claim().await.len(), 0);
}

/// Shows: I4.
pub(super) async fn a_message_is_submitted_three_times_at_most<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    for _ in 1..MAX_SUBMISSIONS {
        bench.wait(30 * SECOND);
        assert_eq!(bench.claim().await.len(), 1);
    }
    bench.wait(30 * SECOND);
    assert!(bench.claim().await.is_empty());
    assert_eq!(only_message(&bench, &message).await.state, abandoned(Abandoned::Submissions));
}

pub(super) async fn a_failed_message_waits_as_long_as_told<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    let provider = Some("inbox".parse().expect("a provider name"));
    bench
        .report(
            &message,
            DeliveryResult::Failed { provider: provider.clone(), submitted: true, retry_after: 5 * SECOND },
        )
        .await;
    bench.wait(Duration::from_millis(4_999));
    assert!(bench.claim().await.is_empty());
    bench.wait(Duration::from_millis(1));
    let again = bench.claim().await.remove(0);
    assert_eq!((again.submissions, again.tried), (2, provider.into_iter().collect()));
}

/// Shows: I4.
pub(super) async fn the_third_failure_is_the_last<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    for _ in 0..MAX_SUBMISSIONS {
        let message = bench.claim().await.remove(0);
        bench.report(&message, failed()).await;
    }
    assert!(bench.claim().await.is_empty());
}

pub(super) async fn a_code_that_died_is_not_submitted<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(600);
    assert!(bench.claim().await.is_empty());
    let message = &bench.record(verification.id).await.messages[0];
    assert_eq!((&message.state, is_wiped(message)), (&abandoned(Abandoned::Expired), true));
}

/// Shows: I9.
pub(super) async fn what_is_taken_is_final_and_wiped<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    bench.report(&message, taken()).await;
    let stored = only_message(&bench, &message).await;
    assert!(matches!(stored.state, MessageState::Sent { .. }) && is_wiped(&stored));
    bench.wait(MINUTE);
    assert!(bench.claim().await.is_empty());
}

/// Shows: I9.
pub(super) async fn what_is_given_up_is_final_and_wiped<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    bench.report(&message, DeliveryResult::GivenUp { reason: Abandoned::Unknown }).await;
    let stored = only_message(&bench, &message).await;
    assert_eq!((&stored.state, is_wiped(&stored)), (&abandoned(Abandoned::Unknown), true));
}

pub(super) async fn an_approval_drops_what_was_not_sent<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.check(verification.id, &bench.code(verification.id).await).await;
    assert!(bench.claim().await.is_empty());
    assert!(bench.record(verification.id).await.messages.iter().all(is_wiped));
}

pub(super) async fn a_cancel_drops_what_was_not_sent<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.cancel(verification.id).await;
    assert!(bench.claim().await.is_empty());
    assert!(bench.record(verification.id).await.messages.iter().all(is_wiped));
}

pub(super) async fn used_up_checks_drop_what_was_not_sent<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open_and_exhaust(ALICE).await;
    assert!(bench.claim().await.is_empty());
    assert!(bench.record(verification.id).await.messages.iter().all(is_wiped));
}

pub(super) async fn a_newer_message_takes_the_place_of_an_older_one<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(30);
    resent(bench.resend(verification.id).await);
    let messages = bench.record(verification.id).await.messages;
    assert_eq!(messages[0].state, abandoned(Abandoned::Superseded));
    assert!(is_wiped(&messages[0]));
    let claimed = bench.claim().await;
    assert_eq!(claimed.iter().map(|m| m.id).collect::<Vec<_>>(), [messages[1].id]);
}

pub(super) async fn a_report_of_a_lost_lease_changes_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let first = bench.claim().await.remove(0);
    bench.wait(30 * SECOND);
    let second = bench.claim().await.remove(0);
    for result in [failed(), DeliveryResult::GivenUp { reason: Abandoned::Recipient }] {
        bench.report(&first, result).await;
        assert_eq!(only_message(&bench, &first).await, second);
    }
}

pub(super) async fn a_report_after_the_end_changes_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    bench.cancel(verification.id).await;
    bench.report(&message, failed()).await;
    assert_eq!(only_message(&bench, &message).await.state, abandoned(Abandoned::Superseded));
}

/// It really left, whatever was decided meanwhile.
pub(super) async fn that_a_provider_took_it_is_always_recorded<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    bench.cancel(verification.id).await;
    bench.report(&message, taken()).await;
    let stored = only_message(&bench, &message).await;
    assert!(matches!(stored.state, MessageState::Sent { .. }) && is_wiped(&stored));
}

pub(super) async fn a_try_that_failed_without_delay_is_due_at_once_and_stays_counted<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let message = bench.claim().await.remove(0);
    bench
        .report(
            &message,
            DeliveryResult::Failed { provider: None, submitted: true, retry_after: Duration::ZERO },
        )
        .await;
    let again = bench.claim().await.remove(0);
    assert_eq!((again.id, again.submissions, again.tried.len()), (message.id, 2, 0));
}

/// Shows: E10.
pub(super) async fn e10_a_try_that_reached_nobody_is_no_submission<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let provider = Some("inbox".parse().expect("a provider name"));
    let nobody = DeliveryResult::Failed { provider, submitted: false, retry_after: Duration::ZERO };
    for _ in 0..20 {
        let message = bench.claim().await.remove(0);
        assert_eq!(message.submissions, 1);
        bench.report(&message, nobody.clone()).await;
        bench.report(&message, nobody.clone()).await;
    }
    let message = bench.claim().await.remove(0);
    bench.report(&message, taken()).await;
    assert!(matches!(only_message(&bench, &message).await.state, MessageState::Sent { .. }));
}

pub(super) async fn reports_are_decided_each_alone<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for to in [ALICE, BOB, MAIL] {
        bench.open(to).await;
    }
    let claimed = bench.claim().await;
    let mut reports: Vec<_> = claimed.iter().map(|message| report(message, taken())).collect();
    reports[0].attempt += 1;
    reports[0].result = failed();
    bench.engine().record_deliveries(reports, bench.now()).await.expect("record");
    assert!(matches!(only_message(&bench, &claimed[0]).await.state, MessageState::Leased { .. }));
    assert!(matches!(only_message(&bench, &claimed[2]).await.state, MessageState::Sent { .. }));
}

/// Real time: it fails by hanging for a minute.
pub(super) async fn a_waiting_dispatcher_wakes_when_a_message_is_queued<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let engine = bench.engine();
    let waiting = tokio::spawn(async move { engine.messages_queued(2 * MINUTE).await });
    bench.open(ALICE).await;
    tokio::time::timeout(MINUTE, waiting).await.expect("it wakes").expect("no panic");
}

pub(super) async fn a_message_queued_before_the_wait_is_noticed<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(ALICE).await;
    let wait = bench.engine();
    tokio::time::timeout(MINUTE, wait.messages_queued(2 * MINUTE)).await.expect("it does not wait");
}
