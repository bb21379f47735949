//! The port to where state lives.
//!
//! Methods are few and each is a whole decision: load the state, call the pure rule, commit all its
//! [`Changes`](crate::verification::Changes), then answer. Nothing is answered before it is durable.
//! An engine decides nothing itself, and passes `countersign_core::testkit`'s conformance suite.
//!
//! Time never runs backwards for an engine: it judges a command at the later of `command.now` and the
//! latest instant it has ever committed.

mod commands;
mod held;
mod idempotency;
mod nonce;
mod user;

use async_trait::async_trait;
use std::time::Duration;

pub use commands::{
    Accepted, AcceptedKind, CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Delivery,
    DestinationRequest, EnrolCommand, EnrolOutcome, Intent, Refusal, Rejection, ResendCommand, SendOutcome,
    StartCommand,
};
pub use held::{HeldPage, HeldPlace, HeldQuery, HeldRecipient};
pub use idempotency::{Answer, AnsweredCall, IdempotencyClaim, Idempotent, StoredAnswer, resolve};
pub use nonce::{NonceCommand, NonceKind, NonceOutcome, StoredNonce, spend};
pub use user::{
    ADDRESS_FULL, CLAIMS_COUNT, CLAIMS_PER_ADDRESS, Claimants, NameConflict, NewRow, Proven, PutUser, Room,
    StoredUser, UserAddress, UserIndex, UserKey,
};

use crate::audit::{AuditEntry, AuditEvent, SealedHead};
use crate::ids::VerificationId;
use crate::keys::RecipientKey;
use crate::names::{DirectoryName, TenantId};
use crate::outbox::{ClaimCommand, DeliveryReport, Message};
use crate::policy::RecipientCaps;
use crate::recipient::RecipientKeys;
use crate::time::Timestamp;
use crate::verification::{RecipientLedger, Status, TenantLedger, Verification};

/// What a caller cannot fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The engine is busy beyond its bounds: nothing was done. Ask again.
    #[error("the store is overloaded")]
    Overloaded,
    /// The store did not answer, refused, or is closing. Whether the command took effect may be
    /// unknown; repeating it is safe.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A stored row cannot be read. Page someone.
    #[error("a row of {table} cannot be read")]
    Corrupt {
        /// Where.
        table: &'static str,
    },
}

/// A verification and what became of its messages, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerificationRecord {
    /// The verification.
    pub verification: Verification,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// Which verifications of a tenant to list, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// Only those of this address.
    pub identity: Option<RecipientKey>,
    /// Only those that stand so at `now`.
    pub status: Option<Status>,
    /// Only those opened before this one.
    pub before: Option<VerificationId>,
    /// At most so many.
    pub limit: u32,
    /// Looks at no more than so many, but for others of the same millisecond.
    pub looks: u32,
    /// The present instant.
    pub now: Timestamp,
}

impl ListQuery {
    /// How many verifications a list may look at: some milliseconds of a reader. A tenant may have millions,
    /// and so may an address, and none that stands as it is asked for.
    pub const LOOKS: u32 = 5_000;

    /// Whether it asks for this verification, going by how that stands now.
    pub fn wants(&self, verification: &Verification) -> bool {
        self.before.is_none_or(|before| verification.id < before)
            && self.identity.is_none_or(|identity| verification.destination(&identity).is_some())
            && self.status.is_none_or(|status| verification.status_at(self.now) == status)
    }
}

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerificationPage {
    /// What was found, newest first.
    pub found: Vec<Verification>,
    /// The last one looked at, where the query's looks ended before its limit and before the list.
    pub go_on: Option<VerificationId>,
}

/// What is counted for a tenant as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TenantUsage {
    /// Failures, starts and money.
    pub ledger: TenantLedger,
    /// Nonces of requests with a time that are kept.
    pub nonces: u32,
    /// Nonces of requests without a time that are kept.
    pub undated_nonces: u32,
}

/// An administrator's act on one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipientCommand {
    /// Whose recipient.
    pub tenant: TenantId,
    /// Which.
    pub keys: RecipientKeys,
    /// The limits in force, for what is still held afterwards.
    pub caps: RecipientCaps,
    /// When.
    pub now: Timestamp,
    /// The entry for the audit log, committed with the act.
    pub audit: AuditEvent,
}

/// What one round of clearing up did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SweepReport {
    /// Verifications whose window closed and that are now written as expired.
    pub expired: u32,
    /// Verifications that no longer know their full recipient.
    pub masked: u32,
    /// Verifications deleted, with their messages.
    pub deleted: u32,
    /// Ledgers, stored answers, nonces and other rows that ran out.
    pub forgotten: u32,
}

impl SweepReport {
    /// Whether anything was done, so that another round may find more.
    pub const fn did_something(&self) -> bool {
        self.expired + self.masked + self.deleted + self.forgotten > 0
    }
}

