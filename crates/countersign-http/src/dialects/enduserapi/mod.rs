//! Quectel's and Acceleronix's end-user API: codes by SMS and e-mail.
//!
//! Source: the vendor's page "Send Mobile SMS Verification Code", read in 2026, which describes
//! `sendPhoneSmsCode` alone; the other calls follow the vendor's public pages and SDK guides as far as these
//! say anything.
//!
//! Known quirks, each handled where it arises and listed in `docs/dialects/enduserapi.md`:
//! - the answer is HTTP 200 whatever happened, and `code` says what; except where nothing may look like
//!   success (503);
//! - "application/json", and every parameter in the query: query, form and JSON are all read;
//! - the page's example signature is the SHA-256 of nothing, not of the input it prints;
//! - the signature covers some of the values only, hence the list of countries and the nonce;
//! - the example's `"code": 0` was put there by a generator: success is 200, as the status table says.

mod auth;
mod calls;
mod config;
mod error;
mod form;
mod forward;
mod kinds;
mod params;
mod passwords;
mod readings;
mod request;
mod response;
mod sender;
mod signed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use countersign_core::tenant::Asker;

pub use auth::InvalidConfig;
pub use config::{
    CallName, Config, Countries, Sender, SenderCodes, SignatureScheme, SmsAccount, SmsSignature, SmsTemplate,
    SmsType, UserDomain, UserDomainName, UserDomainSecret,
};
pub use kinds::CodeType;

use crate::front::MAX_BODY;
use crate::services::Services;
use auth::{Caller, Door};
use calls::Calls;
use error::Problem;
use params::Parameters;
use passwords::{Register, ResetPassword};
use readings::refuse_another;
use request::{Login, SendEmail, SendSms, ValidateEmail, ValidateSms};
use response::{failure, success};
use signed::Signed;

/// The dialect's name in logs, in metrics and in its verifications.
pub(super) const NAME: &str = "enduserapi";

/// The answer to what the front refused before it was read, which is empty, and to a panic.
pub(super) fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => failure(&Problem::internal("a panic"), false),
        status => status.into_response(),
    }
}

/// The dialect's routes.
///
/// # Errors
/// The section names a tenant that does not exist, or gives two callers one name, tenant or secret.
pub fn routes(config: Config, services: Services) -> Result<Router, InvalidConfig> {
    let api = Arc::new(Api { door: Door::new(config, services.clone())?, calls: Calls::new(services) });
    let mut router = Router::new();
    for (path, call) in [
        ("/v2/sms/enduserapi/v2/sendPhoneSmsCode", CallName::SendPhoneSmsCode),
        ("/v2/mail/enduserapi/v2/sendEmail", CallName::SendEmail),
        ("/v2/sms/enduserapi/v2/validateSmsCode", CallName::ValidateSmsCode),
        ("/v2/mail/enduserapi/v2/validateEmailCode", CallName::ValidateEmailCode),
        ("/v2/enduser/enduserapi/phoneSmsCodeLogin", CallName::PhoneSmsCodeLogin),
        ("/v2/enduser/enduserapi/v2/phonePwdRegister", CallName::PhonePwdRegister),
        ("/v2/enduser/enduserapi/userPwdReset", CallName::UserPwdReset),
    ] {
        let handler =
            move |State(api): State<Arc<Api>>, request| async move { api.serve(call, request).await };
        let service = if call == CallName::UserPwdReset { put(handler) } else { post(handler) };
        router = router.route(path, service);
    }
    Ok(router.with_state(api))
}

struct Api {
    door: Door,
    calls: Calls,
}

/// A request that may be served.
struct LetIn<'a> {
    /// Who calls.
    caller: &'a Arc<Caller>,
    /// What they want.
    wanted: Wanted,
    /// Whether they signed it.
    signed: bool,
    /// Whether anything can come of it. If not, it is not remembered.
    has_effect: bool,
}

/// A call whose parameters have their form.
enum Wanted {
    SendSms(SendSms),
    SendEmail(SendEmail),
    ValidateSms(ValidateSms),
    ValidateEmail(ValidateEmail),
    Login(Login),
    Register(Register),
    ResetPassword(ResetPassword),
}

