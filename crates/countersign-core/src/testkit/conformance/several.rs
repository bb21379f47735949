//! Several addresses in one verification.

use crate::engine::{Intent, Refusal, Rejection, StartCommand};
use crate::keys::RecipientKey;
use crate::outbox::{Abandoned, MessageState};
use crate::policy::{CodeSharing, ResendCode};
use crate::testkit::bench::*;
use crate::verification::Status;

pub(super) async fn one_shared_code_verifies_either_address<F: EngineFixture>() {
    for to in [ALICE, MAIL] {
        let bench = Bench::<F>::new().await;
        let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
        let messages = bench.open_messages(verification.id).await;
        let codes: Vec<_> = messages.iter().map(|message| bench.code_in(message)).collect();
        assert_eq!((codes.len(), &codes[0]), (2, &codes[1]));
        assert!(is_right(&bench.give(bench.check_of_address(to, &codes[0])).await));
        assert_eq!(bench.status(verification.id).await, Status::Approved);
    }
}

pub(super) async fn separate_codes_are_good_for_their_own_address_only<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Separate;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let messages = bench.open_messages(verification.id).await;
    let (phone_code, mail_code) = (bench.code_in(&messages[0]), bench.code_in(&messages[1]));
    assert_ne!(phone_code, mail_code);
    let crossed = bench.give(bench.check_of_address(MAIL, &phone_code)).await;
    assert_eq!(rejection(&crossed), Rejection::WrongCode);
    assert!(is_right(&bench.give(bench.check_of_address(MAIL, &mail_code)).await));
}

pub(super) async fn separate_codes_share_one_budget_of_checks<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Separate;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let mail_code = bench.code(verification.id).await;
    for (number, to) in [ALICE, MAIL, ALICE, MAIL, ALICE].into_iter().enumerate() {
        assert_eq!(bench.record(verification.id).await.verification.checks_used as usize, number);
        bench.give(bench.check_of_address(to, &wrong(&mail_code))).await;
    }
    let late = bench.give(bench.check_of_address(MAIL, &mail_code)).await;
    assert_eq!(rejection(&late), Rejection::Exhausted);
}

pub(super) async fn a_dead_code_is_not_good_beside_a_live_one<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Separate;
    bench.terms.resend_code = ResendCode::New;
    bench.terms.code_life = MINUTE;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let phone_code = bench.code_in(&bench.open_messages(verification.id).await[0]);
    bench.at_second(30);
    resent(bench.start(bench.start_of(MAIL)).await);
    bench.at_second(60);
    assert_eq!(rejection(&bench.check(verification.id, &phone_code).await), Rejection::WrongCode);
}

pub(super) async fn a_failed_check_counts_for_every_address<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let code = bench.code(verification.id).await;
    bench.give(bench.check_of_address(ALICE, &wrong(&code))).await;
    for to in [ALICE, MAIL] {
        assert_eq!(bench.windows(to).await.failed_checks_day, 1, "{to}");
    }
}

pub(super) async fn a_send_to_one_address_leaves_the_others_message_alone<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    bench.at_second(30);
    resent(bench.start(bench.start_of(ALICE)).await);
    let waiting = bench.open_messages(verification.id).await;
    let destinations: Vec<u8> = waiting.iter().map(|message| message.destination).collect();
    assert_eq!(destinations, [1, 0]);
}

pub(super) async fn an_address_that_joins_is_found_there_and_charged_like_a_start<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let mails_own = bench.open(MAIL).await;
    bench.cancel(mails_own.id).await;
    let phones = bench.open(ALICE).await;
    bench.at_second(30);
    let both = resent(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    assert_eq!((both.id, both.destinations.len()), (phones.id, 2));
    assert_eq!((bench.windows(ALICE).await.starts_hour, bench.windows(MAIL).await.starts_hour), (1, 2));
    let code = bench.code(both.id).await;
    assert!(is_right(&bench.give(bench.check_of_address(MAIL, &code)).await));
}

/// The mailbox' own verification is younger, but the running one is the latest it was added to.
pub(super) async fn an_address_is_found_where_it_joined_last<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let phones = bench.open(ALICE).await;
    bench.at_second(1);
    let mails_own = bench.open(MAIL).await;
    bench.cancel(mails_own.id).await;
    bench.at_second(30);
    let both = resent(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    assert_eq!(both.id, phones.id);
    let code = bench.code(both.id).await;
    assert!(is_right(&bench.give(bench.check_of_address(MAIL, &code)).await));
}

pub(super) async fn an_address_joins_under_its_own_cap<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.starts_per_hour = 1;
    let mails_own = bench.open(MAIL).await;
    bench.cancel(mails_own.id).await;
    let phones = bench.open(ALICE).await;
    bench.at_second(30);
    let refused = refusal(&bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    assert!(matches!(refused, Refusal::RecipientLimit { .. }));
    assert_eq!(bench.record(phones.id).await.verification.destinations.len(), 1);
}

pub(super) async fn two_running_verifications_become_one_and_the_older_is_cancelled<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let older = bench.open(ALICE).await;
    bench.at_second(1);
    let newer = bench.open(MAIL).await;
    bench.at_second(31);
    let both = resent(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    assert_eq!((both.id, both.destinations.len()), (newer.id, 2));
    assert_eq!(bench.status(older.id).await, Status::Canceled);
    assert!(bench.open_messages(older.id).await.is_empty());
    let code = bench.code(both.id).await;
    assert!(is_right(&bench.give(bench.check_of_address(ALICE, &code)).await));
}

/// The mailbox' newer verification ended well; the number's checks are used up all the same.
pub(super) async fn a_send_to_several_is_refused_where_the_checks_of_one_are_used_up<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open_and_exhaust(ALICE).await;
    bench.at_second(60);
    let mails = bench.open(MAIL).await;
    assert!(is_right(&bench.check(mails.id, &bench.code(mails.id).await).await));
    let send = StartCommand { intent: Intent::StartOrResend, ..bench.start_of_all(&[ALICE, MAIL]) };
    assert_eq!(refusal(&bench.start(send).await), Refusal::ChecksExhausted { retry_after: 540 * SECOND });
}

/// Shows: A4.
pub(super) async fn a_new_shared_code_recalls_the_old_one_everywhere<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.resend_code = ResendCode::New;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let old = bench.code(verification.id).await;
    bench.at_second(30);
    resent(bench.start(StartCommand { intent: Intent::StartOrResend, ..bench.start_of(ALICE) }).await);
    let recalled = &bench.record(verification.id).await.messages[1];
    assert_eq!(recalled.state, MessageState::Abandoned { reason: Abandoned::Superseded });
    assert_eq!(rejection(&bench.give(bench.check_of_address(MAIL, &old)).await), Rejection::WrongCode);
}

pub(super) async fn aliases_of_one_address_share_a_ledger<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.caps.recipient.starts_per_hour = 2;
    let alias = |n: u8| {
        let mut start = bench.start_of(MAIL);
        start.destinations[0].keys.identity = RecipientKey::from_bytes([n; 16]);
        start
    };
    let (one, two, three) = (alias(1), alias(2), alias(3));
    assert_ne!(opened(bench.start(one).await).id, opened(bench.start(two).await).id);
    assert!(matches!(refusal(&bench.start(three).await), Refusal::RecipientLimit { .. }));
    assert_eq!(bench.windows(MAIL).await.starts_hour, 2);
}
