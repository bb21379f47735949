//! What a decision writes besides its answer: charges, audit entries, what becomes of older messages.

use super::super::enrol::{EnrolState, enrol};
use super::super::resend::RunningState;
use super::*;
use crate::engine::{CheckCommand, CheckOutcome, CheckTarget, EnrolCommand, EnrolOutcome, StoredUser};
use crate::keys::Sealed;
use crate::testkit::commands;
use crate::verification::check::check;

const ALICE: &str = "a@example.com";
const BOB: &str = "+12125550101";

fn guess(verification: &Verification, code: &Code, now: Timestamp) -> CheckCommand {
    commands::check(&verification.tenant, CheckTarget::Id(verification.id), code.clone(), now)
}

/// Nobody has done anything yet.
fn untouched(verification: &Verification) -> RunningState {
    let recipients = vec![RecipientLedger::default(); verification.destinations.len()];
    let ledgers = Ledgers { recipients, ..Ledgers::default() };
    RunningState { verification: Some(verification.clone()), ledgers }
}

fn wrong() -> Code {
    Code::parse("wrong0").unwrap()
}

/// A new user with these first messages.
fn enrolment(starts: Vec<StartCommand>) -> EnrolCommand {
    let user = StoredUser {
        email_pending: false,
        phone_pending: false,
        confirmed: false,
        unproven_life: None,
        id: [1; 16],
        username: None,
        email: None,
        phone: None,
        email_verified: false,
        phone_verified: false,
        sequence: 1,
        created_at: at(0),
        changed_at: at(0),
        body: Sealed::from_bytes(vec![1]),
    };
    let directory = "users".parse().unwrap();
    EnrolCommand { tenant: starts[0].tenant.clone(), directory, user, now: starts[0].now, starts }
}

fn first_time() -> StartState {
    StartState {
        latest: vec![None],
        ledgers: Ledgers { recipients: vec![RecipientLedger::default()], ..Ledgers::default() },
    }
}

fn enrolled(starts: Vec<StartCommand>, states: Vec<StartState>) -> Changes {
    let state = EnrolState { starts: states, ..EnrolState::default() };
    let decision = enrol(state, &enrolment(starts), &keys()).unwrap();
    assert!(matches!(decision.outcome, EnrolOutcome::Enrolled(_)), "{:?}", decision.outcome);
    decision.changes
}

#[test]
fn a_code_that_several_addresses_share_proves_its_user_once() {
    let opening = decide(&[None, None], &to(&[ALICE, BOB]));
    let (verification, code) = (opened(&opening), &sent_codes(&opening)[0]);
    let command = CheckCommand { record_proof: true, ..guess(verification, code, at(1)) };
    let proven = check(untouched(verification), &command, &keys()).changes.proven;
    assert_eq!((proven.len(), proven[0].address), (1, None));
}

/// A look-alike among real addresses does not make guessing free.
/// Shows: N10.
#[test]
fn a_guess_counts_against_the_tenant_where_one_of_its_addresses_is_somebodys() {
    let mut mixed = opened(&decide(&[None, None], &to(&[ALICE, BOB]))).clone();
    let failures = |verification: &Verification| {
        let decision = check(untouched(verification), &guess(verification, &wrong(), at(1)), &keys());
        decision.changes.verifications[0].failures.len()
    };
    mixed.destinations[0].recipient = StoredRecipient::Nobody;
    assert_eq!(failures(&mixed), 1);
    mixed.destinations[1].recipient = StoredRecipient::Nobody;
    assert_eq!(failures(&mixed), 0, "nobody can be proven");
}

#[test]
fn two_first_messages_to_one_address_from_one_client_are_charged_twice_in_one_row_each() {
    let start = |purpose| StartCommand {
        purpose: Purpose::parse(purpose).unwrap(),
        client: Some([9; 16]),
        ..to(&[ALICE])
    };
    let changes = enrolled(vec![start("one"), start("two")], vec![first_time(), first_time()]);
    let [(_, ledger)] = &changes.ledgers[..] else { panic!("{} rows", changes.ledgers.len()) };
    assert_eq!(ledger.windows(at(0)).starts_day, 2);
    assert_eq!(changes.tenant.unwrap().starts(at(0)), 2);
    let (_, client) = changes.client.unwrap();
    let caps = Caps { client_starts_per_hour: 2, ..Caps::default() };
    assert!(client.wait_for_start(&caps, at(0)).is_some(), "both count");
}

#[test]
fn first_messages_take_the_place_of_what_waits_for_the_same_address() {
    let before = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let later = StartCommand { now: at(60), ..to(&[ALICE]) };
    let state = StartState { latest: vec![Some(before.clone())], ..first_time() };
    let dropped = enrolled(vec![later], vec![state]).drop_messages;
    assert!(dropped.iter().any(|dropped| dropped.verification == before.id), "{dropped:?}");
}

