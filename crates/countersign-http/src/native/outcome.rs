//! Core's outcomes as answers and problems. Every match is exhaustive: a new outcome does not compile
//! until somebody has thought about what to say.

use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use countersign_core::engine::{Idempotent, Refusal};
use countersign_core::names::Channel;
use countersign_core::time::Timestamp;
use countersign_core::verification::Status;
use countersign_core::verifications::RequestError;
use std::time::Duration;

use crate::headers::retry_after_seconds;
use crate::problem::{Kind, Problem};

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Answers a call that may carry an `Idempotency-Key`. `render` gets the outcome and the instant it was
/// decided at, and makes the same bytes of the same two.
pub(super) fn answer<O>(
    idempotent: Idempotent<O>,
    render: impl FnOnce(O, Timestamp) -> Result<Response, Problem>,
) -> Response {
    match idempotent {
        Idempotent::Fresh { outcome, at } => render(outcome, at).into_response(),
        Idempotent::Replayed { outcome, at } => {
            let mut response = render(outcome, at).into_response();
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
            response
        }
        Idempotent::Mismatch => Problem::new(
            Kind::IdempotencyMismatch,
            "another request carried this Idempotency-Key within the last 24 hours",
        )
        .into_response(),
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::ChannelMismatch(channel) => wrong_channel(channel, "cannot reach this address"),
            RequestError::NoRoute(channel) => wrong_channel(channel, "is not set up for this tenant"),
            RequestError::CustomCode => {
                Self::new(Kind::Forbidden, "this tenant does not allow codes of the caller's own")
            }
            RequestError::CustomCodeLength { min } => {
                Self::malformed("code", format!("a code of your own has {min} to 10 letters or digits"))
            }
            RequestError::Region => {
                Self::new(Kind::Blocked, "this tenant does not send messages to this country")
            }
            RequestError::SameChannel => Self::malformed("ends_hold_of", error.to_string()),
            RequestError::TestAndReal => {
                Self::malformed("to", "test numbers and real addresses are not verified together")
            }
            RequestError::Storage(error) => error.into(),
        }
    }
}

fn wrong_channel(channel: Channel, why: &str) -> Problem {
    Problem::malformed("channel", format!("{channel} {why}"))
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let wait = |kind, what: &str, retry_after| {
            let seconds = retry_after_seconds(retry_after);
            Self::new(kind, format!("{what} in {seconds} seconds")).retry_after(retry_after)
        };
        match refusal {
            Refusal::NotFound => Self::no_verification(),
            Refusal::NotPending { status } => not_pending(status),
            Refusal::NothingPending => {
                Self::new(Kind::NotPending, "there is nothing to send again for this recipient")
            }
            Refusal::CoolDown { retry_after } => {
                wait(Kind::CoolDown, "the next message may be sent", retry_after)
            }
            Refusal::SendsExhausted { retry_after } => {
                wait(Kind::SendsExhausted, "its sends are used up; it ends", retry_after)
            }
            Refusal::ChecksExhausted { retry_after } => {
                not_pending(Status::Exhausted).retry_after(retry_after)
            }
            Refusal::RecipientLimit { retry_after } => {
                wait(Kind::RecipientLimit, "this recipient may have another verification", retry_after)
            }
            Refusal::RecipientHeld { retry_after } => {
                wait(Kind::RecipientHeld, "asking again for this recipient makes sense", retry_after)
            }
            Refusal::ClientLimit { retry_after } => {
                wait(Kind::ClientLimit, "this client address may start another verification", retry_after)
            }
            Refusal::TenantBudget { retry_after } => tenant_budget(retry_after),
            Refusal::NotTogether => Self::malformed("to", "these addresses are not verified together"),
        }
    }
}

pub(super) fn not_pending(status: Status) -> Problem {
    Problem::new(Kind::NotPending, format!("the verification is {}", status.as_str()))
        .verification_status(status)
}

pub(super) fn tenant_budget(retry_after: Duration) -> Problem {
    let seconds = retry_after_seconds(retry_after);
    Problem::new(Kind::TenantBudget, format!("there is room again in {seconds} seconds"))
        .retry_after(retry_after)
}
