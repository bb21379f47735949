//! The calls: domain types in, the core's verbs, and back.
//!
//! There are no users here: every number and mailbox is as good as another, and whoever asks learns
//! nothing but what was sent where.

use std::time::Duration;

use countersign_core::code::Code;
use countersign_core::engine::{CheckOutcome, Delivery, Idempotent, Intent, SendOutcome};
use countersign_core::ids::VerificationId;
use countersign_core::names::{DialectName, Purpose};
use countersign_core::pairs::Pairs;
use countersign_core::policy::{MessageCaps, Policy, ResendCode, Terms};
use countersign_core::recipient::{PhoneNumber, Recipient};
use countersign_core::tokens::TokenUse;
use countersign_core::verifications::{Check, CheckOf, RequestError, Start, Target};

use super::auth::Caller;
use super::config::{CallName, SenderCodes};
use super::error::{Mismatch, Problem};
use super::form::{RawPhone, calling_code};
use super::forward;
use super::kinds::{CodeType, EmailType};
use super::passwords::{Register, ResetFor, ResetPassword};
use super::request::{Login, SendEmail, SendSms, ValidateEmail, ValidateSms};
use super::response::{Done, Issued};
use super::sender::Senders;
use crate::outcome::{cooling_down, decided};
use crate::services::Services;

/// "The last unused SMS verification code sent within 5 minutes is valid."
const CODE_LIFE: Duration = Duration::from_secs(5 * 60);
/// The source gives no figure.
const COOL_DOWN: Duration = Duration::from_secs(60);
/// The source gives no figures for messages to one number either.
const MESSAGES_PER_HOUR: u16 = 5;
const MESSAGES_PER_DAY: u16 = 10;
/// As in the vendor's sample of a login.
const ACCESS_LIFE: Duration = Duration::from_secs(2 * 3600);
/// As in the vendor's sample of a login.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The dialect's calls over the services.
pub(super) struct Calls {
    pub(super) services: Services,
    dialect: DialectName,
}

impl Calls {
    pub(super) fn new(services: Services) -> Self {
        Self { services, dialect: DialectName::parse(super::NAME).expect("a dialect's name") }
    }

    pub(super) async fn send_sms(
        &self,
        caller: &Caller,
        senders: &Senders,
        request: SendSms,
    ) -> Result<Done, Problem> {
        permit_type(caller, request.code_type)?;
        let phone = resolve(caller, &request.phone, Some(&request.country))?;
        let settings = &caller.settings;
        if settings.sender_codes == SenderCodes::Detailed {
            let checked = senders.check(&settings.user_domain, &settings.sender, request.code_type);
            checked.map_err(Problem::sender)?;
        }
        self.send(caller, request.code_type.purpose(), Recipient::Phone(phone)).await
    }

    pub(super) async fn send_email(&self, caller: &Caller, request: SendEmail) -> Result<Done, Problem> {
        self.send(caller, request.email_type.purpose(), Recipient::Email(request.email)).await
    }

    pub(super) async fn validate_sms(&self, caller: &Caller, request: ValidateSms) -> Result<Done, Problem> {
        if let Some(code_type) = request.code_type {
            permit_type(caller, code_type)?;
        }
        let phone = Recipient::Phone(resolve(caller, &request.phone, request.country.as_deref())?);
        let purposes = match request.code_type {
            Some(code_type) => vec![code_type.purpose()],
            None => caller.settings.code_types.iter().map(|t| t.purpose()).collect(),
        };
        self.check(caller, CheckOf::AnyPurpose(&phone, purposes), request.code, request.consume).await?;
        Ok(Done::Plain)
    }

    pub(super) async fn validate_email(
        &self,
        caller: &Caller,
        request: ValidateEmail,
    ) -> Result<Done, Problem> {
        let mailbox = Recipient::Email(request.email);
        let purposes = EmailType::ALL.map(EmailType::purpose).to_vec();
        self.check(caller, CheckOf::AnyPurpose(&mailbox, purposes), request.code, request.consume).await?;
        Ok(Done::Plain)
    }

    /// Whether a login may come to anything: its code would be compared. Asked before it is remembered
    /// that the request came.
    pub(super) async fn may_log_in(&self, caller: &Caller, request: &Login) -> Result<bool, Problem> {
        let allowed = !caller.tenant.disabled
            && caller.settings.calls.contains(&CallName::PhoneSmsCodeLogin)
            && permit_type(caller, CodeType::Login).is_ok();
        let Ok(phone) = resolve(caller, &request.phone, Some(&request.country)) else { return Ok(false) };
        let (phone, login) = (Recipient::Phone(phone), CodeType::Login.purpose());
        let verifications = &self.services.verifications;
        Ok(allowed
            && verifications
                .takes_guesses(&caller.tenant, &self.dialect, &phone, &login, &request.code)
                .await?)
    }

