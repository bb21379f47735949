//! How aggregates become rows: CBOR with numbered fields.
//!
//! Numbered fields let an older and a newer node read each other's rows during a rolling upgrade:
//! unknown numbers are skipped, absent ones fall back to their default. Never reuse a number.

use minicbor::{Decode, Encode};

/// A stored row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored row cannot be decoded")]
pub struct Undecodable;

/// Encodes an aggregate for storage.
pub fn to_row<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    // Writing to a Vec cannot fail, and no Encode of ours reports an error of its own.
    minicbor::encode(value, &mut bytes).expect("encoding into memory");
    bytes
}

/// Decodes a stored aggregate.
///
/// # Errors
/// The bytes are not a row of this kind: the store was damaged or written by something else.
pub fn from_row<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Undecodable> {
    minicbor::decode(bytes).map_err(|_| Undecodable)
}

/// Durations as whole milliseconds.
pub mod duration {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{Encoder, Write};
    use std::time::Duration;

    /// Writes the duration as milliseconds.
    ///
    /// # Errors
    /// The writer failed.
    pub fn encode<C, W: Write>(
        v: &Duration,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u64(u64::try_from(v.as_millis()).unwrap_or(u64::MAX))?.ok()
    }

    /// Reads milliseconds.
    ///
    /// # Errors
    /// The bytes are not an unsigned number.
    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Duration, Error> {
        d.u64().map(Duration::from_millis)
    }
}

/// Durations that may be absent, as whole milliseconds or not at all.
pub mod optional_duration {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{Encoder, Write};
    use std::time::Duration;

    /// Writes the duration as milliseconds, or null.
    ///
    /// # Errors
    /// The writer failed.
    #[allow(clippy::ref_option, reason = "the derive hands over a reference to the field")]
    pub fn encode<C, W: Write>(
        v: &Option<Duration>,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match v {
            Some(duration) => super::duration::encode(duration, e, c),
            None => e.null()?.ok(),
        }
    }

    /// Reads milliseconds, or null.
    ///
    /// # Errors
    /// The bytes are neither.
    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Option<Duration>, Error> {
        let millis: Option<u64> = d.decode()?;
        Ok(millis.map(Duration::from_millis))
    }

    /// Whether the field is left out.
    #[allow(clippy::ref_option, reason = "the derive hands over a reference to the field")]
    pub fn is_nil(v: &Option<Duration>) -> bool {
        v.is_none()
    }

    /// What a field that was left out means.
    #[allow(clippy::option_option, reason = "the derive asks for an optional value of the field's type")]
    pub fn nil() -> Option<Option<Duration>> {
        Some(None)
    }
}

/// Lists of durations as lists of whole milliseconds.
pub mod durations {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{Encoder, Write};
    use std::time::Duration;

    /// Writes a list of milliseconds.
    ///
    /// # Errors
    /// The writer failed.
    pub fn encode<C, W: Write>(
        v: &[Duration],
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(v.len() as u64)?;
        v.iter().try_for_each(|d| super::duration::encode(d, e, c))
    }

    /// Reads a list of milliseconds.
    ///
    /// # Errors
    /// The bytes are not a list of unsigned numbers.
    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<Duration>, Error> {
        let millis: Vec<u64> = d.decode()?;
        Ok(millis.into_iter().map(Duration::from_millis).collect())
    }
}
