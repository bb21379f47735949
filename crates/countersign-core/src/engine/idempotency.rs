//! One effect for repeated requests.
//!
//! The answer is stored in the same commit as the effect, so that a crash leaves both or neither.
//! Only an outcome that changed something is stored: a request that was refused without effect may
//! be repeated under the same key. A stored answer never holds a code.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::codec;
use crate::time::Timestamp;

/// What a caller claims with an `Idempotency-Key`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdempotencyClaim {
    /// Stands for (tenant, key).
    pub key: [u8; 16],
    /// Stands for the request: call and body.
    pub fingerprint: [u8; 16],
}

impl IdempotencyClaim {
    /// How long an answer is kept.
    pub const KEPT: Duration = Duration::from_secs(24 * 3600);
}

/// An answer as stored.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StoredAnswer {
    /// The request it answered.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub fingerprint: [u8; 16],
    /// When: rendering it again at this instant gives the same bytes.
    #[n(1)]
    pub at: Timestamp,
    /// The encoded outcome.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub outcome: Vec<u8>,
}

impl StoredAnswer {
    /// Encodes an outcome for a claim.
    pub fn new<O: Encode<()>>(claim: &IdempotencyClaim, outcome: &O, at: Timestamp) -> Self {
        Self { fingerprint: claim.fingerprint, at, outcome: codec::to_row(outcome) }
    }

    /// When it may go.
    pub fn forget_at(&self) -> Timestamp {
        self.at + IdempotencyClaim::KEPT
    }
}

/// An outcome, and whether it happened now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Idempotent<O> {
    /// It happened now.
    Fresh {
        /// The outcome.
        outcome: O,
        /// The instant the engine judged it at.
        at: Timestamp,
    },
    /// It happened before, under the same key; nothing happened now.
    Replayed {
        /// The outcome of then.
        outcome: O,
        /// The instant of then.
        at: Timestamp,
    },
    /// The key was used for another request.
    Mismatch,
    /// The first request with this key is still under way.
    InFlight,
}

/// Judges a claim against what is stored under its key; `None` when the request has to be carried
/// out.
///
/// # Errors
/// The stored answer cannot be read.
pub fn resolve<O: for<'b> Decode<'b, ()>>(
    claim: &IdempotencyClaim,
    stored: Option<&StoredAnswer>,
    now: Timestamp,
) -> Result<Option<Idempotent<O>>, codec::Undecodable> {
    let Some(stored) = stored.filter(|s| now < s.forget_at()) else { return Ok(None) };
    if stored.fingerprint != claim.fingerprint {
        return Ok(Some(Idempotent::Mismatch));
    }
    Ok(Some(Idempotent::Replayed { outcome: codec::from_row(&stored.outcome)?, at: stored.at }))
}
