//! What handlers take out of a request.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{HeaderMap, HeaderName};
use axum::http::request::Parts;
use countersign_core::code::Code;
use countersign_core::ids::VerificationId;
use countersign_core::names::{Channel, Purpose};
use countersign_core::policy::Policy;
use countersign_core::recipient::Recipient;
use countersign_core::verifications::IdempotencyKey;
use serde::de::DeserializeOwned;

use crate::front::MAX_BODY;
use crate::headers::{is_json, single};
use crate::json::{self, BadJson};
use crate::problem::{Kind, Problem};
use crate::query::{BadQuery, Query};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl From<BadJson> for Problem {
    fn from(bad: BadJson) -> Self {
        let problem = Self::new(Kind::MalformedRequest, bad.detail);
        match bad.field {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        Self::malformed(bad.field, bad.detail)
    }
}

/// A request with its body, whole and unread.
pub(super) struct Raw {
    headers: HeaderMap,
    body: Vec<u8>,
    /// Method, path and body: what makes it the same request as an earlier one.
    identity: Vec<u8>,
    idempotency_key: Option<String>,
}

impl Raw {
    /// The body as `T`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !is_json(&self.headers) {
            return Err(Problem::new(Kind::UnsupportedMediaType, "the body must be application/json"));
        }
        Ok(json::parse(&self.body)?)
    }

    /// The body as `T`, where it may be left out.
    pub(super) fn json_or_nothing<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// Refuses a body where the call takes none (an empty JSON object passes for none).
    pub(super) fn nothing_to_say(&self) -> Result<(), Problem> {
        if matches!(self.body.trim_ascii(), b"" | b"{}") {
            return Ok(());
        }
        Err(Problem::new(Kind::MalformedRequest, "this call takes no body"))
    }

    /// The caller's claim on one effect.
    pub(super) fn idempotency(&self) -> Option<IdempotencyKey<'_>> {
        self.idempotency_key.as_deref().map(|key| IdempotencyKey { key, request: &self.identity })
    }
}

impl<S: Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        no_query(&parts)?;
        let idempotency_key = idempotency_key(&parts.headers)?;
        let body = whole(body).await?;
        let identity = match idempotency_key {
            None => Vec::new(),
            Some(_) => {
                [parts.method.as_str().as_bytes(), b" ", parts.uri.path().as_bytes(), b"\n", &body].concat()
            }
        };
        Ok(Self { headers: parts.headers, body, identity, idempotency_key })
    }
}

/// The front has bounded the body already; whoever stands in for it in a test has not.
async fn whole(body: Body) -> Result<Vec<u8>, Problem> {
    match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(body_too_large()),
    }
}

pub(super) fn body_too_large() -> Problem {
    Problem::new(Kind::BodyTooLarge, format!("a body may have {MAX_BODY} bytes"))
}

fn no_query(parts: &Parts) -> Result<(), Problem> {
    Ok(Query::parse(parts.uri.query())?.finish()?)
}

/// 1 to 255 visible ASCII characters, as draft-ietf-httpapi-idempotency-key-header bounds it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let malformed =
        || Problem::malformed("Idempotency-Key", "must be 1 to 255 visible ASCII characters, once");
    match single(headers, &IDEMPOTENCY_KEY).map_err(|_| malformed())? {
        None => Ok(None),
        Some(key) => {
            let fits = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
            if fits { Ok(Some(key.to_owned())) } else { Err(malformed()) }
        }
    }
}

/// The verification that a path names.
pub(super) struct Named(pub(super) VerificationId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no id names no verification: the same answer as for one that is not there.
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::no_verification());
        };
        text.parse().map(Self).map_err(|_| Problem::no_verification())
    }
}

/// The recipient that a path names, as text.
pub(super) struct NamedRecipient(String);

impl NamedRecipient {
    pub(super) fn parse(&self, policy: &Policy) -> Result<Recipient, Problem> {
        recipient(&self.0, policy)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedRecipient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::malformed("to", "the path is not percent-encoded UTF-8")),
        }
    }
}

pub(super) fn recipient(text: &str, policy: &Policy) -> Result<Recipient, Problem> {
    recipient_in("to", text, policy)
}

pub(super) fn recipient_in(field: &'static str, text: &str, policy: &Policy) -> Result<Recipient, Problem> {
    Recipient::parse(text, policy)
        .map_err(|error| Problem::new(Kind::InvalidRecipient, error.to_string()).field(field))
}

pub(super) fn channel(text: &str) -> Result<Channel, Problem> {
    text.parse().map_err(|error| malformed("channel", &error))
}

pub(super) fn purpose(text: Option<&str>) -> Result<Purpose, Problem> {
    Purpose::parse(text.unwrap_or(Purpose::DEFAULT)).map_err(|error| malformed("purpose", &error))
}

pub(super) fn code(text: &str) -> Result<Code, Problem> {
    Code::parse(text).map_err(|error| malformed("code", &error))
}

pub(super) fn malformed(field: &'static str, error: &dyn std::fmt::Display) -> Problem {
    Problem::malformed(field, error.to_string())
}
