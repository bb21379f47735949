//! Keyed digests: of codes, of recipients, of contexts, of audit entries.
//!
//! Every input is length-prefixed, so that no two different inputs read the same.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::ring::{KeyRing, SecretKey};
use crate::code::Code;
use crate::ids::VerificationId;
use crate::names::{Purpose, TenantId};

fn mac(key: &SecretKey, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; $len]);

        impl $name {
            /// The bytes as stored.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Rebuilds it from stored bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

bytes_type!(
    /// Stands for an address in tables and indexes: keyed, per tenant, and useless without the key.
    RecipientKey, 16
);
bytes_type!(
    /// Stands for what a code is bound to besides its verification (an amount, a payee, …).
    ContextDigest, 32
);
bytes_type!(
    /// One link of the audit chain.
    AuditMac, 32
);

/// What a code is bound to: HMAC input before the code itself (`spec/security.md` K1).
#[derive(Clone, Copy, Debug)]
pub struct CodeContext<'a> {
    /// Whose verification.
    pub tenant: &'a TenantId,
    /// What for.
    pub purpose: &'a Purpose,
    /// Which address.
    pub recipient: &'a RecipientKey,
    /// Which verification.
    pub verification: VerificationId,
    /// What else.
    pub context: Option<&'a ContextDigest>,
}

/// A code at rest: its HMAC under a versioned pepper. Guesses are compared by
/// [`KeyRing::code_matches`].
#[derive(Clone, Copy, minicbor::Encode, minicbor::Decode)]
pub struct CodeDigest {
    /// The pepper's version.
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    digest: [u8; 32],
}

/// In constant time, like every comparison of a secret.
impl PartialEq for CodeDigest {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version && bool::from(self.digest.ct_eq(&other.digest))
    }
}

impl Eq for CodeDigest {}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(…)")
    }
}

impl KeyRing {
    /// The digest of a code under the newest pepper.
    pub fn code_digest(&self, context: CodeContext<'_>, code: &Code) -> CodeDigest {
        let pepper = &self.material.pepper[&self.pepper_version];
        CodeDigest { version: self.pepper_version, digest: code_mac(pepper, context, code) }
    }

    /// Whether a guess is the code, in constant time. A digest whose pepper is gone matches nothing.
    pub fn code_matches(&self, digest: &CodeDigest, context: CodeContext<'_>, guess: &Code) -> bool {
        let Some(pepper) = self.material.pepper.get(&digest.version) else { return false };
        code_mac(pepper, context, guess).ct_eq(&digest.digest).into()
    }

    /// The key that stands for an address of a tenant. `kind` keeps a number, a mailbox and a name
    /// with the same spelling apart.
    pub fn recipient_key(&self, tenant: &TenantId, kind: &str, canonical: &str) -> RecipientKey {
        RecipientKey(truncated(&mac(
            &self.material.index,
            "recipient",
            &[tenant.as_str().as_bytes(), kind.as_bytes(), canonical.as_bytes()],
        )))
    }

    /// The key that stands for any other thing that is looked up but must not be readable at rest
    /// (a client address, an idempotency key).
    pub fn lookup_key(&self, tenant: &TenantId, kind: &str, value: &[u8]) -> [u8; 16] {
        truncated(&mac(&self.material.index, "lookup", &[tenant.as_str().as_bytes(), kind.as_bytes(), value]))
    }

    /// The digest of what a code is bound to besides its verification.
    pub fn context_digest(&self, tenant: &TenantId, pairs: &BTreeMap<String, String>) -> ContextDigest {
        let mut parts = vec![tenant.as_str().as_bytes()];
        parts.extend(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        ContextDigest(mac(&self.material.index, "context", &parts))
    }

    /// The link of the audit chain for an entry after `previous`.
    pub fn audit_mac(&self, previous: &AuditMac, entry: &[&[u8]]) -> AuditMac {
        let mut parts: Vec<&[u8]> = vec![previous.as_bytes()];
        parts.extend_from_slice(entry);
        AuditMac(mac(&self.material.audit, "audit", &parts))
    }
}

/// Half of an HMAC: 128 bits leave collisions out of reach (2^64 addresses) and halve every index.
fn truncated(mac: &[u8; 32]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&mac[..16]);
    key
}

fn code_mac(pepper: &SecretKey, context: CodeContext<'_>, code: &Code) -> [u8; 32] {
    mac(
        pepper,
        "code",
        &[
            context.tenant.as_str().as_bytes(),
            context.purpose.as_str().as_bytes(),
            context.recipient.as_bytes(),
            context.verification.as_bytes(),
            context.context.map_or(&[][..], |c| c.as_bytes()),
            code.expose().as_bytes(),
        ],
    )
}
