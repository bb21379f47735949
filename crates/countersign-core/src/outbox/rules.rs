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
    NotDue,
}

/// Decides what happens with a message that came up. The submission is counted here, before any
/// provider is called, so that a crash in between can only cost a try, never add one.
pub fn claim(mut message: Message, lease: Duration, now: Timestamp) -> Claim {
    match message.due_at() {
        Some(due) if due <= now => {}
        _ => return Claim::NotDue,
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
