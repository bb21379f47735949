//! What an engine never brings about, or brings about too rarely to be noticed: another tenant's row, several
//! addresses that wait differently long, rows that could grow.

use super::super::resend::{RunningState, resend};
use super::*;
use crate::codec::to_row;
use crate::engine::{CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Rejection, ResendCommand};
use crate::policy::RecipientCaps;
use crate::testkit::commands;
use crate::verification::cancel::cancel;
use crate::verification::check::check;
use crate::verification::ledger::Failure;
use crate::verification::sweep::{SweepAction, erase, sweep};

const ALICE: &str = "a@example.com";
const BOB: &str = "+12125550101";
const DAY: u64 = 24 * 3600;
const FAILURE: Failure = Failure { client: None, reserved: false, at: None };

fn stranger() -> TenantId {
    TenantId::parse("stranger").unwrap()
}

/// A ledger in which something happened at these seconds.
fn ledger(record: impl Fn(&mut RecipientLedger, Timestamp), at_seconds: &[u64]) -> RecipientLedger {
    let mut ledger = RecipientLedger::default();
    for seconds in at_seconds {
        record(&mut ledger, at(*seconds));
    }
    ledger
}

fn failed(at_seconds: &[u64]) -> RecipientLedger {
    let caps = RecipientCaps::default();
    let fail = |ledger: &mut RecipientLedger, at| {
        ledger.record_failure(&caps, FAILURE, at);
    };
    ledger(fail, at_seconds)
}

fn started(at_seconds: &[u64]) -> RecipientLedger {
    let caps = RecipientCaps::default();
    ledger(|ledger, at| ledger.record_start(&caps, at), at_seconds)
}

fn guess(verification: &Verification, code: &Code, now: Timestamp) -> CheckCommand {
    commands::check(&verification.tenant, CheckTarget::Id(verification.id), code.clone(), now)
}

fn again(verification: &Verification, now: Timestamp) -> ResendCommand {
    commands::resend(&verification.tenant, verification.id, now, to(&[ALICE]).seed)
}

/// The state of a check or a resend: every address has this ledger.
fn state(verification: &Verification, ledger: &RecipientLedger) -> RunningState {
    let recipients = vec![ledger.clone(); verification.destinations.len()];
    let ledgers = Ledgers { recipients, ..Ledgers::default() };
    RunningState { verification: Some(verification.clone()), ledgers }
}

/// Engines find rows by tenant. That each rule looks once more is the second wall.
/// Shows: A6, N8.
#[test]
fn no_rule_touches_a_row_of_another_tenant() {
    let opening = decide(&[None], &to(&[ALICE]));
    let (verification, code) = (opened(&opening), &sent_codes(&opening)[0]);
    let untouched = RecipientLedger::default();

    let theirs = CheckCommand { tenant: stranger(), ..guess(verification, code, at(1)) };
    let checked = check(state(verification, &untouched), &theirs, &keys());
    assert_eq!((checked.outcome, checked.changes.is_empty()), (CheckOutcome::NotFound, true));

    let theirs = ResendCommand { tenant: stranger(), ..again(verification, at(31)) };
    let resent = resend(state(verification, &untouched), &theirs, &keys()).unwrap();
    assert_eq!(resent.outcome, SendOutcome::Refused(Refusal::NotFound));
    assert!(resent.changes.is_empty());

    let canceled = cancel(Some(verification.clone()), &commands::cancel(&stranger(), verification.id, at(1)));
    assert_eq!((canceled.outcome, canceled.changes.is_empty()), (CancelOutcome::NotFound, true));

    let theirs = StartCommand { tenant: stranger(), now: at(31), ..to(&[ALICE]) };
    let started = decide(&[Some(verification)], &theirs);
    assert_eq!(accepted(&started).kind, AcceptedKind::Opened);
    assert!(started.changes.verifications.iter().all(|changed| changed.id != verification.id));
}

/// Test numbers prove nobody: only runaway scripts meet their limits.
/// Shows: P40.
#[test]
fn guesses_and_resends_of_test_numbers_meet_their_own_limits_only() {
    let mut command = to(&[BOB]);
    command.destinations[0].test = true;
    let opening = decide(&[None], &command);
    let (test, wrong) = (opened(&opening), Code::parse("wrong0").unwrap());
    let mut real = Verification { test: false, ..test.clone() };
    real.destinations[0].test = Some(false);
    let full = failed(&[0; 20]);

    let asked = |verification: &Verification| {
        check(state(verification, &full), &guess(verification, &wrong, at(31)), &keys()).outcome
    };
    assert!(matches!(asked(test), CheckOutcome::Rejected { reason: Rejection::WrongCode, .. }));
    assert!(matches!(asked(&real), CheckOutcome::Rejected { reason: Rejection::RecipientHeld, .. }));

    let asked = |verification: &Verification| {
        resend(state(verification, &full), &again(verification, at(31)), &keys()).unwrap().outcome
    };
    assert!(matches!(asked(test), SendOutcome::Accepted(_)));
    assert!(matches!(asked(&real), SendOutcome::Refused(Refusal::RecipientHeld { .. })));
}

