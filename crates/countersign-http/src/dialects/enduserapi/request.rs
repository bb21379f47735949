//! What calls say: from parameters to domain types.
//!
//! Everything that is signed has one form, which is asked for before anything is hashed: otherwise two
//! requests could have one signing input (a phone that ends in `0` with type `3`, and a shorter one
//! with type `03`). What is signed is taken as it was sent.

use std::collections::BTreeSet;
use std::fmt;

use countersign_core::code::Code;
use countersign_core::names::Purpose;
use countersign_core::policy::Policy;
use countersign_core::recipient::{EmailAddress, PhoneNumber};
use countersign_core::time::Timestamp;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};
use zeroize::Zeroizing;

use super::auth::Caller;
use super::config::{CallName, SignatureScheme};
use super::error::{Field, Problem};
use super::params::Parameters;
use crate::json::{self, Object};

/// The most bytes of an e-mail address.
const EMAIL_MAX: usize = 320;

/// What a code sent by SMS is for: the source's `codeType`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CodeType {
    /// 1
    PasswordReset,
    /// 2
    Login,
    /// 3
    Registration,
    /// 4
    AccountCancellation,
    /// 5
    AddPushRecipient,
}

impl CodeType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::PasswordReset,
        Self::Login,
        Self::Registration,
        Self::AccountCancellation,
        Self::AddPushRecipient,
    ];

    pub(super) fn all() -> BTreeSet<Self> {
        Self::ALL.into()
    }

    /// `^[1-5]$`
    fn parse(text: &str) -> Option<Self> {
        one_to_five(text).map(|index| Self::ALL[index])
    }

    pub(super) fn purpose(self) -> Purpose {
        purpose(match self {
            Self::PasswordReset => "password_reset",
            Self::Login => "login",
            Self::Registration => "registration",
            Self::AccountCancellation => "account_cancellation",
            Self::AddPushRecipient => "push_recipient",
        })
    }
}

impl<'de> Deserialize<'de> for CodeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = CodeType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type of codes, 1 to 5")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<CodeType, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CodeType, E> {
                self.visit_str(&number.to_string())
            }

            /// A table's keys are texts.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CodeType, E> {
                CodeType::parse(text).ok_or_else(|| E::custom("must be a type of codes, 1 to 5"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// What a code sent by e-mail is for: `emailType`, which counts otherwise than `codeType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EmailType {
    Registration,
    PasswordReset,
    Link,
    Unlink,
    AccountCancellation,
}

impl EmailType {
    pub(super) const ALL: [Self; 5] =
        [Self::Registration, Self::PasswordReset, Self::Link, Self::Unlink, Self::AccountCancellation];

    fn parse(text: &str) -> Option<Self> {
        one_to_five(text).map(|index| Self::ALL[index])
    }

    pub(super) fn purpose(self) -> Purpose {
        purpose(match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::AccountCancellation => "account_cancellation",
        })
    }
}

fn one_to_five(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [digit @ b'1'..=b'5'] => Some(usize::from(digit - b'1')),
        _ => None,
    }
}

fn purpose(name: &str) -> Purpose {
    Purpose::parse(name).expect("a purpose")
}

/// What a signature is checked against.
pub(super) struct Signed {
    /// What the vendor's scheme hashes, without the secret at its end.
    joined: Zeroizing<String>,
    /// What our scheme hashes: every part with its length before it, `5:hello`.
    fields: Zeroizing<String>,
    pub(super) random: String,
    /// `None` where the call has no `ts`.
    pub(super) at: Option<Timestamp>,
    /// 64 hexadecimal digits.
    pub(super) signature: String,
}

impl Signed {
    /// `joined` and `fields` are the signed values of the two schemes.
    fn new(call: CallName, caller: &Caller, joined: &[&str], fields: &[&str], stamp: &Stamp<'_>) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        for field in [call.as_str(), caller.name()].iter().chain(fields) {
            text.push_str(&field.len().to_string());
            text.push(':');
            text.push_str(field);
        }
        Self {
            joined: Zeroizing::new(joined.concat()),
            fields: text,
            random: stamp.random.to_owned(),
            at: stamp.at,
            signature: stamp.signature.to_owned(),
        }
    }

    /// What is hashed, without the secret.
    pub(super) fn input(&self, scheme: SignatureScheme) -> &str {
        match scheme {
            SignatureScheme::Sha256 => &self.joined,
            SignatureScheme::HmacFields => &self.fields,
        }
    }
}

/// What every signed call has besides.
struct Stamp<'a> {
    random: &'a str,
    ts: &'a str,
    at: Option<Timestamp>,
    signature: &'a str,
}

