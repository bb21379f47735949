//! The `[dialects.crypterium]` section of the configuration.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
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
    /// Who may call: each `X-Merchant-ID` with its tenant and its behaviour.
    pub merchants: Vec<Merchant>,
}

/// A merchant: what `X-Merchant-ID` names.
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration file")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merchant {
    /// The UUID in `X-Merchant-ID`. An identifier, not a credential.
    pub id: String,
    /// Whose calls these are.
    pub tenant: String,
    /// Whether the calls that have one must carry a good `X-Signature`.
    #[serde(default)]
    pub signature: SignatureMode,
    /// What is signed.
    #[serde(default)]
    pub signature_scheme: SignatureScheme,
    /// How the signature is written.
    #[serde(default)]
    pub signature_encoding: SignatureEncoding,
    /// The key of the signature, 32 bytes or more. It lives in the apps, too.
    pub secret: Option<Secret>,
    /// Whether a shorter secret is taken.
    #[serde(default)]
    pub allow_short_secret: bool,
    /// Where seeds are cut from: ASCII, at least nine characters more than a seed has.
    pub seed_string: Option<Secret>,
    /// How many characters a seed has.
    #[serde(default = "seed_length")]
    pub seed_length: u8,
    /// How the dialect behaves for this merchant.
    #[serde(default = "yes")]
    pub require_fingerprint: bool,
    /// What an unknown member of a body does.
    #[serde(default)]
    pub unknown_fields: UnknownFields,
    /// Whether unknown numbers get the answers of known ones.
    #[serde(default = "yes")]
    pub anti_enumeration: bool,
    /// Which calls are served.
    #[serde(default = "every_call")]
    pub calls: Vec<CallGroup>,
    /// How long a code lives, 1 to 600 seconds. Never longer than its verification.
    #[serde(default)]
    pub code_life_seconds: CodeLife,
    /// Waiting times after the first, second, … message; the last one repeats. Empty is no waiting.
    #[serde(default = "cool_downs")]
    pub cool_downs_seconds: Vec<u16>,
    /// Whether errors carry the internal reason in `Countersign-Reason`.
    #[serde(default)]
    pub reason_header: bool,
    /// The header in which a trusted proxy tells the client's country (ISO 3166), e.g. `CF-IPCountry`.
    pub client_country_header: Option<String>,
    /// Countries whose clients are told that registration is prohibited there.
    #[serde(default)]
    pub blocked_client_countries: Vec<String>,
    /// Where the link in a mail leads: `email`, `event` and `token` are added to its query. A page or an
    /// app that calls `GET /v2/mobile/email/confirm` with them, or that call itself. `None`: no link.
    pub email_link: Option<String>,
    /// Where proofs go instead of being answered with tokens.
    pub forward_hook: Option<HookTarget>,
}

const fn yes() -> bool {
    true
}

const fn seed_length() -> u8 {
    4
}

fn every_call() -> Vec<CallGroup> {
    CallGroup::ALL.into()
}

/// The source says "a minute"; then as everywhere else.
fn cool_downs() -> Vec<u16> {
    vec![60, 60, 120, 240]
}

/// A secret text. It never prints and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself. For signing; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(******)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Whether `X-Signature` is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureMode {
    /// The calls that can be signed must be.
    #[default]
    Required,
    /// A call without one is let in; a wrong one is refused.
    IfPresent,
    /// The header is ignored: anybody can have messages sent at the tenant's cost.
    Off,
}

/// What `X-Signature` is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureScheme {
    /// The platform's own: seed, fingerprint, phone and password.
    #[default]
    DerivedSeed,
    /// The request's body, byte for byte.
    HmacBody,
}

/// How `X-Signature` is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureEncoding {
    /// 64 hexadecimal digits, in either case.
    #[default]
    Hex,
    /// 44 characters of the standard alphabet (RFC 4648, section 4), padding included.
    Base64,
}

/// Calls that are switched on and off together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallGroup {
    /// Signing up, sending its code again, confirming the phone.
    Signup,
    /// The three calls for a forgotten password.
    PasswordReset,
    /// The three calls for an e-mail address.
    Email,
}

impl CallGroup {
    /// Every group.
    pub const ALL: [Self; 3] = [Self::Signup, Self::PasswordReset, Self::Email];
}

/// How long a code lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u16")]
pub struct CodeLife(u16);

impl Default for CodeLife {
    fn default() -> Self {
        Self(300)
    }
}

impl From<CodeLife> for Duration {
    fn from(life: CodeLife) -> Self {
        Self::from_secs(life.0.into())
    }
}

impl TryFrom<u16> for CodeLife {
    type Error = &'static str;

    fn try_from(seconds: u16) -> Result<Self, Self::Error> {
        match seconds {
            1..=600 => Ok(Self(seconds)),
            _ => Err("code_life_seconds must be from 1 to 600"),
        }
    }
}
