//! The two calls that carry passwords. They are not signed upstream either: the code is what they prove.

use countersign_core::code::Code;
use countersign_core::recipient::EmailAddress;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{Field, Problem};
use super::form::{RawPhone, fenced_code, fenced_email, required};
use super::params::Parameters;
use crate::json::{self, Object};

/// `phonePwdRegister`
pub(super) struct Register {
    pub(super) phone: RawPhone,
    pub(super) code: Code,
    pub(super) country: Option<String>,
    pub(super) password: Password,
    pub(super) agreements: Vec<Object<Agreement>>,
}

impl Register {
    pub(super) fn parse(p: &Parameters) -> Result<Self, Problem> {
        let phone = required(p, "phone", Field::Phone)?;
        let code = required(p, "smsCode", Field::Code)?;
        let password = Password::require(p)?;
        let agreements = agreements(p)?;
        Ok(Self {
            phone: RawPhone::fence(phone)?,
            code: fenced_code(code)?,
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
    pub(super) fn parse(p: &Parameters) -> Result<Self, Problem> {
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
        Ok(Self { to, code: fenced_code(code)?, password })
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
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agreement {
    protocol_type: TextOrNumber,
    privacy_version: TextOrNumber,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

/// At least one. In a query or form the list is the JSON text of it.
fn agreements(p: &Parameters) -> Result<Vec<Object<Agreement>>, Problem> {
    #[derive(Deserialize)]
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