    /// Whether a login is one with a test number.
    pub(super) fn is_test(caller: &Caller, request: &Login) -> bool {
        let phone = resolve(caller, &request.phone, Some(&request.country));
        phone.is_ok_and(|phone| phone.is_test(&caller.tenant.policy.test_numbers))
    }

    /// The answer to a login for which nothing was pending when it came.
    pub(super) fn log_in_vainly(caller: &Caller, request: &Login) -> Result<Done, Problem> {
        permit_type(caller, CodeType::Login)?;
        resolve(caller, &request.phone, Some(&request.country))?;
        Err(Problem::WrongCode(Mismatch::NothingPending))
    }

    pub(super) async fn log_in(&self, caller: &Caller, request: Login) -> Result<Done, Problem> {
        permit_type(caller, CodeType::Login)?;
        let phone = Recipient::Phone(resolve(caller, &request.phone, Some(&request.country))?);
        let login = CodeType::Login.purpose();
        self.check(caller, CheckOf::Address(&phone, login), request.code, true).await?;
        let now = self.services.verifications.now();
        let issue = |kind, life| {
            let of = TokenUse { tenant: &caller.tenant.id, kind, audience: b"" };
            let token = self.services.tokens.issue(of, phone.expose(), life);
            Issued { token, expiration_time: (now + life).as_millis() / 1000 }
        };
        let mut access = issue("enduserapi access", ACCESS_LIFE);
        access.token.insert_str(0, "Bearer ");
        Ok(Done::LoggedIn { access, refresh: issue("enduserapi refresh", REFRESH_LIFE) })
    }

    /// Uses the code up, and only then hands the registration to the tenant's hook. Nothing of it is
    /// kept; a hook that fails leaves the person to ask for another code.
    pub(super) async fn register(&self, caller: &Caller, request: Register) -> Result<Done, Problem> {
        let Some(hook) = &caller.register else { return Err(Problem::NotPermitted) };
        permit_type(caller, CodeType::Registration)?;
        let phone = resolve(caller, &request.phone, request.country.as_deref())?;
        let body = forward::registration(caller.name(), &phone, &request.password, &request.agreements);
        let purpose = CodeType::Registration.purpose();
        let phone = Recipient::Phone(phone);
        let proof = self.check(caller, CheckOf::Address(&phone, purpose), request.code, true).await?;
        let uid = forward::register(hook.as_ref(), proof, body).await?;
        Ok(Done::Registered { uid })
    }

    /// The same for a new password.
    pub(super) async fn reset_password(
        &self,
        caller: &Caller,
        request: ResetPassword,
    ) -> Result<Done, Problem> {
        let Some(hook) = &caller.password_reset else { return Err(Problem::NotPermitted) };
        let (to, purpose) = match request.to {
            ResetFor::Phone { phone, country } => {
                permit_type(caller, CodeType::PasswordReset)?;
                let phone = resolve(caller, &phone, country.as_deref())?;
                (Recipient::Phone(phone), CodeType::PasswordReset.purpose())
            }
            ResetFor::Email(email) => (Recipient::Email(email), EmailType::PasswordReset.purpose()),
        };
        let body = forward::password_change(caller.name(), &to, &request.password);
        let proof = self.check(caller, CheckOf::Address(&to, purpose), request.code, true).await?;
        forward::reset(hook.as_ref(), proof, body).await?;
        Ok(Done::Plain)
    }

    /// Starts, or sends a new code. What a rule blocks is answered like success, and counted like it too, so
    /// that a second call tells no more than the first.
    async fn send(&self, caller: &Caller, purpose: Purpose, to: Recipient) -> Result<Done, Problem> {
        let outcome = match self.start(caller, purpose.clone(), to.clone(), Delivery::Send).await {
            Err(RequestError::Region) => self.start(caller, purpose, to, Delivery::Pretend).await?,
            outcome => outcome?,
        };
        accepted(outcome)?;
        Ok(Done::Plain)
    }