/// Whoever is told to come back in a minute and is refused for another hour was told something untrue.
/// Shows: O5.
#[test]
fn of_several_addresses_the_one_that_waits_longest_says_how_long() {
    let ask =
        |command: &StartCommand, latest: [Option<&Verification>; 2], recipients: [RecipientLedger; 2]| {
            for order in [[0, 1], [1, 0]] {
                let mut command = command.clone();
                command.destinations = order.map(|n| command.destinations[n].clone()).to_vec();
                let state = StartState {
                    latest: order.map(|n| latest[n].cloned()).to_vec(),
                    ledgers: Ledgers {
                        recipients: order.map(|n| recipients[n].clone()).to_vec(),
                        ..Ledgers::default()
                    },
                };
                let outcome = start(state, &command, &keys()).unwrap().outcome;
                if order == [1, 0] {
                    return outcome;
                }
                let SendOutcome::Refused(_) = outcome else { panic!("{outcome:?}") };
            }
            unreachable!("both orders were asked")
        };
    let command = StartCommand { now: at(100), ..to(&[ALICE, BOB]) };
    let wait = |seconds| Duration::from_secs(seconds);

    let held = ask(&command, [None, None], [failed(&[10; 20]), failed(&[50; 20])]);
    assert_eq!(held, SendOutcome::Refused(Refusal::RecipientHeld { retry_after: wait(DAY - 50) }));

    let capped = ask(&command, [None, None], [started(&[10; 5]), started(&[50; 5])]);
    assert_eq!(capped, SendOutcome::Refused(Refusal::RecipientLimit { retry_after: wait(3600 - 50) }));

    let used_up = |address, opened_at| {
        let mut verification =
            opened(&decide(&[None], &StartCommand { now: at(opened_at), ..to(&[address]) })).clone();
        verification.end(Status::Exhausted, at(opened_at));
        verification
    };
    let (older, newer) = (used_up(ALICE, 0), used_up(BOB, 50));
    let none = [RecipientLedger::default(), RecipientLedger::default()];
    let used_up = ask(&command, [Some(&older), Some(&newer)], none);
    assert_eq!(used_up, SendOutcome::Refused(Refusal::ChecksExhausted { retry_after: wait(550) }));
}

/// The same of two that join a running verification.
/// Shows: O5.
#[test]
fn of_two_that_join_the_one_that_waits_longer_says_how_long() {
    let running = decide(&[None], &to(&["c@example.com"]));
    let command = StartCommand { now: at(100), ..to(&["c@example.com", ALICE, BOB]) };
    for recipients in [[started(&[10; 5]), started(&[50; 5])], [started(&[50; 5]), started(&[10; 5])]] {
        let [first, second] = recipients;
        let state = StartState {
            latest: vec![Some(opened(&running).clone()), None, None],
            ledgers: Ledgers {
                recipients: vec![RecipientLedger::default(), first, second],
                ..Ledgers::default()
            },
        };
        let outcome = start(state, &command, &keys()).unwrap().outcome;
        let retry_after = Duration::from_secs(3600 - 50);
        assert_eq!(outcome, SendOutcome::Refused(Refusal::RecipientLimit { retry_after }));
    }
}

/// A row is written with every command about its recipient: what no cap reads is not in it.
/// Shows: O3.
#[test]
fn a_ledger_keeps_no_more_than_its_caps_read() {
    let (caps, all) = (RecipientCaps::default(), Caps::default());
    let (mut recipient, mut client) = (RecipientLedger::default(), ClientLedger::default());
    for _ in 0..2_000 {
        recipient.record_start(&caps, at(0));
        recipient.record_send(at(0));
        recipient.record_return(&caps, at(0));
        recipient.record_failure(&caps, FAILURE, at(0));
        client.record_start(&all, at(0));
    }
    let seen = recipient.windows(at(0));
    assert_eq!((seen.starts_day, seen.sends_day, seen.failed_checks_day), (10, 500, 20));
    // An instant takes nine bytes.
    let (full, of_client) = (to_row(&recipient).len(), to_row(&client).len());
    assert!(full < 9 * (10 + 500 + 60 + 20) + 64, "{full} bytes");
    assert!(of_client < 9 * 100 + 64, "{of_client} bytes");

    // What has left its window leaves with the next event, and not before.
    for (later, kept) in [(DAY - 1, 500), (DAY, 1)] {
        let mut recipient = recipient.clone();
        recipient.record_send(at(later));
        assert_eq!(recipient.windows(at(later)).sends_day, kept, "{later} s later");
        assert_eq!(to_row(&recipient).len() < full - 400 * 9, later == DAY, "{later} s later");
    }
    let mut recipient = recipient.clone();
    recipient.record_return(&caps, at(3600));
    assert_eq!(recipient.wait_for_return(&caps, at(3600)), None);
    assert!(to_row(&recipient).len() <= full - 59 * 9, "codes handed back count for an hour");
}

/// Shows: O3.
#[test]
fn a_rolling_sum_keeps_a_days_buckets() {
    let mut tenant = TenantLedger::default();
    let last = 4 * 24 * 10;
    for quarter_of_an_hour in 0..=last {
        tenant.record_spend(1, at(900 * quarter_of_an_hour));
    }
    assert_eq!(tenant.spend_micros(at(900 * last)), 97, "a day, and the bucket that it began in");
    let row = to_row(&tenant).len();
    assert!(row < 97 * 8 + 32, "{row} bytes");
}

/// Shows: O9.
#[test]
fn what_ran_out_and_was_erased_before_it_was_cleared_up_ended_when_it_ran_out() {
    let verification = opened(&decide(&[None], &to(&[ALICE]))).clone();
    let end = verification.expires_at;
    let erased = erase(verification.clone(), end + Duration::from_secs(60));
    assert_eq!((erased.status, erased.ended_at), (Status::Expired, Some(end)));
    let early = erase(verification, end - Duration::from_millis(1));
    assert_eq!((early.status, early.ended_at), (Status::Canceled, Some(end - Duration::from_millis(1))));
    let keep = erased.terms.keep_record;
    assert_eq!(sweep(erased.clone(), &keys(), end + keep - Duration::from_millis(1)), SweepAction::Keep);
    assert_eq!(sweep(erased, &keys(), end + keep), SweepAction::Delete);
}
