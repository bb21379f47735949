//! The decisions about one message.

use std::time::Duration;

use super::{Abandoned, DeliveryReport, DeliveryResult, MAX_SUBMISSIONS, Message, MessageState};
use crate::time::Timestamp;

/// How many failures of providers a message remembers.
const TRIED_KEPT: usize = 16;

/// What a dispatcher may do with a message that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Hand it over: its submission is counted and it is leased.
    Submit(Message),
    /// It is over; write it back as it is.
    Finished(Message),
    /// Not due after all: leave it.
    NotDue(Message),
}

/// Decides what happens with a message that came up. The submission is counted here, before any
/// provider is called, so that a crash in between can only cost a try, never add one.
pub fn claim(mut message: Message, lease: Duration, now: Timestamp) -> Claim {
    match message.due_at() {
        Some(due) if due <= now => {}
        _ => return Claim::NotDue(message),
    }
    if now >= message.expires_at {
        message.abandon(Abandoned::Expired, now);
        return Claim::Finished(message);
    }
    if message.submissions >= MAX_SUBMISSIONS {
        message.abandon(Abandoned::Submissions, now);
        return Claim::Finished(message);
    }
    message.submissions += 1;
    message.attempts = message.attempts.saturating_add(1);
    message.state = MessageState::Leased { until: now + lease };
    message.updated_at = now;
    Claim::Submit(message)
}

/// Applies a dispatcher's report; `None` when it changes nothing (the lease was lost to somebody
/// else, or the message is final).
pub fn record(mut message: Message, report: &DeliveryReport, now: Timestamp) -> Option<Message> {
    match &report.result {
        // The truth outranks every other state, even that it was superseded meanwhile.
        DeliveryResult::Accepted { provider } => {
            if matches!(message.state, MessageState::Sent { .. }) {
                return None;
            }
            message.state = MessageState::Sent { provider: provider.clone() };
            message.payload = None;
            message.updated_at = now;
            Some(message)
        }
        _ if !matches!(message.state, MessageState::Leased { .. }) => None,
        _ if message.attempts != report.attempt => None,
        DeliveryResult::GivenUp { reason } => {
            message.abandon(*reason, now);
            Some(message)
        }
        DeliveryResult::Failed { provider, submitted, retry_after } => {
            message.tried.extend(provider.clone());
            let too_many = message.tried.len().saturating_sub(TRIED_KEPT);
            message.tried.drain(..too_many);
            if !submitted {
                message.submissions = message.submissions.saturating_sub(1);
            }
            let at = now + *retry_after;
            if message.submissions >= MAX_SUBMISSIONS {
                message.abandon(Abandoned::Submissions, now);
            } else if at >= message.expires_at {
                message.abandon(Abandoned::Expired, now);
            } else {
                message.state = MessageState::Retrying { at };
                message.updated_at = now;
            }
            Some(message)
        }
    }
}

/// Ends the lease of a process that is gone. Whether it had handed the message over is not known, so
/// that its submission stays counted. `None` when nobody had it.
pub fn free(mut message: Message) -> Option<Message> {
    if !matches!(message.state, MessageState::Leased { .. }) {
        return None;
    }
    // Due since it was taken: it comes before what was queued later.
    message.state = MessageState::Retrying { at: message.updated_at };
    Some(message)
}

/// How long to wait after the `submissions`-th submission of a message definitely failed, when its code
/// lives for another `left`.
///
/// There are few submissions, so each waits for another kind of trouble to pass: the second one for a
/// hiccup, the last one for an outage, as long as the code is still of use afterwards. `chance` spreads
/// by a tenth in both directions, so that what failed together does not come back together.
pub fn wait_after_failure(submissions: u8, left: Duration, chance: u8) -> Duration {
    let wait = match submissions {
        0 | 1 => Duration::from_secs(5),
        _ => (left / 4).clamp(Duration::from_secs(10), Duration::from_secs(150)),
    };
    spread(wait, chance)
}

/// How long to wait after the `attempt`-th try when no provider could be reached. Nothing was submitted,
/// so that only time limits how often that is tried.
pub fn wait_after_no_connection(attempt: u32, chance: u8) -> Duration {
    let seconds = match attempt {
        0 | 1 => 1,
        2 => 3,
        3 => 10,
        4 => 30,
        _ => 60,
    };
    spread(Duration::from_secs(seconds), chance)
}

