//! Bearer tokens that a wire API hands out after a verification.
//!
//! A token is a sealed statement: for whom, of what kind, until when. Nothing is stored, and only a
//! service with the same keys can read or make one. There is no taking one back before its end, so that
//! lives are short where the API leaves the choice.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use crate::codec;
use crate::entropy::Entropy;
use crate::keys::{KeyRing, Place, Sealed};
use crate::names::TenantId;
use crate::time::{Clock, Timestamp};

/// What a valid token says.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Claims {
    /// Whom it speaks for, in the words of whoever issued it.
    #[n(0)]
    pub subject: String,
    /// When it ends.
    #[n(1)]
    pub expires_at: Timestamp,
}

/// What a token is good for. One of another tenant, kind or audience is another token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenUse<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// What it is, in the words of the wire API.
    pub kind: &'static str,
    /// Which of the tenant's callers hands it out and takes it; empty where there is one only.
    pub audience: &'a [u8],
}

impl<'a> TokenUse<'a> {
    fn place(self) -> Place<'a> {
        Place { table: "tokens", column: self.kind, tenant: self.tenant, row: self.audience, index: 0 }
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not one of ours, of another use.
    #[error("the token is not valid")]
    Invalid,
    /// It was, until its end.
    #[error("the token has expired")]
    Expired,
}

/// Issues tokens and reads them.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens under the keys of an installation.
    pub fn new(keys: Arc<KeyRing>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, clock, entropy }
    }

    /// A token for `subject` that lives for `life`.
    pub fn issue(&self, of: TokenUse<'_>, subject: &str, life: Duration) -> String {
        let claims = Claims { subject: subject.to_owned(), expires_at: self.clock.now() + life };
        let mut rng = self.entropy.seed().rng();
        let sealed = self.keys.seal(of.place(), &codec::to_row(&claims), &mut rng);
        BASE64URL_NOPAD.encode(sealed.as_bytes())
    }

    /// Reads a token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn open(&self, of: TokenUse<'_>, token: &str) -> Result<Claims, TokenError> {
        let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| TokenError::Invalid)?;
        let plain = self.keys.open(of.place(), &Sealed::from_bytes(sealed));
        let plain = plain.map_err(|_| TokenError::Invalid)?;
        let claims: Claims = codec::from_row(&plain).map_err(|_| TokenError::Invalid)?;
        if self.clock.now() < claims.expires_at { Ok(claims) } else { Err(TokenError::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{ManualClock, SeededEntropy, keys, tenant};

    const LIFE: Duration = Duration::from_secs(60);

    fn access(tenant: &TenantId) -> TokenUse<'_> {
        TokenUse { tenant, kind: "access", audience: b"app" }
    }

    fn tokens() -> (Tokens, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Tokens::new(Arc::new(keys()), clock.clone(), Arc::new(SeededEntropy::default())), clock)
    }

    #[test]
    fn a_token_speaks_for_its_subject_until_its_end() {
        let (tokens, clock) = tokens();
        let acme = tenant("acme").id;
        let token = tokens.issue(access(&acme), "+447700900001", LIFE);
        assert!(!token.contains("7700900001"));
        assert_eq!(tokens.open(access(&acme), &token).unwrap().subject, "+447700900001");
        clock.advance(LIFE);
        assert_eq!(tokens.open(access(&acme), &token).err(), Some(TokenError::Expired));
    }

    #[test]
    fn a_token_is_good_for_its_own_tenant_kind_and_audience_only() {
        let (tokens, _) = tokens();
        let (acme, other) = (tenant("acme").id, tenant("other").id);
        let token = tokens.issue(access(&acme), "1", LIFE);
        for result in [
            tokens.open(access(&other), &token),
            tokens.open(TokenUse { kind: "refresh", ..access(&acme) }, &token),
            tokens.open(TokenUse { audience: b"", ..access(&acme) }, &token),
            tokens.open(access(&acme), &token[1..]),
            tokens.open(access(&acme), ""),
        ] {
            assert_eq!(result.err(), Some(TokenError::Invalid));
        }
    }

    #[test]
    fn two_tokens_are_never_the_same() {
        let (tokens, _) = tokens();
        let acme = tenant("acme").id;
        let issue = || tokens.issue(access(&acme), "1", LIFE);
        assert_ne!(issue(), issue());
    }
}
