//! What calls say: from JSON to domain types.
//!
//! The source calls its properties "required" in one place and "optional" in another, and shows
//! bodies with one of them: at least one address is needed. `username` appears in its samples only.
//! `null` and the empty text count as absent. Unknown members are refused, unless the tenant ignores
//! them.

use countersign_core::code::Code;
use countersign_core::policy::Policy;
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};
use zeroize::Zeroizing;

use super::auth::Caller;
use super::config::PhoneMax;
use super::error::{Field, Problem, Required};
use crate::json::Texts;

/// The most bytes of an e-mail address: "Max length: 320 chars".
const EMAIL_MAX: usize = 320;
/// The most characters of a one-time password; the platform's samples have 5, 6 and 11.
const OTP_MAX: usize = 20;
/// The most characters of a user's id.
pub(super) const USER_ID_MAX: usize = 200;

/// `POST /v1/otp/`.
pub(super) struct Generate {
    pub(super) user_id: String,
    pub(super) to: Addressees,
}

/// `POST /v1/otp/resend`.
pub(super) struct Resend {
    pub(super) to: Addressees,
}

/// `POST /v1/otp/verify`.
pub(super) struct Verify {
    pub(super) identity: Identity,
    pub(super) otp: Code,
}

/// `POST /v1/otp/forgotPassword`.
pub(super) struct ForgotPassword {
    pub(super) identity: Identity,
    /// The identity as the person wrote it.
    pub(super) presented: String,
}

/// `POST /v1/forgotPassword`.
pub(super) struct ResetPassword {
    pub(super) identity: Identity,
    pub(super) otp: Code,
    pub(super) new_password: Zeroizing<String>,
}

/// Whom to send to: at least one of them.
pub(super) struct Addressees {
    pub(super) email: Option<EmailAddress>,
    pub(super) phone: Option<PhoneNumber>,
    pub(super) username: Option<String>,
}

/// Whom a code was sent to, as they name themselves.
pub(super) enum Identity {
    Address(Recipient),
    Username(String),
}

impl Generate {
    pub(super) fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let texts = read(body, &["userId", "email", "phoneNumber", "username"], &[], caller)?;
        if texts.get("email").is_none() && texts.get("phoneNumber").is_none() {
            return Err(Problem::Missing(Required::EmailOrPhone));
        }
        let user_id = required(&texts, "userId", Required::UserId)?;
        if user_id.chars().count() > USER_ID_MAX {
            return Err(Problem::Malformed);
        }
        Ok(Self { user_id: user_id.to_owned(), to: Addressees::parse(&texts, caller)? })
    }
}

impl Resend {
    pub(super) fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let texts = read(body, &["email", "phoneNumber", "username"], &[], caller)?;
        if texts.is_empty() {
            return Err(Problem::Missing(Required::EmailPhoneOrUsername));
        }
        Ok(Self { to: Addressees::parse(&texts, caller)? })
    }
}

impl Verify {
    pub(super) fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let texts = read(body, &["otp", "identity"], &[], caller)?;
        let otp = required(&texts, "otp", Required::Otp)?;
        let identity = required(&texts, "identity", Required::Identity)?;
        Ok(Self { identity: Identity::parse(identity, caller)?, otp: parse_otp(otp)? })
    }
}

impl ForgotPassword {
    pub(super) fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let texts = read(body, &["identity"], &[], caller)?;
        let identity = required(&texts, "identity", Required::Identity)?;
        let presented = identity.to_owned();
        Ok(Self { identity: Identity::parse_without_phone(identity, caller)?, presented })
    }
}

impl ResetPassword {
    pub(super) fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let mut texts = read(body, &["identity", "otp", "newPassword"], &["userId"], caller)?;
        let new_password = texts.take("newPassword");
        let otp = required(&texts, "otp", Required::Otp)?;
        let presented = required(&texts, "identity", Required::Identity)?;
        let new_password = new_password.ok_or(Problem::Missing(Required::NewPassword))?;
        let identity = Identity::parse_without_phone(presented, caller)?;
        Ok(Self { identity, otp: parse_otp(otp)?, new_password })
    }
}

