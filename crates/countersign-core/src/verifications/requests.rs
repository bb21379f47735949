//! What a dialect asks for, in the domain's words.

use std::fmt;
use std::net::IpAddr;

use crate::code::Code;
use crate::engine::{Delivery, Intent, StartCommand, StorageError, UserKey};
use crate::ids::VerificationId;
use crate::link::LinkTemplate;
use crate::names::{Channel, DialectName, DirectoryName, Locale, Purpose};
use crate::pairs::Pairs;
use crate::policy::Terms;
use crate::recipient::Recipient;
use crate::tenant::Tenant;

/// A user of a tenant, by the tenant's own name for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// In which directory.
    pub directory: DirectoryName,
    /// The user's id there.
    pub id: String,
}

/// An id may be an address.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Whom to send to.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// An address. Whose it is, the caller does not say.
    Address(Recipient),
    /// An address that a user of a directory has or claims. There is one verification of an address for all
    /// who claim it, the latest one's; its proof is recorded with that user alone.
    Claimed {
        /// The user.
        user: Account,
        /// The address.
        recipient: Recipient,
    },
    /// A user's address. The verification is that user's: others with the same address have their own,
    /// with their own cool-down and checks, and share the address' budgets.
    User {
        /// The user.
        user: Account,
        /// The address.
        recipient: Recipient,
    },
    /// Nobody: the caller named somebody we do not know, and must not learn that. The name
    /// only keeps counters apart.
    Nobody(String),
    /// Nobody, in the place of somebody whom the caller named and must learn nothing about: nobody is
    /// reached, and everything is counted with the address, so that limits and holds of it do not tell
    /// either.
    LookAlike {
        /// Keeps its verifications apart from those of the address.
        name: String,
        /// The address.
        of: Recipient,
    },
}

impl Target {
    /// The address that it is about, if there is one.
    pub(super) const fn recipient(&self) -> Option<&Recipient> {
        match self {
            Self::Address(recipient)
            | Self::Claimed { recipient, .. }
            | Self::User { recipient, .. }
            | Self::LookAlike { of: recipient, .. } => Some(recipient),
            Self::Nobody(_) => None,
        }
    }
}

/// A name may be an address: whoever is unknown is called what the caller called them.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(recipient) => f.debug_tuple("Address").field(recipient).finish(),
            Self::Claimed { user, recipient } => {
                f.debug_tuple("Claimed").field(user).field(recipient).finish()
            }
            Self::User { user, recipient } => f.debug_tuple("User").field(user).field(recipient).finish(),
            Self::Nobody(_) => f.write_str("Nobody(…)"),
            Self::LookAlike { name: _, of } => f.debug_tuple("LookAlike").field(of).finish(),
        }
    }
}

/// A request for one effect: the caller's key, and what identifies the request.
#[derive(Clone, Copy)]
pub struct IdempotencyKey<'a> {
    /// The caller's key, 1 to 255 characters.
    pub key: &'a str,
    /// The call and its body.
    pub request: &'a [u8],
}

/// The request is the body as it came, with the address or the code in it.
impl fmt::Debug for IdempotencyKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

/// Open a verification, or send again.
#[derive(Debug)]
pub struct Start<'a> {
    /// Who asks.
    pub tenant: &'a Tenant,
    /// Through which wire API.
    pub dialect: &'a DialectName,
    /// What for.
    pub purpose: Purpose,
    /// What the caller means.
    pub intent: Intent,
    /// What happens with the code.
    pub delivery: Delivery,
    /// Whom, over which channel (`None`: the address' usual one).
    pub targets: Vec<(Target, Option<Channel>)>,
    /// The language asked for.
    pub locale: Option<Locale>,
    /// The caller's own code.
    pub custom_code: Option<Code>,
    /// The link that a mail of this request carries, whichever code it has; other channels carry none.
    pub link: Option<LinkTemplate>,
    /// What the code is bound to besides; empty is nothing.
    pub context: Pairs,
    /// The caller's own notes.
    pub metadata: Pairs,
    /// The end user's address, where the caller told it.
    pub client_ip: Option<IpAddr>,
    /// Whether the caller vouches for the request: see [`crate::engine::StartCommand::trusted`].
    pub trusted: bool,
    /// Whose hold ends with the approval: an address of the same person on another channel. Only trusted
    /// calls may say so.
    pub ends_hold_of: Option<Recipient>,
    /// What a new verification runs under; `None` for the tenant's own.
    pub terms: Option<Terms>,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyKey<'a>>,
}

