//! Phone and e-mail verification of the Crypterium / Choise "Vault" mobile API.
//!
//! Source: the platform's page "Resend Code" (`POST /v2/mobile/phone/verify/resend`) and, where that is
//! silent, the OpenAPI files and the signature page of the public api-vault repository, read in 2026.
//!
//! Known quirks, each handled where it arises and listed in `docs/dialects/crypterium.md`:
//! - the page's text for 400 speaks of a page that was not found: a copying error;
//! - a phone's code is called `smsCode`, a password's `code`; confirming a phone takes both names;
//! - the platform tells "not registered" on resend and hides it on signup: here both are hidden;
//! - following the link in a mail is a `GET` that changes something.

mod auth;
mod calls;
mod config;
mod email;
mod error;
mod request;
mod response;
mod session;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use countersign_core::directory::User;
use countersign_core::ids::VerificationId;
use countersign_core::pairs::Pairs;
use countersign_core::tenant::Asker;

pub use auth::InvalidConfig;
pub use config::{
    CallGroup, CodeLife, Config, Merchant, Secret, SignatureEncoding, SignatureMode, SignatureScheme,
};
pub use signature::InvalidSigning;

use super::directory::directory_of;
use crate::front::MAX_BODY;
use crate::headers::is_json;
use crate::json::Texts;
use crate::services::Services;
use auth::{Caller, Client, Door, Head};
use calls::Calls;
use error::{CodeOf, Mismatch, Problem};
use request::{EmailLink, Line, either, parse_code, parse_email, parse_password};
use response::{Done, answer};

/// The dialect's name in logs, in metrics and in its verifications.
pub(super) const NAME: &str = "crypterium";

/// Whether a user looks like one of this dialect's: they are named after the proof of their number.
pub(super) fn registered(user: &User) -> bool {
    user.id.parse::<VerificationId>().is_ok() && user.username.is_none()
}

/// The answer to what the front refused before it was read, which is empty, and to a panic.
pub(super) fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => answer(Err(Problem::internal("a panic")), false),
        status => status.into_response(),
    }
}

/// What the codes of the merchant of this UUID are bound to; `None` if it is none.
pub fn context_of(merchant: &str) -> Option<Pairs> {
    auth::MerchantId::parse(merchant).map(auth::MerchantId::context)
}

/// The dialect's routes.
///
/// # Errors
/// The section names what does not exist, or has a secret that is too short.
pub fn routes(config: Config, services: Services) -> Result<Router, InvalidConfig> {
    let directory = directory_of(&services, NAME, config.directory.as_ref());
    let door = Door::new(config, &services)?;
    let vault = Arc::new(Vault { door, calls: Calls::new(services, directory) });
    let mut router = Router::new();
    for (path, call) in [
        ("/v2/mobile/signup", Call::Signup),
        ("/v2/mobile/phone/confirm", Call::Confirm),
        ("/v2/mobile/phone/verify/resend", Call::Resend),
        ("/v2/mobile/password/reset", Call::Reset),
        ("/v2/mobile/password/reset/confirm/code", Call::ResetCode),
        ("/v2/mobile/password/reset/confirm", Call::ResetConfirm),
    ] {
        let handler =
            move |State(vault): State<Arc<Vault>>, request| async move { vault.serve(call, request).await };
        router = router.route(path, post(handler).fallback(async || not_allowed("POST")));
    }
    let add = async |State(vault): State<Arc<Vault>>, request| vault.serve_email(true, request).await;
    let resend = async |State(vault): State<Arc<Vault>>, request| vault.serve_email(false, request).await;
    let confirm = async |State(vault): State<Arc<Vault>>, link: Uri, headers: HeaderMap| {
        vault.follow_link(&link, &headers).await
    };
    let router = router
        .route("/v2/mobile/email/add", put(add).fallback(async || not_allowed("PUT")))
        .route("/v2/mobile/email/verify/resend", post(resend).fallback(async || not_allowed("POST")))
        // Who only asks for the head of a link has not followed it.
        .route(
            "/v2/mobile/email/confirm",
            get(confirm).head(async || not_allowed("GET")).fallback(async || not_allowed("GET")),
        );
    Ok(router.with_state(vault))
}

fn not_allowed(methods: &'static str) -> Response {
    let allow = [(header::ALLOW, HeaderValue::from_static(methods))];
    (StatusCode::METHOD_NOT_ALLOWED, allow, Body::empty()).into_response()
}

/// A call that begins with a merchant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Call {
    Signup,
    Confirm,
    Resend,
    Reset,
    ResetCode,
    ResetConfirm,
}

impl Call {
    /// Members that are texts.
    const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Signup => &["phone", "password"],
            Self::Confirm => &["phone", "smsCode", "code", "fingerprint"],
            Self::Resend | Self::Reset => &["phone"],
            Self::ResetCode => &["phone", "code"],
            Self::ResetConfirm => &["phone", "code", "password"],
        }
    }

    /// Members that may be anything.
    const fn ignored(self) -> &'static [&'static str] {
        if matches!(self, Self::Signup) { &["analyticsCallback"] } else { &[] }
    }

    /// Whether it sends, before anything is proven: then it is signed.
    const fn is_signed(self) -> bool {
        matches!(self, Self::Signup | Self::Resend | Self::Reset)
    }

    const fn group(self) -> CallGroup {
        match self {
            Self::Signup | Self::Confirm | Self::Resend => CallGroup::Signup,
            Self::Reset | Self::ResetCode | Self::ResetConfirm => CallGroup::PasswordReset,
        }
    }
}

struct Vault {
    door: Door,
    calls: Calls,
}

