//! What was signed for one call, and could be read as another.
//!
//! The vendor's scheme joins values without separators and names no call. Most joined texts have one reading,
//! because every value has its form. What is left are short numbers with a `random` that begins, or ends, with
//! digits: such a text is refused, for whoever sees it signed could use it for the other call. A caller that
//! draws `random` with a letter near each end is never refused.

use super::auth::Caller;
use super::config::{CallName, SignatureScheme};
use super::error::Problem;
use super::form::{RawPhone, fenced_code};
use super::kinds::CodeType;
use super::signed::{Signed, Stamp};

const RANDOM: usize = 16;
const TS: usize = 13;
/// How many letters and digits a code has.
const CODE: std::ops::RangeInclusive<usize> = 4..=10;
/// How many digits a calling code has.
const COUNTRY: std::ops::RangeInclusive<usize> = 1..=3;

/// Refuses what another call would take for its own. It is asked of what is rightly signed only: a stranger would
/// have every country's numbering plan looked at. Two readings are let be, because honest requests have
/// them: a send as a validation of a shorter number, which is a guess like any other; and a validation as a send
/// to a longer number, in another country whose numbers are that long. Either spends the `random` of both.
pub(super) fn refuse_another(call: CallName, signed: &Signed, caller: &Caller) -> Result<(), Problem> {
    if caller.settings.signature_scheme != SignatureScheme::Sha256 {
        return Ok(());
    }
    let text = signed.input(SignatureScheme::Sha256);
    let has_another = match call {
        CallName::SendPhoneSmsCode | CallName::ValidateSmsCode => is_login(text, caller),
        CallName::PhoneSmsCodeLogin => is_send(text, caller),
        // An address has an `@`, which no phone has; of calls without a signature nothing is joined.
        CallName::SendEmail
        | CallName::ValidateEmailCode
        | CallName::PhonePwdRegister
        | CallName::UserPwdReset => false,
    };
    if has_another { Err(Problem::InvalidPhone) } else { Ok(()) }
}

/// phone ‖ codeType ‖ random ‖ ts
fn is_send(text: &str, caller: &Caller) -> bool {
    let Some((text, ts)) = split_end(text, TS) else { return false };
    let Some((text, random)) = split_end(text, RANDOM) else { return false };
    let Some((phone, kind)) = split_end(text, 1) else { return false };
    let is_number =
        |phone: &RawPhone| caller.settings.countries.iter().any(|code| is_of(phone, code, caller));
    CodeType::parse(kind).is_some()
        && Stamp::has_form(random, ts)
        && RawPhone::fence(phone).is_ok_and(|phone| is_number(&phone))
}

/// internationalCode ‖ phone ‖ smsCode ‖ random
fn is_login(text: &str, caller: &Caller) -> bool {
    let Some((text, random)) = split_end(text, RANDOM) else { return false };
    let countries = || COUNTRY.filter_map(|length| text.split_at_checked(length));
    let mut served = countries().filter(|(code, _)| caller.settings.countries.contains(code));
    Stamp::has_form(random, "")
        && served.any(|(country, rest)| {
            CODE.filter_map(|length| split_end(rest, length)).any(|(phone, code)| {
                fenced_code(code).is_ok()
                    && RawPhone::fence(phone).is_ok_and(|phone| is_of(&phone, country, caller))
            })
        })
}

fn is_of(phone: &RawPhone, country: &str, caller: &Caller) -> bool {
    phone.resolve(country, &caller.tenant.policy).is_ok()
}

fn split_end(text: &str, length: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(length)?)
}
