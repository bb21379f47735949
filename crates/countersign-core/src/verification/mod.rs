//! One proof in progress, and every rule about it.
//!
//! The rules are pure functions: state in, decision out, with `now`, keys and randomness as
//! arguments. An engine loads the state, calls the rule and commits what it decided; a dialect maps
//! shapes. Neither compares, counts or expires anything itself.
//!
//! - [`start`](start::start), [`resend`](resend::resend), [`check`](check::check) and
//!   [`cancel`](cancel::cancel): the four verbs.
//! - [`enrol`](enrol::enrol): a new user with their first messages.
//! - [`Ledgers`]: what is counted across verifications.

pub mod cancel;
pub mod check;
pub mod enrol;
mod failures;
mod issue;
mod ledger;
mod limits;
mod release;
pub mod resend;
mod reserve;
pub(crate) mod sealed;
pub mod start;
mod sweep;
#[cfg(test)]
mod tests;
mod topic;

use minicbor::{Decode, Encode};

pub use failures::{FailureLevel, level};
pub use ledger::{ClientKey, ClientLedger, Hold, Ledgers, MayBeHeld, RecipientLedger, TenantLedger, Windows};
pub use release::{EndsHold, release};
pub use sealed::Disclosed;
pub(crate) use sealed::disclose;
pub use sweep::{SweepAction, erase, sweep};
pub use topic::Topic;

use crate::engine::{NewRow, Proven, UserAddress, UserKey};
use crate::ids::VerificationId;
use crate::keys::{CodeDigest, ContextDigest, RecipientKey, Sealed};
use crate::names::{Channel, DialectName, Locale, Purpose, TenantId};
use crate::outbox::{Abandoned, Message};
use crate::policy::Terms;
use crate::time::Timestamp;

/// Where a verification stands. Only `Pending` ever changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Status {
    /// Waiting for the right code.
    #[n(0)]
    Pending,
    /// The right code came.
    #[n(1)]
    Approved,
    /// The caller gave up, or another start replaced it.
    #[n(2)]
    Canceled,
    /// The window closed.
    #[n(3)]
    Expired,
    /// The checks are used up.
    #[n(4)]
    Exhausted,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Approved, Self::Canceled, Self::Expired, Self::Exhausted];

    /// The status' name on the wire and in the list's filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
        }
    }

    /// The status of that name, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// What a stored verification still knows of the address being proven.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum StoredRecipient {
    /// The full address, sealed.
    #[n(0)]
    Sealed(#[n(0)] Sealed),
    /// The retention time is over, or the recipient was erased: a masked form, e.g. `+12********23`.
    #[n(1)]
    Masked(#[n(0)] String),
    /// Nobody: a look-alike for an address that does not exist. Nothing is ever sent.
    #[n(2)]
    Nobody,
}

/// An address that a verification proves, with its live code.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Destination {
    /// Finds verifications of this address: the exact mailbox or number.
    #[n(0)]
    pub identity: RecipientKey,
    /// Finds its ledger: aliases of one mailbox or number share it.
    #[n(1)]
    pub budget: RecipientKey,
    /// The address.
    #[n(2)]
    pub recipient: StoredRecipient,
    /// How the latest message to it travelled.
    #[n(3)]
    pub channel: Channel,
    /// The live code's keyed digest; `None` before the first issue and after the end.
    #[n(4)]
    pub digest: Option<CodeDigest>,
    /// The code itself, kept only while it may have to be sent a second time.
    #[n(5)]
    pub sealed_code: Option<Sealed>,
    /// When the live code dies. Never after the verification's own deadline.
    #[n(6)]
    pub code_expires_at: Timestamp,
    /// Whether the live code was handed out for this address (sent, or returned to the caller).
    #[n(7)]
    pub code_sent: bool,
    /// For which user it was asked for, and as which address of theirs; `None` for nobody in particular.
    #[n(8)]
    pub owner: Option<UserAddress>,
    /// Whether it is a test number. `None` in rows of before: as the verification says.
    #[n(9)]
    pub test: Option<bool>,
}

/// One proof in progress for (tenant, recipient, purpose).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
pub struct Verification {
    /// Its id.
    #[n(0)]
    pub id: VerificationId,
    /// Whose it is.
    #[n(1)]
    pub tenant: TenantId,
    /// What the code is good for.
    #[n(2)]
    pub purpose: Purpose,
    /// Through which wire API it was opened.
    #[n(3)]
    pub dialect: DialectName,
    /// The language of its texts.
    #[n(4)]
    pub locale: Locale,
    /// Where it stands, as last written; see [`Verification::status_at`].
    #[n(5)]
    pub status: Status,
    /// When it was opened.
    #[n(6)]
    pub created_at: Timestamp,
    /// Its deadline: a window after the start. Nothing extends it.
    #[n(7)]
    pub expires_at: Timestamp,
    /// When it ended; `None` while pending.
    #[n(8)]
    pub ended_at: Option<Timestamp>,
    /// The policy it started under.
    #[n(9)]
    pub terms: Terms,
    /// Sends so far.
    #[n(10)]
    pub sends_used: u8,
    /// When the latest message was queued; `None` before the first.
    #[n(11)]
    pub last_send_at: Option<Timestamp>,
    /// Checks so far.
    #[n(12)]
    pub checks_used: u8,
    /// The addresses: one, or several for one user.
    #[n(13)]
    pub destinations: Vec<Destination>,
    /// What the code is bound to besides; a check must repeat it.
    #[n(14)]
    pub context: Option<ContextDigest>,
    /// Whether the caller brought the code.
    #[n(15)]
    pub custom_code: bool,
    /// The caller's own notes (a string map), sealed.
    #[n(16)]
    pub metadata: Option<Sealed>,
    /// Whether it was opened for a test number.
    #[n(17)]
    pub test: bool,
    /// Whether it only pretends: everything is counted, nobody is reached, and no code of it is ever right.
    #[n(18)]
    #[cbor(default)]
    pub pretended: bool,
    /// Stands for the start whose message carries the live code; `None` where the live code was handed back, or
    /// was sent again by id.
    #[n(19)]
    #[cbor(default, with = "minicbor::bytes")]
    pub sent_for: Option<[u8; 16]>,
    /// When it failed checks that count against its tenant; an approval gives them back.
    #[n(20)]
    #[cbor(default)]
    pub failures: Vec<Timestamp>,
    /// The client address that started it, where the caller told one.
    #[cbor(n(21), with = "minicbor::bytes")]
    #[cbor(default)]
    pub client: Option<ClientKey>,
    /// Whether it used a start that is kept for trusted calls. Only those send it again and guess at it then: for
    /// all others its recipient is held.
    #[n(22)]
    #[cbor(default)]
    pub reserved: bool,
    /// Whose hold its approval ends.
    #[n(23)]
    #[cbor(default)]
    pub ends_hold: Option<EndsHold>,
}

