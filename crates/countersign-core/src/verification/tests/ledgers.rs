//! Ledgers by themselves: what counts, until when, what is told about it, and when a row may go.

use super::*;
use crate::verification::ledger::Failure;

const DAY: u64 = 24 * 3600;
/// A sum is kept by quarters of an hour; `at(0)` begins one.
const QUARTER: u64 = 900;
/// From nobody knows where.
const FAILURE: Failure = Failure { client: None, reserved: false, at: None };

fn caps() -> Caps {
    Caps { tenant_spend_per_day_micros: Some(100), ..Caps::default() }
}

/// How many seconds a message that costs one has to wait.
fn waits(ledger: &TenantLedger, now: u64) -> Option<u64> {
    ledger.wait_for_spend(&caps(), 1, at(now)).map(|wait| wait.as_secs())
}

fn spent(sums: &[(u64, u64)]) -> TenantLedger {
    let mut ledger = TenantLedger::default();
    for (micros, seconds) in sums {
        ledger.record_spend(*micros, at(*seconds));
    }
    ledger
}

/// Shows: O5.
#[test]
fn a_spend_cap_says_to_the_second_when_there_is_room_again() {
    let ledger = spent(&[(100, 10)]);
    assert_eq!(waits(&ledger, 20), Some(DAY + QUARTER - 20));
    assert_eq!(waits(&ledger, DAY + 20), Some(QUARTER - 20), "in its last quarter of an hour");
    assert_eq!(waits(&ledger, DAY + QUARTER - 1), Some(1));
    assert_eq!(waits(&ledger, DAY + QUARTER), None);
}

/// Shows: O5.
#[test]
fn what_has_left_the_day_or_cost_nothing_keeps_nobody_waiting() {
    let left = spent(&[(60, 0), (100, 3600)]);
    assert_eq!(waits(&left, DAY + QUARTER), Some(3600), "the first hour's money is free again");
    let nothing = spent(&[(0, 0), (100, 3600)]);
    assert_eq!(waits(&nothing, 3600), Some(DAY + QUARTER));
}

#[test]
fn whoever_is_approved_gets_every_failure_of_one_moment_back() {
    let mut ledger = TenantLedger::default();
    (0..3).for_each(|_| ledger.record_failure(at(5)));
    ledger.give_back([at(5), at(5)].into_iter());
    assert_eq!(ledger.open_failures(at(5)), 1);
    ledger.give_back([at(5)].into_iter());
    assert_eq!(ledger.open_failures(at(5)), 0);
}

#[test]
fn a_ledger_may_go_when_its_newest_entry_counts_no_longer() {
    let mut recipient = RecipientLedger::default();
    recipient.record_send(at(10));
    recipient.record_start(&Caps::default().recipient, at(20));
    assert_eq!(recipient.forget_at(), Some(at(20 + DAY)));
    recipient.record_return(&Caps::default().recipient, at(30));
    assert_eq!(recipient.forget_at(), Some(at(30 + DAY)));
    recipient.record_failure(&Caps::default().recipient, FAILURE, at(40));
    assert_eq!(recipient.forget_at(), Some(at(40 + 30 * DAY)), "a row of failures is kept");
    assert!(recipient.record_success());
    assert_eq!(recipient.forget_at(), Some(at(40 + DAY)));

    let mut client = ClientLedger::default();
    assert_eq!(client.forget_at(), None);
    client.record_start(&Caps::default(), at(50));
    assert_eq!(client.forget_at(), Some(at(50 + 3600)));
}

/// A right code at the first try writes no row.
/// Shows: O3.
#[test]
fn only_a_row_of_failures_ends_with_a_success() {
    let mut recipient = RecipientLedger::default();
    assert!(!recipient.record_success());
    recipient.record_failure(&Caps::default().recipient, FAILURE, at(0));
    assert_eq!([recipient.record_success(), recipient.record_success()], [true, false]);
}

/// A count that wavers around a figure is told once, and one that comes back is told again.
/// Shows: F5.
#[test]
fn a_level_is_told_again_only_after_half_of_its_failures_are_gone() {
    use crate::policy::FailureBudget;
    use crate::verification::FailureLevel::Alert;
    let budget = FailureBudget { alert: 10, raised: 1_000, severe: 10_000 };
    let mut ledger = TenantLedger::default();
    let mut told = |failures: u64| {
        let had = ledger.open_failures(at(0));
        (had..failures).for_each(|_| ledger.record_failure(at(0)));
        (failures..had).for_each(|_| ledger.give_back([at(0)].into_iter()));
        ledger.tell(&budget, at(0))
    };
    assert_eq!([9, 10, 11].map(&mut told), [None, Some(Alert), None]);
    assert_eq!([9, 10, 5, 10].map(&mut told), [None; 4], "it wavers");
    assert_eq!([4, 9, 10].map(&mut told), [None, None, Some(Alert)], "it comes back");
}

/// Shows: F5, P40.
#[test]
fn codes_of_test_numbers_stay_as_they_are_however_much_is_guessed() {
    let mut tenant = TenantLedger::default();
    (0..10_000).for_each(|_| tenant.record_failure(at(0)));
    let length = |test| {
        let mut command = to(&["+12125550101"]);
        command.destinations[0].test = test;
        let ledgers = Ledgers {
            recipients: vec![RecipientLedger::default()],
            tenant: tenant.clone(),
            ..Ledgers::default()
        };
        let decision = start(StartState { latest: vec![None], ledgers }, &command, &keys()).unwrap();
        opened(&decision).terms.code.length
    };
    assert_eq!((length(false), length(true)), (8, 6));
}
