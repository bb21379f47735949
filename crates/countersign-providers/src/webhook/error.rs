//! What an answer, or its absence, means.

use countersign_core::provider::{DeliveryError, DeliveryErrorKind as Kind, Retry};

use crate::hook::{CallError, HookAnswer};

/// Reads a refusal.
///
/// | status | meaning | next |
/// |---|---|---|
/// | 410, 422 | this recipient cannot be reached | never |
/// | 408, 500–599 without 504 | not working, and did not take it | `Retry-After`, else by the schedule |
/// | 429 | too much at once | `Retry-After`, else by the schedule |
/// | 504 | a gateway gave up on the receiver, which may have taken it | never |
/// | others | the URL or the keys are wrong | another route, if there is one |
pub(super) fn parse_error(answer: &HookAnswer) -> DeliveryError {
    let later = answer.retry_after.map_or(Retry::Backoff, Retry::After);
    let (kind, retry) = match answer.status {
        410 | 422 => (Kind::Recipient, Retry::Never),
        429 => (Kind::Throttled, later),
        504 => (Kind::Unknown, Retry::Never),
        408 | 500..=599 => (Kind::Unavailable, later),
        _ => (Kind::Configuration, Retry::OtherRoute),
    };
    // The body stays out: a receiver may well repeat the request in it.
    DeliveryError::new(kind, retry, format!("the receiver answered {}", answer.status))
}

/// Reads a call that brought no answer.
pub(super) fn parse_call_error(error: &CallError) -> DeliveryError {
    let (kind, retry) = match error {
        CallError::AddressRefused => (Kind::Configuration, Retry::OtherRoute),
        CallError::NotSent(_) => (Kind::Unreachable, Retry::OtherRoute),
        CallError::NoAnswer(_) => (Kind::Unknown, Retry::Never),
    };
    DeliveryError::new(kind, retry, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn outcome(status: u16, retry_after: Option<u64>) -> (Kind, Retry) {
        let error = parse_error(&HookAnswer {
            status,
            body: b"+12125550123 123456".to_vec(),
            complete: true,
            retry_after: retry_after.map(Duration::from_secs),
        });
        assert_eq!(error.detail, format!("the receiver answered {status}"));
        (error.kind, error.retry)
    }

    #[test]
    fn every_status_has_one_meaning() {
        let after = Retry::After(Duration::from_secs(7));
        for (status, retry_after, expected) in [
            (301, None, (Kind::Configuration, Retry::OtherRoute)),
            (307, None, (Kind::Configuration, Retry::OtherRoute)),
            (400, None, (Kind::Configuration, Retry::OtherRoute)),
            (401, None, (Kind::Configuration, Retry::OtherRoute)),
            (403, None, (Kind::Configuration, Retry::OtherRoute)),
            (404, None, (Kind::Configuration, Retry::OtherRoute)),
            (408, None, (Kind::Unavailable, Retry::Backoff)),
            (410, None, (Kind::Recipient, Retry::Never)),
            (422, Some(7), (Kind::Recipient, Retry::Never)),
            (429, None, (Kind::Throttled, Retry::Backoff)),
            (429, Some(7), (Kind::Throttled, after)),
            (500, None, (Kind::Unavailable, Retry::Backoff)),
            (502, None, (Kind::Unavailable, Retry::Backoff)),
            (503, Some(7), (Kind::Unavailable, after)),
            (504, Some(7), (Kind::Unknown, Retry::Never)),
            (599, None, (Kind::Unavailable, Retry::Backoff)),
            (999, None, (Kind::Configuration, Retry::OtherRoute)),
        ] {
            assert_eq!(outcome(status, retry_after), expected, "{status}");
        }
    }

    #[test]
    fn only_a_call_that_certainly_sent_nothing_may_take_another_route() {
        let of = |error: CallError| {
            let error = parse_call_error(&error);
            (error.kind, error.retry)
        };
        assert_eq!(of(CallError::NotSent("x".into())), (Kind::Unreachable, Retry::OtherRoute));
        assert_eq!(of(CallError::NoAnswer("x".into())), (Kind::Unknown, Retry::Never));
        assert_eq!(of(CallError::AddressRefused), (Kind::Configuration, Retry::OtherRoute));
    }
}