impl<'a> Stamp<'a> {
    /// Presence: the source's order. `dated` is whether the call has a `ts`.
    fn require(parameters: &'a Parameters, dated: bool) -> Result<Self, Problem> {
        let random = required(parameters, "random", Field::Random)?;
        let ts = if dated { required(parameters, "ts", Field::Ts)? } else { "" };
        let signature = required(parameters, "signature", Field::Signature)?;
        Ok(Self { random, ts, at: None, signature })
    }

    /// Form: 16 letters and digits, 13 digits of milliseconds, 64 hexadecimal digits.
    fn fence(mut self) -> Result<Self, Problem> {
        let alphanumeric = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
        if self.random.len() != 16 || !alphanumeric(self.random) {
            return Err(Problem::IllFormed(Field::Random));
        }
        if !self.ts.is_empty() {
            self.at = Some(millis(self.ts).ok_or(Problem::IllFormed(Field::Ts))?);
        }
        if self.signature.len() != 64 || !self.signature.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Problem::BadSignature);
        }
        Ok(self)
    }
}

/// `^[1-9][0-9]{12}$`
fn millis(text: &str) -> Option<Timestamp> {
    let fits = text.len() == 13 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok().map(Timestamp::from_millis) } else { None }
}

/// A phone as it was sent: `^\+?[0-9]{5,15}$`.
pub(super) struct RawPhone(String);

impl RawPhone {
    fn fence(text: &str) -> Result<Self, Problem> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(Problem::InvalidPhone) }
    }

    /// The number, as one of this country. Written with a `+` it must say the same country.
    pub(super) fn resolve(&self, calling_code: &str, policy: &Policy) -> Result<PhoneNumber, Problem> {
        let national = match self.0.strip_prefix('+') {
            Some(digits) => digits.strip_prefix(calling_code).ok_or(Problem::InvalidPhone)?,
            None => &self.0,
        };
        PhoneNumber::parse_national(calling_code, national, policy).map_err(|_| Problem::InvalidPhone)
    }
}

/// A calling code out of `86`, `+86` or `0086`.
pub(super) fn calling_code(text: &str) -> Result<&str, Problem> {
    let code = text.strip_prefix('+').or(text.strip_prefix("00")).unwrap_or(text);
    let fits =
        (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) && !code.starts_with('0');
    if fits { Ok(code) } else { Err(Problem::InvalidPhone) }
}

/// `sendPhoneSmsCode`
pub(super) struct SendSms {
    pub(super) phone: RawPhone,
    pub(super) country: String,
    pub(super) code_type: CodeType,
}

impl SendSms {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<(Self, Signed), Problem> {
        let phone = required(p, "phone", Field::Phone)?;
        let country = required(p, "internationalCode", Field::InternationalCode)?;
        let code_type = required(p, "codeType", Field::CodeType)?;
        let stamp = Stamp::require(p, true)?;

        let raw = RawPhone::fence(phone)?;
        let kind = CodeType::parse(code_type).ok_or(Problem::IllFormed(Field::CodeType))?;
        let stamp = stamp.fence()?;
        let (random, ts) = (stamp.random, stamp.ts);
        let signed = Signed::new(
            CallName::SendPhoneSmsCode,
            caller,
            &[phone, code_type, random, ts],
            &[country, phone, code_type, random, ts],
            &stamp,
        );
        Ok((Self { phone: raw, country: country.to_owned(), code_type: kind }, signed))
    }
}

/// `validateSmsCode`
pub(super) struct ValidateSms {
    pub(super) phone: RawPhone,
    pub(super) code: Code,
    pub(super) country: Option<String>,
    /// Any that is pending, if none is named.
    pub(super) code_type: Option<CodeType>,
    pub(super) consume: bool,
}

impl ValidateSms {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<(Self, Signed), Problem> {
        let phone = required(p, "phone", Field::Phone)?;
        let code = required(p, "smsCode", Field::Code)?;
        let stamp = Stamp::require(p, true)?;

        let raw = RawPhone::fence(phone)?;
        let kind =
            p.get("codeType").map(|text| CodeType::parse(text).ok_or(Problem::IllFormed(Field::CodeType)));
        let kind = kind.transpose()?;
        let consume = consume(p)?;
        let parsed = fenced_code(code, caller)?;
        let stamp = stamp.fence()?;
        let optional = |name| p.get(name).unwrap_or_default();
        let (random, ts) = (stamp.random, stamp.ts);
        let signed = Signed::new(
            CallName::ValidateSmsCode,
            caller,
            &[phone, code, random, ts],
            &[
                optional("internationalCode"),
                phone,
                optional("codeType"),
                code,
                optional("isDisabled"),
                random,
                ts,
            ],
            &stamp,
        );
        let country = p.get("internationalCode").map(str::to_owned);
        Ok((Self { phone: raw, code: parsed, country, code_type: kind, consume }, signed))
    }
}

