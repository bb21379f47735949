//! Identifiers that show their kind.
//!
//! 48 bits of time and 80 random bits (the ULID layout), so that they sort by age and cannot be
//! guessed. They are never an authority by themselves: every call also needs the tenant's
//! credentials.

use std::fmt;
use std::str::FromStr;

use rand::Rng;

use crate::time::Timestamp;

/// The text is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier")]
pub struct InvalidId;

fn generate(now: Timestamp, rng: &mut impl Rng) -> [u8; 16] {
    let mut random = [0u8; 16];
    rng.fill_bytes(&mut random[6..]);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0).to_be_bytes();
    random[..6].copy_from_slice(&millis[2..]);
    random
}

fn parse(text: &str, prefix: &str) -> Result<[u8; 16], InvalidId> {
    let body = text.strip_prefix(prefix).ok_or(InvalidId)?;
    // One spelling only: an alias of an id would be a second key to the same thing.
    if body.len() != 26 || body.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(InvalidId);
    }
    let id = ulid::Ulid::from_string(body).map_err(|_| InvalidId)?;
    let bytes = id.to_bytes();
    let mut buffer = [0; ulid::ULID_LEN];
    if format_id(&bytes, &mut buffer) == body { Ok(bytes) } else { Err(InvalidId) }
}

fn format_id<'b>(bytes: &[u8; 16], buffer: &'b mut [u8; ulid::ULID_LEN]) -> &'b str {
    let text = ulid::Ulid::from_bytes(*bytes).array_to_str(buffer);
    text.make_ascii_lowercase();
    text
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            #[doc = concat!("What every such id begins with: `", $prefix, "`.")]
            pub const PREFIX: &'static str = $prefix;

            /// Draws a fresh id for the instant `now`.
            pub fn generate(now: Timestamp, rng: &mut impl Rng) -> Self {
                Self(generate(now, rng))
            }

            /// The 16 bytes as stored; they sort by age.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// When it was drawn.
            pub fn drawn_at(&self) -> Timestamp {
                let [a, b, c, d, e, f, ..] = self.0;
                Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }

            /// Rebuilds an id from its stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(format_id(&self.0, &mut [0; ulid::ULID_LEN]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text, $prefix).map(Self)
            }
        }
    };
}

prefixed_id!(
    /// Names one verification, e.g. `ver_01k9…`.
    VerificationId, "ver_"
);
prefixed_id!(
    /// Names one message of the outbox, e.g. `msg_01k9…`.
    MessageId, "msg_"
);

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn an_id_reads_back_and_has_one_spelling() {
        let mut rng = StdRng::seed_from_u64(1);
        let id = VerificationId::generate(Timestamp::from_millis(1_795_161_600_000), &mut rng);
        let text = id.to_string();
        assert!(text.starts_with("ver_01"), "{text}");
        assert_eq!(text.parse(), Ok(id));
        for bad in [
            text.to_uppercase(),
            text.replace("ver_", "msg_"),
            format!("{text}0"),
            text[..20].to_owned(),
            "ver_8zzzzzzzzzzzzzzzzzzzzzzzzz".into(),
            "ver_0000000000000000000000000o".into(),
        ] {
            assert_eq!(bad.parse::<VerificationId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_age() {
        let mut rng = StdRng::seed_from_u64(1);
        let a = MessageId::generate(Timestamp::from_millis(1_000), &mut rng);
        let b = MessageId::generate(Timestamp::from_millis(1_001), &mut rng);
        assert!(a < b);
    }
}