/// The first code has died, the second goes out a second time.
#[test]
fn what_is_repeated_is_the_live_code_and_not_one_that_died_before_it() {
    let terms =
        Terms { resend_code: ResendCode::Same, code_life: Duration::from_secs(100), ..Terms::default() };
    let ask =
        |now, seed| StartCommand { terms: terms.clone(), now, seed: Seed::new([seed; 32]), ..to(&[ALICE]) };
    let first = decide(&[None], &ask(at(0), 1));
    let second = decide(&[Some(opened(&first))], &ask(at(200), 2));
    let third = decide(&[Some(opened(&second))], &ask(at(260), 3));
    let codes = [&first, &second, &third].map(|decision| sent_codes(decision)[0].clone());
    assert!(codes[0] != codes[1] && codes[1] == codes[2]);
}

#[test]
fn a_code_of_one_address_proves_that_address() {
    let opening = decide(&[None], &to(&[ALICE]));
    let (verification, code) = (opened(&opening), &sent_codes(&opening)[0]);
    let command = CheckCommand { record_proof: true, ..guess(verification, code, at(1)) };
    let proven = check(untouched(verification), &command, &keys()).changes.proven;
    assert_eq!(proven[0].address, Some(verification.destinations[0].identity));
}

/// Only after the last guess there is something to wait for.
#[test]
fn a_wrong_guess_says_how_long_to_wait_only_where_it_was_the_last() {
    let mut verification = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let waits = |verification: &Verification| {
        let decision = check(untouched(verification), &guess(verification, &wrong(), at(100)), &keys());
        let CheckOutcome::Rejected { retry_after, .. } = decision.outcome else { panic!("right") };
        retry_after
    };
    assert_eq!(waits(&verification), Duration::ZERO);
    verification.checks_used = verification.terms.max_checks - 1;
    assert_eq!(waits(&verification), verification.expires_at.since(at(100)));
}

#[test]
fn each_message_and_each_that_it_replaces_is_of_its_own_address() {
    let opening = decide(&[None, None], &to(&[ALICE, BOB]));
    let again = decide(&[Some(opened(&opening)), None], &StartCommand { now: at(31), ..to(&[ALICE, BOB]) });
    let queued: Vec<u8> = again.changes.messages.iter().map(|message| message.destination).collect();
    let dropped: Vec<_> = again.changes.drop_messages.iter().map(|dropped| dropped.destination).collect();
    assert_eq!((queued, dropped), (vec![0, 1], vec![Some(0), Some(1)]));
}

#[test]
fn a_message_that_is_sent_again_is_paid_for_and_one_that_is_free_writes_nothing_to_the_tenant() {
    let caps = Caps { tenant_spend_per_day_micros: Some(100), ..Caps::default() };
    let running = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let spent = |cost_micros, now| {
        let again = StartCommand { caps, cost_micros, now: at(now), ..to(&[ALICE]) };
        decide(&[Some(&running)], &again).changes.tenant.map(|tenant| tenant.spend_micros(at(now)))
    };
    assert_eq!((spent(7, 60), spent(0, 60)), (Some(7), None));
}

#[test]
fn a_verification_ended_when_it_was_ended_or_ran_out() {
    let mut verification = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let end = verification.expires_at;
    assert_eq!(verification.ended_at(at(1)), None);
    assert_eq!(verification.ended_at(end), Some(end));
    verification.end(Status::Approved, at(1));
    assert_eq!([at(1), end].map(|now| verification.ended_at(now)), [Some(at(1)); 2]);
}

#[test]
fn what_has_ended_keeps_no_code() {
    let terms = Terms { resend_code: ResendCode::Same, ..Terms::default() };
    let mut verification =
        opened(&decide(&[None, None], &StartCommand { terms, ..to(&[ALICE, BOB]) })).clone();
    let kept = |v: &Verification| {
        let kept = |d: &Destination| d.digest.is_some() && d.sealed_code.is_some();
        let none = |d: &Destination| d.digest.is_none() && d.sealed_code.is_none();
        (v.destinations.iter().all(kept), v.destinations.iter().all(none))
    };
    assert_eq!(kept(&verification), (true, false));
    verification.end(Status::Canceled, at(1));
    assert_eq!(kept(&verification), (false, true));
}

/// Another message has gone out meanwhile.
#[test]
fn a_start_after_a_resend_by_id_is_not_the_same_send() {
    let first = opened(&decide(&[None], &clicked(at(0)))).clone();
    let again = commands::resend(&first.tenant, first.id, at(31), Seed::new([9; 32]));
    let resent = super::super::resend::resend(untouched(&first), &again, &keys()).unwrap();
    let third = decide(&[Some(opened(&resent))], &clicked(at(32)));
    assert_eq!(accepted(&third).kind, AcceptedKind::CoolingDown);
}

