//! The decisions about one message.

use std::time::Duration;

use super::{Abandoned, DeliveryReport, DeliveryResult, MAX_SUBMISSIONS, Message, MessageState};
use crate::time::Timestamp;

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
        _ if message.submissions != report.submission => None,
        DeliveryResult::GivenUp { reason } => {
            message.abandon(*reason, now);
            Some(message)
        }
        DeliveryResult::Failed { provider, retry_after } => {
            message.tried.extend(provider.clone());
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

/// How long to wait after the `submissions`-th submission failed: 2 s, then 8 s. Short, because a code
/// lives for minutes and the person is looking at the screen.
pub fn retry_after(submissions: u8) -> Duration {
    Duration::from_secs(2) * 4u32.pow(u32::from(submissions.clamp(1, MAX_SUBMISSIONS)) - 1)
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
            submission: message.submissions,
            result,
        }
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
        let failed =
            report(&message, DeliveryResult::Failed { provider: Some(provider()), retry_after: LEASE });
        let message = record(message, &failed, at(596)).unwrap();
        assert_eq!(message.state, MessageState::Abandoned { reason: Abandoned::Expired });
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
        let retry = DeliveryResult::Failed { provider: Some(provider()), retry_after: LEASE };
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
    fn waiting_grows_from_try_to_try() {
        assert_eq!([1, 2].map(|n| retry_after(n).as_secs()), [2, 8]);
    }
}
