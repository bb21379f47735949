//! The caps on messages that a caller's API promises.

use super::super::resend::{RunningState, resend};
use super::*;
use crate::policy::MessageCaps;
use crate::testkit::commands;

const ALICE: &str = "a@example.com";
const DAY: u64 = 24 * 3600;

fn sent(at_seconds: &[u64]) -> RecipientLedger {
    let mut ledger = RecipientLedger::default();
    for seconds in at_seconds {
        ledger.record_send(at(*seconds));
    }
    ledger
}

fn caps() -> MessageCaps {
    MessageCaps { per_hour: Some(2), per_day: Some(3) }
}

/// Shows: O5.
#[test]
fn a_message_waits_for_the_hour_and_for_the_day_whichever_is_longer() {
    let waits =
        |ledger: &RecipientLedger, now| ledger.wait_for_send(&caps(), at(now)).map(|wait| wait.as_secs());
    assert_eq!(waits(&sent(&[0]), 20), None);
    assert_eq!(waits(&sent(&[0, 10]), 20), Some(3600 - 20));
    assert_eq!(waits(&sent(&[0, 4000, 8000]), 8001), Some(DAY - 8001), "of the day alone");
    assert_eq!(waits(&sent(&[0, 8000, 8010]), 8020), Some(DAY - 8020), "of both");
    assert_eq!(sent(&[0, 1, 2]).wait_for_send(&MessageCaps::default(), at(3)), None, "nothing is promised");
}

fn ask(command: &StartCommand, latest: Option<&Verification>, ledger: &RecipientLedger) -> SendOutcome {
    let ledgers = Ledgers { recipients: vec![ledger.clone()], ..Ledgers::default() };
    start(StartState { latest: vec![latest.cloned()], ledgers }, command, &keys()).unwrap().outcome
}

#[test]
fn neither_a_start_nor_a_send_again_passes_the_cap_on_messages() {
    let terms = Terms { messages: caps(), ..Terms::default() };
    let command = |now| StartCommand { terms: terms.clone(), now: at(now), ..to(&[ALICE]) };
    let (full, room) = (sent(&[0, 10]), sent(&[0]));
    let limit = |now: u64| {
        SendOutcome::Refused(Refusal::RecipientLimit { retry_after: Duration::from_secs(3600 - now) })
    };
    assert_eq!(ask(&command(20), None, &full), limit(20));
    assert!(matches!(ask(&command(20), None, &room), SendOutcome::Accepted(_)));

    let running = opened(&decide(&[None], &command(0))).clone();
    assert_eq!(ask(&command(40), Some(&running), &full), limit(40));
    assert!(matches!(ask(&command(40), Some(&running), &room), SendOutcome::Accepted(_)));

    let again = commands::resend(&running.tenant, running.id, at(40), Seed::new([9; 32]));
    let by_id = |ledger: &RecipientLedger| {
        let ledgers = Ledgers { recipients: vec![ledger.clone()], ..Ledgers::default() };
        resend(RunningState { verification: Some(running.clone()), ledgers }, &again, &keys())
            .unwrap()
            .outcome
    };
    assert_eq!(by_id(&full), limit(40));
    assert!(matches!(by_id(&room), SendOutcome::Accepted(_)));
}

#[test]
fn a_code_that_is_handed_back_and_a_test_number_take_no_message() {
    let terms = Terms { messages: caps(), ..Terms::default() };
    let (command, full) = (StartCommand { terms, now: at(20), ..to(&[ALICE]) }, sent(&[0, 10]));
    let handed_back = StartCommand { delivery: Delivery::Return, ..command.clone() };
    assert!(matches!(ask(&handed_back, None, &full), SendOutcome::Accepted(_)));
    let mut test = command;
    test.destinations[0].test = true;
    assert!(matches!(ask(&test, None, &full), SendOutcome::Accepted(_)));
}

/// Shows: O5.
#[test]
fn of_two_addresses_the_one_that_waits_longer_for_a_message_says_how_long() {
    let terms = Terms { messages: caps(), ..Terms::default() };
    let command = StartCommand { terms, now: at(100), ..to(&[ALICE, "+12125550101"]) };
    let (early, late) = (sent(&[0, 10]), sent(&[50, 60]));
    for recipients in [[early.clone(), late.clone()], [late, early]] {
        let ledgers = Ledgers { recipients: recipients.to_vec(), ..Ledgers::default() };
        let outcome =
            start(StartState { latest: vec![None, None], ledgers }, &command, &keys()).unwrap().outcome;
        let retry_after = Duration::from_secs(3600 - 50);
        assert_eq!(outcome, SendOutcome::Refused(Refusal::RecipientLimit { retry_after }));
    }
}
