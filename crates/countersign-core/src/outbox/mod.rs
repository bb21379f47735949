//! Messages on their way out, and the rules of handing them over.
//!
//! A message is committed together with the verification it belongs to; sending happens later, in
//! the [dispatcher](crate::dispatcher). Each message is decided alone.
//!
//! Invariants: at most [`MAX_SUBMISSIONS`] submissions per message, counted *before* each call; none
//! after the code is dead; the sealed payload is wiped as soon as the message is final.

mod payload;
mod rota;
mod rules;
mod slots;

use std::time::Duration;

use minicbor::{Decode, Encode};

pub use payload::Payload;
pub use rota::Rota;
pub use rules::{Claim, claim, free, record, wait_after_failure, wait_after_no_connection};
pub use slots::{ClaimCommand, Lane, Slots, Way};

use crate::ids::{MessageId, VerificationId};
use crate::keys::Sealed;
use crate::names::{Channel, DialectName, Locale, ProviderName, Purpose, TenantId};
use crate::time::Timestamp;

/// How often one message may be handed to a provider.
pub const MAX_SUBMISSIONS: u8 = 3;

/// Why a message will never be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Abandoned {
    /// Its code died before a provider took it.
    #[n(0)]
    Expired,
    /// A later message took its place, or its verification ended.
    #[n(1)]
    Superseded,
    /// The provider says that this recipient cannot be reached.
    #[n(2)]
    Recipient,
    /// The provider refuses us: credentials, sender, content.
    #[n(3)]
    Configuration,
    /// Every permitted submission failed.
    #[n(4)]
    Submissions,
    /// A call ended without an answer. It may have been delivered, so it is not repeated.
    #[n(5)]
    Unknown,
    /// No provider carries this channel.
    #[n(6)]
    NoRoute,
    /// The payload does not open under the present keys.
    #[n(7)]
    Unreadable,
}

impl Abandoned {
    /// The reason's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Recipient => "recipient_unreachable",
            Self::Configuration => "provider_configuration",
            Self::Submissions => "submissions_used_up",
            Self::Unknown => "no_answer",
            Self::NoRoute => "no_route",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Where a message stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum MessageState {
    /// Waiting for its first submission.
    #[n(0)]
    Queued,
    /// A dispatcher is handing it over. If it does not report back in time, another one may try.
    #[n(1)]
    Leased {
        /// When the lease runs out.
        #[n(0)]
        until: Timestamp,
    },
    /// Waiting for another submission.
    #[n(2)]
    Retrying {
        /// When.
        #[n(0)]
        at: Timestamp,
    },
    /// A provider took it.
    #[n(3)]
    Sent {
        /// Which one.
        #[n(0)]
        provider: ProviderName,
    },
    /// It will not be sent.
    #[n(4)]
    Abandoned {
        /// Why.
        #[n(0)]
        reason: Abandoned,
    },
}

/// One message of the outbox.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Message {
    /// Its id; a provider may use it to recognise a repetition.
    #[n(0)]
    pub id: MessageId,
    /// Whose it is.
    #[n(1)]
    pub tenant: TenantId,
    /// Which verification it serves.
    #[n(2)]
    pub verification: VerificationId,
    /// Which of the verification's destinations, counted from 0.
    #[n(3)]
    pub destination: u8,
    /// What for: templates may differ.
    #[n(4)]
    pub purpose: Purpose,
    /// Through which wire API it was asked for.
    #[n(5)]
    pub dialect: DialectName,
    /// The language of its text.
    #[n(6)]
    pub locale: Locale,
    /// How it travels.
    #[n(7)]
    pub channel: Channel,
    /// When it was committed.
    #[n(8)]
    pub queued_at: Timestamp,
    /// When its code dies; never submitted at or after that instant.
    #[n(9)]
    pub expires_at: Timestamp,
    /// Recipient and code, sealed; `None` once final.
    #[n(10)]
    pub payload: Option<Sealed>,
    /// Where it stands.
    #[n(11)]
    pub state: MessageState,
    /// When the state last changed.
    #[n(12)]
    pub updated_at: Timestamp,
    /// Submissions so far, the one under way included: how often a provider may have got it.
    #[n(13)]
    pub submissions: u8,
    /// Providers that definitely failed with it, in order; of very many, the latest.
    #[n(14)]
    pub tried: Vec<ProviderName>,
    /// Whether it goes to a test number: no provider ever sees it.
    #[n(15)]
    pub test: bool,
    /// How often a dispatcher took it, tries that reached no provider included. It only grows, so that
    /// it tells one lease from every other.
    #[n(16)]
    #[cbor(default)]
    pub attempts: u32,
}

impl Message {
    /// When a dispatcher has to look at it next; `None` once final.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            MessageState::Queued => Some(self.queued_at),
            MessageState::Leased { until } => Some(until),
            MessageState::Retrying { at } => Some(at),
            MessageState::Sent { .. } | MessageState::Abandoned { .. } => None,
        }
    }

    /// Gives it up and wipes its payload.
    pub fn abandon(&mut self, reason: Abandoned, now: Timestamp) {
        self.state = MessageState::Abandoned { reason };
        self.payload = None;
        self.updated_at = now;
    }
}

/// What became of one submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryResult {
    /// A provider took it.
    Accepted {
        /// Which one.
        provider: ProviderName,
    },
    /// It definitely failed and may be tried again.
    Failed {
        /// Which provider; `None` when none was called.
        provider: Option<ProviderName>,
        /// Whether a provider may have got it. If certainly not, the try does not count as a submission.
        submitted: bool,
        /// The earliest next try.
        retry_after: Duration,
    },
    /// It will not be tried again.
    GivenUp {
        /// Why.
        reason: Abandoned,
    },
}

/// A dispatcher's report on one claimed message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryReport {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which message.
    pub message: MessageId,
    /// Which verification it serves (its other half of the key).
    pub verification: VerificationId,
    /// Which attempt this was: a report of an earlier lease must not overwrite a later one.
    pub attempt: u32,
    /// What happened.
    pub result: DeliveryResult,
}
