//! What must be readable again: sealed with XChaCha20-Poly1305.
//!
//! The place of a field (table, column, tenant, row) is part of what the seal vouches for, so that
//! a sealed value moved to another row or tenant does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng;
use zeroize::Zeroizing;

use super::ring::{KeyRing, SecretKey};
use crate::names::TenantId;

/// A sealed field as stored: key version, nonce, ciphertext and tag.
#[derive(Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Sealed(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl Sealed {
    /// The bytes as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Which version of the sealing key it needs.
    pub fn version(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Wraps stored bytes; whether they open is found out by opening them.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Where a sealed field stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind of row.
    pub table: &'static str,
    /// The field.
    pub column: &'static str,
    /// Whose row it is.
    pub tenant: &'a TenantId,
    /// The row's own key.
    pub row: &'a [u8],
    /// Which of several such fields in the row, counted from 0.
    pub index: u8,
}

/// A sealed field does not open: it was moved or damaged, or its key is not in the key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed field does not open under the present keys")]
pub struct OpenError;

const VERSION_LEN: usize = 1;
const NONCE_LEN: usize = 24;

impl KeyRing {
    /// Seals a field for its place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8], rng: &mut impl Rng) -> Sealed {
        let key = &self.material.seal[&self.seal_version];
        let mut nonce = [0u8; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let cipher = cipher(key, place.tenant);
        let aad = place.bytes(self.seal_version);
        let body = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .expect("fields are far below the cipher's 256 GiB bound");
        let mut bytes = Vec::with_capacity(VERSION_LEN + NONCE_LEN + body.len());
        bytes.push(self.seal_version);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&body);
        Sealed(bytes)
    }

    /// Opens a field sealed for the same place.
    ///
    /// # Errors
    /// The field belongs to another place, was damaged, or its key is missing.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (version, rest) = sealed.0.split_first().ok_or(OpenError)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
        let key = self.material.seal.get(version).ok_or(OpenError)?;
        let aad = place.bytes(*version);
        cipher(key, place.tenant)
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| OpenError)
    }
}

/// Each tenant's fields are sealed under a key of the tenant's own.
fn cipher(key: &SecretKey, tenant: &TenantId) -> XChaCha20Poly1305 {
    let tenant_key = key.derive(&[b"countersign/seal/", tenant.as_str().as_bytes()]);
    XChaCha20Poly1305::new(tenant_key.expose().into())
}

impl Place<'_> {
    /// Length-prefixed, so that no two places read the same.
    fn bytes(&self, version: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.push(version);
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.tenant.as_str().as_bytes(), self.row]
        {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out.push(self.index);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::keys;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// Shows: K2.
    #[test]
    fn a_sealed_field_opens_at_its_own_place_only() {
        let (keys, mut rng) = (keys(), StdRng::seed_from_u64(1));
        let (a, b) = (TenantId::parse("a").unwrap(), TenantId::parse("b").unwrap());
        let home = Place { table: "verifications", column: "code", tenant: &a, row: b"1", index: 0 };
        let sealed = keys.seal(home, b"123456", &mut rng);
        assert_eq!(keys.open(home, &sealed).unwrap().as_slice(), b"123456");
        for elsewhere in [
            Place { table: "messages", ..home },
            Place { column: "recipient", ..home },
            Place { tenant: &b, ..home },
            Place { row: b"2", ..home },
            Place { index: 1, ..home },
        ] {
            assert_eq!(keys.open(elsewhere, &sealed), Err(OpenError));
        }
    }

    /// The same letters, cut elsewhere.
    /// Shows: K2.
    #[test]
    fn no_two_places_read_the_same() {
        let (keys, mut rng) = (keys(), StdRng::seed_from_u64(1));
        let tenant = TenantId::parse("a").unwrap();
        let place = |table, column, row| Place { table, column, tenant: &tenant, row, index: 0 };
        let sealed = keys.seal(place("messages", "payload", b"1"), b"x", &mut rng);
        assert_eq!(keys.open(place("message", "spayload", b"1"), &sealed), Err(OpenError));
        assert_eq!(keys.open(place("messagesp", "ayload", b"1"), &sealed), Err(OpenError));
    }

    /// What is stored must open in later versions of the program.
    /// Shows: K2.
    #[test]
    fn a_field_that_was_sealed_once_opens_for_ever() {
        let tenant = TenantId::parse("acme").unwrap();
        let place = Place { table: "messages", column: "payload", tenant: &tenant, row: b"row", index: 3 };
        let sealed = keys().seal(place, b"123456", &mut StdRng::seed_from_u64(1));
        assert_eq!(
            data_encoding::HEXLOWER.encode(&sealed.0),
            "01611830d3641a68f94a690dcc25d1f4b0dac948325ac18f6d9ec9aba235f2b27c876024f15ef6fe68f8bd29c4a273"
        );
    }

    /// Shows: K2.
    #[test]
    fn a_flipped_bit_does_not_open() {
        let (keys, mut rng) = (keys(), StdRng::seed_from_u64(1));
        let tenant = TenantId::parse("a").unwrap();
        let place = Place { table: "t", column: "c", tenant: &tenant, row: b"", index: 0 };
        let sealed = keys.seal(place, b"x", &mut rng);
        for i in 0..sealed.0.len() {
            let mut bytes = sealed.0.clone();
            bytes[i] ^= 1;
            assert_eq!(keys.open(place, &Sealed(bytes)), Err(OpenError));
        }
        assert_eq!(keys.open(place, &Sealed(Vec::new())), Err(OpenError));
    }
}
