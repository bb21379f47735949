//! What is counted for a recipient, and what that forbids.

use super::*;

const HOME: Option<ClientKey> = Some([1; 16]);
const ELSEWHERE: Option<ClientKey> = Some([2; 16]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_161_600_000) + Duration::from_secs(seconds)
}

fn from(client: Option<ClientKey>) -> Failure {
    Failure { client, reserved: false, at: Some(VerificationId::from_bytes([7; 16])) }
}

/// A recipient who was approved from home, before anything else.
fn approved_at_home() -> RecipientLedger {
    let mut ledger = RecipientLedger::default();
    assert!(ledger.record_approval(HOME, at(0)));
    ledger
}

#[test]
fn the_sixth_start_waits_until_the_first_is_an_hour_old() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    for minute in 0..5 {
        assert_eq!(ledger.wait_for_start(&caps, at(60 * minute)), None);
        ledger.record_start(&caps, at(60 * minute));
    }
    assert_eq!(ledger.wait_for_start(&caps, at(300)), Some(Duration::from_secs(3300)));
    assert_eq!(ledger.wait_for_start(&caps, at(3600)), None);
}

#[test]
fn the_longer_of_two_waits_is_told() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    for hour in [0, 2, 4, 6, 8, 10, 12, 14, 16, 18] {
        ledger.record_start(&caps, at(3600 * hour));
    }
    assert_eq!(ledger.wait_for_start(&caps, at(3600 * 19)), Some(Duration::from_secs(5 * 3600)));
}

#[test]
fn a_success_ends_the_row_of_failures_but_not_the_day() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    for i in 0..20 {
        assert_eq!(ledger.hold(&caps, at(i)), None);
        ledger.record_failure(&caps, from(None), at(i));
    }
    ledger.record_success();
    assert_eq!(ledger.windows(at(20)).consecutive_failures, 0);
    assert_eq!(ledger.hold(&caps, at(20)), Some(Hold::FailedChecks(Duration::from_secs(24 * 3600 - 20))));
}

/// Shows: N3.
#[test]
fn the_fiftieth_consecutive_failure_holds_until_released() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    let mut fail = |i: u64| ledger.record_failure(&caps, from(None), at(i * 86_400));
    let held: Vec<bool> = (0..51).map(&mut fail).collect();
    assert_eq!(held.iter().position(|&h| h), Some(49));
    assert_eq!(ledger.hold(&caps, at(365 * 86_400)), Some(Hold::ConsecutiveFailures));
    assert_eq!(ledger.forget_at(), None);
    ledger.release();
    assert_eq!(ledger.hold(&caps, at(365 * 86_400)), None);
}

/// Shows: F12.
#[test]
fn f12_guesses_from_elsewhere_count_half_and_what_is_unknown_in_full() {
    let caps = RecipientCaps::default();
    let until_held = |ledger: RecipientLedger, client| {
        let mut ledger = ledger;
        (0..1_000)
            .take_while(|i| {
                let free = ledger.hold(&caps, at(100 + i)).is_none();
                ledger.record_failure(&caps, from(client), at(100 + i));
                free
            })
            .count()
    };
    assert_eq!(until_held(approved_at_home(), ELSEWHERE), 40);
    for (ledger, client) in
        [(approved_at_home(), HOME), (approved_at_home(), None), (RecipientLedger::default(), ELSEWHERE)]
    {
        assert_eq!(until_held(ledger, client), 20, "{client:?}");
    }
}

/// One full guess and halves, to the millisecond at which the oldest that fills the day leaves it.
///
/// Shows: F12.
#[test]
fn f12_halves_and_wholes_fill_one_day_together() {
    let caps = RecipientCaps { failed_checks_per_day: 2, ..RecipientCaps::default() };
    let mut ledger = approved_at_home();
    for (second, client) in [(10, ELSEWHERE), (11, HOME), (12, ELSEWHERE)] {
        assert_eq!(ledger.hold(&caps, at(second)), None);
        ledger.record_failure(&caps, from(client), at(second));
    }
    assert_eq!(ledger.windows(at(12)).failed_checks_day, 2);
    assert_eq!(ledger.hold(&caps, at(12)), Some(Hold::FailedChecks(Duration::from_secs(86_398))));
    assert_eq!(ledger.hold(&caps, at(10) + DAY), None);
    ledger.record_failure(&caps, from(ELSEWHERE), at(10) + DAY);
    assert_eq!(ledger.hold(&caps, at(10) + DAY), Some(Hold::FailedChecks(Duration::from_secs(1))));
}

