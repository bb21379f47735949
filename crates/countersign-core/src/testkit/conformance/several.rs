//! Several addresses in one verification.

use crate::engine::{
    CheckCommand, CheckTarget, DestinationRequest, Intent, Refusal, Rejection, SendOutcome, StartCommand,
};
use crate::keys::RecipientKey;
use crate::outbox::{Abandoned, MessageState, Payload};
use crate::policy::{CodeSharing, ResendCode};
use crate::testkit::bench::*;
use crate::testkit::commands;
use crate::verification::Status;

pub(super) async fn one_shared_code_verifies_either_address<F: EngineFixture>() {
    for to in [ALICE, MAIL] {
        let mut bench = Bench::<F>::new().await;
        bench.terms.sharing = CodeSharing::Shared;
        let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
        let messages = bench.open_messages(verification.id).await;
        let codes: Vec<_> = messages.iter().map(|message| bench.code_in(message)).collect();
        assert_eq!((codes.len(), &codes[0]), (2, &codes[1]));
        assert!(is_right(&bench.give(bench.check_of_address(to, &codes[0])).await));
        assert_eq!(bench.status(verification.id).await, Status::Approved);
    }
}

pub(super) async fn separate_codes_are_good_for_their_own_address_only<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let messages = bench.open_messages(verification.id).await;
    let (phone_code, mail_code) = (bench.code_in(&messages[0]), bench.code_in(&messages[1]));
    assert_ne!(phone_code, mail_code);
    let crossed = bench.give(bench.check_of_address(MAIL, &phone_code)).await;
    assert_eq!(rejection(&crossed), Rejection::WrongCode);
    assert!(is_right(&bench.give(bench.check_of_address(MAIL, &mail_code)).await));
}

pub(super) async fn separate_codes_share_one_budget_of_checks<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
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
    let mails_own = bench.open_for(MAIL).await;
    bench.cancel(mails_own.id).await;
    let phones = bench.open_for(ALICE).await;
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
    let phones = bench.open_for(ALICE).await;
    bench.at_second(1);
    let mails_own = bench.open_for(MAIL).await;
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
    let mails_own = bench.open_for(MAIL).await;
    bench.cancel(mails_own.id).await;
    let phones = bench.open_for(ALICE).await;
    bench.at_second(30);
    let refused = refusal(&bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    assert!(matches!(refused, Refusal::RecipientLimit { .. }));
    assert_eq!(bench.record(phones.id).await.verification.destinations.len(), 1);
}

pub(super) async fn two_running_verifications_become_one_and_the_older_is_cancelled<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Shared;
    let older = bench.open_for(ALICE).await;
    bench.at_second(1);
    let newer = bench.open_for(MAIL).await;
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
    let mails = bench.open_for(MAIL).await;
    assert!(is_right(&bench.check(mails.id, &bench.code(mails.id).await).await));
    let send = StartCommand { intent: Intent::StartOrResend, ..bench.start_of_all(&[ALICE, MAIL]) };
    assert_eq!(refusal(&bench.start(send).await), Refusal::ChecksExhausted { retry_after: 540 * SECOND });
}

/// Shows: A4.
pub(super) async fn a_new_shared_code_recalls_the_old_one_everywhere<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.sharing = CodeSharing::Shared;
    bench.terms.resend_code = ResendCode::New;
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, MAIL])).await);
    let old = bench.code(verification.id).await;
    bench.at_second(30);
    resent(bench.start(StartCommand { intent: Intent::StartOrResend, ..bench.start_of(ALICE) }).await);
    let recalled = &bench.record(verification.id).await.messages[1];
    assert_eq!(recalled.state, MessageState::Abandoned { reason: Abandoned::Superseded });
    assert_eq!(rejection(&bench.give(bench.check_of_address(MAIL, &old)).await), Rejection::WrongCode);
}

