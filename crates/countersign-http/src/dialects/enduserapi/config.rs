//! The `[dialects.enduserapi]` section of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::kinds::CodeType;
use crate::hooks::HookTarget;

/// The dialect's section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who may call.
    pub user_domains: Vec<UserDomain>,
    /// The accounts that messages are sent under, for `sender_codes = "detailed"`.
    pub sms_accounts: Vec<SmsAccount>,
    /// The approved brands, shown as 【Brand】.
    pub sms_signatures: Vec<SmsSignature>,
    /// The approved texts.
    pub sms_templates: Vec<SmsTemplate>,
}

/// A caller, and how the dialect behaves for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDomain {
    /// Its name on the wire.
    pub user_domain: UserDomainName,
    /// Which tenant it is. One tenant is one user domain.
    pub tenant: String,
    /// What it signs with.
    pub secret: UserDomainSecret,
    /// The countries it may send to; the first one is meant where a call names none.
    #[serde(default)]
    pub countries: Countries,
    /// What a signature covers, and how it is made.
    #[serde(default)]
    pub signature_scheme: SignatureScheme,
    /// Whether the calls about e-mail are signed.
    #[serde(default = "yes")]
    pub sign_email: bool,
    /// The types of codes it may send and check over SMS.
    #[serde(default = "CodeType::all")]
    pub code_types: BTreeSet<CodeType>,
    /// The calls it may make. The two for passwords also need their hooks.
    #[serde(default = "CallName::all")]
    pub calls: BTreeSet<CallName>,
    /// Whether mistakes in the sender's configuration are told apart.
    #[serde(default)]
    pub sender_codes: SenderCodes,
    /// What its messages are sent under.
    #[serde(default)]
    pub sender: Sender,
    /// Whether errors carry the internal reason in `Countersign-Reason`.
    #[serde(default)]
    pub reason_header: bool,
    /// Where proven registrations go. Without it the call is not permitted.
    #[serde(default)]
    pub register_hook: Option<HookTarget>,
    /// Where proven password changes go. Without it the call is not permitted.
    #[serde(default)]
    pub password_reset_hook: Option<HookTarget>,
}

const fn yes() -> bool {
    true
}

/// A user domain's name: 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, e.g. `C.DM.10271.5`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct UserDomainName(String);

impl UserDomainName {
    /// Parses the name; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserDomainName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a user domain is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
    }
}

/// What a user domain signs with. One signed request is enough to try guesses at it without asking us,
/// so that it must be drawn at random: at least 256 bits. It never prints.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct UserDomainSecret(Zeroizing<String>);

impl UserDomainSecret {
    /// The fewest bytes: 256 bits.
    pub const MIN_LEN: usize = 32;

    /// The secret itself. For signing; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserDomainSecret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = Zeroizing::new(text);
        if text.len() < Self::MIN_LEN {
            return Err("a user domain's secret has at least 32 bytes, drawn at random");
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for UserDomainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserDomainSecret(******)")
    }
}

/// Calling codes without `+`, at least one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Countries(Vec<String>);

impl Countries {
    /// Whether this calling code is listed.
    pub fn contains(&self, calling_code: &str) -> bool {
        self.0.iter().any(|listed| listed == calling_code)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The one that is meant where a call names none.
    pub fn home(&self) -> &str {
        &self.0[0]
    }
}

impl Default for Countries {
    /// China alone, where the API comes from.
    fn default() -> Self {
        Self(vec!["86".into()])
    }
}

impl TryFrom<Vec<String>> for Countries {
    type Error = &'static str;

    fn try_from(codes: Vec<String>) -> Result<Self, Self::Error> {
        let is_code = |code: &String| {
            (1..=3).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_digit())
                && !code.starts_with('0')
        };
        if codes.is_empty() || !codes.iter().all(is_code) {
            return Err("countries are calling codes such as \"86\", at least one");
        }
        Ok(Self(codes))
    }
}

/// What a signature covers, and how it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureScheme {
    /// The vendor's: SHA-256 over some of the values with the secret behind them.
    #[default]
    Sha256,
    /// Ours: HMAC-SHA-256 over the call's name and all values, each with its length before it.
    HmacFields,
}

/// A call that can be switched off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallName {
    /// Sends a code by SMS.
    SendPhoneSmsCode,
    /// Sends a code by e-mail.
    SendEmail,
    /// Checks a code sent by SMS.
    ValidateSmsCode,
    /// Checks a code sent by e-mail.
    ValidateEmailCode,
    /// Checks a code and hands out tokens.
    PhoneSmsCodeLogin,
    /// Checks a code and hands a registration to a hook.
    PhonePwdRegister,
    /// Checks a code and hands a new password to a hook.
    UserPwdReset,
}

impl CallName {
    /// Every call.
    pub const ALL: [Self; 7] = [
        Self::SendPhoneSmsCode,
        Self::SendEmail,
        Self::ValidateSmsCode,
        Self::ValidateEmailCode,
        Self::PhoneSmsCodeLogin,
        Self::PhonePwdRegister,
        Self::UserPwdReset,
    ];

    fn all() -> BTreeSet<Self> {
        Self::ALL.into()
    }

    /// The name in paths, and in signatures of [`SignatureScheme::HmacFields`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendPhoneSmsCode => "sendPhoneSmsCode",
            Self::SendEmail => "sendEmail",
            Self::ValidateSmsCode => "validateSmsCode",
            Self::ValidateEmailCode => "validateEmailCode",
            Self::PhoneSmsCodeLogin => "phoneSmsCodeLogin",
            Self::PhonePwdRegister => "phonePwdRegister",
            Self::UserPwdReset => "userPwdReset",
        }
    }
}

/// Whether mistakes in the sender's configuration are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderCodes {
    /// They are all 5059.
    #[default]
    Generic,
    /// Each has the code of the source's table.
    Detailed,
}

/// What a user domain's messages are sent under.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sender {
    /// The account's id.
    pub account: Option<String>,
    /// The signature's id.
    pub signature: Option<String>,
    /// The template's id for each type of code.
    pub templates: BTreeMap<CodeType, String>,
}

/// What a signature or template may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsType {
    /// Codes.
    Verification,
    /// Anything.
    General,
}

/// An account with a carrier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsAccount {
    /// Its id.
    pub id: String,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// An approved brand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsSignature {
    /// Its id.
    pub id: String,
    /// The account it was approved for.
    pub account: String,
    /// What it may be used for.
    #[serde(rename = "type")]
    pub kind: SmsType,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The user domains that may use it.
    #[serde(default)]
    pub grants: Vec<UserDomainName>,
}

/// An approved text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsTemplate {
    /// Its id.
    pub id: String,
    /// The account it was approved for.
    pub account: String,
    /// What it may be used for.
    #[serde(rename = "type")]
    pub kind: SmsType,
    /// The type of code that its text speaks of.
    pub code_type: CodeType,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The user domains that may use it.
    #[serde(default)]
    pub grants: Vec<UserDomainName>,
}
