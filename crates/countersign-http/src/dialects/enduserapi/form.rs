//! Which form single values have.

use countersign_core::code::Code;
use countersign_core::policy::Policy;
use countersign_core::recipient::{EmailAddress, PhoneNumber};

use super::auth::Caller;
use super::error::{Field, Problem};
use super::params::Parameters;

/// The most bytes of an e-mail address.
const EMAIL_MAX: usize = 320;

/// The most digits before a national number that belong to no number: Hungary's `06`. Core reads any number of
/// zeros; here they would stand for another call's digits.
const TRUNK_PREFIX: usize = 2;

/// A phone as it was sent: `^\+?[0-9]{5,15}$`.
pub(super) struct RawPhone(String);

impl RawPhone {
    pub(super) fn fence(text: &str) -> Result<Self, Problem> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(Problem::InvalidPhone) }
    }

    /// Refuses what is no number of the country that it is sent with: otherwise the digits of another call,
    /// signed for a number and a code, could be read as one long number. A country that is not served is
    /// left to be refused for that.
    pub(super) fn fence_country(&self, country: Option<&str>, caller: &Caller) -> Result<(), Problem> {
        let countries = &caller.settings.countries;
        let code = country.map_or(Ok(countries.home()), calling_code)?;
        if countries.contains(code) {
            self.resolve(code, &caller.tenant.policy)?;
        }
        Ok(())
    }

    /// The number, as one of this country. Written with a `+` it must say the same country.
    pub(super) fn resolve(&self, calling_code: &str, policy: &Policy) -> Result<PhoneNumber, Problem> {
        let national = match self.0.strip_prefix('+') {
            Some(digits) => digits.strip_prefix(calling_code).ok_or(Problem::InvalidPhone)?,
            None => &self.0,
        };
        let number = PhoneNumber::parse_national(calling_code, national, policy);
        let number = number.map_err(|_| Problem::InvalidPhone)?;
        let digits = number.expose().len() - "+".len() - calling_code.len();
        if national.len() <= digits + TRUNK_PREFIX { Ok(number) } else { Err(Problem::InvalidPhone) }
    }
}

/// A calling code out of `86`, `+86` or `0086`.
pub(super) fn calling_code(text: &str) -> Result<&str, Problem> {
    let code = text.strip_prefix('+').or(text.strip_prefix("00")).unwrap_or(text);
    let fits =
        (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) && !code.starts_with('0');
    if fits { Ok(code) } else { Err(Problem::InvalidPhone) }
}

pub(super) fn required<'a>(p: &'a Parameters, name: &str, field: Field) -> Result<&'a str, Problem> {
    p.get(name).ok_or(Problem::Missing(field))
}

/// A text that cannot be a code is none: nothing is charged for it.
///
/// How long the code is, only its verification knows, for the tenant's setting may have changed since. So
/// what is signed may be cut elsewhere: the same digits as another number with a longer or shorter code. Of
/// the readings one is taken at most, for they share `random`; and one whose code is not as long as its
/// verification's is no guess.
pub(super) fn fenced_code(text: &str) -> Result<Code, Problem> {
    let fits = (4..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = if fits { Code::parse(text).ok() } else { None };
    code.ok_or(Problem::NoCode)
}

pub(super) fn fenced_email(text: &str) -> Result<EmailAddress, Problem> {
    let address = if text.len() <= EMAIL_MAX { EmailAddress::parse(text).ok() } else { None };
    address.ok_or(Problem::InvalidEmail)
}

/// `isDisabled`: 1 uses the code up, which is what happens without it; 2 keeps it.
pub(super) fn consume(p: &Parameters) -> Result<bool, Problem> {
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
}