/// Each gets its own code at its own place, and is found there.
pub(super) async fn two_new_addresses_join_at_once<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let phones = bench.open_for(ALICE).await;
    bench.at_second(30);
    let all = resent(bench.start(bench.start_of_all(&[MAIL, ALICE, BOB])).await);
    assert_eq!((all.id, all.destinations.len()), (phones.id, 3));
    let messages = bench.open_messages(all.id).await;
    let payloads = messages.iter().map(|message| Payload::open(message, &bench.keys).expect("it opens"));
    let sent: Vec<_> =
        payloads.map(|payload| (payload.recipient.expose().to_owned(), payload.code)).collect();
    let to: Vec<&str> = sent.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, [MAIL, ALICE, BOB]);
    for (to, code) in &sent[..2] {
        let crossed = bench.give(bench.check_of_address(BOB, code)).await;
        assert_eq!(rejection(&crossed), Rejection::WrongCode, "{to}");
    }
    let (_, bobs) = &sent[2];
    assert!(is_right(&bench.give(bench.check_of_address(BOB, bobs)).await));
}

/// The ninth is refused with the whole send; the eight go on.
pub(super) async fn a_verification_has_eight_addresses_and_no_more<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.terms.cool_downs = Vec::new();
    let to: Vec<String> = (0..9).map(|n| format!("+1212555010{n}")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let verification = opened(bench.start(bench.start_of_all(&to[..1])).await);
    let ninth = refusal(&bench.start(bench.start_of_all(&to)).await);
    assert!(matches!(ninth, Refusal::SendsExhausted { .. }), "{ninth:?}");
    assert_eq!(bench.record(verification.id).await.verification.destinations.len(), 1);
    assert_eq!(resent(bench.start(bench.start_of_all(&to[..8])).await).destinations.len(), 8);
    let ninth = refusal(&bench.start(bench.start_of_all(&[to[0], to[8]])).await);
    assert!(matches!(ninth, Refusal::SendsExhausted { .. }), "{ninth:?}");
}

/// Neither a stranger's address nor nobody's joins a user's verification, by whichever address it is found.
///
/// Shows: F1.
pub(super) async fn f1_an_address_joins_only_what_is_its_own_users<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let alices = bench.open_for(ALICE).await;
    bench.at_second(30);
    let own = commands::destination_of(&bench.tenant, ALICE, 1);
    for stranger in
        [commands::destination_of(&bench.tenant, BOB, 2), commands::destination(&bench.tenant, BOB)]
    {
        for first in [own.clone(), commands::destination(&bench.tenant, ALICE)] {
            for intent in [Intent::Start, Intent::StartOrResend, Intent::ResendOnly] {
                let destinations = vec![first.clone(), stranger.clone()];
                let start = StartCommand { intent, destinations, ..bench.start_of(ALICE) };
                let refused = match bench.start(start).await {
                    SendOutcome::Refused(refusal) => refusal,
                    SendOutcome::Accepted(accepted) => panic!("{intent:?}: {accepted:?}"),
                };
                assert!(
                    matches!(refused, Refusal::NotTogether | Refusal::NothingPending),
                    "{intent:?}: {refused:?}"
                );
            }
        }
    }
    let record = bench.record(alices.id).await;
    assert_eq!((record.verification.destinations.len(), record.messages.len()), (1, 1));
    assert_eq!(bench.status(alices.id).await, Status::Pending);
}

/// Another user's start of the same address opens a verification of its own; a resend in that user's name finds
/// nothing.
///
/// Shows: F1.
pub(super) async fn f1_another_users_verification_is_neither_sent_again_nor_joined<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let first = bench.open_for(ALICE).await;
    let code = bench.code(first.id).await;
    let resend = StartCommand { intent: Intent::ResendOnly, ..bench.start_for(ALICE, 2) };
    assert_eq!(refusal(&bench.start(resend).await), Refusal::NothingPending);
    let second = opened(bench.start(bench.start_for(ALICE, 2)).await);
    assert_ne!(first.id, second.id);
    assert_eq!(bench.status(first.id).await, Status::Canceled);
    assert_eq!(rejection(&bench.give(bench.check_of_address(ALICE, &code)).await), Rejection::WrongCode);
}

/// The right code of one ends the others', and its guesses are theirs: a stranger could name his own address beside
/// somebody's.
///
/// Shows: F1.
pub(super) async fn f1_nobodys_addresses_are_never_verified_together<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    let both = |bench: &Bench<F>| {
        let destinations = [ALICE, MAIL].map(|to| commands::destination(&bench.tenant, to)).to_vec();
        StartCommand { destinations, ..bench.start_of(ALICE) }
    };
    for sharing in [CodeSharing::Shared, CodeSharing::Separate] {
        bench.terms.sharing = sharing;
        assert_eq!(refusal(&bench.start(both(&bench)).await), Refusal::NotTogether);
    }
    bench.open(ALICE).await;
    bench.at_second(30);
    assert_eq!(refusal(&bench.start(both(&bench)).await), Refusal::NotTogether);
}