#[test]
fn a_verification_that_both_addresses_joined_goes_on_and_is_written_once() {
    let running = opened(&decide(&[None, None], &to(&[ALICE, BOB]))).clone();
    let command = StartCommand { now: at(31), ..to(&[ALICE, BOB]) };
    let again = decide(&[Some(&running), Some(&running)], &command);
    let written: Vec<_> = again.changes.verifications.iter().map(|v| (v.id, v.status)).collect();
    assert_eq!(written, [(running.id, Status::Pending)]);
    assert!(again.changes.drop_messages.iter().all(|dropped| dropped.destination.is_some()));
}

/// The newest says whether there is anything to go on with, not one that ran out before it was opened.
#[test]
fn of_two_addresses_the_newer_verification_says_whether_a_resend_revives() {
    let (older, mut newer) = (
        opened(&decide(&[None], &to(&[ALICE]))).clone(),
        opened(&decide(&[None], &StartCommand { now: at(5), ..to(&[BOB]) })).clone(),
    );
    let later = StartCommand { intent: Intent::ResendOrRevive, now: at(700), ..to(&[ALICE, BOB]) };
    let revives = |newer: &Verification| {
        matches!(decide(&[Some(&older), Some(newer)], &later).outcome, SendOutcome::Accepted(_))
    };
    assert!(revives(&newer));
    newer.end(Status::Canceled, at(6));
    assert!(!revives(&newer));
}

/// A caller that names no user goes on for the one whose address is being verified, and for nobody's else.
#[test]
fn for_whom_a_code_is_asked_again_is_known_while_there_is_something_to_go_on_with() {
    let running = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let owner = running.destinations[0].owner.clone();
    assert!(owner.is_some());
    let again = |before: &Verification, more: fn(StartCommand) -> StartCommand| {
        let mut command = StartCommand { now: at(60), ..to(&[ALICE]) };
        command.destinations[0].owner = None;
        let decision = decide(&[Some(before)], &more(command));
        assert_eq!(accepted(&decision).kind, AcceptedKind::Opened);
        opened(&decision).destinations[0].owner.clone()
    };
    let other_context =
        |command| StartCommand { context: Some(crate::keys::ContextDigest::from_bytes([1; 32])), ..command };
    assert_eq!(again(&running, other_context), owner, "pending");
    let expired = |command| StartCommand { now: at(700), ..command };
    assert_eq!(again(&running, expired), owner, "it may be revived");
    let other_api = |command| StartCommand { dialect: DialectName::parse("other").unwrap(), ..command };
    assert_eq!(again(&running, other_api), None, "another wire API's");
    let mut approved = running.clone();
    approved.end(Status::Approved, at(1));
    assert_eq!(again(&approved, |command| command), None, "done");
}

#[test]
fn a_start_to_another_second_address_is_not_the_same_send() {
    let ask = |second, now| {
        let mut command = to(&[ALICE, second]);
        command.terms.same_within = Some(Duration::from_secs(2));
        StartCommand { now, ..command }
    };
    let first = opened(&decide(&[None, None], &ask("b@example.com", at(0)))).clone();
    let kind = |second, latest: Option<&Verification>| {
        accepted(&decide(&[Some(&first), latest], &ask(second, at(1)))).kind
    };
    assert_eq!(kind("b@example.com", Some(&first)), AcceptedKind::Repeated);
    assert_eq!(kind("c@example.com", None), AcceptedKind::CoolingDown);
}

#[test]
fn a_verification_is_masked_when_none_of_its_addresses_can_be_read() {
    let mut verification = opened(&decide(&[None, None], &to(&[ALICE, BOB]))).clone();
    verification.destinations[0].recipient = StoredRecipient::Nobody;
    verification.end(Status::Canceled, at(1));
    assert_eq!(verification.sweep_at(), at(1) + verification.terms.keep_recipient);
    verification.destinations[1].recipient = StoredRecipient::Masked("+1********01".into());
    assert_eq!(verification.sweep_at(), at(1) + verification.terms.keep_record);
}

#[test]
fn of_two_first_messages_the_later_one_may_have_an_address_more() {
    let both = to(&[ALICE, BOB]);
    let later = StartCommand { purpose: Purpose::parse("two").unwrap(), ..both };
    let two = Ledgers { recipients: vec![RecipientLedger::default(); 2], ..Ledgers::default() };
    let states = vec![first_time(), StartState { latest: vec![None, None], ledgers: two }];
    let changes = enrolled(vec![to(&[ALICE]), later], states);
    let mut starts: Vec<_> = changes.ledgers.iter().map(|(_, l)| l.windows(at(0)).starts_day).collect();
    starts.sort_unstable();
    assert_eq!(starts, [1, 2]);
}
