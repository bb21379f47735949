//! What is signed, and what signs it.
//!
//! Everything that is signed has one form, which is asked for before anything is hashed: otherwise two
//! requests could have one signing input (a phone that ends in `0` with type `3`, and a shorter one
//! with type `03`). What is signed is taken as it was sent.

use countersign_core::time::Timestamp;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::config::{CallName, SignatureScheme};
use super::error::{Field, Problem};
use super::form::required;
use super::params::Parameters;

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
    pub(super) fn new(
        call: CallName,
        caller: &Caller,
        joined: &[&str],
        fields: &[&str],
        stamp: &Stamp<'_>,
    ) -> Self {
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
pub(super) struct Stamp<'a> {
    pub(super) random: &'a str,
    pub(super) ts: &'a str,
    at: Option<Timestamp>,
    signature: &'a str,
}

impl<'a> Stamp<'a> {
    /// Presence: the source's order. `dated` is whether the call has a `ts`.
    pub(super) fn require(parameters: &'a Parameters, dated: bool) -> Result<Self, Problem> {
        let random = required(parameters, "random", Field::Random)?;
        let ts = if dated { required(parameters, "ts", Field::Ts)? } else { "" };
        let signature = required(parameters, "signature", Field::Signature)?;
        Ok(Self { random, ts, at: None, signature })
    }

    /// Form: 16 letters and digits, 13 digits of milliseconds, 64 hexadecimal digits.
    pub(super) fn fence(mut self) -> Result<Self, Problem> {
        if !is_random(self.random) {
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

    /// Whether these texts could be a stamp's; no `ts` is an empty one.
    pub(super) fn has_form(random: &str, ts: &str) -> bool {
        is_random(random) && (ts.is_empty() || millis(ts).is_some())
    }
}

/// `^[0-9A-Za-z]{16}$`
fn is_random(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// `^[1-9][0-9]{12}$`
fn millis(text: &str) -> Option<Timestamp> {
    let fits = text.len() == 13 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok().map(Timestamp::from_millis) } else { None }
}