/// A guess in the name of somebody with several addresses is for what runs for any of them, and for the codes
/// of these addresses only: a stranger's code is none, although it runs in the same verification.
///
/// Shows: F1.
pub(super) async fn f1_a_guess_for_some_addresses_is_for_their_codes_only<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    bench.open(MAIL).await;
    bench.at_second(1);
    let verification = opened(bench.start(bench.start_of_all(&[ALICE, BOB])).await);
    let messages = bench.open_messages(verification.id).await;
    let (alices, bobs) = (bench.code_in(&messages[0]), bench.code_in(&messages[1]));
    let identities: Vec<_> =
        [MAIL, ALICE].map(|to| commands::recipient_keys(&bench.tenant, to).identity).to_vec();
    let any_of = |code| {
        let (owner, purpose) = (commands::user_key(1), commands::purpose());
        let target = CheckTarget::AnyOf { owner, identities: identities.clone(), purpose };
        CheckCommand { target, ..bench.check_of(verification.id, code) }
    };
    assert_eq!(rejection(&bench.give(any_of(&bobs)).await), Rejection::WrongCode);
    assert!(is_right(&bench.give(any_of(&alices)).await));
    assert_eq!(bench.status(verification.id).await, Status::Approved);
}

fn test_number<F: EngineFixture>(bench: &Bench<F>, to: &str) -> DestinationRequest {
    DestinationRequest { test: true, ..commands::destination_of(&bench.tenant, to, 1) }
}

/// By whichever of the two it is found, and whether it is new or not.
///
/// Shows: F2.
pub(super) async fn f2_a_real_address_never_joins_a_test_verification_nor_the_reverse<F: EngineFixture>() {
    for test_first in [true, false] {
        let bench = Bench::<F>::new().await;
        let real = commands::destination_of(&bench.tenant, MAIL, 1);
        let test = test_number(&bench, ALICE);
        let (first, second) = if test_first { (test, real) } else { (real, test) };
        let start =
            |destinations: Vec<DestinationRequest>| StartCommand { destinations, ..bench.start_of(ALICE) };
        let running = opened(bench.start(start(vec![first.clone()])).await);
        bench.at_second(30);
        for both in [vec![first.clone(), second.clone()], vec![second.clone(), first.clone()]] {
            for intent in [Intent::Start, Intent::StartOrResend, Intent::ResendOnly] {
                let outcome = bench.start(StartCommand { intent, ..start(both.clone()) }).await;
                let SendOutcome::Refused(refused) = outcome else { panic!("{intent:?}: {outcome:?}") };
                assert!(matches!(refused, Refusal::NotTogether | Refusal::NothingPending), "{refused:?}");
            }
        }
        let record = bench.record(running.id).await;
        assert_eq!((record.verification.destinations.len(), record.messages.len()), (1, 1));
        assert_eq!(record.messages[0].test, test_first);
    }
}

/// A number that has become one for tests, or is none any more, is another one: what ran goes nowhere.
///
/// Shows: F2.
pub(super) async fn f2_a_number_that_changed_sides_is_verified_anew<F: EngineFixture>() {
    for was_test in [true, false] {
        let bench = Bench::<F>::new().await;
        let of = |test| {
            let destinations = vec![DestinationRequest { test, ..test_number(&bench, ALICE) }];
            StartCommand { destinations, ..bench.start_of(ALICE) }
        };
        let before = opened(bench.start(of(was_test)).await);
        let resend = StartCommand { intent: Intent::ResendOnly, ..of(!was_test) };
        assert_eq!(refusal(&bench.start(resend).await), Refusal::NothingPending);
        let after = opened(bench.start(of(!was_test)).await);
        assert_eq!(bench.status(before.id).await, Status::Canceled);
        let messages = bench.record(after.id).await.messages;
        assert_eq!(messages.iter().map(|message| message.test).collect::<Vec<_>>(), [!was_test]);
    }
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
