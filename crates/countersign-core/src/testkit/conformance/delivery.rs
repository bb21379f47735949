//! Codes that are handed back instead of sent, and look-alikes.

use crate::code::Code;
use crate::engine::{
    Accepted, AcceptedKind, CheckCommand, CheckOutcome, Delivery, DestinationRequest, Intent, Refusal,
    Rejection, ResendCommand, SendOutcome, StartCommand,
};
use crate::names::DialectName;
use crate::testkit::bench::*;
use crate::testkit::commands::code;
use crate::verification::Status;
use crate::verification::sealed::code_place;

pub(super) async fn a_returned_code_is_right_and_never_sent<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = StartCommand { delivery: Delivery::Return, cost_micros: 5, ..bench.start_of(ALICE) };
    let SendOutcome::Accepted(accepted) = bench.start(start).await else { panic!("refused") };
    let Accepted { kind, verification, code, client_is_over: _ } = *accepted;
    let code = code.expect("it is handed back");
    assert_eq!((kind, verification.sends_used), (AcceptedKind::Opened, 0));
    assert!(bench.record(verification.id).await.messages.is_empty());
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.starts_hour, windows.sends_hour), (0, 0));
    assert!(is_right(&bench.check(verification.id, &code).await));
}

pub(super) async fn a_returned_code_neither_waits_for_nor_starts_a_cool_down<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let sent = bench.open(ALICE).await;
    let give_back = || StartCommand { delivery: Delivery::Return, ..bench.start_of(ALICE) };
    bench.at_second(29);
    let first = returned(bench.start(give_back()).await);
    assert_eq!(returned(bench.start(give_back()).await), first);
    assert_eq!(bench.code(sent.id).await, first, "the message that waits still carries the live code");
    bench.at_second(30);
    assert_eq!(resent(bench.start(bench.start_of(ALICE)).await).sends_used, 2);
}

pub(super) async fn sixty_codes_an_hour_are_handed_back_and_no_more<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let give_back = || StartCommand { delivery: Delivery::Return, ..bench.start_of(ALICE) };
    for minute in 0..60 {
        bench.at_second(minute);
        returned(bench.start(give_back()).await);
    }
    let refused = refusal(&bench.start(give_back()).await);
    assert_eq!(refused, Refusal::RecipientLimit { retry_after: 3541 * SECOND });
    bench.at_second(3600);
    returned(bench.start(give_back()).await);
}

pub(super) async fn failed_guesses_at_returned_codes_count_for_the_recipient<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let give_back = StartCommand { delivery: Delivery::Return, ..bench.start_of(ALICE) };
    let code = returned(bench.start(give_back).await);
    bench.give(bench.check_of_address(ALICE, &wrong(&code))).await;
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 1);
}

fn look_alike<F: EngineFixture>(bench: &Bench<F>) -> StartCommand {
    let start = bench.start_of(ALICE);
    let nobody = DestinationRequest { recipient: None, ..start.destinations[0].clone() };
    StartCommand { delivery: Delivery::Pretend, destinations: vec![nobody], ..start }
}

pub(super) async fn a_look_alike_counts_everything_and_sends_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = opened(bench.start(look_alike(&bench)).await);
    assert_eq!(accepted(bench.start(look_alike(&bench)).await).0, AcceptedKind::CoolingDown);
    bench.at_second(30);
    assert_eq!(resent(bench.start(look_alike(&bench)).await).sends_used, 2);
    let record = bench.record(verification.id).await;
    assert!(record.messages.is_empty());
    let windows = bench.windows(ALICE).await;
    assert_eq!((windows.starts_hour, windows.sends_hour), (1, 2));
}

/// Its code is drawn like any other, so that answers and their time are alike, but proves nobody.
pub(super) async fn a_look_alike_is_never_approved<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = opened(bench.start(look_alike(&bench)).await);
    let stored = bench.record(verification.id).await.verification;
    let sealed = stored.destinations[0].sealed_code.as_ref().expect("kept for the next send");
    let place = code_place(&stored.tenant, &stored.id, 0);
    let plain = bench.keys.open(place, sealed).expect("it opens");
    let code = Code::parse(std::str::from_utf8(&plain).expect("text")).expect("a code");
    for _ in 0..4 {
        assert_eq!(rejection(&bench.check(stored.id, &code).await), Rejection::WrongCode);
    }
    let last = bench.check(stored.id, &code).await;
    assert!(
        matches!(last, CheckOutcome::Rejected { verification, .. } if verification.status == Status::Exhausted)
    );
}

/// A real address, and nobody is reached: by its id and by its address, by whatever is asked for.
///
/// Shows: F14.
pub(super) async fn f14_what_is_pretended_stays_so_when_it_is_sent_again<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let pretend = || StartCommand { delivery: Delivery::Pretend, ..bench.start_of(ALICE) };
    let verification = opened(bench.start(pretend()).await);
    bench.at_second(30);
    let again = resent(bench.resend(verification.id).await);
    assert_eq!((again.sends_used, again.last_send_at), (2, Some(bench.now())));
    bench.at_second(90);
    let hand_back = ResendCommand { delivery: Delivery::Return, ..bench.resend_of(verification.id) };
    let outcome = fresh(bench.engine().resend(hand_back).await.expect("resend"));
    assert!(matches!(&outcome, SendOutcome::Accepted(accepted) if accepted.code.is_none()), "{outcome:?}");
    bench.at_second(210);
    let send = StartCommand { intent: Intent::ResendOnly, ..bench.start_of(ALICE) };
    assert_eq!(refusal(&bench.start(send).await), Refusal::NothingPending);
    resent(bench.start(pretend()).await);
    assert!(bench.record(verification.id).await.messages.is_empty());
    assert_eq!(bench.windows(ALICE).await.sends_hour, 4);
    // Where a message is to go out, it is another verification's.
    assert_ne!(opened(bench.start(bench.start_of(ALICE)).await).id, verification.id);
}

/// Shows: F14.
pub(super) async fn f14_a_pretended_code_is_never_right<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let own = code("AB12cd");
    let pretend =
        StartCommand { delivery: Delivery::Pretend, custom_code: Some(own.clone()), ..bench.start_of(ALICE) };
    let verification = opened(bench.start(pretend).await);
    assert_eq!(rejection(&bench.check(verification.id, &own).await), Rejection::WrongCode);
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 1);
}

/// Neither sent again nor compared nor charged.
///
/// Shows: F14.
pub(super) async fn f14_by_its_id_another_wire_apis_verification_is_unknown<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let code = bench.code(verification.id).await;
    bench.at_second(30);
    let dialect = DialectName::parse("other").expect("a dialect");
    let resend = ResendCommand { dialect: dialect.clone(), ..bench.resend_of(verification.id) };
    let outcome = fresh(bench.engine().resend(resend).await.expect("resend"));
    assert_eq!(refusal(&outcome), Refusal::NotFound);
    for guess in [wrong(&code), code.clone()] {
        let check = CheckCommand { dialect: dialect.clone(), ..bench.check_of(verification.id, &guess) };
        assert_eq!(bench.give(check).await, CheckOutcome::NotFound);
    }
    let stored = bench.record(verification.id).await.verification;
    assert_eq!((stored.sends_used, stored.checks_used), (1, 0));
    assert_eq!(bench.windows(ALICE).await.failed_checks_day, 0);
    assert!(is_right(&bench.check(verification.id, &code).await));
}
