//! Everything that can go wrong in the native API, as RFC 9457 problems.
//!
//! [`Kind`] and its table are the one source: answers, the readable pages under `/problems`, and the
//! OpenAPI document are made from it.

mod pages;

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use countersign_core::engine::StorageError;
use countersign_core::verification::Status;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use pages::routes;

use crate::headers::Jitter;
use crate::observe::Cause;

/// The media type of problems (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($kind:ident $name:literal $status:literal $title:literal $meaning:literal $remedy:literal)*) => {
        /// A kind of problem.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`, ", $status, ". ", $meaning)] $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: [Self; [$($status),*].len()] = [$(Self::$kind),*];

            /// The last segment of the problem's `type`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The problem's `type`, relative to the service.
            pub const fn type_uri(self) -> &'static str {
                match self { $(Self::$kind => concat!("/problems/", $name),)* }
            }

            const fn status_number(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The problem's `title`: the same for every problem of the kind.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)* }
            }

            /// What the caller can do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy,)* }
            }
        }
    };
}

kinds! {
    MalformedRequest "malformed-request" 400 "The request is malformed"
        "The body, the query or a header is not what this call takes. Nothing was done and nothing was charged."
        "Correct the member, parameter or header that `field` names. Unknown members and repeated ones are refused."
    Unauthenticated "unauthenticated" 401 "An API key is needed"
        "There is no API key in the request, or it is not one that is known here."
        "Send `Authorization: Bearer <api key>` with a live key."
    Forbidden "forbidden" 403 "The API key may not do this"
        "The key is known, but lacks the scope this call needs, or its tenant is disabled or has not enabled the feature."
        "Use a key with the scope that `detail` names, or change the tenant's policy."
    Blocked "blocked" 403 "The request was blocked"
        "A rule against fraud, or the tenant's list of countries, forbids messages to this recipient. Nothing was sent."
        "Do not repeat it unchanged. If the recipient is legitimate, adjust the tenant's rules."
    NotFound "not-found" 404 "There is no such thing"
        "This path or this verification does not exist, or it belongs to another tenant."
        "Check the path and the id. Verifications are deleted some time after their end."
    MethodNotAllowed "method-not-allowed" 405 "The method is not allowed here"
        "The path exists, but not with this method."
        "Use one of the methods in the `Allow` header."
    NotPending "not-pending" 409 "The verification has ended"
        "It was approved, canceled, expired or exhausted before (`verification_status` says which), and an ended verification never changes."
        "Start a new verification."
    BodyTooLarge "body-too-large" 413 "The body is too large"
        "A body may have 16 KiB."
        "Send less: notes and context are meant to be short."
    UnsupportedMediaType "unsupported-media-type" 415 "The body is not plain JSON"
        "Bodies are `application/json`, without any content encoding."
        "Set `Content-Type: application/json` and do not compress the body."
    InvalidRecipient "invalid-recipient" 422 "The recipient is not valid"
        "The address in `field` is neither a phone number with its country code nor an e-mail address that could receive a code."
        "Ask the person for the address again. Write numbers like `+12125550123`."
    IdempotencyMismatch "idempotency-mismatch" 422 "The idempotency key was used for another request"
        "A different request carried this `Idempotency-Key` within the last 24 hours."
        "Use a new key for each new request, and the same key only for a repetition of the same bytes."
    CoolDown "cool-down" 429 "It is too soon to send again"
        "Some time must pass between two messages of one verification."
        "Repeat the request after `retry_after` seconds."
    SendsExhausted "sends-exhausted" 429 "This verification has sent all it may"
        "The verification's sends are used up. A code that was sent is still good until the verification ends."
        "Check the code that was sent, or start again after `retry_after` seconds, when the verification has ended."
    RecipientLimit "recipient-limit" 429 "This recipient had enough verifications for now"
        "The number of verifications per recipient, in an hour and in 24 hours, is limited."
        "Repeat the request after `retry_after` seconds."
    RecipientHeld "recipient-held" 429 "This recipient is on hold"
        "Too many wrong codes were given for this recipient. Until the hold ends nothing is sent and nothing is checked."
        "Wait `retry_after` seconds, or have an administrator release the recipient after making sure who is asking."
    ClientLimit "client-limit" 429 "This client address started enough verifications for now"
        "The number of verifications per `client.ip` in an hour is limited."
        "Repeat the request after `retry_after` seconds."
    TenantBudget "tenant-budget" 429 "The tenant's budget is used up"
        "What the tenant's messages cost in 24 hours has reached its limit. Nothing was sent."
        "Find out what uses the budget up; it may be an attack. Repeat the request after `retry_after` seconds."
    Internal "internal" 500 "Something is wrong on our side"
        "The service met a state that it did not expect. It has been logged under the answer's `X-Request-Id`."
        "Report the `X-Request-Id` to whoever operates the service."
    Unavailable "unavailable" 503 "The service cannot do this now"
        "The store is down or busy beyond its bounds, or the tenant makes more requests than its rate allows. Nothing was approved and nothing sent, unless an earlier try of the same request succeeded."
        "Repeat the request after `Retry-After` seconds, with the same `Idempotency-Key`."
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status_number()).expect("the table holds valid statuses")
    }
}

