//! The port, method by method: on which thread, how urgent, how long to wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use countersign_core::audit::{AuditEntry, AuditEvent, SealedHead};
use countersign_core::engine::{
    CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, Engine, EnrolCommand, EnrolOutcome, HeldPage,
    HeldQuery, Idempotent, ListQuery, NameConflict, NonceCommand, NonceOutcome, PutUser, RecipientCommand,
    ResendCommand, SendOutcome, StartCommand, StorageError, StoredUser, SweepReport, TenantUsage, UserIndex,
    VerificationPage, VerificationRecord,
};
use countersign_core::ids::VerificationId;
use countersign_core::keys::RecipientKey;
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::outbox::{ClaimCommand, DeliveryReport, Message};
use countersign_core::time::Timestamp;
use countersign_core::verification::RecipientLedger;
use tokio::sync::MutexGuard;

use super::directory::Unfiled;
use super::failure::Failure;
use super::queue::Lane;
use super::reader::Reader;
use super::session::Session;
use super::sweep::Room;
use super::{SqliteEngine, claim, commands, directory, erase, nonces, outbox, reads, recipients, sweep};

/// How many users are given their directory in one commit.
const FILED_AT_ONCE: u32 = 256;

impl SqliteEngine {
    /// Gives every user that was written before there were directories its own, which `whose` says; answers how
    /// many. A store has such users once, after it was brought up to date; until they are filed nobody finds them.
    /// Those that cannot be read, or whose id is taken there, stay as they are, and the log says so.
    ///
    /// # Errors
    /// The store is unavailable. What was filed stays so.
    pub async fn file_users(
        &self,
        whose: impl Fn(&TenantId, &StoredUser) -> DirectoryName,
    ) -> Result<u64, StorageError> {
        let (mut filed, mut after) = (0, None);
        loop {
            let some =
                move |session: &mut Session| directory::unfiled(session, after.as_ref(), FILED_AT_ONCE);
            let some = self.write_in_background(Lane::Normal, some).await?;
            let Some(last) = some.last() else { return Ok(filed) };
            after = Some(last.place.clone());
            let told = some.into_iter().filter_map(|Unfiled { place: (number, _), user }| {
                let Some((tenant, user)) = user else {
                    tracing::error!(tenant = number, "a row of users cannot be read; it is left as it is");
                    return None;
                };
                Some((number, whose(&tenant, &user), user))
            });
            let told: Vec<_> = told.collect();
            let file = move |session: &mut Session| {
                let mut filed = 0;
                for (tenant, into, user) in &told {
                    if directory::file(session, *tenant, user, into)? {
                        filed += 1;
                    } else {
                        tracing::error!(tenant, directory = %into, "a user's id is taken; it is left as it is");
                    }
                }
                Ok(filed)
            };
            filed += self.write_in_background(Lane::Normal, file).await?;
        }
    }

