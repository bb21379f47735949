//! The `[dialects.zitadel]` section of the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use countersign_core::code::{Alphabet, CodeFormat};
use countersign_core::policy::{ResendCode, Terms};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use super::url_template::LinkHost;
use crate::dialects::NamedDirectory;

/// The dialect's section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The directory that its users are in, if not one of its own.
    pub directory: Option<NamedDirectory>,
    /// Who may call.
    pub tokens: Vec<Token>,
    /// How the dialect behaves, by tenant. A tenant without an entry has the defaults.
    pub tenants: BTreeMap<String, Options>,
}

/// What kind of user a token belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A service. It has no phone and no mailbox, and is not in the directory.
    #[default]
    Machine,
    /// A person of the directory: what the auth v1 calls are about.
    Human,
}

/// What a token may do with other users of its organisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing: it is no member. Only its own user is within reach.
    #[default]
    None,
    /// `user.read`.
    OrgOwnerViewer,
    /// `user.read` and `user.write`.
    OrgOwner,
}

/// A caller's token: only its SHA-256 is kept.
#[derive(Clone, Deserialize)]
#[serde(try_from = "TokenText")]
pub struct Token {
    /// The tenant (the platform's instance) whose it is.
    pub tenant: String,
    /// The organisation it belongs to, a string of digits with the platform.
    pub organization: String,
    /// The user it belongs to.
    pub user: String,
    /// What kind of user that is.
    pub kind: Kind,
    /// What it may do with others.
    pub role: Role,
    /// Whether it may have codes returned to it (`code.read`).
    pub return_code: bool,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
}

impl Token {
    /// The digest under which a token is kept and looked up.
    pub fn digest(token: &[u8]) -> [u8; 32] {
        Sha256::digest(token).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("tenant", &self.tenant)
            .field("organization", &self.organization)
            .field("kind", &self.kind)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A token as written in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    tenant: String,
    organization: String,
    user: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    role: Role,
    return_code: Option<bool>,
    token_sha256: Option<String>,
    token: Option<String>,
}

impl TryFrom<TokenText> for Token {
    type Error = &'static str;

    fn try_from(text: TokenText) -> Result<Self, Self::Error> {
        let TokenText { tenant, organization, user, kind, role, return_code, token_sha256, token } = text;
        let digest = match (token_sha256, token.map(Zeroizing::new)) {
            (Some(hex), None) => HEXLOWER_PERMISSIVE
                .decode(hex.as_bytes())
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or("token_sha256 must be 64 hexadecimal digits")?,
            (None, Some(token)) if !token.is_empty() => Self::digest(token.as_bytes()),
            _ => return Err("a token needs either token_sha256 or a token that is not empty"),
        };
        let fits = |name: &str| (1..=200).contains(&name.chars().count());
        if !fits(&user) || !fits(&organization) {
            return Err("user and organization must have 1 to 200 characters");
        }
        // Whoever reads the codes of others could prove their addresses.
        let usual = role == Role::OrgOwner && kind == Kind::Machine;
        let return_code = return_code.unwrap_or(usual);
        Ok(Self { tenant, organization, user, kind, role, return_code, digest })
    }
}

/// A request that comes twice within this time is a double click, and one message.
const DOUBLE_CLICK: Duration = Duration::from_secs(2);

/// How the dialect behaves for one tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Organisations beside those of the tokens.
    pub organizations: Vec<String>,
    /// The region of numbers without a country code, as ISO 3166 has it; for v2 calls only.
    pub default_region: String,
    /// Whether any good token may verify any user's code, as with the platform. Otherwise it takes the
    /// user's own, or `user.write`.
    pub verify_any_token: bool,
    /// How many characters a code has, 6 to 10.
    pub code_length: CodeLength,
    /// What a code is made of.
    pub code_alphabet: CodeAlphabet,
    /// How long a code for a phone lives, in seconds: 60 to 600.
    /// NIST SP 800-63B-4 §3.1.3.2 sets the maximum.
    pub phone_code_life: Seconds<600>,
    /// How long a code for a mailbox lives, in seconds: 60 to 86,400.
    /// It confirms an address and nothing else.
    pub email_code_life: Seconds<86_400>,
    /// Where links in mails may lead: hosts as a link has them (`app.example.com`, `localhost:3000`), and schemes of
    /// apps (`myapp://`). Empty: anywhere, for callers who may write users; nobody else names a `urlTemplate`.
    pub url_template_hosts: Vec<LinkHost>,
    /// Whether errors carry the internal reason in `Countersign-Reason`.
    pub reason_header: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            organizations: Vec::new(),
            default_region: "CH".into(),
            verify_any_token: false,
            code_length: CodeLength(6),
            code_alphabet: CodeAlphabet::default(),
            phone_code_life: Seconds(600),
            email_code_life: Seconds(3600),
            url_template_hosts: Vec::new(),
            reason_header: false,
        }
    }
}

impl Options {
    /// What a verification of a phone runs under.
    pub(super) fn phone_terms(&self, usual: &Terms) -> Terms {
        self.terms(usual, self.phone_code_life.0)
    }

    /// What a verification of a mailbox runs under.
    pub(super) fn email_terms(&self, usual: &Terms) -> Terms {
        self.terms(usual, self.email_code_life.0)
    }

    fn terms(&self, usual: &Terms, seconds: u32) -> Terms {
        let life = Duration::from_secs(seconds.into());
        Terms {
            code: CodeFormat { alphabet: self.code_alphabet.into(), length: self.code_length.0 },
            code_life: life,
            window: life,
            resend_code: ResendCode::New,
            same_within: Some(DOUBLE_CLICK),
            ..usual.clone()
        }
    }
}

/// How many characters a code has, 6 to 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u8")]
pub struct CodeLength(u8);

impl TryFrom<u8> for CodeLength {
    type Error = &'static str;

    fn try_from(length: u8) -> Result<Self, Self::Error> {
        if (6..=10).contains(&length) { Ok(Self(length)) } else { Err("code_length must be 6 to 10") }
    }
}

/// What a code is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeAlphabet {
    /// `A`–`Z` and `0`–`9`, as with the platform.
    #[default]
    Upper,
    /// `0`–`9`.
    Digits,
}

impl From<CodeAlphabet> for Alphabet {
    fn from(alphabet: CodeAlphabet) -> Self {
        match alphabet {
            CodeAlphabet::Upper => Self::UpperAlphanumeric,
            CodeAlphabet::Digits => Self::Digits,
        }
    }
}

/// A life of 60 to `MAX` seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub struct Seconds<const MAX: u32>(u32);

impl<const MAX: u32> TryFrom<u32> for Seconds<MAX> {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        if (60..=MAX).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(format!("a code lives 60 to {MAX} seconds here"))
        }
    }
}
