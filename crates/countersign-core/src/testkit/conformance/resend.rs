//! Sending again by id.

use std::time::Duration;

use crate::engine::{Refusal, Rejection, ResendCommand};
use crate::names::Channel;
use crate::policy::ResendCode;
use crate::testkit::bench::*;
use crate::testkit::commands;
use crate::verification::Status;

pub(super) async fn a_resend_repeats_the_code<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.cool_downs.clear();
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    for _ in 0..4 {
        resent(bench.resend(verification.id).await);
        assert_eq!(bench.code(verification.id).await, code);
    }
    assert!(is_right(&bench.check(verification.id, &code).await));
}

/// Shows: A4.
pub(super) async fn a_new_code_voids_the_older_in_the_same_commit<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.resend_code = ResendCode::New;
    let verification = bench.open(ALICE).await;
    let old = bench.code(verification.id).await;
    bench.at_second(30);
    resent(bench.resend(verification.id).await);
    let new = bench.code(verification.id).await;
    assert_ne!(old, new);
    assert_eq!(rejection(&bench.check(verification.id, &old).await), Rejection::WrongCode);
    assert!(is_right(&bench.check(verification.id, &new).await));
}

/// Shows: O5.
pub(super) async fn the_cool_down_grows_and_is_exact_to_the_millisecond<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    for (sends, seconds) in [(2, 30), (3, 60), (4, 120), (5, 240)] {
        bench.wait(Duration::from_millis(seconds * 1000 - 1));
        let refused = refusal(&bench.resend(verification.id).await);
        assert_eq!(refused, Refusal::CoolDown { retry_after: Duration::from_millis(1) });
        bench.wait(Duration::from_millis(1));
        assert_eq!(resent(bench.resend(verification.id).await).sends_used, sends);
    }
}

pub(super) async fn five_sends_are_all_until_the_window_ends<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.cool_downs.clear();
    let verification = bench.open(ALICE).await;
    for _ in 0..4 {
        resent(bench.resend(verification.id).await);
    }
    bench.at_second(599);
    let refused = refusal(&bench.resend(verification.id).await);
    assert_eq!(refused, Refusal::SendsExhausted { retry_after: SECOND });
    assert!(matches!(refusal(&bench.start(bench.start_of(ALICE)).await), Refusal::SendsExhausted { .. }));
    bench.at_second(600);
    bench.open(ALICE).await;
}

pub(super) async fn a_resend_moves_no_deadline<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.at_second(599);
    assert_eq!(resent(bench.resend(verification.id).await).expires_at, verification.expires_at);
    bench.at_second(600);
    assert_eq!(rejection(&bench.check(verification.id, &code).await), Rejection::Expired);
}

pub(super) async fn a_resend_is_counted_as_a_message_and_not_as_a_start<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(30);
    resent(bench.resend(verification.id).await);
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.starts_hour, windows.sends_hour, windows.sends_day), (1, 2, 2));
}

pub(super) async fn what_has_ended_is_not_sent_again<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.cancel(verification.id).await;
    let refused = refusal(&bench.resend(verification.id).await);
    assert_eq!(refused, Refusal::NotPending { status: Status::Canceled });
    let expired = bench.open(BOB).await;
    bench.at_second(600);
    let refused = refusal(&bench.resend(expired.id).await);
    assert_eq!(refused, Refusal::NotPending { status: Status::Expired });
}

pub(super) async fn a_resend_may_take_another_channel<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    bench.at_second(30);
    let by_voice = ResendCommand { channel: Some(Channel::Voice), ..bench.resend_of(verification.id) };
    resent(fresh(bench.engine().resend(by_voice).await.expect("resend")));
    let messages = bench.open_messages(verification.id).await;
    assert_eq!(messages.last().map(|message| message.channel), Some(Channel::Voice));
    bench.at_second(90);
    resent(bench.resend(verification.id).await);
    let record = bench.record(verification.id).await;
    assert_eq!(record.verification.destinations[0].channel, Channel::Voice);
}

pub(super) async fn an_unknown_id_is_not_found<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let mut rng = bench.seed().rng();
    let id = crate::ids::VerificationId::generate(bench.now(), &mut rng);
    assert_eq!(refusal(&bench.resend(id).await), Refusal::NotFound);
    let check = bench.check(id, &commands::code("123456")).await;
    assert_eq!(check, crate::engine::CheckOutcome::NotFound);
}
