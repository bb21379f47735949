//! The addresses being proven.
//!
//! Parsed at the edge; after that the type is the proof. `Display` and `Debug` are masked; the full
//! text is reached only by methods called `expose`.

mod email;
mod phone;
mod warm_up;

use std::fmt;

pub use email::EmailAddress;
pub use phone::PhoneNumber;
pub use warm_up::warm_up;

use crate::keys::{KeyRing, RecipientKey};
use crate::names::{Channel, TenantId};
use crate::policy::Policy;

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// Neither a number with a country code nor a mailbox.
    #[error("must be a phone number such as +12125550123 or an e-mail address")]
    Neither,
    /// A number without a leading `+`.
    #[error("a phone number starts with + and its country code")]
    NoCountryCode,
    /// Something else than ASCII digits after the `+`.
    #[error("a phone number has ASCII digits only, without spaces or separators")]
    Characters,
    /// Not 5 to 15 digits (ITU-T E.164; CAMARA's pattern sets the lower bound).
    #[error("a phone number has 5 to 15 digits")]
    BadLength,
    /// No number of this length exists in that country, or there is no such country code.
    #[error("no such phone number can exist")]
    Impossible,
    /// The number matches no range of the country's numbering plan.
    #[error("the phone number matches no range of its country's numbering plan")]
    Invalid,
    /// A kind of line that takes no codes (premium rate, shared cost, pager, …).
    #[error("this kind of phone line cannot receive codes")]
    LineType,
    /// Not a mailbox.
    #[error("not an e-mail address")]
    Email,
}

/// The address being proven.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// A phone number.
    Phone(PhoneNumber),
    /// A mailbox.
    Email(EmailAddress),
}

/// The two keys that stand for an address at rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecipientKeys {
    /// Finds verifications and directory entries: the exact number or mailbox.
    pub identity: RecipientKey,
    /// Finds the ledger: aliases of one number or mailbox share it.
    pub budget: RecipientKey,
}

impl Recipient {
    /// Parses `text` under a tenant's policy: test numbers first, then the tenant's number check.
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, RecipientError> {
        if text.contains('@') {
            EmailAddress::parse(text).map(Self::Email)
        } else if text.starts_with('+') {
            PhoneNumber::parse(text, policy).map(Self::Phone)
        } else if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            Err(RecipientError::NoCountryCode)
        } else {
            Err(RecipientError::Neither)
        }
    }

    /// Rebuilds an address from its own canonical text (from a sealed field). Nothing is validated
    /// again: rules may have changed since.
    pub fn from_canonical(text: &str) -> Self {
        if text.contains('@') {
            Self::Email(EmailAddress::from_canonical(text))
        } else {
            Self::Phone(PhoneNumber::from_canonical(text))
        }
    }

    /// The full address. For providers, sealing and the tenant's own answers; never log it.
    pub fn expose(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.expose(),
            Self::Email(email) => email.expose(),
        }
    }

    /// A form that may be shown after the retention time, e.g. `+12********23`, `a***@example.com`.
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(phone) => phone.masked(),
            Self::Email(email) => email.masked(),
        }
    }

    /// The keys that stand for it.
    pub fn keys(&self, tenant: &TenantId, keys: &KeyRing) -> RecipientKeys {
        let (kind, identity, budget) = match self {
            Self::Phone(phone) => ("phone", phone.identity(), phone.budget()),
            Self::Email(email) => ("email", email.identity(), email.budget()),
        };
        let identity_key = keys.recipient_key(tenant, kind, &identity);
        let budget_key =
            if budget == identity { identity_key } else { keys.recipient_key(tenant, kind, &budget) };
        RecipientKeys { identity: identity_key, budget: budget_key }
    }

    /// The channel used when the caller names none.
    pub const fn default_channel(&self) -> Channel {
        match self {
            Self::Phone(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }

    /// Whether a channel can reach this address.
    pub const fn reachable_by(&self, channel: Channel) -> bool {
        matches!(self, Self::Phone(_)) == channel.reaches_phones()
    }

    /// Whether the policy says this number is for tests.
    pub fn is_test(&self, policy: &Policy) -> bool {
        matches!(self, Self::Phone(phone) if phone.is_test(&policy.test_numbers))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
