//! The keys of one installation.

use std::collections::BTreeMap;
use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroize;

/// A 256-bit secret. It prints as `SecretKey(…)` and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SecretKey {
    /// Wraps 32 secret bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes. For keyed operations and for writing a fresh key file; never log them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A sub-key for one use (RFC 5869, HKDF-Expand; the master is already uniform).
    pub(super) fn derive(&self, label: &[&[u8]]) -> Self {
        let hkdf = Hkdf::<Sha256>::from_prk(&self.0).expect("32 bytes are a full HMAC-SHA-256 key");
        let mut key = [0; 32];
        hkdf.expand_multi_info(label, &mut key).expect("32 bytes are within HKDF's bound");
        Self(key)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The secrets of a key file.
///
/// `pepper` and `seal` carry versions: the highest is used for writing, all of them for reading.
/// `index` and `audit` have one version, because changing them means re-keying rows.
#[derive(Clone, Debug)]
pub struct KeyMaterial {
    /// Keys of code digests.
    pub pepper: BTreeMap<u8, SecretKey>,
    /// Keys of sealed fields.
    pub seal: BTreeMap<u8, SecretKey>,
    /// Key of recipient keys.
    pub index: SecretKey,
    /// Key of the audit chain.
    pub audit: SecretKey,
}

/// The key material cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// There is no pepper, or no sealing key.
    #[error("the key file needs at least one version of {0}")]
    Missing(&'static str),
    /// Two uses share one secret.
    #[error("the key file uses one secret twice; each entry needs its own")]
    Reused,
}

/// The keys of one installation, ready for use.
#[derive(Debug)]
pub struct KeyRing {
    pub(super) material: KeyMaterial,
    pub(super) pepper_version: u8,
    pub(super) seal_version: u8,
}

impl KeyRing {
    /// Takes the key material into use.
    ///
    /// # Errors
    /// A kind of key is missing, or one secret stands twice.
    pub fn new(material: KeyMaterial) -> Result<Self, InvalidKeys> {
        let newest = |keys: &BTreeMap<u8, SecretKey>| keys.keys().next_back().copied();
        let pepper_version = newest(&material.pepper).ok_or(InvalidKeys::Missing("pepper"))?;
        let seal_version = newest(&material.seal).ok_or(InvalidKeys::Missing("seal"))?;
        let mut all: Vec<&[u8; 32]> =
            material.pepper.values().chain(material.seal.values()).map(SecretKey::expose).collect();
        all.extend([material.index.expose(), material.audit.expose()]);
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(InvalidKeys::Reused);
        }
        Ok(Self { material, pepper_version, seal_version })
    }

    /// A public fingerprint per key, e.g. `("pepper.1", …)`. A store keeps them and refuses to open
    /// under other keys; they tell nothing about the secrets.
    pub fn fingerprints(&self) -> Vec<(String, [u8; 16])> {
        let print = |key: &SecretKey| {
            let derived = key.derive(&[b"countersign/fingerprint"]);
            let mut print = [0; 16];
            print.copy_from_slice(&derived.expose()[..16]);
            print
        };
        let mut prints = Vec::new();
        prints.extend(self.material.pepper.iter().map(|(v, k)| (format!("pepper.{v}"), print(k))));
        prints.extend(self.material.seal.iter().map(|(v, k)| (format!("seal.{v}"), print(k))));
        prints.push(("index".into(), print(&self.material.index)));
        prints.push(("audit".into(), print(&self.material.audit)));
        prints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(n: u8) -> SecretKey {
        SecretKey::new([n; 32])
    }

    fn material(pepper: &[u8], seal: &[u8], index: u8, audit: u8) -> KeyMaterial {
        let versions = |keys: &[u8]| {
            keys.iter().enumerate().map(|(i, n)| (u8::try_from(i).unwrap() + 1, key(*n))).collect()
        };
        KeyMaterial { pepper: versions(pepper), seal: versions(seal), index: key(index), audit: key(audit) }
    }

    #[test]
    fn a_ring_needs_a_pepper_and_a_sealing_key() {
        assert_eq!(KeyRing::new(material(&[], &[2], 3, 4)).unwrap_err(), InvalidKeys::Missing("pepper"));
        assert_eq!(KeyRing::new(material(&[1], &[], 3, 4)).unwrap_err(), InvalidKeys::Missing("seal"));
    }

    #[test]
    fn one_secret_for_two_uses_is_refused() {
        for reused in [
            material(&[1], &[1], 3, 4),
            material(&[1], &[2], 1, 4),
            material(&[1], &[2], 3, 1),
            material(&[1, 1], &[2], 3, 4),
            material(&[1], &[2, 2], 3, 4),
            material(&[1], &[2], 3, 3),
            material(&[1, 5], &[2, 5], 3, 4),
        ] {
            assert_eq!(KeyRing::new(reused).unwrap_err(), InvalidKeys::Reused);
        }
        assert!(KeyRing::new(material(&[1, 5], &[2, 6], 3, 4)).is_ok());
    }

    #[test]
    fn the_highest_version_is_used_for_writing() {
        let ring = KeyRing::new(material(&[1, 5, 6], &[2, 7], 3, 4)).unwrap();
        assert_eq!((ring.pepper_version, ring.seal_version), (3, 2));
    }

    /// A store refuses to open under keys with other fingerprints, so they must never change. The
    /// value was computed with Python's `hmac`: HKDF-Expand is one HMAC here (RFC 5869, section 2.3).
    #[test]
    fn fingerprints_are_stable_and_belong_to_one_key_each() {
        let prints = KeyRing::new(material(&[1, 5], &[2], 3, 4)).unwrap().fingerprints();
        let names: Vec<&str> = prints.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["pepper.1", "pepper.2", "seal.1", "index", "audit"]);
        assert_eq!(data_encoding::HEXLOWER.encode(&prints[0].1), "efda55e729a495e8cce9819cf68941c7");
        assert_eq!(prints.iter().map(|(_, print)| print).collect::<BTreeSet<_>>().len(), 5);

        // A rotation adds a line and leaves the others as they were.
        let before = KeyRing::new(material(&[1], &[2], 3, 4)).unwrap().fingerprints();
        assert!(before.iter().all(|print| prints.contains(print)));
    }

    /// Shows: A18.
    #[test]
    fn debug_shows_no_byte_of_a_key() {
        let ring = KeyRing::new(material(&[171], &[172], 173, 174)).unwrap();
        let debug = format!("{ring:?} {:?}", key(171));
        assert!(debug.contains("SecretKey(…)"));
        for shown in ["171", "172", "ab", "AB"] {
            assert!(!debug.contains(shown), "{debug}");
        }
    }

    #[test]
    fn sub_keys_differ_by_label_and_from_their_master() {
        let master = key(1);
        let derive = |label: &[u8]| *master.derive(&[label]).expose();
        assert_eq!(derive(b"a"), derive(b"a"));
        assert_ne!(derive(b"a"), derive(b"b"));
        assert_ne!(derive(b"a"), *master.expose());
    }
}