/// Shows: F12.
#[test]
fn f12_no_more_than_a_hundred_guesses_in_a_row_however_little_each_counts() {
    for (hold_after, guesses) in [(50, 100), (60, 100), (100, 100), (10, 20)] {
        let caps = RecipientCaps { hold_after, ..RecipientCaps::default() };
        let mut ledger = approved_at_home();
        // Within the month for which it is known where home is.
        let mut fail = |i: u64| ledger.record_failure(&caps, from(ELSEWHERE), at(i * 3600));
        assert_eq!((1..=200).find(|i| fail(*i)), Some(guesses), "hold_after {hold_after}");
    }
}

/// Shows: F12.
#[test]
fn f12_where_somebody_was_approved_is_known_for_a_month_or_until_they_are_erased() {
    let (mut ledger, month) = (approved_at_home(), 30 * 86_400);
    assert_eq!(ledger.forget_at(), Some(at(month)));
    assert!(ledger.is_elsewhere(ELSEWHERE, at(month - 1)));
    assert!(!ledger.is_elsewhere(ELSEWHERE, at(month)));
    assert!(!ledger.record_approval(HOME, at(10)), "known since a moment ago");
    assert!(ledger.record_approval(HOME, at(86_400)));
    assert_eq!(ledger.forget_at(), Some(at(86_400 + month)));
    assert!(ledger.record_approval(None, at(86_400)), "nobody knows from where the last one was");
    assert!(!ledger.record_approval(None, at(86_401)));
    assert!(!ledger.forget_whereabouts());
    assert!(ledger.record_approval(ELSEWHERE, at(86_402)));
    assert!(ledger.forget_whereabouts());
    assert_eq!(ledger.forget_at(), None, "nothing is counted");
}

/// Shows: F12, A23.
#[test]
fn f12_what_fails_at_a_reserved_verification_fills_the_row_and_not_the_day() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    let reserved = Failure { reserved: true, ..from(None) };
    (0..49).for_each(|i| assert!(!ledger.record_failure(&caps, reserved, at(i))));
    let windows = ledger.windows(at(50));
    assert_eq!((windows.failed_checks_day, windows.consecutive_failures), (0, 49));
    assert_eq!(ledger.hold(&caps, at(50)), None);
    assert!(ledger.record_failure(&caps, reserved, at(50)));
}

/// Shows: A23.
#[test]
fn two_starts_a_day_are_reserved() {
    let (caps, mut ledger) = (RecipientCaps::default(), RecipientLedger::default());
    for second in [0, 10] {
        assert_eq!(ledger.wait_for_reserved_start(&caps, at(second)), None);
        ledger.record_reserved_start(&caps, at(second));
    }
    assert_eq!(ledger.wait_for_reserved_start(&caps, at(20)), Some(Duration::from_secs(86_380)));
    assert_eq!(ledger.wait_for_reserved_start(&caps, at(86_400)), None);
    assert_eq!(ledger.windows(at(20)).reserved_starts_day, 2);
    assert_eq!(ledger.forget_at(), Some(at(10) + DAY));
}

#[test]
fn who_may_be_held_is_listed_by_the_last_failure_or_by_the_hold() {
    let (caps, mut ledger) = (RecipientCaps::default(), approved_at_home());
    assert_eq!(ledger.may_be_held(), None);
    ledger.record_failure(&caps, from(None), at(1));
    ledger.record_failure(&caps, from(ELSEWHERE), at(2));
    let listed = MayBeHeld { since: at(2), lasting: false, halves: 3 };
    assert_eq!(ledger.may_be_held(), Some(listed));
    for second in 3..60 {
        ledger.record_failure(&caps, from(None), at(second));
    }
    let listed = ledger.may_be_held().unwrap();
    assert_eq!((listed.since, listed.lasting), (at(51), true));
    ledger.release();
    assert_eq!(ledger.may_be_held(), None);
}
