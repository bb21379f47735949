//! What the calls about codes say: from parameters to domain types.
//!
//! In each call presence is asked for before form, in the source's order.

use countersign_core::code::Code;
use countersign_core::recipient::EmailAddress;

use super::auth::Caller;
use super::config::CallName;
use super::error::{Field, Problem};
use super::form::{RawPhone, calling_code, consume, fenced_code, fenced_email, required};
use super::kinds::{CodeType, EmailType};
use super::params::Parameters;
use super::signed::{Signed, Stamp};

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
        raw.fence_country(Some(country), caller)?;
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
        let parsed = fenced_code(code)?;
        let stamp = stamp.fence()?;
        raw.fence_country(p.get("internationalCode"), caller)?;
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
        let parsed = fenced_code(code)?;
        let stamp = stamp.fence()?;
        raw.fence_country(Some(country), caller)?;
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
        let parsed = fenced_code(code)?;
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
