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