impl Vault {
    async fn serve(&self, call: Call, request: Request) -> Response {
        let (parts, body) = match read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        match self.admit(call, &parts.headers, &body) {
            Err(problem) => answer(Err(problem), false),
            Ok((caller, texts)) => {
                let client = caller.client(&parts.headers, &parts.extensions);
                answer(self.act(call, caller, client, &texts).await, caller.reason_header)
            }
        }
    }

    /// Reads the body, then asks who calls, then whether the signature is good.
    fn admit(&self, call: Call, headers: &HeaderMap, body: &[u8]) -> Result<(&Caller, Texts), Problem> {
        let head = Head::read(headers);
        let caller = head.as_ref().ok().and_then(|head| self.door.merchant(head));
        if !is_json(headers) {
            return Err(Problem::Malformed);
        }
        let unknown = caller.map(|caller| caller.unknown_fields).unwrap_or_default();
        let texts =
            Texts::read(body, call.members(), call.ignored(), unknown).map_err(|_| Problem::Malformed)?;
        let head = head?;
        head.require(call == Call::Resend && caller.is_none_or(|caller| caller.require_fingerprint))?;
        let caller = caller.ok_or(Problem::BadSignature)?;
        if call.is_signed() {
            let phone = texts.get("phone").unwrap_or_default();
            let password = texts.get("password").unwrap_or_default();
            head.check_signature(caller, phone, password, body)?;
        }
        Ok((caller, texts))
    }

    async fn act(&self, call: Call, caller: &Caller, client: Client, texts: &Texts) -> Result<Done, Problem> {
        caller.permit(call.group())?;
        let is_known = call.is_signed() && caller.asks_for_signatures();
        let asker = if is_known { Asker::Known } else { Asker::Stranger };
        self.calls.services.admit(&caller.tenant, asker)?;
        let line = Line::parse(texts.get("phone"), &caller.tenant.policy)?;
        let code = || parse_code("code", texts.get("code"));
        let password = || parse_password(texts.get("password"));
        let calls = &self.calls;
        match call {
            Call::Signup => {
                password()?;
                calls.sign_up(caller, client, &line).await
            }
            Call::Confirm => {
                let code = parse_code("smsCode", either(texts, "smsCode", "code")?)?;
                calls.confirm(caller, &line, code).await
            }
            Call::Resend => calls.resend(caller, client, &line).await,
            Call::Reset => calls.reset(caller, client, &line).await,
            Call::ResetCode => calls.reset_code(caller, &line, code()?).await,
            Call::ResetConfirm => calls.reset_confirm(caller, &line, code()?, password()?).await,
        }
    }

    /// The two calls of a user with a token: adding an address, or sending its link again.
    async fn serve_email(&self, adds: bool, request: Request) -> Response {
        let (parts, body) = match read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let named = self.door.token_holder(&parts.headers).map(|(caller, _)| caller);
        let unknown = named.map(|caller| caller.unknown_fields).unwrap_or_default();
        let members: &[&str] = if adds { &["email"] } else { &[] };
        let texts = if !adds && body.is_empty() {
            Ok(Texts::default())
        } else if is_json(&parts.headers) {
            Texts::read(&body, members, &[], unknown).map_err(|_| Problem::Malformed)
        } else {
            Err(Problem::Malformed)
        };
        let texts = match texts {
            Ok(texts) => texts,
            Err(problem) => return answer(Err(problem), false),
        };
        let user =
            session::holder(&self.calls.services, &self.calls.directory, &self.door, &parts.headers).await;
        let (caller, user) = match (named, user) {
            (Some(caller), Ok(user)) => (caller, user),
            (_, Err(problem)) => return answer(Err(problem), false),
            (None, Ok(_)) => return answer(Err(Problem::BadToken), false),
        };
        let client = caller.client(&parts.headers, &parts.extensions);
        let outcome = async {
            caller.permit(CallGroup::Email)?;
            self.calls.services.admit(&caller.tenant, Asker::Known)?;
            if !adds {
                return self.calls.resend_email(caller, client, &user).await;
            }
            let email = parse_email(texts.get("email"))?;
            self.calls.add_email(caller, client, &user, email).await
        };
        answer(outcome.await, caller.reason_header)
    }

    /// The link in a mail says whose address it is. A short token does not: who shows it has to have the user's
    /// access token, too.
    async fn follow_link(&self, link: &Uri, headers: &HeaderMap) -> Response {
        let outcome = async {
            let link = EmailLink::parse(link.query())?;
            let caller = self.door.of_id(link.merchant).ok_or(Problem::Invalid("token"))?;
            caller.permit(CallGroup::Email)?;
            self.calls.services.admit(&caller.tenant, Asker::Stranger)?;
            let user = match link.user {
                Some(user) => user,
                None if !headers.contains_key(header::AUTHORIZATION) => {
                    return Err(Problem::WrongCode(CodeOf::Email, Mismatch::NothingPending));
                }
                None => {
                    let (services, directory) = (&self.calls.services, &self.calls.directory);
                    let user = session::holder(services, directory, &self.door, headers).await?;
                    let holder = self.door.token_holder(headers).map(|(holder, _)| holder.id);
                    if holder != Some(caller.id) {
                        return Err(Problem::BadToken);
                    }
                    services.verifications.user_key(&caller.tenant, &directory.account(&user.id)).id
                }
            };
            self.calls.confirm_email(caller, link, user).await
        };
        answer(outcome.await, false)
    }
}

/// The front has bounded the body already; whoever stands in for it in a test has not.
async fn read(request: Request) -> Result<(Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    match to_bytes(body, MAX_BODY).await {
        Ok(body) => Ok((parts, body)),
        Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    }
}
