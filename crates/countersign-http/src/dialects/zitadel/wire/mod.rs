//! One call over three wires: the REST gateway, Connect, gRPC (and gRPC-Web).
//!
//! Whatever the wire, the order is: the message is decoded, then the caller is let in, then the call runs.

pub(super) mod connect;
pub(super) mod grpc;
pub(super) mod rest;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use countersign_core::engine::StorageError;
use countersign_core::tenant::Asker;

use super::auth::{Caller, Door};
use super::calls::Call;
use super::errors::{Code, Failure, Reason};
use super::users::Users;

/// Carries the internal reason, where the tenant asked for it.
const REASON: HeaderName = HeaderName::from_static("countersign-reason");

/// What every handler works with.
#[derive(Debug)]
pub(super) struct Zitadel {
    pub(super) door: Door,
    pub(super) users: Users,
}

/// A call that did not do what it was for, and who made it, once that is known.
pub(super) struct Failed {
    reason: Reason,
    caller: Option<Arc<Caller>>,
}

impl From<Reason> for Failed {
    fn from(reason: Reason) -> Self {
        Self { reason, caller: None }
    }
}

impl Zitadel {
    async fn run<C: Call>(&self, headers: &HeaderMap, request: C::Request) -> Result<C::Answer, Failed> {
        let admitted = self.door.admit(headers);
        let admitted = admitted.map_err(|no| Failed { reason: no.reason, caller: no.caller })?;
        let overloaded =
            |error: StorageError| Failed { reason: error.into(), caller: Some(admitted.caller.clone()) };
        self.users.services.admit(&admitted.caller.tenant, Asker::Known).map_err(overloaded)?;
        let answer = C::run(&self.users, &admitted, request).await;
        answer.map_err(|reason| Failed { reason, caller: Some(admitted.caller) })
    }
}

impl Failed {
    /// What is said, and the headers that say it whatever the body looks like.
    fn told(&self) -> (Failure, HeaderMap) {
        let failure = self.reason.failure();
        let mut headers = HeaderMap::new();
        if let Some(seconds) = failure.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if failure.code == Code::Unauthenticated
            && let Ok(challenge) = HeaderValue::from_str(&failure.message)
        {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.caller.as_ref().is_some_and(|caller| caller.options.reason_header) {
            headers.insert(REASON, HeaderValue::from_static(failure.reason));
        }
        (failure, headers)
    }

    /// Leaves what happened to the log.
    fn note(&self, mut response: Response) -> Response {
        if let Some(cause) = self.reason.cause() {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
