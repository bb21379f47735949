//! One effect for repeated requests.
//!
//! The answer is stored in the same commit as the effect, so that a crash leaves both or neither.
//! Only an outcome that changed something is stored: a request that was refused without effect may
//! be repeated under the same key. Of requests that carry one key at the same time, an engine decides one
//! first; the others wait for its commit and are judged by what it stored. A stored answer never holds a code, and it forgets an address when
//! the verification it tells about does.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::commands::{CheckOutcome, SendOutcome};
use crate::codec;
use crate::ids::VerificationId;
use crate::time::Timestamp;
use crate::verification::Verification;

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

/// Which call an answer belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum AnsweredCall {
    /// A start or resend: the outcome is a [`SendOutcome`].
    #[n(0)]
    Send,
    /// A check: the outcome is a [`CheckOutcome`].
    #[n(1)]
    Check,
}

/// An outcome that can be kept as an answer.
pub trait Answer: Encode<()> + for<'b> Decode<'b, ()> {
    /// The call it answers.
    const CALL: AnsweredCall;

    /// The verification it tells about.
    fn verification(&self) -> Option<&Verification>;

    /// The same, to be changed.
    fn verification_mut(&mut self) -> Option<&mut Verification>;
}

impl Answer for SendOutcome {
    const CALL: AnsweredCall = AnsweredCall::Send;

    fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Accepted(accepted) => Some(&accepted.verification),
            Self::Refused(_) => None,
        }
    }

    fn verification_mut(&mut self) -> Option<&mut Verification> {
        match self {
            Self::Accepted(accepted) => Some(&mut accepted.verification),
            Self::Refused(_) => None,
        }
    }
}

impl Answer for CheckOutcome {
    const CALL: AnsweredCall = AnsweredCall::Check;

    fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Right { verification } | Self::Rejected { verification, .. } => Some(verification),
            Self::NotFound => None,
        }
    }

    fn verification_mut(&mut self) -> Option<&mut Verification> {
        match self {
            Self::Right { verification } | Self::Rejected { verification, .. } => Some(verification),
            Self::NotFound => None,
        }
    }
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
    /// What the outcome is one of.
    #[n(3)]
    pub call: AnsweredCall,
    /// Which verification it tells about. When that forgets its addresses, so must the answer: see
    /// [`StoredAnswer::forget_recipient`].
    #[n(4)]
    pub verification: Option<VerificationId>,
}

impl StoredAnswer {
    /// Encodes an outcome for a claim.
    pub fn new<O: Answer>(claim: &IdempotencyClaim, outcome: &O, at: Timestamp) -> Self {
        Self {
            fingerprint: claim.fingerprint,
            at,
            outcome: codec::to_row(outcome),
            call: O::CALL,
            verification: outcome.verification().map(|verification| verification.id),
        }
    }

    /// Takes the addresses and notes out that its verification no longer knows: it was erased, or its
    /// retention time is over. The effect stays one; only what is told of it changes.
    ///
    /// # Errors
    /// The outcome cannot be read.
    pub fn forget_recipient(&mut self, wiped: &Verification) -> Result<(), codec::Undecodable> {
        self.outcome = match self.call {
            AnsweredCall::Send => without_recipient::<SendOutcome>(&self.outcome, wiped)?,
            AnsweredCall::Check => without_recipient::<CheckOutcome>(&self.outcome, wiped)?,
        };
        Ok(())
    }

    /// When it may go.
    pub fn forget_at(&self) -> Timestamp {
        self.at + IdempotencyClaim::KEPT
    }
}

fn without_recipient<O: Answer>(outcome: &[u8], wiped: &Verification) -> Result<Vec<u8>, codec::Undecodable> {
    let mut outcome: O = codec::from_row(outcome)?;
    if let Some(told) = outcome.verification_mut() {
        told.metadata.clone_from(&wiped.metadata);
        for (told, wiped) in told.destinations.iter_mut().zip(&wiped.destinations) {
            told.recipient.clone_from(&wiped.recipient);
        }
    }
    Ok(codec::to_row(&outcome))
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
}

/// Judges a claim against what is stored under its key; `None` when the request has to be carried
/// out.
///
/// # Errors
/// The stored answer cannot be read.
pub fn resolve<O: Answer>(
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