impl Verification {
    /// Where it stands at `now`: a pending one whose window closed is expired, whether or not that
    /// has been written yet.
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::Pending if now >= self.expires_at => Status::Expired,
            status => status,
        }
    }

    /// The instant of the end: written, or the deadline that passed. `None` while pending.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.status_at(now) {
            Status::Pending => None,
            _ => Some(self.ended_at.unwrap_or(self.expires_at)),
        }
    }

    /// When the next send may happen: `None` once sends are used up or it has ended.
    pub fn next_send_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.status_at(now) != Status::Pending || self.sends_used >= self.terms.max_sends {
            return None;
        }
        Some(match self.last_send_at {
            Some(last) => last + self.terms.cool_down_after(self.sends_used),
            None => self.created_at,
        })
    }

    /// What its addresses joined it for.
    pub fn topic(&self) -> Topic {
        Topic::new(&self.dialect, &self.purpose)
    }

    /// The recipients whose ledgers a decision about it reads, in this order.
    pub fn budgets(&self) -> impl Iterator<Item = RecipientKey> + '_ {
        self.destinations.iter().map(|destination| destination.budget)
    }

    /// The user whose verification it is; `None` where it is nobody's in particular.
    pub fn owner(&self) -> Option<&UserKey> {
        self.destinations.first()?.owner.as_ref().map(|owner| &owner.user)
    }

    /// Whether a destination is a test number, which is never contacted.
    pub fn is_test_number(&self, destination: &Destination) -> bool {
        destination.test.unwrap_or(self.test)
    }

    /// Whether it concerns test numbers: all of its addresses are, or none.
    pub fn is_test(&self) -> bool {
        self.destinations.iter().any(|destination| self.is_test_number(destination))
    }

    /// The destination with this identity.
    pub fn destination(&self, identity: &RecipientKey) -> Option<&Destination> {
        self.destinations.iter().find(|d| d.identity == *identity)
    }

    /// What outcomes carry: everything but the code and its digest.
    fn snapshot(&self) -> Self {
        let mut copy = self.clone();
        for destination in &mut copy.destinations {
            destination.sealed_code = None;
            destination.digest = None;
        }
        copy
    }

    /// Ends it: codes are wiped, nothing else changes.
    fn end(&mut self, status: Status, at: Timestamp) {
        self.status = status;
        self.ended_at = Some(at);
        for destination in &mut self.destinations {
            destination.sealed_code = None;
            destination.digest = None;
        }
    }
}

/// Everything that one decision changes. An engine writes all of it in one commit, or nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Verifications to insert or replace. Whatever ended takes its unsent messages with it:
    /// see [`Changes::drop_messages`].
    pub verifications: Vec<Verification>,
    /// Ledgers to insert or replace.
    pub ledgers: Vec<(RecipientKey, RecipientLedger)>,
    /// The client address' ledger to insert or replace.
    pub client: Option<(ClientKey, ClientLedger)>,
    /// The tenant's ledger to insert or replace.
    pub tenant: Option<TenantLedger>,
    /// Messages to queue.
    pub messages: Vec<Message>,
    /// Open messages to abandon, leased ones included: their code is dead or a newer message takes
    /// their place. Applies to messages queued *before* this decision, not to `messages`.
    pub drop_messages: Vec<DropMessages>,
    /// Proofs that the directory records.
    pub proven: Vec<Proven>,
    /// Users to register: nobody has their ids, and nobody else their names.
    pub users: Vec<NewRow>,
    /// Users to remove: they make room for others.
    pub ended_users: Vec<UserKey>,
    /// Entries for the audit log.
    pub audit: Vec<crate::audit::AuditEvent>,
}

/// Which open messages to abandon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DropMessages {
    /// Whose.
    pub verification: VerificationId,
    /// Those to one destination; `None` for all.
    pub destination: Option<u8>,
    /// Why.
    pub reason: Abandoned,
}

impl Changes {
    /// Whether there is anything to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A stored row is damaged, so that nothing can be decided about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed field of the verification does not open")]
pub struct Damaged;

/// An outcome, and what must be committed before anybody learns of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision<O> {
    /// What to answer.
    pub outcome: O,
    /// What to write first.
    pub changes: Changes,
}

impl<O> Decision<O> {
    /// An outcome that changes nothing.
    pub fn unchanged(outcome: O) -> Self {
        Self { outcome, changes: Changes::default() }
    }
}