    /// A tenant's request that may write.
    async fn write<A: Send + 'static>(
        &self,
        lane: Lane,
        tenant: &TenantId,
        act: impl FnMut(&mut Session) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        self.writer.call(lane, Some(tenant), self.options.request_patience, act).await
    }

    /// The same for the node itself.
    async fn write_for_nobody<A: Send + 'static>(
        &self,
        lane: Lane,
        act: impl FnMut(&mut Session) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        self.writer.call(lane, None, self.options.request_patience, act).await
    }

    /// Writing that no request waits for.
    async fn write_in_background<A: Send + 'static>(
        &self,
        lane: Lane,
        act: impl FnMut(&mut Session) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        self.writer.call(lane, None, self.options.background_patience, act).await
    }

    /// Does what a crash left of erasures, or a caller who did not wait: of each recipient for whom nobody waits
    /// now. One that meets a damaged row is tried again by the next round; it keeps nothing else waiting.
    async fn finish_erasures(&self, now: Timestamp) -> Result<(), StorageError> {
        let mut after = None;
        loop {
            let next = move |session: &mut Session| erase::next_after(session, after.as_ref());
            let Some(place) = self.write_in_background(Lane::Normal, next).await? else { return Ok(()) };
            loop {
                let (place, under_way) = (place.clone(), self.erasures.clone());
                let part = move |session: &mut Session| erase::go_on_with(session, &place, &under_way, now);
                let _turn = self.heavy(self.options.background_patience).await?;
                match self.write_in_background(Lane::Normal, part).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error @ StorageError::Corrupt { .. }) => {
                        tracing::error!(%error, "an erasure cannot go on");
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            after = Some(place);
        }
    }

    /// Waits for the turn of a command that takes the writer some milliseconds: one of each tenant waits here.
    async fn heavy(&self, patience: Duration) -> Result<MutexGuard<'_, ()>, StorageError> {
        tokio::time::timeout(patience, self.heavy.lock()).await.map_err(|_| StorageError::Overloaded)
    }

    async fn read<A: Send + 'static>(
        &self,
        lane: Lane,
        tenant: Option<&TenantId>,
        act: impl FnMut(&mut Reader) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        if let Some(reason) = self.shared.fatal_reason() {
            return Err(StorageError::Unavailable(reason));
        }
        self.reader.call(lane, tenant, self.options.request_patience, act).await
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn start(&self, mut command: StartCommand) -> Result<Idempotent<SendOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Normal, &tenant, move |session| commands::start(session, &mut command)).await
    }

    async fn resend(&self, mut command: ResendCommand) -> Result<Idempotent<SendOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Normal, &tenant, move |session| commands::resend(session, &mut command)).await
    }

    async fn check(&self, mut command: CheckCommand) -> Result<Idempotent<CheckOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Urgent, &tenant, move |session| commands::check(session, &mut command)).await
    }

    async fn cancel(&self, mut command: CancelCommand) -> Result<CancelOutcome, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Urgent, &tenant, move |session| commands::cancel(session, &mut command)).await
    }

    async fn verification(
        &self,
        tenant: &TenantId,
        id: VerificationId,
    ) -> Result<Option<VerificationRecord>, StorageError> {
        let asked = tenant.clone();
        let read = move |reader: &mut Reader| reads::verification(reader.conn(), &asked, id);
        self.read(Lane::Urgent, Some(tenant), read).await
    }

    async fn list(&self, tenant: &TenantId, query: ListQuery) -> Result<VerificationPage, StorageError> {
        let asked = tenant.clone();
        let mut recent = Vec::new();
        if let Some(identity) = query.identity {
            let owner = tenant.clone();
            let joined = move |session: &mut Session| commands::joined_recently(session, &owner, &identity);
            recent = self.write(Lane::Normal, tenant, joined).await?;
            // Nobody's own few wait for a scan, on which a check may depend.
            let (asked, query, recent) = (asked.clone(), query.clone(), recent.clone());
            let few = move |reader: &mut Reader| {
                reads::list_of_few(reader.conn(), &asked, &query, &identity, &recent)
            };
            if let Some(page) = self.read(Lane::Urgent, Some(tenant), few).await? {
                return Ok(page);
            }
        }
        // Goes with the call: a caller who leaves does not make room for another scan.
        let turn = self.scans.turn(tenant, self.options.request_patience).await?;
        let read = move |reader: &mut Reader| {
            let _turn = &turn;
            reads::list(reader.conn(), &asked, &query, &recent)
        };
        self.read(Lane::Normal, Some(tenant), read).await
    }

    async fn recipient(
        &self,
        tenant: &TenantId,
        budget: &RecipientKey,
    ) -> Result<RecipientLedger, StorageError> {
        let (asked, budget) = (tenant.clone(), *budget);
        // What is new is known to the writing thread alone.
        self.write(Lane::Normal, tenant, move |session| commands::recipient(session, &asked, &budget)).await
    }

    async fn held(&self, tenant: &TenantId, query: HeldQuery) -> Result<HeldPage, StorageError> {
        let asked = tenant.clone();
        let turn = self.scans.turn(tenant, self.options.request_patience).await?;
        let read = move |reader: &mut Reader| {
            let _turn = &turn;
            recipients::held(reader.conn(), &asked, &query)
        };
        self.read(Lane::Normal, Some(tenant), read).await
    }

    async fn tenant_usage(&self, tenant: &TenantId) -> Result<TenantUsage, StorageError> {
        let asked = tenant.clone();
        let usage = move |reader: &mut Reader| reads::tenant_usage(reader.conn(), &asked);
        self.read(Lane::Normal, Some(tenant), usage).await
    }

    async fn release(&self, mut command: RecipientCommand) -> Result<bool, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Normal, &tenant, move |session| commands::release(session, &mut command)).await
    }

    async fn erase(&self, command: RecipientCommand) -> Result<u32, StorageError> {
        let patience = self.options.request_patience;
        let until = Instant::now() + patience;
        let _turn = self.erasing.turn(&command.tenant, patience).await?;
        let _under_way = self.erasures.begin(&command.tenant, &command.keys.identity);
        let (command, mut wiped, mut begun) = (Arc::new(command), 0, false);
        loop {
            let of = command.clone();
            let part = move |session: &mut Session| {
                if begun { erase::go_on(session, &of) } else { erase::begin(session, &of) }
            };
            // One part at a time, whoever asks: many at once would be a long batch again.
            let part = {
                let left = until.saturating_duration_since(Instant::now());
                let _turn = match self.heavy(if begun { patience } else { left }).await {
                    // Overloaded says that nothing was done.
                    Err(_) if begun => {
                        return Err(StorageError::Unavailable("the rest is erased later".into()));
                    }
                    turn => turn?,
                };
                self.write(Lane::Normal, &command.tenant, part).await?
            };
            wiped += part.wiped;
            begun = true;
            if part.over {
                return Ok(wiped);
            }
        }
    }

    async fn claim_messages(&self, command: ClaimCommand) -> Result<Vec<Message>, StorageError> {
        // Behind the commands that queue messages: these are then written once, as leased already.
        let claim = move |session: &mut Session| claim::claim(session, &command);
        self.write_in_background(Lane::Last, claim).await
    }

    async fn record_deliveries(
        &self,
        reports: Vec<DeliveryReport>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        // A report that is lost is a message that is sent twice.
        let record = move |session: &mut Session| outbox::record(session, &reports, now);
        self.write_in_background(Lane::Owed, record).await
    }

    async fn messages_queued(&self, timeout: Duration) {
        // Late or not, the caller looks for messages next.
        let _ = tokio::time::timeout(timeout, self.shared.messages.notified()).await;
    }

    async fn sweep(&self, limit: u32, now: Timestamp) -> Result<SweepReport, StorageError> {
        // What is new of recipients goes to where it is cleared up, with pauses: nobody waits for this.
        let gather = move |session: &mut Session| recipients::gather(session, sweep::CHUNK as usize, now);
        while self.write_in_background(Lane::Normal, gather).await? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (mut room, mut sum) = (Room::new(limit), SweepReport::default());
        while !room.is_none() {
            let chunk = room.chunk();
            let clear = move |session: &mut Session| sweep::sweep(session, chunk, now);
            let (report, used) = {
                let _turn = self.heavy(self.options.background_patience).await?;
                self.write_in_background(Lane::Normal, clear).await?
            };
            sum.expired += report.expired;
            sum.masked += report.masked;
            sum.deleted += report.deleted;
            sum.forgotten += report.forgotten;
            room = room.after(chunk, used);
        }
        self.finish_erasures(now).await?;
        Ok(sum)
    }

    async fn probe(&self, now: Timestamp) -> Result<(), StorageError> {
        let probe = move |session: &mut Session| {
            session.advance_to(now);
            Ok(())
        };
        self.write_for_nobody(Lane::Urgent, probe).await
    }

    async fn high_water(&self) -> Result<Option<Timestamp>, StorageError> {
        Ok(self.shared.high_water())
    }

    async fn find_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        index: UserIndex,
    ) -> Result<Option<StoredUser>, StorageError> {
        let (asked, directory) = (tenant.clone(), directory.clone());
        let read = move |reader: &mut Reader| reads::find_user(reader.conn(), &asked, &directory, &index);
        self.read(Lane::Urgent, Some(tenant), read).await
    }

    async fn put_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        user: StoredUser,
        expected: Option<u64>,
        on_name: NameConflict,
    ) -> Result<PutUser, StorageError> {
        let (owner, into) = (tenant.clone(), directory.clone());
        let put =
            move |session: &mut Session| directory::put(session, &owner, &into, &user, expected, on_name);
        self.write(Lane::Normal, tenant, put).await
    }

    async fn enrol(&self, mut command: EnrolCommand) -> Result<EnrolOutcome, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Normal, &tenant, move |session| commands::enrol(session, &mut command)).await
    }

    async fn spend_nonce(&self, mut command: NonceCommand) -> Result<NonceOutcome, StorageError> {
        let tenant = command.tenant.clone();
        self.write(Lane::Normal, &tenant, move |session| nonces::spend(session, &mut command)).await
    }

    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<(), StorageError> {
        self.write_for_nobody(Lane::Normal, move |session| session.append_audit(&events)).await
    }

    async fn audit_entries(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>, StorageError> {
        self.read(Lane::Normal, None, move |reader| reads::audit_entries(reader.conn(), after, limit)).await
    }

    async fn audit_head(&self) -> Result<Option<SealedHead>, StorageError> {
        self.read(Lane::Normal, None, move |reader| reads::audit_head(reader.conn())).await
    }
}