/// `phoneSmsCodeLogin`
pub(super) struct Login {
    pub(super) phone: RawPhone,
    pub(super) code: Code,
    pub(super) country: String,
}

impl Login {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<(Self, Signed), Problem> {
        let phone = required(p, "phone", Field::Phone)?;
        let country = required(p, "internationalCode", Field::InternationalCode)?;
        let code = required(p, "smsCode", Field::Code)?;
        let stamp = Stamp::require(p, false)?;

        let raw = RawPhone::fence(phone)?;
        // Here the country is signed, in front of the phone. No calling code begins another, so that a
        // listed one, bare, leaves one reading.
        if calling_code(country)? != country {
            return Err(Problem::InvalidPhone);
        }
        if !caller.settings.countries.contains(country) {
            return Err(Problem::NotPermitted);
        }
        let parsed = fenced_code(code, caller)?;
        let stamp = stamp.fence()?;
        let random = stamp.random;
        let signed = Signed::new(
            CallName::PhoneSmsCodeLogin,
            caller,
            &[country, phone, code, random],
            &[country, phone, code, random],
            &stamp,
        );
        Ok((Self { phone: raw, code: parsed, country: country.to_owned() }, signed))
    }
}

/// `sendEmail`
pub(super) struct SendEmail {
    pub(super) email: EmailAddress,
    pub(super) email_type: EmailType,
}

impl SendEmail {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<(Self, Option<Signed>), Problem> {
        let email = required(p, "email", Field::Email)?;
        let email_type = required(p, "emailType", Field::EmailType)?;
        let stamp = caller.settings.sign_email.then(|| Stamp::require(p, true)).transpose()?;

        let address = fenced_email(email)?;
        let kind = EmailType::parse(email_type).ok_or(Problem::IllFormed(Field::EmailType))?;
        let stamp = stamp.map(Stamp::fence).transpose()?;
        let signed = stamp.map(|stamp| {
            let parts = [email, email_type, stamp.random, stamp.ts];
            Signed::new(CallName::SendEmail, caller, &parts, &parts, &stamp)
        });
        Ok((Self { email: address, email_type: kind }, signed))
    }
}

/// `validateEmailCode`
pub(super) struct ValidateEmail {
    pub(super) email: EmailAddress,
    pub(super) code: Code,
    pub(super) consume: bool,
}

impl ValidateEmail {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<(Self, Option<Signed>), Problem> {
        let email = required(p, "email", Field::Email)?;
        let code = required(p, "code", Field::Code)?;
        let stamp = caller.settings.sign_email.then(|| Stamp::require(p, true)).transpose()?;

        let address = fenced_email(email)?;
        let consume = consume(p)?;
        let parsed = fenced_code(code, caller)?;
        let stamp = stamp.map(Stamp::fence).transpose()?;
        let disabled = p.get("isDisabled").unwrap_or_default();
        let signed = stamp.map(|stamp| {
            let (random, ts) = (stamp.random, stamp.ts);
            let fields = [email, code, disabled, random, ts];
            Signed::new(CallName::ValidateEmailCode, caller, &[email, code, random, ts], &fields, &stamp)
        });
        Ok((Self { email: address, code: parsed, consume }, signed))
    }
}

/// `phonePwdRegister`
pub(super) struct Register {
    pub(super) phone: RawPhone,
    pub(super) code: Code,
    pub(super) country: Option<String>,
    pub(super) password: Password,
    pub(super) agreements: Vec<Object<Agreement>>,
}

impl Register {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<Self, Problem> {
        let phone = required(p, "phone", Field::Phone)?;
        let code = required(p, "smsCode", Field::Code)?;
        let password = Password::require(p)?;
        let agreements = agreements(p)?;
        Ok(Self {
            phone: RawPhone::fence(phone)?,
            code: fenced_code(code, caller)?,
            country: p.get("internationalCode").map(str::to_owned),
            password,
            agreements,
        })
    }
}

/// `userPwdReset`
pub(super) struct ResetPassword {
    pub(super) to: ResetFor,
    pub(super) code: Code,
    pub(super) password: Password,
}

