//! The `[dialects.zap]` section of the configuration.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::dialects::NamedDirectory;
use crate::hooks::HookTarget;
use crate::json::UnknownFields;

/// The dialect's section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The directory that its users are in, if not one of its own.
    pub directory: Option<NamedDirectory>,
    /// Whether a call without `Authorization` is refused.
    pub auth: Auth,
    /// Whose calls without `Authorization` are, with `auth = "none"`.
    pub default_tenant: Option<String>,
    /// Who may call.
    pub tokens: Vec<Token>,
    /// How the dialect behaves, by tenant. A tenant without an entry has the defaults.
    pub tenants: BTreeMap<String, Options>,
}

/// Whether callers must show a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Every call carries one.
    #[default]
    Bearer,
    /// A call without one is the default tenant's; a wrong one is refused all the same. For private
    /// networks only: an open send call is a way to spend the operator's money.
    None,
}

/// What a token is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Generate, resend, and asking for a password reset.
    Start,
    /// Verify, and setting the new password.
    Check,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 2] = [Self::Start, Self::Check];
}

/// A caller's token: only its SHA-256 is kept.
#[derive(Clone, Deserialize)]
#[serde(try_from = "TokenText")]
pub struct Token {
    /// Whose it is.
    pub tenant: String,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it is good for.
    pub scopes: Vec<Scope>,
}

impl Token {
    /// The digest under which a token is kept and looked up.
    pub fn digest(token: &[u8]) -> [u8; 32] {
        Sha256::digest(token).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, scopes, .. } = self;
        f.debug_struct("Token").field("tenant", tenant).field("scopes", scopes).finish_non_exhaustive()
    }
}

/// A token as written in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    tenant: String,
    token_sha256: Option<String>,
    token: Option<String>,
    scopes: Option<Vec<Scope>>,
}

impl TryFrom<TokenText> for Token {
    type Error = &'static str;

    fn try_from(text: TokenText) -> Result<Self, Self::Error> {
        let digest = match (text.token_sha256, text.token.map(Zeroizing::new)) {
            (Some(hex), None) => HEXLOWER_PERMISSIVE
                .decode(hex.as_bytes())
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or("token_sha256 must be 64 hexadecimal digits")?,
            (None, Some(token)) if !token.is_empty() => Self::digest(token.as_bytes()),
            _ => return Err("a token needs either token_sha256 or a token that is not empty"),
        };
        Ok(Self { tenant: text.tenant, digest, scopes: text.scopes.unwrap_or_else(|| Scope::ALL.into()) })
    }
}

/// How the dialect behaves for one tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Tells apart what is otherwise answered alike: resend with nothing pending and unknown
    /// usernames become errors. Only where no end user sees the answers.
    pub strict: bool,
    /// The status of `Too many requests`: 400, or 429.
    pub rate_status: RateStatus,
    /// The `data` of a resend. The platform's twin of the page says `OTP Resent`.
    pub resent_text: String,
    /// What an unknown member of a body does.
    pub unknown_fields: UnknownFields,
    /// The most digits of a phone number as it is written: 15 as in E.164, or 18 ("15 chars plus
    /// country code"). What they stand for has 15 at most in either case.
    pub phone_max: PhoneMax,
    /// Whether e-mail and phone get one code or two.
    pub multi_destination: MultiDestination,
    /// Whether errors carry the internal reason in `Countersign-Reason`.
    pub reason_header: bool,
    /// Who is asked for the addresses of a username. Without it only names bound at generate are known.
    pub directory_hook: Option<HookTarget>,
    /// Where proven password changes go. Without it the call is forbidden.
    pub forgot_password_hook: Option<HookTarget>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strict: false,
            rate_status: RateStatus::default(),
            resent_text: "OTP ReSent".into(),
            unknown_fields: UnknownFields::default(),
            phone_max: PhoneMax::default(),
            multi_destination: MultiDestination::default(),
            reason_header: false,
            directory_hook: None,
            forgot_password_hook: None,
        }
    }
}

/// The status of `Too many requests`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "u16")]
pub enum RateStatus {
    /// 400: the platform documents no 429.
    #[default]
    BadRequest,
    /// 429, as RFC 6585 has it.
    TooManyRequests,
}

impl TryFrom<u16> for RateStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            400 => Ok(Self::BadRequest),
            429 => Ok(Self::TooManyRequests),
            _ => Err("rate_status must be 400 or 429"),
        }
    }
}

impl From<RateStatus> for StatusCode {
    fn from(status: RateStatus) -> Self {
        match status {
            RateStatus::BadRequest => Self::BAD_REQUEST,
            RateStatus::TooManyRequests => Self::TOO_MANY_REQUESTS,
        }
    }
}

/// The most digits of a phone number as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u8")]
pub struct PhoneMax(u8);

impl PhoneMax {
    /// As a number of digits.
    pub const fn digits(self) -> usize {
        self.0 as usize
    }
}

impl Default for PhoneMax {
    fn default() -> Self {
        Self(15)
    }
}

impl TryFrom<u8> for PhoneMax {
    type Error = &'static str;

    fn try_from(digits: u8) -> Result<Self, Self::Error> {
        match digits {
            15 | 18 => Ok(Self(digits)),
            _ => Err("phone_max must be 15 or 18"),
        }
    }
}

/// What e-mail and phone of one verification have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MultiDestination {
    /// One code for both; either address verifies with it, and neither is proven by it. Never for a password
    /// reset.
    Shared,
    /// A code each, good with its own address only; one budget of checks.
    #[default]
    Separate,
}
