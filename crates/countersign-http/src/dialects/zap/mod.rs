//! ZAP one-time passwords.
//!
//! Source: the platform's page "Resend OTP" and, where that is silent, the rest of its public
//! documentation, read in 2026. The page shows its paths as `/v1/…` and as `/api/v1/…`, with and
//! without a slash at the end; all four are served. Error texts are ours: the platform shows none.
//!
//! Known quirks, each handled where it arises and listed in `docs/dialects/zap.md`:
//! - comments and trailing commas in the page's sample bodies are documentation, not JSON;
//! - "sent to the user's email" is said of phones too;
//! - rate limits are 400, because the platform documents no 429;
//! - e-mail and phone given together get a code each; the platform does not say how many it sends.

mod auth;
mod calls;
mod config;
mod directory;
mod error;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use countersign_core::tenant::Asker;

pub use auth::InvalidConfig;
pub use config::{Auth, Config, MultiDestination, Options, PhoneMax, RateStatus, Scope, Token};

use super::directory::directory_of;
use crate::front::MAX_BODY;
use crate::headers::is_json;
use crate::services::Services;
use auth::{Caller, Door, Permission};
use calls::Calls;
use error::Problem;
use response::{Done, answer, answer_stranger};

/// The dialect's name in logs, in metrics and in its verifications.
pub(super) const NAME: &str = "zap";

/// The answer to what the front refused before it was read, which is empty, and to a panic.
pub(super) fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => answer_stranger(&Problem::internal("a panic")),
        status => status.into_response(),
    }
}

/// The dialect's routes.
///
/// # Errors
/// The section names a tenant that does not exist, or one token twice.
pub fn routes(config: Config, services: Services) -> Result<Router, InvalidConfig> {
    let directory = directory_of(&services, NAME, config.directory.as_ref());
    let door = Door::new(config, &services)?;
    let zap = Arc::new(Zap { door, calls: Calls::new(services, directory) });
    let mut router = Router::new();
    for (path, call) in [
        ("/otp", Call::Generate),
        ("/otp/resend", Call::Resend),
        ("/otp/verify", Call::Verify),
        ("/otp/forgotPassword", Call::ForgotPassword),
        ("/forgotPassword", Call::ResetPassword),
    ] {
        let handler =
            move |State(zap): State<Arc<Zap>>, request| async move { zap.serve(call, request).await };
        let service = post(handler).fallback(async || answer_stranger(&Problem::MethodNotAllowed));
        for path in [format!("/v1{path}"), format!("/api/v1{path}")] {
            router = router.route(&format!("{path}/"), service.clone()).route(&path, service.clone());
        }
    }
    for unknown in ["/v1/otp/{*rest}", "/api/v1", "/api/v1/", "/api/v1/{*rest}"] {
        router = router.route(unknown, any(async || answer_stranger(&Problem::NotFound)));
    }
    Ok(router.with_state(zap))
}

#[derive(Clone, Copy)]
enum Call {
    Generate,
    Resend,
    Verify,
    ForgotPassword,
    ResetPassword,
}

impl Call {
    const fn needs(self) -> Permission {
        match self {
            Self::Generate | Self::Resend | Self::ForgotPassword => Permission::Start,
            Self::Verify => Permission::Check,
            Self::ResetPassword => Permission::ForwardPassword,
        }
    }
}

struct Zap {
    door: Door,
    calls: Calls,
}

impl Zap {
    async fn serve(&self, call: Call, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some(caller) = self.door.identify(&head.headers) else {
            return answer_stranger(&Problem::Unauthorised);
        };
        let refused = |problem| answer(Err(problem), &caller.options);
        let services = &self.calls.services;
        let is_known = head.headers.contains_key(header::AUTHORIZATION);
        let asker = if is_known { Asker::Known } else { Asker::Stranger };
        let admitted = caller.permit(call.needs()).and_then(|()| Ok(services.admit(&caller.tenant, asker)?));
        if let Err(problem) = admitted {
            return refused(problem);
        }
        if !is_json(&head.headers) {
            return refused(Problem::Malformed);
        }
        // The front has bounded the body already; whoever stands in for it in a test has not.
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        answer(self.act(call, caller, &body).await, &caller.options)
    }

    async fn act(&self, call: Call, caller: &Caller, body: &[u8]) -> Result<Done, Problem> {
        match call {
            Call::Generate => self.calls.generate(caller, request::Generate::parse(body, caller)?).await,
            Call::Resend => self.calls.resend(caller, request::Resend::parse(body, caller)?).await,
            Call::Verify => self.calls.verify(caller, request::Verify::parse(body, caller)?).await,
            Call::ForgotPassword => {
                self.calls.forgot_password(caller, request::ForgotPassword::parse(body, caller)?).await
            }
            Call::ResetPassword => {
                self.calls.reset_password(caller, request::ResetPassword::parse(body, caller)?).await
            }
        }
    }
}
