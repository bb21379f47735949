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
use crate::engine::UserKey;
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

/// What a code is bound to: HMAC input before the code itself.
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

impl CodeDigest {
    /// Which version of the pepper it needs.
    pub const fn version(&self) -> u8 {
        self.version
    }
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

    /// The key that stands for one user's address, apart from the same address of others: made of what
    /// stands for the user and for the address in the directory's rows.
    pub fn users_own(&self, tenant: &TenantId, user: &UserKey, address: &RecipientKey) -> RecipientKey {
        let parts =
            [tenant.as_str().as_bytes(), &user.id, address.as_bytes(), user.directory.as_str().as_bytes()];
        RecipientKey(truncated(&mac(&self.material.index, "user's own", &parts)))
    }

    /// The same as it was made before users were kept apart by directory: what was stored then must still
    /// be found to be erased.
    pub fn users_own_before_directories(
        &self,
        tenant: &TenantId,
        user: &[u8; 16],
        address: &RecipientKey,
    ) -> RecipientKey {
        let parts = [tenant.as_str().as_bytes(), user, address.as_bytes()];
        RecipientKey(truncated(&mac(&self.material.index, "user's own", &parts)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyMaterial;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A ring with the given peppers, each version's secret made of its number.
    fn ring(peppers: &[u8]) -> KeyRing {
        let key = |n: u8| SecretKey::new([n; 32]);
        KeyRing::new(KeyMaterial {
            pepper: peppers.iter().map(|version| (*version, key(*version))).collect(),
            seal: BTreeMap::from([(1, key(102))]),
            index: key(103),
            audit: key(104),
        })
        .unwrap()
    }

    fn tenant(id: &str) -> TenantId {
        TenantId::parse(id).unwrap()
    }

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    /// What a code is bound to in tests that do not vary it.
    fn with_context<T>(test: impl FnOnce(CodeContext<'_>) -> T) -> T {
        test(CodeContext {
            tenant: &tenant("acme"),
            purpose: &Purpose::parse("login").unwrap(),
            recipient: &RecipientKey([0; 16]),
            verification: VerificationId::from_bytes([0; 16]),
            context: None,
        })
    }

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    /// Every way in which the five things that a code is bound to can differ: 31 of 32 combinations
    /// open nothing.
    /// Shows: N6, A6.
    #[test]
    fn a_code_is_good_in_its_own_context_only() {
        let keys = ring(&[1]);
        let (acme, other) = (tenant("acme"), tenant("other"));
        let (login, reset) = (Purpose::parse("login").unwrap(), Purpose::parse("password_reset").unwrap());
        let (ada, bob) = (RecipientKey([1; 16]), RecipientKey([2; 16]));
        let payment = ContextDigest([7; 32]);
        let context = |mask: u8| CodeContext {
            tenant: if mask & 1 == 0 { &acme } else { &other },
            purpose: if mask & 2 == 0 { &login } else { &reset },
            recipient: if mask & 4 == 0 { &ada } else { &bob },
            verification: VerificationId::from_bytes([mask >> 3 & 1; 16]),
            context: (mask & 16 != 0).then_some(&payment),
        };
        let digest = keys.code_digest(context(0), &code("123456"));
        for mask in 0..32 {
            assert_eq!(keys.code_matches(&digest, context(mask), &code("123456")), mask == 0, "{mask:05b}");
            assert!(!keys.code_matches(&digest, context(mask), &code("123457")));
        }
    }

    /// Shows: K1.
    #[test]
    fn a_rotated_pepper_keeps_old_codes_good_until_it_is_taken_away() {
        with_context(|context| {
            let old = ring(&[1]).code_digest(context, &code("123456"));
            assert!(ring(&[1, 2]).code_matches(&old, context, &code("123456")));
            assert!(!ring(&[2]).code_matches(&old, context, &code("123456")));

            let new = ring(&[1, 2]).code_digest(context, &code("123456"));
            assert_eq!(new.version, 2);
            assert!(!ring(&[1]).code_matches(&new, context, &code("123456")));
            // The version says which secret was used; a digest under another one is no match.
            let relabelled = CodeDigest { version: 1, ..new };
            assert!(!ring(&[1, 2]).code_matches(&relabelled, context, &code("123456")));
            assert_ne!(relabelled, new);
        });
    }

    /// Shows: K5.
    #[test]
    fn one_address_has_another_key_for_each_tenant_and_kind() {
        let keys = ring(&[1]);
        let mut seen = BTreeSet::new();
        for tenant in ["acme", "acm", "other"].map(tenant) {
            for kind in ["phone", "email", "nobody", "ephone"] {
                for address in ["+12125550123", "+12125550124", "12125550123", ""] {
                    assert!(seen.insert(keys.recipient_key(&tenant, kind, address)));
                    assert!(seen.insert(RecipientKey(keys.lookup_key(&tenant, kind, address.as_bytes()))));
                }
            }
        }
    }

    /// Shows: N11.
    #[test]
    fn another_installation_has_other_keys() {
        let key = |n: u8| SecretKey::new([n; 32]);
        let other = KeyRing::new(KeyMaterial {
            pepper: BTreeMap::from([(1, key(1))]),
            seal: BTreeMap::from([(1, key(102))]),
            index: key(99),
            audit: key(104),
        });
        let of = |keys: &KeyRing| keys.recipient_key(&tenant("acme"), "phone", "+12125550123");
        assert_ne!(of(&other.unwrap()), of(&ring(&[1])));
    }

    /// What is stored must be found by later versions of the program: computed with Python's `hmac`.
    /// Shows: N11, K1.
    #[test]
    fn digests_are_hmac_sha_256_over_length_prefixed_parts() {
        let key = |n: u8| SecretKey::new([n; 32]);
        let keys = KeyRing::new(KeyMaterial {
            pepper: BTreeMap::from([(1, key(1))]),
            seal: BTreeMap::from([(1, key(2))]),
            index: key(3),
            audit: key(4),
        })
        .unwrap();
        let recipient = keys.recipient_key(&tenant("acme"), "phone", "+12125550123");
        assert_eq!(hex(recipient.as_bytes()), "432d50ebf2c4bdef89091ec1a52be8ab");
        let digest = with_context(|context| keys.code_digest(context, &code("123456")));
        assert_eq!(hex(&digest.digest), "c8bc01b0c23fe9e44a2bccc6fed3ff8380b5adc10cdb3758b965a26f266eb4f4");
    }

    #[test]
    fn debug_shows_no_byte_of_a_digest() {
        let keys = ring(&[1]);
        let digest = with_context(|context| keys.code_digest(context, &code("123456")));
        assert_eq!(format!("{digest:?}"), "CodeDigest(…)");
        assert_eq!(format!("{:?}", keys.recipient_key(&tenant("a"), "phone", "+1")), "RecipientKey(…)");
    }

    /// Shows: N14.
    #[test]
    fn a_context_is_the_same_in_any_order_and_another_with_any_difference() {
        let keys = ring(&[1]);
        let digest = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            keys.context_digest(&tenant("acme"), &pairs)
        };
        let payment = digest(&[("amount", "10.00"), ("payee", "Ada")]);
        assert_eq!(digest(&[("payee", "Ada"), ("amount", "10.00")]), payment);
        for other in [
            &[("amount", "10.01"), ("payee", "Ada")][..],
            &[("amount", "10.00")],
            &[("amount", "10.00"), ("payee", "Ada"), ("note", "")],
            &[("amoun", "t10.00"), ("payee", "Ada")],
            &[("amount", "10.00payee"), ("Ada", "")],
            &[("amount", "Ada"), ("payee", "10.00")],
        ] {
            assert_ne!(digest(other), payment, "{other:?}");
        }
    }

    /// Shows: K7.
    #[test]
    fn every_link_of_the_audit_chain_depends_on_all_before_it() {
        let keys = ring(&[1]);
        let start = AuditMac([0; 32]);
        let one = keys.audit_mac(&start, &[b"a", b"bc"]);
        assert_ne!(one, keys.audit_mac(&start, &[b"ab", b"c"]));
        assert_ne!(one, keys.audit_mac(&start, &[b"a", b"bc", b""]));
        assert_ne!(keys.audit_mac(&one, &[b"x"]), keys.audit_mac(&start, &[b"x"]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The same bytes, cut into parts at other places, are another input.
        /// Shows: A10.
        #[test]
        fn no_two_ways_to_cut_the_same_bytes_share_a_digest(
            bytes in proptest::collection::vec(0u8..4, 0..24),
            one in proptest::collection::vec(0usize..24, 0..4),
            other in proptest::collection::vec(0usize..24, 0..4),
        ) {
            let cut = |places: &[usize]| -> Vec<Vec<u8>> {
                let mut places: Vec<usize> = places.iter().map(|place| (*place).min(bytes.len())).collect();
                places.extend([0, bytes.len()]);
                places.sort_unstable();
                places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
            };
            let (one, other) = (cut(&one), cut(&other));
            let digest = |parts: &[Vec<u8>]| {
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                mac(&SecretKey::new([1; 32]), "test", &parts)
            };
            prop_assert_eq!(digest(&one) == digest(&other), one == other);
        }
    }
}