/// A problem as it is answered.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<u64>,
    verification_status: Option<Status>,
    reasons: Option<Vec<String>>,
    cause: Option<Cause>,
}

impl Problem {
    /// A problem; `detail` tells this occurrence apart, and never holds what is not the caller's own.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            field: None,
            retry_after: None,
            verification_status: None,
            reasons: None,
            cause: None,
        }))
    }

    /// A request that is malformed in one field.
    pub fn malformed(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::MalformedRequest, detail).field(field)
    }

    /// There is no such verification of this tenant.
    pub fn no_verification() -> Self {
        Self::new(Kind::NotFound, "there is no verification of this id")
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Names the input at fault: a member's path (`client.ip`), a parameter or a header.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says when repeating the request makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: std::time::Duration) -> Self {
        self.0.retry_after = Some(crate::headers::retry_after_seconds(wait));
        self
    }

    /// Says how the verification ended.
    #[must_use]
    pub fn verification_status(mut self, status: Status) -> Self {
        self.0.verification_status = Some(status);
        self
    }

    /// Says which rules blocked it, for tenants that asked to be told.
    #[must_use]
    pub fn reasons(mut self, reasons: Vec<String>) -> Self {
        self.0.reasons = Some(reasons);
        self
    }

    /// What really happened, for the log alone.
    #[must_use]
    pub fn cause(mut self, cause: Option<Cause>) -> Self {
        self.0.cause = cause;
        self
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let detail = match &error {
            StorageError::Overloaded => "more is being asked than can be taken now",
            // A damaged row is the same to the caller: not approved, not sent, and not its doing.
            StorageError::Unavailable(_) | StorageError::Corrupt { .. } => "the store does not answer",
        };
        Self::new(Kind::Unavailable, detail).retry_after(Jitter::seconds(1..=3)).cause(Cause::of(&error))
    }
}

/// The members of a problem (RFC 9457, section 3.1), and our own behind them.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/problems/cool-down", "title": "It is too soon to send again", "status": 429,
    "detail": "the next message may be sent in 27 seconds", "retry_after": 27,
}))]
pub(crate) struct Wire {
    /// Which kind of problem: a stable path, served as a readable page.
    #[serde(rename = "type")]
    type_uri: &'static str,
    /// The kind in words. The same for every problem of one `type`.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time. For people; do not parse it.
    detail: Cow<'static, str>,
    /// The member, parameter or header at fault, e.g. `client.ip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<Cow<'static, str>>,
    /// Seconds after which repeating the request makes sense; the same as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    /// With `not-pending`: how the verification ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    verification_status: Option<&'static str>,
    /// With `blocked`: which rules blocked it, if the tenant asked to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reasons: Option<Vec<String>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { kind, detail, field, retry_after, verification_status, reasons, cause } = *self.0;
        let wire = Wire {
            type_uri: kind.type_uri(),
            title: kind.title(),
            status: kind.status_number(),
            detail,
            field,
            retry_after,
            verification_status: verification_status.map(Status::as_str),
            reasons,
        };
        let body = serde_json::to_vec(&wire).expect("strings and numbers are JSON");
        let mut response = (kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind == Kind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// The answers that the problems of one call can come as, by status.
pub(crate) fn by_status(kinds: &[Kind]) -> BTreeMap<u16, Vec<Kind>> {
    let mut statuses: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        statuses.entry(kind.status_number()).or_default().push(*kind);
    }
    statuses
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Shows: O7.
    #[test]
    fn names_are_stable_and_unique() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
        assert_eq!(names.len(), 19);
    }

    /// Shows: O7.
    #[tokio::test]
    async fn a_problem_has_its_members_in_order_and_its_headers() {
        let problem =
            Problem::new(Kind::CoolDown, "wait").retry_after(std::time::Duration::from_millis(26_001));
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "27");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        insta::assert_snapshot!(String::from_utf8(body.to_vec()).unwrap(), @r#"{"type":"/problems/cool-down","title":"It is too soon to send again","status":429,"detail":"wait","retry_after":27}"#);
    }

    /// Shows: N9.
    #[test]
    fn the_store_s_own_words_are_for_the_log_only() {
        let response = Problem::from(StorageError::Unavailable("disk full at /var".into())).into_response();
        assert_eq!(response.status(), 503);
        let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait));
        assert_eq!(
            response.extensions().get::<Cause>().unwrap().0,
            "the store is unavailable: disk full at /var"
        );
        let busy = Problem::from(StorageError::Overloaded).into_response();
        assert!(busy.extensions().get::<Cause>().is_none(), "a flood of requests is no flood of log lines");
    }
}