/// Nine to eleven tenths.
fn spread(wait: Duration, chance: u8) -> Duration {
    wait * (900 + u32::from(chance) * 200 / 255) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MessageId, VerificationId};
    use crate::keys::Sealed;
    use crate::names::{Channel, DialectName, Locale, ProviderName, Purpose, TenantId};

    const LEASE: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn queued() -> Message {
        Message {
            id: MessageId::from_bytes([1; 16]),
            tenant: TenantId::parse("t").unwrap(),
            verification: VerificationId::from_bytes([2; 16]),
            destination: 0,
            purpose: Purpose::parse("login").unwrap(),
            dialect: DialectName::parse("native").unwrap(),
            locale: Locale::parse("en").unwrap(),
            channel: Channel::Sms,
            queued_at: at(0),
            expires_at: at(600),
            payload: Some(Sealed::from_bytes(vec![0; 64])),
            state: MessageState::Queued,
            updated_at: at(0),
            submissions: 0,
            tried: Vec::new(),
            test: false,
            attempts: 0,
        }
    }

    fn submit(message: Message, now: Timestamp) -> Message {
        match claim(message, LEASE, now) {
            Claim::Submit(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn report(message: &Message, result: DeliveryResult) -> DeliveryReport {
        DeliveryReport {
            tenant: message.tenant.clone(),
            message: message.id,
            verification: message.verification,
            attempt: message.attempts,
            result,
        }
    }

    fn failed(submitted: bool, retry_after: Duration) -> DeliveryResult {
        DeliveryResult::Failed { provider: Some(provider()), submitted, retry_after }
    }

    fn provider() -> ProviderName {
        ProviderName::parse("carrier").unwrap()
    }

    /// Shows: I4.
    #[test]
    fn a_message_is_submitted_three_times_at_most_even_if_every_lease_is_lost() {
        let mut message = queued();
        for submission in 1..=3 {
            message = submit(message, at(i64::from(submission) * 31));
            assert_eq!(message.submissions, submission);
        }
        let Claim::Finished(message) = claim(message, LEASE, at(200)) else { panic!("a fourth submission") };
        assert_eq!(message.state, MessageState::Abandoned { reason: Abandoned::Submissions });
        assert_eq!(message.payload, None);
    }

    #[test]
    fn a_leased_message_is_out_of_reach_until_the_lease_runs_out() {
        let message = submit(queued(), at(0));
        assert_eq!(claim(message.clone(), LEASE, at(29)), Claim::NotDue(message.clone()));
        assert_eq!(submit(message, at(30)).submissions, 2);
    }

    /// Shows: I4.
    #[test]
    fn nothing_is_submitted_when_the_code_is_dead() {
        let Claim::Finished(message) = claim(queued(), LEASE, at(600)) else { panic!("submitted") };
        assert_eq!(message.state, MessageState::Abandoned { reason: Abandoned::Expired });
        assert_eq!(message.payload, None);
    }

    #[test]
    fn a_retry_that_would_come_after_the_end_is_not_waited_for() {
        let message = submit(queued(), at(595));
        let failed = report(&message, failed(true, LEASE));
        let message = record(message, &failed, at(596)).unwrap();
        assert_eq!(message.state, MessageState::Abandoned { reason: Abandoned::Expired });
    }

    #[test]
    fn a_retry_at_the_very_end_of_the_code_is_not_waited_for() {
        let message = submit(queued(), at(590));
        let retry = |seconds| failed(true, Duration::from_secs(seconds));
        let state = |retry| record(message.clone(), &report(&message, retry), at(591)).unwrap().state;
        assert_eq!(state(retry(8)), MessageState::Retrying { at: at(599) });
        assert_eq!(state(retry(9)), MessageState::Abandoned { reason: Abandoned::Expired });
    }

    /// Whoever waits for it need not wait for a fourth try that never comes.
    #[test]
    fn the_last_submission_that_fails_ends_the_message_at_once() {
        let last = Message { submissions: MAX_SUBMISSIONS - 1, ..queued() };
        let message = submit(last, at(5));
        let seen = record(message.clone(), &report(&message, failed(true, LEASE)), at(6)).unwrap();
        assert_eq!(seen.state, MessageState::Abandoned { reason: Abandoned::Submissions });
        let nobody = record(message.clone(), &report(&message, failed(false, LEASE)), at(6)).unwrap();
        assert_eq!(nobody.state, MessageState::Retrying { at: at(36) }, "it reached nobody");
    }

    #[test]
    fn a_report_of_a_lost_lease_changes_nothing_unless_it_says_accepted() {
        let first = submit(queued(), at(0));
        let second = submit(first.clone(), at(31));
        let failed = report(&first, DeliveryResult::GivenUp { reason: Abandoned::Unknown });
        assert_eq!(record(second.clone(), &failed, at(32)), None);
        let accepted = report(&first, DeliveryResult::Accepted { provider: provider() });
        let message = record(second, &accepted, at(32)).unwrap();
        assert_eq!(message.state, MessageState::Sent { provider: provider() });
        assert_eq!((message.payload.clone(), message.due_at()), (None, None));
        assert_eq!(record(message, &accepted, at(33)), None);
    }

    /// Whoever looks at a verification sees when something last became of its messages.
    /// Shows: P22.
    #[test]
    fn every_step_of_a_message_is_dated() {
        let leased = submit(queued(), at(5));
        assert_eq!(leased.updated_at, at(5));
        let retry =
            DeliveryResult::Failed { provider: Some(provider()), submitted: true, retry_after: LEASE };
        for (n, result) in [
            DeliveryResult::Accepted { provider: provider() },
            DeliveryResult::GivenUp { reason: Abandoned::Unknown },
            retry.clone(),
        ]
        .into_iter()
        .enumerate()
        {
            let seen = record(leased.clone(), &report(&leased, result), at(7)).unwrap();
            assert_eq!(seen.updated_at, at(7), "{n}");
        }
        let Claim::Finished(expired) = claim(queued(), LEASE, at(601)) else { panic!("submitted") };
        assert_eq!(expired.updated_at, at(601));
        let late = submit(queued(), at(595));
        let given_up = record(late.clone(), &report(&late, retry), at(596)).unwrap();
        assert_eq!(given_up.updated_at, at(596));
    }

    #[test]
    fn a_try_that_reached_nobody_does_not_count_and_its_late_report_meets_no_later_lease() {
        let first = submit(queued(), at(0));
        let nobody = report(&first, failed(false, Duration::from_secs(1)));
        let waiting = record(first, &nobody, at(1)).unwrap();
        assert_eq!((waiting.submissions, waiting.attempts), (0, 1));
        let second = submit(waiting, at(2));
        assert_eq!((second.submissions, second.attempts), (1, 2));
        assert_eq!(record(second, &nobody, at(3)), None, "told twice");
    }

    #[test]
    fn a_message_remembers_no_more_failures_than_are_of_use() {
        let mut message = queued();
        for second in 0..100 {
            message = submit(message, at(second));
            let nobody = report(&message, failed(false, Duration::ZERO));
            message = record(message, &nobody, at(second)).unwrap();
        }
        assert_eq!((message.tried.len(), message.attempts, message.submissions), (TRIED_KEPT, 100, 0));
    }

    /// Shows: E11.
    #[test]
    fn e11_a_freed_lease_is_due_at_once_and_stays_counted() {
        assert_eq!(free(queued()), None);
        let freed = free(submit(queued(), at(7))).unwrap();
        assert_eq!((freed.due_at(), freed.submissions), (Some(at(7)), 1));
        assert_eq!(submit(freed, at(7)).submissions, 2);
    }

    /// Shows: E10.
    #[test]
    fn e10_tries_are_spread_over_the_life_of_the_code() {
        let life = Duration::from_secs(600);
        for chance in [0, 128, 255] {
            let second = wait_after_failure(1, life, chance);
            let third = second + wait_after_failure(2, life.saturating_sub(second), chance);
            assert!((4..=6).contains(&second.as_secs()), "{second:?}");
            assert!((130..=300).contains(&third.as_secs()), "past two minutes, and still of use: {third:?}");
        }
        let short = wait_after_failure(2, Duration::from_secs(60), 128);
        assert!((14..=16).contains(&short.as_secs()), "{short:?}");
    }

    #[test]
    fn waiting_for_a_connection_grows_and_is_never_long() {
        let seconds =
            [1, 2, 3, 4, 5, 500].map(|attempt| wait_after_no_connection(attempt, 128).as_secs_f64());
        for (waited, around) in seconds.into_iter().zip([1.0, 3.0, 10.0, 30.0, 60.0, 60.0]) {
            assert!((waited / around - 1.0).abs() <= 0.1, "{waited} s, about {around} s");
        }
    }
}