impl Api {
    async fn serve(&self, call: CallName, request: Request) -> Response {
        let (head, body) = request.into_parts();
        // The front has bounded the body already; whoever stands in for it in a test has not.
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let parameters = match Parameters::read(head.uri.query(), &head.headers, &body) {
            Ok(parameters) => parameters,
            Err(problem) => return failure(&problem, false),
        };
        let LetIn { caller, wanted, signed, has_effect } = match self.let_in(call, &parameters).await {
            Ok(let_in) => let_in,
            Err(problem) => return failure(&problem, false),
        };
        match self.act(call, caller, wanted, has_effect).await {
            Ok(done) => success(done),
            // Only somebody who signed is told more.
            Err(problem) => failure(&problem, signed && caller.settings.reason_header),
        }
    }

    async fn let_in(&self, call: CallName, parameters: &Parameters) -> Result<LetIn<'_>, Problem> {
        let caller = self.door.find(parameters)?;
        let (wanted, signed) = parse(call, parameters, caller)?;
        let (mut has_effect, mut is_kept) = (true, true);
        match &signed {
            Some(signed) => {
                let keep_until = self.door.authenticate(caller, signed)?;
                refuse_another(call, signed, caller)?;
                self.calls.services.admit(&caller.tenant, Asker::Known)?;
                if let Wanted::Login(login) = &wanted {
                    has_effect = self.calls.may_log_in(caller, login).await?;
                    is_kept = has_effect && !Calls::is_test(caller, login);
                }
                self.door.take_once(call, caller, parameters, signed, keep_until, is_kept).await?;
            }
            None => self.calls.services.admit(&caller.tenant, Asker::Stranger)?,
        }
        Ok(LetIn { caller, wanted, signed: signed.is_some(), has_effect })
    }

    async fn act(
        &self,
        call: CallName,
        caller: &Caller,
        wanted: Wanted,
        has_effect: bool,
    ) -> Result<response::Done, Problem> {
        if caller.tenant.disabled {
            return Err(Problem::TenantDisabled);
        }
        if !caller.settings.calls.contains(&call) {
            return Err(Problem::NotPermitted);
        }
        match wanted {
            Wanted::SendSms(request) => self.calls.send_sms(caller, &self.door.senders, request).await,
            Wanted::SendEmail(request) => self.calls.send_email(caller, request).await,
            Wanted::ValidateSms(request) => self.calls.validate_sms(caller, request).await,
            Wanted::ValidateEmail(request) => self.calls.validate_email(caller, request).await,
            // Where it was not remembered that the request came, nothing may come of it.
            Wanted::Login(request) if !has_effect => Calls::log_in_vainly(caller, &request),
            Wanted::Login(request) => self.calls.log_in(caller, request).await,
            Wanted::Register(request) => self.calls.register(caller, request).await,
            Wanted::ResetPassword(request) => self.calls.reset_password(caller, request).await,
        }
    }
}

/// The two calls for passwords are not signed upstream either: the code is what they prove.
fn parse(
    call: CallName,
    parameters: &Parameters,
    caller: &Caller,
) -> Result<(Wanted, Option<Signed>), Problem> {
    let p = parameters;
    Ok(match call {
        CallName::SendPhoneSmsCode => {
            let (request, signed) = SendSms::parse(p, caller)?;
            (Wanted::SendSms(request), Some(signed))
        }
        CallName::SendEmail => {
            let (request, signed) = SendEmail::parse(p, caller)?;
            (Wanted::SendEmail(request), signed)
        }
        CallName::ValidateSmsCode => {
            let (request, signed) = ValidateSms::parse(p, caller)?;
            (Wanted::ValidateSms(request), Some(signed))
        }
        CallName::ValidateEmailCode => {
            let (request, signed) = ValidateEmail::parse(p, caller)?;
            (Wanted::ValidateEmail(request), signed)
        }
        CallName::PhoneSmsCodeLogin => {
            let (request, signed) = Login::parse(p, caller)?;
            (Wanted::Login(request), Some(signed))
        }
        CallName::PhonePwdRegister => (Wanted::Register(Register::parse(p)?), None),
        CallName::UserPwdReset => (Wanted::ResetPassword(ResetPassword::parse(p)?), None),
    })
}