/// A start that only has to be decided.
#[derive(Clone, Debug)]
pub struct Prepared(pub(crate) StartCommand);

/// Send again, addressed by id.
#[derive(Debug)]
pub struct Resend<'a> {
    /// Who asks.
    pub tenant: &'a Tenant,
    /// Through which wire API: another one's verification is an unknown one.
    pub dialect: &'a DialectName,
    /// Which verification.
    pub id: VerificationId,
    /// Over another channel than last time.
    pub channel: Option<Channel>,
    /// Whether the caller vouches for the request.
    pub trusted: bool,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyKey<'a>>,
}

/// Which verification a guess is for.
pub enum CheckOf<'a> {
    /// The one of this id.
    Id(VerificationId),
    /// The newest one for an address and a purpose.
    Address(&'a Recipient, Purpose),
    /// The newest pending one for an address and any of these purposes: one guess, charged once.
    AnyPurpose(&'a Recipient, Vec<Purpose>),
    /// The newest one for a user's address and a purpose. A proof is recorded with that user alone, and
    /// only if it still is the user's address.
    User {
        /// The user.
        user: &'a Account,
        /// The address.
        recipient: &'a Recipient,
        /// What for.
        purpose: Purpose,
    },
    /// The newest one that waits for any of several addresses of a user, for a purpose. One that was asked for in
    /// another user's name is not meant.
    AnyOf(&'a Account, &'a [Recipient], Purpose),
    /// A user's address and a purpose, where a link names both by their keys: see
    /// [`CheckOf::User`].
    UserKey {
        /// The user.
        user: &'a UserKey,
        /// The address.
        recipient: &'a Recipient,
        /// What for.
        purpose: Purpose,
    },
    /// The newest one for a name we do not know: there is none, or a look-alike.
    Nobody(&'a str, Purpose),
}

impl fmt::Debug for CheckOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.debug_tuple("Id").field(id).finish(),
            Self::Address(recipient, purpose) => {
                f.debug_tuple("Address").field(recipient).field(purpose).finish()
            }
            Self::User { user, recipient, purpose } => {
                f.debug_tuple("User").field(user).field(recipient).field(purpose).finish()
            }
            Self::AnyPurpose(recipient, purposes) => {
                f.debug_tuple("AnyPurpose").field(recipient).field(purposes).finish()
            }
            Self::AnyOf(user, recipients, purpose) => {
                f.debug_tuple("AnyOf").field(user).field(recipients).field(purpose).finish()
            }
            Self::UserKey { user, recipient, purpose } => {
                f.debug_tuple("UserKey").field(user).field(recipient).field(purpose).finish()
            }
            Self::Nobody(_, purpose) => write!(f, "Nobody(…, {purpose:?})"),
        }
    }
}

/// Take a guess.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
pub struct Check<'a> {
    /// Who asks.
    pub tenant: &'a Tenant,
    /// Through which wire API: a code is good only where it was asked for.
    pub dialect: &'a DialectName,
    /// Which verification.
    pub of: CheckOf<'a>,
    /// The guess.
    pub code: Code,
    /// Whether a text of another length than the code is no guess, and costs none.
    pub only_of_length: bool,
    /// What the code must be bound to; empty is nothing.
    pub context: Pairs,
    /// The end user's address, where the caller told it.
    pub client_ip: Option<IpAddr>,
    /// Whether the caller vouches for the request.
    pub trusted: bool,
    /// Whether a right guess ends the verification.
    pub consume: bool,
    /// Whether the directory records the proof, with the user it was asked for.
    pub record_proof: bool,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyKey<'a>>,
}

/// Why a request was refused before anything was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The channel cannot reach this kind of address.
    #[error("{0} cannot reach this address")]
    ChannelMismatch(Channel),
    /// No provider carries the channel.
    #[error("no provider carries {0}")]
    NoRoute(Channel),
    /// The tenant does not allow codes of the caller's own.
    #[error("this tenant does not allow codes of the caller's own")]
    CustomCode,
    /// The caller's own code has a length that is not allowed.
    #[error("a code of your own has {min} to 10 letters or digits")]
    CustomCodeLength {
        /// The least allowed length.
        min: u8,
    },
    /// It names test numbers and real addresses together.
    #[error("test numbers and real addresses are not verified together")]
    TestAndReal,
    /// The other recipient, whose hold shall end, is on the same channel.
    #[error(
        "a hold ends by a proof on another channel: a phone number's by an e-mail address, and the reverse"
    )]
    SameChannel,
    /// The tenant does not send to this country.
    #[error("messages to this country are not allowed")]
    Region,
    /// The store.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