    async fn start(
        &self,
        caller: &Caller,
        purpose: Purpose,
        to: Recipient,
        delivery: Delivery,
    ) -> Result<Idempotent<SendOutcome>, RequestError> {
        let request = Start {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            purpose,
            intent: Intent::StartOrResend,
            delivery,
            targets: vec![(Target::Address(to), None)],
            locale: None,
            custom_code: None,
            link: None,
            context: Pairs::default(),
            metadata: Pairs::default(),
            // The connection may be a person's app or the tenant's server for all of them.
            client_ip: None,
            trusted: false,
            ends_hold_of: None,
            terms: Some(terms(&caller.tenant.policy)),
            idempotency: None,
        };
        self.services.verifications.start(request).await
    }

    async fn check(
        &self,
        caller: &Caller,
        of: CheckOf<'_>,
        code: Code,
        consume: bool,
    ) -> Result<VerificationId, Problem> {
        let request = Check {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            of,
            code,
            // Where a code ends is not in what is signed: see `form::fenced_code`.
            only_of_length: true,
            context: Pairs::default(),
            client_ip: None,
            trusted: false,
            consume,
            record_proof: consume,
            idempotency: None,
        };
        match decided(self.services.verifications.check(request).await?)?.0 {
            CheckOutcome::Right { verification } => Ok(verification.id),
            CheckOutcome::Rejected { reason, .. } => Err(Problem::rejected(reason)),
            CheckOutcome::NotFound => Err(Problem::WrongCode(Mismatch::NothingPending)),
        }
    }
}

/// The tenant's terms, with what the source promises of a code: five minutes, which the end of the window
/// never shortens, and none but the last one. The waiting time is the dialect's where the tenant has no
/// own.
fn terms(policy: &Policy) -> Terms {
    let own = policy.terms.clone();
    let code_life = own.code_life.min(CODE_LIFE);
    let cool_downs = if policy.own_cool_downs { own.cool_downs } else { vec![COOL_DOWN] };
    Terms {
        messages: MessageCaps {
            per_hour: own.messages.per_hour.or(Some(MESSAGES_PER_HOUR)),
            per_day: own.messages.per_day.or(Some(MESSAGES_PER_DAY)),
        },
        resend_code: ResendCode::New,
        join_within: own.window.checked_sub(code_life),
        code_life,
        cool_downs,
        ..own
    }
}

fn permit_type(caller: &Caller, code_type: CodeType) -> Result<(), Problem> {
    if caller.settings.code_types.contains(&code_type) { Ok(()) } else { Err(Problem::NotPermitted) }
}

/// The number in the country that is named, or else the caller's first one. The country has to be on the
/// list before the number is looked at.
fn resolve(caller: &Caller, phone: &RawPhone, country: Option<&str>) -> Result<PhoneNumber, Problem> {
    let countries = &caller.settings.countries;
    let code = country.map_or(Ok(countries.home()), calling_code)?;
    if !countries.contains(code) {
        return Err(Problem::NotPermitted);
    }
    phone.resolve(code, &caller.tenant.policy)
}

fn accepted(outcome: Idempotent<SendOutcome>) -> Result<(), Problem> {
    let (outcome, at) = decided(outcome)?;
    match outcome {
        SendOutcome::Accepted(accepted) => match cooling_down(&accepted, at) {
            None => Ok(()),
            Some(wait) => Err(Problem::cooling_down(wait)),
        },
        SendOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_lives_five_minutes_and_never_longer_than_the_tenant_says() {
        let life = |seconds| {
            let mut policy = Policy::default();
            policy.terms.code_life = Duration::from_secs(seconds);
            let terms = terms(&policy);
            (terms.code_life.as_secs(), terms.join_within.map(|age| age.as_secs()))
        };
        assert_eq!(life(600), (300, Some(300)));
        assert_eq!(life(120), (120, Some(480)));
    }

    #[test]
    fn the_tenants_own_waiting_times_go_before_the_dialects() {
        let waits = |own: Vec<u64>| {
            let mut policy = Policy { own_cool_downs: true, ..Policy::default() };
            policy.terms.cool_downs = own.into_iter().map(Duration::from_secs).collect();
            terms(&policy).cool_downs
        };
        assert_eq!(terms(&Policy::default()).cool_downs, [Duration::from_secs(60)]);
        assert_eq!(waits(vec![30, 60, 120, 240]), Policy::default().terms.cool_downs);
        assert_eq!(waits(vec![90]), [Duration::from_secs(90)]);
        assert_eq!(waits(vec![]), [] as [Duration; 0]);
    }
}