/// Whose password is to change.
pub(super) enum ResetFor {
    Phone { phone: RawPhone, country: Option<String> },
    Email(EmailAddress),
}

impl ResetPassword {
    pub(super) fn parse(p: &Parameters, caller: &Caller) -> Result<Self, Problem> {
        let (phone, email) = (p.get("phone"), p.get("email"));
        if phone.is_none() && email.is_none() {
            return Err(Problem::Missing(Field::Phone));
        }
        let code = required(p, "code", Field::Code)?;
        let password = Password::require(p)?;
        let to = match (phone, email) {
            // Which of the two the code was sent to is not ours to guess.
            (Some(_), Some(_)) => return Err(Problem::Malformed),
            (Some(phone), None) => ResetFor::Phone {
                phone: RawPhone::fence(phone)?,
                country: p.get("internationalCode").map(str::to_owned),
            },
            (None, email) => ResetFor::Email(fenced_email(email.unwrap_or_default())?),
        };
        Ok(Self { to, code: fenced_code(code, caller)?, password })
    }
}

/// A password as the client encrypted it, and the text its key is made of. Not opened here.
pub(super) struct Password {
    pub(super) pwd: Zeroizing<String>,
    pub(super) random: Option<Zeroizing<String>>,
}

impl Password {
    fn require(p: &Parameters) -> Result<Self, Problem> {
        let pwd = required(p, "pwd", Field::Password)?;
        let random = p.get("random").map(|random| Zeroizing::new(random.to_owned()));
        Ok(Self { pwd: Zeroizing::new(pwd.to_owned()), random })
    }
}

/// A text that a person agreed to.
#[derive(Debug, DeriveDeserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agreement {
    protocol_type: TextOrNumber,
    privacy_version: TextOrNumber,
}

#[derive(Debug, DeriveDeserialize, Serialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

/// At least one. In a query or form the list is the JSON text of it.
fn agreements(p: &Parameters) -> Result<Vec<Object<Agreement>>, Problem> {
    #[derive(DeriveDeserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        agreement_list: Option<Vec<Object<Agreement>>>,
    }
    let ill_formed = Problem::IllFormed(Field::Agreements);
    let list = match (p.get("agreementList"), p.json()) {
        (Some(text), _) => Some(serde_json::from_str(text).map_err(|_| ill_formed.clone())?),
        (None, Some(body)) => json::parse::<Body>(body).map_err(|_| ill_formed.clone())?.agreement_list,
        (None, None) => None,
    };
    let list: Vec<_> = list.ok_or(Problem::Missing(Field::Agreements))?;
    if list.is_empty() { Err(ill_formed) } else { Ok(list) }
}

fn required<'a>(p: &'a Parameters, name: &str, field: Field) -> Result<&'a str, Problem> {
    p.get(name).ok_or(Problem::Missing(field))
}

/// A text of another length than the tenant's codes is none of them: nothing is charged for it, and what
/// is signed keeps one reading.
fn fenced_code(text: &str, caller: &Caller) -> Result<Code, Problem> {
    let length = usize::from(caller.tenant.policy.terms.code.length);
    let fits = text.len() == length && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = if fits { Code::parse(text).ok() } else { None };
    code.ok_or(Problem::NoCode)
}

fn fenced_email(text: &str) -> Result<EmailAddress, Problem> {
    let address = if text.len() <= EMAIL_MAX { EmailAddress::parse(text).ok() } else { None };
    address.ok_or(Problem::InvalidEmail)
}

/// `isDisabled`: 1 uses the code up, which is what happens without it; 2 keeps it.
fn consume(p: &Parameters) -> Result<bool, Problem> {
    match p.get("isDisabled") {
        None | Some("1") => Ok(true),
        Some("2") => Ok(false),
        Some(_) => Err(Problem::IllFormed(Field::IsDisabled)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_written_in_three_ways() {
        for text in ["86", "+86", "0086"] {
            assert_eq!(calling_code(text).ok(), Some("86"), "{text}");
        }
        for bad in ["", "+", "00", "086", "+0086", "00+86", "8612", "8a", "8６", " 86", "86\n"] {
            assert!(calling_code(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_two_kinds_of_types_are_counted_differently() {
        let sms = CodeType::ALL.map(|kind| kind.purpose().to_string());
        let email = EmailType::ALL.map(|kind| kind.purpose().to_string());
        assert_eq!(
            sms,
            ["password_reset", "login", "registration", "account_cancellation", "push_recipient"]
        );
        assert_eq!(email, ["registration", "password_reset", "link", "unlink", "account_cancellation"]);
    }
}