impl Addressees {
    /// The first one with a wrong form decides, in this order.
    fn parse(texts: &Texts, caller: &Caller) -> Result<Self, Problem> {
        let policy = &caller.tenant.policy;
        let email = texts.get("email").map(|text| parse_email(text).ok_or(Problem::Invalid(Field::Email)));
        let email = email.transpose()?;
        let phone = texts.get("phoneNumber").map(|text| {
            parse_phone(text, policy, caller.options.phone_max).ok_or(Problem::Invalid(Field::PhoneNumber))
        });
        let phone = phone.transpose()?;
        let username = texts.get("username").map(|text| {
            let named = is_username(text).then(|| text.to_owned());
            named.ok_or(Problem::Invalid(Field::Username))
        });
        Ok(Self { email, phone, username: username.transpose()? })
    }
}

impl Identity {
    /// With an `@` it is an e-mail address, with a `+` in front a phone number, else a username.
    fn parse(text: &str, caller: &Caller) -> Result<Self, Problem> {
        let identity = if text.contains('@') {
            parse_email(text).map(|email| Self::Address(Recipient::Email(email)))
        } else if text.starts_with('+') {
            let phone = parse_phone(text, &caller.tenant.policy, caller.options.phone_max);
            phone.map(|phone| Self::Address(Recipient::Phone(phone)))
        } else {
            is_username(text).then(|| Self::Username(text.to_owned()))
        };
        identity.ok_or(Problem::Invalid(Field::Identity))
    }

    /// The password calls are documented for e-mail addresses and usernames.
    fn parse_without_phone(text: &str, caller: &Caller) -> Result<Self, Problem> {
        match Self::parse(text, caller)? {
            Self::Address(Recipient::Phone(_)) => Err(Problem::Invalid(Field::Identity)),
            identity => Ok(identity),
        }
    }
}

/// "Standard email pattern": one `@`, a local part of 1 to 64 bytes (RFC 5321, section 4.5.3.1.1), a
/// domain with a dot.
pub(super) fn parse_email(text: &str) -> Option<EmailAddress> {
    let (local, domain) = text.split_once('@')?;
    let fits = text.len() <= EMAIL_MAX
        && (1..=64).contains(&local.len())
        && domain.contains('.')
        && !domain.contains('@')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if fits { EmailAddress::parse(text).ok() } else { None }
}

/// "Max length: 15 chars plus country code. Must start with "+" sign": read as E.164, or by the
/// letter where the tenant wants 18 digits as they are written. Test numbers are what the tenant says
/// they are.
pub(super) fn parse_phone(text: &str, policy: &Policy, max: PhoneMax) -> Option<PhoneNumber> {
    let number = PhoneNumber::parse_written(text, max.digits(), policy).ok()?;
    let digits = text.strip_prefix('+')?;
    let fits = (7..=max.digits()).contains(&digits.len()) && !digits.starts_with('0');
    (fits || number.is_test(&policy.test_numbers)).then_some(number)
}

/// `^[A-Za-z0-9_]{2,20}$`
fn is_username(text: &str) -> bool {
    (2..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text that no code can be is refused before anything is charged. The page knows no separators, so
/// that none are taken out.
fn parse_otp(text: &str) -> Result<Code, Problem> {
    let fits = text.len() <= OTP_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = if fits { Code::parse(text).ok() } else { None };
    code.ok_or(Problem::Invalid(Field::Otp))
}

/// The members that are there, of the call's own and those that may be anything.
fn read(body: &[u8], known: &[&str], ignored: &[&str], caller: &Caller) -> Result<Texts, Problem> {
    Texts::read(body, known, ignored, caller.options.unknown_fields).map_err(|_| Problem::Malformed)
}

fn required<'a>(texts: &'a Texts, name: &str, required: Required) -> Result<&'a str, Problem> {
    texts.get(name).ok_or(Problem::Missing(required))
}
