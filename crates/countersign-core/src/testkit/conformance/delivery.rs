//! Codes that are handed back instead of sent, and look-alikes.

use crate::code::Code;
use crate::engine::{
    Accepted, AcceptedKind, CheckOutcome, Delivery, DestinationRequest, Refusal, Rejection, SendOutcome,
    StartCommand,
};
use crate::testkit::bench::*;
use crate::verification::Status;
use crate::verification::sealed::code_place;

pub(super) async fn a_returned_code_is_right_and_never_sent<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let start = StartCommand { delivery: Delivery::Return, cost_micros: 5, ..bench.start_of(ALICE) };
    let SendOutcome::Accepted(accepted) = bench.start(start).await else { panic!("refused") };
    let Accepted { kind, verification, code } = *accepted;
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
