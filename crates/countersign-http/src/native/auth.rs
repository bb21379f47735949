//! Who calls: API keys, their scopes, and the proof in a handler's signature that both were looked at.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use countersign_core::names::TenantId;
use countersign_core::tenant::{Asker, Tenant};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Api;
use crate::headers::bearer;
use crate::problem::{Kind, Problem};

/// What a key may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Start, resend, check, cancel and read.
    Verify,
    /// Have the code handed back instead of sent.
    ReadCode,
    /// Vouch for a request, which may then use what is kept for such.
    Trusted,
    /// Release and erase recipients.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Verify, Self::ReadCode, Self::Trusted, Self::Admin];

    /// The scope's name in the configuration and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ReadCode => "read-code",
            Self::Trusted => "trusted",
            Self::Admin => "admin",
        }
    }
}

/// One API key, without the key: 256 random bits need no slow hash.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What the operator calls it; the audit log names it.
    pub name: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// SHA-256 of the key as it is presented.
    pub sha256: [u8; 32],
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey")
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// All keys of the installation.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    /// By the first eight bytes of the hash. How long a look-up takes tells at most these, and a hash
    /// of 256 random bits leads nobody to the key.
    by_prefix: HashMap<[u8; 8], Vec<Arc<ApiKey>>>,
}

impl ApiKeys {
    /// The key that was presented, if it is one of ours.
    fn find(&self, presented: &str) -> Option<&Arc<ApiKey>> {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let candidates = self.by_prefix.get(&prefix(&hash))?;
        candidates.iter().find(|key| key.sha256.ct_eq(&hash).into())
    }
}

fn prefix(hash: &[u8; 32]) -> [u8; 8] {
    hash[..8].try_into().expect("eight of 32 bytes")
}

impl FromIterator<ApiKey> for ApiKeys {
    fn from_iter<I: IntoIterator<Item = ApiKey>>(keys: I) -> Self {
        let mut by_prefix: HashMap<_, Vec<_>> = HashMap::new();
        for key in keys {
            by_prefix.entry(prefix(&key.sha256)).or_default().push(Arc::new(key));
        }
        Self { by_prefix }
    }
}

/// A scope as a type, so that a handler's signature says what it needs.
pub(super) trait Needs: Send + Sync + 'static {
    const SCOPE: Scope;
}

/// The handler needs [`Scope::Verify`].
pub(super) struct Verify;

/// The handler needs [`Scope::Admin`].
pub(super) struct Admin;

impl Needs for Verify {
    const SCOPE: Scope = Scope::Verify;
}

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// An authenticated caller whose key has the scope `N`. There is no other way to a tenant, so that a
/// handler without this argument can do nothing.
pub(super) struct Caller<N> {
    pub(super) tenant: Arc<Tenant>,
    key: Arc<ApiKey>,
    needs: PhantomData<N>,
}

impl<N> Caller<N> {
    /// Makes sure of one more scope.
    pub(super) fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.key.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, format!("this key lacks the scope `{}`", scope.as_str())))
    }

    /// What the caller said of vouching for the request, which only some keys may do.
    pub(super) fn vouches(&self, trusted: Option<bool>) -> Result<bool, Problem> {
        let trusted = trusted.unwrap_or(false);
        if trusted { self.require(Scope::Trusted).map(|()| true) } else { Ok(false) }
    }

    /// Who acts, for the audit log.
    pub(super) fn actor(&self) -> String {
        format!("key:{}", self.key.name)
    }
}

impl<N: Needs> FromRequestParts<Api> for Caller<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // One answer for every reason: which keys exist is nobody's business.
        let unauthenticated =
            || Problem::new(Kind::Unauthenticated, "send `Authorization: Bearer` with a live API key");
        let presented = bearer(&parts.headers).ok_or_else(unauthenticated)?;
        let key = api.keys.find(presented).ok_or_else(unauthenticated)?.clone();
        let tenant = api.services.tenants.get(&key.tenant).ok_or_else(unauthenticated)?.clone();
        if tenant.disabled {
            return Err(Problem::new(Kind::Forbidden, "this tenant is disabled"));
        }
        let caller = Self { tenant, key, needs: PhantomData };
        caller.require(N::SCOPE)?;
        api.services.admit(&caller.tenant, Asker::Known)?;
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Shows: K3.
    #[test]
    fn a_key_is_found_by_its_whole_hash_only() {
        let key = |name: &str, sha256| ApiKey {
            name: name.into(),
            tenant: TenantId::parse("demo").unwrap(),
            sha256,
            scopes: vec![],
        };
        let hash: [u8; 32] = Sha256::digest(b"right").into();
        let mut neighbour = hash;
        neighbour[31] ^= 1;
        let keys: ApiKeys = [key("neighbour", neighbour), key("right", hash)].into_iter().collect();
        assert_eq!(keys.find("right").unwrap().name, "right");
        assert!(keys.find("wrong").is_none());
        assert!(keys.find("").is_none());
    }

    #[test]
    fn debug_shows_no_hash() {
        let key = ApiKey {
            name: "a".into(),
            tenant: TenantId::parse("demo").unwrap(),
            sha256: [7; 32],
            scopes: vec![],
        };
        assert_eq!(format!("{key:?}"), r#"ApiKey { name: "a", tenant: demo, .. }"#);
    }
}
