//! What is counted across verifications.
//!
//! Ledgers outlive verifications: no resend, restart, cancel or other dialect resets them.

mod client;
mod events;
mod recipient;
mod tenant;

use std::time::Duration;

pub use client::ClientLedger;
pub(super) use recipient::Failure;
pub use recipient::{MayBeHeld, RecipientLedger, Windows};
pub use tenant::TenantLedger;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Finds the ledger of a client address (of a tenant): keyed, like recipients.
pub type ClientKey = [u8; 16];

/// Why a recipient gets no codes and no checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Too many failed checks in 24 hours; lifts by itself after this long.
    FailedChecks(Duration),
    /// Too many consecutive failures; an administrator lifts it, or a proof on another channel (NIST SP
    /// 800-63B-4 §3.2.2).
    ConsecutiveFailures,
}

impl Hold {
    /// The reason's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailedChecks(_) => "failed_checks",
            Self::ConsecutiveFailures => "consecutive_failures",
        }
    }

    /// When asking again makes sense. A hold that lasts says a day.
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::FailedChecks(wait) => wait,
            Self::ConsecutiveFailures => DAY,
        }
    }
}

/// The ledgers that one decision reads, in the order of its destinations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledgers {
    /// One per destination; an absent row is the default.
    pub recipients: Vec<RecipientLedger>,
    /// The client address', when the command names one.
    pub client: ClientLedger,
    /// The tenant's.
    pub tenant: TenantLedger,
    /// That of the recipient whose hold ends with the verification's approval, where there is one.
    pub also_released: Option<RecipientLedger>,
}