/// Where state lives.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Opens a verification or sends again: [`crate::verification::start::start`].
    async fn start(&self, command: StartCommand) -> Result<Idempotent<SendOutcome>, StorageError>;

    /// Sends again: [`crate::verification::resend::resend`].
    async fn resend(&self, command: ResendCommand) -> Result<Idempotent<SendOutcome>, StorageError>;

    /// Takes a guess: [`crate::verification::check::check`]. The guess is charged and compared, and
    /// the verification closed, in one commit: of concurrent right guesses exactly one is approved.
    async fn check(&self, command: CheckCommand) -> Result<Idempotent<CheckOutcome>, StorageError>;

    /// Gives up: [`crate::verification::cancel::cancel`].
    async fn cancel(&self, command: CancelCommand) -> Result<CancelOutcome, StorageError>;

    /// One verification of a tenant with its messages; `None` when there is none or it is another
    /// tenant's.
    async fn verification(
        &self,
        tenant: &TenantId,
        id: VerificationId,
    ) -> Result<Option<VerificationRecord>, StorageError>;

    /// A tenant's verifications, newest first: those that the query [wants](ListQuery::wants).
    async fn list(&self, tenant: &TenantId, query: ListQuery) -> Result<VerificationPage, StorageError>;

    /// A recipient's ledger; the default when nothing is known.
    async fn recipient(
        &self,
        tenant: &TenantId,
        budget: &RecipientKey,
    ) -> Result<RecipientLedger, StorageError>;

    /// A tenant's recipients who are held, newest hold first: those to which the query gives a [place](HeldQuery::place).
    async fn held(&self, tenant: &TenantId, query: HeldQuery) -> Result<HeldPage, StorageError>;

    /// What is counted for a tenant; nothing when it has written nothing yet.
    async fn tenant_usage(&self, tenant: &TenantId) -> Result<TenantUsage, StorageError>;

    /// Lifts a recipient's holds: [`crate::verification::release`]. Answers whether there was one. The audit entry is
    /// written when there was.
    async fn release(&self, command: RecipientCommand) -> Result<bool, StorageError>;

    /// Erases what identifies a recipient: cancels what is pending, wipes addresses, notes and
    /// unsent messages, also in stored answers, forgets from where it was approved, removes every user with the address
    /// from every directory. Counters stay. Answers how many
    /// verifications were wiped.
    async fn erase(&self, command: RecipientCommand) -> Result<u32, StorageError>;

    /// Takes messages that are due and have a free slot, counts their submission and leases them:
    /// [`crate::outbox::claim`]. Tenants take turns ([`crate::outbox::Rota`]), and within a lane the one
    /// that is due longest goes first. A lane without a slot costs nothing, however much waits in it.
    /// Messages that are over are finished on the way and not returned.
    ///
    /// An engine whose store no other process can have open frees the leases of before when it is opened
    /// ([`crate::outbox::free`]): nobody holds them any more.
    async fn claim_messages(&self, command: ClaimCommand) -> Result<Vec<Message>, StorageError>;

    /// Writes what became of claimed messages: [`crate::outbox::record`].
    async fn record_deliveries(
        &self,
        reports: Vec<DeliveryReport>,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Waits until messages may be due: queued since the last call, or `timeout` has passed.
    async fn messages_queued(&self, timeout: Duration);

    /// Clears up to `limit` rows of each kind whose time has come: [`crate::verification::sweep`]. No kind
    /// waits for another: verifications, ledgers of recipients and of clients, stored answers, nonces, users
    /// of whom nothing was ever proven. One that cannot be read is left as it is and keeps none waiting.
    async fn sweep(&self, limit: u32, now: Timestamp) -> Result<SweepReport, StorageError>;

    /// Writes to the store and waits until that is durable.
    async fn probe(&self, now: Timestamp) -> Result<(), StorageError>;

    /// The latest instant this store has committed; `None` for a new one.
    async fn high_water(&self) -> Result<Option<Timestamp>, StorageError>;

    /// Finds a user in one of a tenant's directories.
    async fn find_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        index: UserIndex,
    ) -> Result<Option<StoredUser>, StorageError>;

    /// Writes a user of one of a tenant's directories if its stored sequence is `expected` (`None`: if there is none yet).
    async fn put_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        user: StoredUser,
        expected: Option<u64>,
        on_name: NameConflict,
    ) -> Result<PutUser, StorageError>;

    /// Registers a user and sends the first codes: [`crate::verification::enrol::enrol`]. The user and the messages
    /// are one commit, or there is none.
    async fn enrol(&self, command: EnrolCommand) -> Result<EnrolOutcome, StorageError>;

    /// Takes note of a nonce: [`spend`]. Of concurrent commands with one nonce exactly one is fresh.
    async fn spend_nonce(&self, command: NonceCommand) -> Result<NonceOutcome, StorageError>;

    /// Appends to the audit log. The latest instant committed is then not before the entries'.
    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<(), StorageError>;

    /// Up to `limit` entries after number `after`, in order.
    async fn audit_entries(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>, StorageError>;

    /// The head of the audit log, sealed with the latest instant ever committed; `None` in a store to
    /// which nothing was.
    async fn audit_head(&self) -> Result<Option<SealedHead>, StorageError>;
}
