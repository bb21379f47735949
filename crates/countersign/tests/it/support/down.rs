//! An engine whose store does not answer.

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

/// Answers nothing but this error.
pub(super) struct Down(pub(super) StorageError);

macro_rules! unavailable {
    ($($method:ident($($argument:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Engine for Down {
            $(async fn $method(&self, $(_: $argument),*) -> Result<$answer, StorageError> {
                Err(self.0.clone())
            })*

            async fn messages_queued(&self, timeout: Duration) {
                tokio::time::sleep(timeout).await;
            }
        }
    };
}

unavailable! {
    start(StartCommand) -> Idempotent<SendOutcome>;
    resend(ResendCommand) -> Idempotent<SendOutcome>;
    check(CheckCommand) -> Idempotent<CheckOutcome>;
    cancel(CancelCommand) -> CancelOutcome;
    verification(&TenantId, VerificationId) -> Option<VerificationRecord>;
    list(&TenantId, ListQuery) -> VerificationPage;
    recipient(&TenantId, &RecipientKey) -> RecipientLedger;
    held(&TenantId, HeldQuery) -> HeldPage;
    tenant_usage(&TenantId) -> TenantUsage;
    release(RecipientCommand) -> bool;
    erase(RecipientCommand) -> u32;
    claim_messages(ClaimCommand) -> Vec<Message>;
    record_deliveries(Vec<DeliveryReport>, Timestamp) -> ();
    sweep(u32, Timestamp) -> SweepReport;
    probe(Timestamp) -> ();
    high_water() -> Option<Timestamp>;
    find_user(&TenantId, &DirectoryName, UserIndex) -> Option<StoredUser>;
    put_user(&TenantId, &DirectoryName, StoredUser, Option<u64>, NameConflict) -> PutUser;
    enrol(EnrolCommand) -> EnrolOutcome;
    spend_nonce(NonceCommand) -> NonceOutcome;
    append_audit(Vec<AuditEvent>) -> ();
    audit_entries(u64, u32) -> Vec<AuditEntry>;
    audit_head() -> Option<SealedHead>;
}
