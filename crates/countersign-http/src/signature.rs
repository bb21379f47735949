//! What request signatures are made of. Which parts are signed, in which order, is each dialect's own.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// HMAC-SHA-256 (RFC 2104) of the parts, one after the other without anything between them.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256 (FIPS 180-4) of the parts, one after the other without anything between them.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Whether `given` is the hexadecimal form of a digest, in either case. The comparison takes the same
/// time wherever they differ.
pub fn is_hex_of(given: &str, digest: &[u8; 32]) -> bool {
    match HEXLOWER_PERMISSIVE.decode(given.as_bytes()) {
        Ok(bytes) => bytes.ct_eq(digest).into(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_parts_are_signed_as_one_text() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let digest = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert!(is_hex_of(expected, &digest) && is_hex_of(&expected.to_uppercase(), &digest));
        assert!(!is_hex_of(&expected[2..], &digest) && !is_hex_of("", &digest) && !is_hex_of("zz", &digest));
    }

    #[test]
    fn the_hash_of_nothing_is_what_it_is() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(is_hex_of(expected, &sha256(&[])));
    }
}
