//! An engine that is not there, for assembling a service without starting it.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::audit::{AuditEntry, AuditEvent, SealedHead};
use countersign_core::engine::StoredUser;
use countersign_core::engine::{
    CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, Engine, EnrolCommand, EnrolOutcome, HeldPage,
    HeldQuery, Idempotent, ListQuery, NameConflict, NonceCommand, NonceOutcome, PutUser, RecipientCommand,
    ResendCommand, SendOutcome, StartCommand, StorageError, SweepReport, TenantUsage, UserIndex,
    VerificationPage, VerificationRecord,
};
use countersign_core::ids::VerificationId;
use countersign_core::keys::RecipientKey;
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::outbox::{ClaimCommand, DeliveryReport, Message};
use countersign_core::time::Timestamp;
use countersign_core::verification::RecipientLedger;

/// Refuses everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unopened;

type Refused<T> = Result<T, StorageError>;

fn refuse<T>() -> Refused<T> {
    Err(StorageError::Unavailable("the store was not opened".into()))
}

#[async_trait]
impl Engine for Unopened {
    async fn start(&self, _: StartCommand) -> Refused<Idempotent<SendOutcome>> {
        refuse()
    }
    async fn resend(&self, _: ResendCommand) -> Refused<Idempotent<SendOutcome>> {
        refuse()
    }
    async fn check(&self, _: CheckCommand) -> Refused<Idempotent<CheckOutcome>> {
        refuse()
    }
    async fn cancel(&self, _: CancelCommand) -> Refused<CancelOutcome> {
        refuse()
    }
    async fn verification(&self, _: &TenantId, _: VerificationId) -> Refused<Option<VerificationRecord>> {
        refuse()
    }
    async fn list(&self, _: &TenantId, _: ListQuery) -> Refused<VerificationPage> {
        refuse()
    }
    async fn recipient(&self, _: &TenantId, _: &RecipientKey) -> Refused<RecipientLedger> {
        refuse()
    }
    async fn held(&self, _: &TenantId, _: HeldQuery) -> Refused<HeldPage> {
        refuse()
    }
    async fn tenant_usage(&self, _: &TenantId) -> Refused<TenantUsage> {
        refuse()
    }
    async fn release(&self, _: RecipientCommand) -> Refused<bool> {
        refuse()
    }
    async fn erase(&self, _: RecipientCommand) -> Refused<u32> {
        refuse()
    }
    async fn claim_messages(&self, _: ClaimCommand) -> Refused<Vec<Message>> {
        refuse()
    }
    async fn record_deliveries(&self, _: Vec<DeliveryReport>, _: Timestamp) -> Refused<()> {
        refuse()
    }
    async fn messages_queued(&self, timeout: Duration) {
        tokio::time::sleep(timeout).await;
    }
    async fn sweep(&self, _: u32, _: Timestamp) -> Refused<SweepReport> {
        refuse()
    }
    async fn probe(&self, _: Timestamp) -> Refused<()> {
        refuse()
    }
    async fn high_water(&self) -> Refused<Option<Timestamp>> {
        refuse()
    }
    async fn find_user(&self, _: &TenantId, _: &DirectoryName, _: UserIndex) -> Refused<Option<StoredUser>> {
        refuse()
    }
    async fn enrol(&self, _: EnrolCommand) -> Refused<EnrolOutcome> {
        refuse()
    }
    async fn put_user(
        &self,
        _: &TenantId,
        _: &DirectoryName,
        _: StoredUser,
        _: Option<u64>,
        _: NameConflict,
    ) -> Refused<PutUser> {
        refuse()
    }
    async fn spend_nonce(&self, _: NonceCommand) -> Refused<NonceOutcome> {
        refuse()
    }
    async fn append_audit(&self, _: Vec<AuditEvent>) -> Refused<()> {
        refuse()
    }
    async fn audit_entries(&self, _: u64, _: u32) -> Refused<Vec<AuditEntry>> {
        refuse()
    }
    async fn audit_head(&self) -> Refused<Option<SealedHead>> {
        refuse()
    }
}
