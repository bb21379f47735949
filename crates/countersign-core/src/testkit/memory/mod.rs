//! The reference engine: maps behind one lock.
//!
//! It is short so that it is obviously right, and it passes the conformance suite first. Nothing
//! survives the process.

mod store;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::store::{Store, has_address};
use crate::audit::{self, AuditEntry, AuditEvent, SealedHead};
use crate::engine::StoredUser;
use crate::engine::{
    Answer, CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Engine, EnrolCommand,
    EnrolOutcome, HeldPage, HeldPlace, HeldQuery, HeldRecipient, IdempotencyClaim, Idempotent, ListQuery,
    NameConflict, NewRow, NonceCommand, NonceKind, NonceOutcome, PutUser, RecipientCommand, ResendCommand,
    Room, SendOutcome, StartCommand, StorageError, StoredAnswer, StoredNonce, SweepReport, TenantUsage,
    UserIndex, UserKey, VerificationPage, VerificationRecord, resolve, spend,
};
use crate::ids::VerificationId;
use crate::keys::{KeyRing, RecipientKey};
use crate::names::{DirectoryName, Purpose, TenantId};
use crate::outbox::{self, Abandoned, Claim, ClaimCommand, DeliveryReport, Lane, Message, Rota};
use crate::time::Timestamp;
use crate::verification::cancel::cancel;
use crate::verification::check::{check, newest};
use crate::verification::enrol::{EnrolState, enrol};
use crate::verification::resend::resend;
use crate::verification::start::start;
use crate::verification::{
    Changes, Damaged, Decision, RecipientLedger, SweepAction, Topic, Verification, erase, release, sweep,
};
use async_trait::async_trait;

/// An engine that keeps everything in memory.
#[derive(Debug)]
pub struct MemoryEngine {
    keys: KeyRing,
    /// A std mutex: it is never held across an await.
    store: Mutex<Store>,
    /// Holds one permit while messages were queued that nobody waited for.
    queued: tokio::sync::Notify,
    down: AtomicBool,
}

impl MemoryEngine {
    /// An empty store.
    pub fn new(keys: KeyRing) -> Self {
        Self {
            keys,
            store: Mutex::default(),
            queued: tokio::sync::Notify::new(),
            down: AtomicBool::new(false),
        }
    }

    /// Makes every call fail as if the store were out of reach, or ends that.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// How many commands and writes of users have changed something.
    pub fn commits(&self) -> u64 {
        self.store.lock().expect("no rule panics").commits
    }

    /// Does what opening a store does of which nobody else holds anything: frees the leases of before.
    pub fn reopen(&self) {
        let mut store = self.store.lock().expect("no rule panics");
        for message in &mut store.messages {
            if let Some(freed) = outbox::free(message.clone()) {
                *message = freed;
            }
        }
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Store) -> Result<T, StorageError>) -> Result<T, StorageError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StorageError::Unavailable("switched off by the test".into()));
        }
        act(&mut self.store.lock().expect("no rule panics"))
    }

    /// Decides and commits, once per claim.
    fn decide<O: Answer>(
        &self,
        tenant: &TenantId,
        claim: Option<IdempotencyClaim>,
        now: Timestamp,
        rule: impl FnOnce(&Store, Timestamp) -> Result<Decision<O>, Damaged>,
    ) -> Result<Idempotent<O>, StorageError> {
        self.locked(|store| {
            let at = store.judged_at(now);
            if let Some(claim) = &claim {
                let stored = store.answers.get(&(tenant.clone(), claim.key));
                let damaged = |_| StorageError::Corrupt { table: "answers" };
                if let Some(earlier) = resolve(claim, stored, at).map_err(damaged)? {
                    return Ok(earlier);
                }
            }
            let damaged = |_| StorageError::Corrupt { table: "verifications" };
            let Decision { outcome, changes } = rule(store, at).map_err(damaged)?;
            if !changes.is_empty() {
                if let Some(claim) = &claim {
                    store.answers.insert((tenant.clone(), claim.key), StoredAnswer::new(claim, &outcome, at));
                }
                self.commit(store, tenant, changes, at);
            }
            Ok(Idempotent::Fresh { outcome, at })
        })
    }

    fn commit(&self, store: &mut Store, tenant: &TenantId, changes: Changes, now: Timestamp) {
        store.commits += 1;
        store.high_water = Some(now);
        for drop in changes.drop_messages {
            store.abandon_open(drop.verification, drop.destination, drop.reason, now);
        }
        if !changes.messages.is_empty() {
            store.messages.extend(changes.messages);
            self.queued.notify_one();
        }
        changes.verifications.into_iter().for_each(|verification| store.put(verification));
        for (key, ledger) in changes.ledgers {
            store.recipients.insert((tenant.clone(), key), ledger);
        }
        if let Some((key, ledger)) = changes.client {
            store.put_client((tenant.clone(), key), ledger);
        }
        if let Some(ledger) = changes.tenant {
            store.tenants.insert(tenant.clone(), ledger);
        }
        for ended in changes.ended_users {
            store.users.remove(&(tenant.clone(), ended));
        }
        for NewRow { directory, user } in changes.users {
            store.users.insert((tenant.clone(), UserKey { directory, id: user.id }), user);
        }
        for proven in changes.proven {
            if let Some(user) = store.users.get_mut(&(tenant.clone(), proven.user)) {
                user.prove(proven.address.as_ref(), now);
            }
        }
        self.log(store, &changes.audit);
    }

    fn log(&self, store: &mut Store, events: &[AuditEvent]) {
        if !events.is_empty() {
            let (entries, head) = audit::append(&self.keys, store.audit_head.as_ref(), events);
            store.audit.extend(entries);
            store.audit_head = Some(head);
            let latest = events.iter().map(|event| event.at).max();
            store.high_water = store.high_water.max(latest);
        }
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    async fn start(&self, mut command: StartCommand) -> Result<Idempotent<SendOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.decide(&tenant, command.idempotency, command.now, |store, at| {
            command.now = at;
            start(store.start_state(&command), &command, &self.keys)
        })
    }

    async fn resend(&self, mut command: ResendCommand) -> Result<Idempotent<SendOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.decide(&tenant, command.idempotency, command.now, |store, at| {
            command.now = at;
            resend(store.running(&tenant, store.get(&tenant, command.id)), &command, &self.keys)
        })
    }

    async fn check(&self, mut command: CheckCommand) -> Result<Idempotent<CheckOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        self.decide(&tenant, command.idempotency, command.now, |store, at| {
            command.now = at;
            let latest = |identity: &RecipientKey, purpose: &Purpose| {
                store.latest(&tenant, Topic::new(&command.dialect, purpose), *identity).cloned()
            };
            let verification = match &command.target {
                CheckTarget::Id(id) => store.get(&tenant, *id).cloned(),
                CheckTarget::Recipient { identity, purposes } => {
                    newest(purposes.iter().filter_map(|purpose| latest(identity, purpose)), &command)
                }
                CheckTarget::AnyOf { identities, purpose, .. } => {
                    newest(identities.iter().filter_map(|identity| latest(identity, purpose)), &command)
                }
            };
            Ok(check(store.running(&tenant, verification.as_ref()), &command, &self.keys))
        })
    }

    async fn cancel(&self, mut command: CancelCommand) -> Result<CancelOutcome, StorageError> {
        self.locked(|store| {
            command.now = store.judged_at(command.now);
            let verification = store.get(&command.tenant, command.id).cloned();
            let Decision { outcome, changes } = cancel(verification, &command);
            if !changes.is_empty() {
                self.commit(store, &command.tenant, changes, command.now);
            }
            Ok(outcome)
        })
    }

    async fn verification(
        &self,
        tenant: &TenantId,
        id: VerificationId,
    ) -> Result<Option<VerificationRecord>, StorageError> {
        self.locked(|store| {
            let messages = || store.messages.iter().filter(|message| message.verification == id);
            Ok(store.get(tenant, id).map(|verification| VerificationRecord {
                verification: verification.clone(),
                messages: messages().cloned().collect(),
            }))
        })
    }

    async fn list(&self, tenant: &TenantId, query: ListQuery) -> Result<VerificationPage, StorageError> {
        self.locked(|store| {
            let all = store.verifications.values().rev().filter(|v| v.tenant == *tenant);
            let of = |v: &&Verification| query.identity.is_none_or(|to| v.destination(&to).is_some());
            let mut all = all.filter(of).filter(|v| query.before.is_none_or(|before| v.id < before));
            let mut page = VerificationPage::default();
            let mut looks = query.looks;
            while page.found.len() < query.limit as usize
                && page.go_on.is_none()
                && let Some(verification) = all.next()
            {
                looks = looks.saturating_sub(1);
                if query.wants(verification) {
                    page.found.push(verification.clone());
                }
                page.go_on =
                    (looks == 0 && page.found.len() < query.limit as usize).then_some(verification.id);
            }
            Ok(page)
        })
    }

    async fn recipient(
        &self,
        tenant: &TenantId,
        budget: &RecipientKey,
    ) -> Result<RecipientLedger, StorageError> {
        self.locked(|store| Ok(store.recipient(tenant, budget)))
    }

    async fn held(&self, tenant: &TenantId, query: HeldQuery) -> Result<HeldPage, StorageError> {
        self.locked(|store| {
            let theirs = store.recipients.iter().filter(|((owner, _), _)| owner == tenant);
            let placed =
                theirs.filter_map(|((_, budget), ledger)| Some((query.place(*budget, ledger)?, ledger)));
            let mut placed: Vec<_> = placed.collect();
            placed.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
            let of = |(place, ledger): (HeldPlace, &RecipientLedger)| HeldRecipient {
                place,
                ledger: ledger.clone(),
                verification: ledger.guessed_at().and_then(|id| store.get(tenant, id)).cloned(),
            };
            let found = placed.into_iter().take(query.limit as usize).map(of).collect();
            Ok(HeldPage { found, go_on: None })
        })
    }

    async fn tenant_usage(&self, tenant: &TenantId) -> Result<TenantUsage, StorageError> {
        self.locked(|store| {
            Ok(TenantUsage {
                ledger: store.tenants.get(tenant).cloned().unwrap_or_default(),
                nonces: store.nonces_of(tenant, NonceKind::Dated),
                undated_nonces: store.nonces_of(tenant, NonceKind::Undated),
            })
        })
    }

    async fn release(&self, command: RecipientCommand) -> Result<bool, StorageError> {
        self.locked(|store| {
            let command = RecipientCommand { now: store.judged_at(command.now), ..command };
            let ledger = store.recipient(&command.tenant, &command.keys.budget);
            let Some(changes) = release(ledger, &command) else { return Ok(false) };
            self.commit(store, &command.tenant, changes, command.now);
            Ok(true)
        })
    }

    async fn erase(&self, command: RecipientCommand) -> Result<u32, StorageError> {
        self.locked(|store| {
            let now = store.judged_at(command.now);
            let (tenant, identity) = (&command.tenant, command.keys.identity);
            let users = store.users_of(tenant).filter(|(_, user)| has_address(user, &identity));
            let own = |key: &UserKey| {
                let before = self.keys.users_own_before_directories(tenant, &key.id, &identity);
                [self.keys.users_own(tenant, key, &identity), before]
            };
            let mut keys: Vec<_> = users.flat_map(|(key, _)| own(key)).collect();
            keys.push(identity);
            let named = |v: &Verification| keys.iter().any(|key| v.destination(key).is_some());
            let theirs = |v: &&Verification| v.tenant == *tenant && named(v);
            let found: Vec<Verification> = store.verifications.values().filter(theirs).cloned().collect();
            let mut wiped = 0;
            for verification in found {
                store.abandon_open(verification.id, None, Abandoned::Superseded, now);
                let erased = erase(verification.clone(), now);
                wiped += u32::from(erased != verification);
                store.forget_recipient(&erased)?;
                store.put(erased);
            }
            store.users.retain(|(owner, _), user| owner != tenant || !has_address(user, &identity));
            let ledger = store.recipients.get_mut(&(tenant.clone(), command.keys.budget));
            ledger.map(RecipientLedger::forget_whereabouts);
            store.high_water = Some(now);
            self.log(store, &[command.audit]);
            Ok(wiped)
        })
    }

    async fn claim_messages(&self, command: ClaimCommand) -> Result<Vec<Message>, StorageError> {
        self.locked(|store| Ok(claim_messages(store, command)))
    }

    async fn record_deliveries(
        &self,
        reports: Vec<DeliveryReport>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.locked(|store| {
            let now = store.judged_at(now);
            for report in reports {
                let message = store.messages.iter_mut().find(|message| message.id == report.message);
                let Some(message) = message else { continue };
                if let Some(recorded) = outbox::record(message.clone(), &report, now) {
                    if recorded.due_at().is_some_and(|due| due <= now) {
                        self.queued.notify_one();
                    }
                    *message = recorded;
                    store.high_water = Some(now);
                }
            }
            Ok(())
        })
    }

    async fn messages_queued(&self, timeout: Duration) {
        let _ = tokio::time::timeout(timeout, self.queued.notified()).await;
    }

    async fn sweep(&self, limit: u32, now: Timestamp) -> Result<SweepReport, StorageError> {
        self.locked(|store| {
            let now = store.judged_at(now);
            let mut report = SweepReport::default();
            let due = |v: &&Verification| v.sweep_at() <= now;
            let due: Vec<_> =
                store.verifications.values().filter(due).take(limit as usize).cloned().collect();
            for verification in due {
                // What is over has no use for what was not sent, dispatcher or not.
                store.abandon_open(verification.id, None, Abandoned::Expired, now);
                match sweep(verification.clone(), &self.keys, now) {
                    SweepAction::Keep => {}
                    SweepAction::Expire(expired) => {
                        store.put(expired);
                        report.expired += 1;
                    }
                    SweepAction::Mask(masked) => {
                        store.forget_recipient(&masked)?;
                        store.put(masked);
                        report.masked += 1;
                    }
                    SweepAction::Delete => {
                        store.delete(&verification);
                        report.deleted += 1;
                    }
                }
            }
            report.forgotten =
                forget(&mut store.recipients, limit, |l| l.forget_at().is_some_and(|at| at <= now))
                    + forget(&mut store.clients, limit, |l| l.forget_at().is_some_and(|at| at <= now))
                    + forget(&mut store.answers, limit, |answer| answer.forget_at() <= now)
                    + forget(&mut store.nonces, limit, |nonce| nonce.is_over(now))
                    + forget(&mut store.users, limit, |user| user.forget_at().is_some_and(|at| at <= now));
            if report.did_something() {
                store.high_water = Some(now);
            }
            Ok(report)
        })
    }

    async fn probe(&self, now: Timestamp) -> Result<(), StorageError> {
        self.locked(|store| {
            store.high_water = Some(store.judged_at(now));
            Ok(())
        })
    }

    async fn high_water(&self) -> Result<Option<Timestamp>, StorageError> {
        self.locked(|store| Ok(store.high_water))
    }

    async fn find_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        index: UserIndex,
    ) -> Result<Option<StoredUser>, StorageError> {
        self.locked(|store| {
            Ok(store
                .users_in(tenant, directory)
                .filter(|user| match &index {
                    UserIndex::Id(id) => user.id == *id,
                    UserIndex::Username(name) => user.username.as_ref() == Some(name),
                    UserIndex::Address(address) => has_address(user, address),
                })
                .max_by_key(|user| match &index {
                    UserIndex::Address(address) => Some(user.rank(address)),
                    UserIndex::Id(_) | UserIndex::Username(_) => None,
                })
                .cloned())
        })
    }

    async fn put_user(
        &self,
        tenant: &TenantId,
        directory: &DirectoryName,
        user: StoredUser,
        expected: Option<u64>,
        on_name: NameConflict,
    ) -> Result<PutUser, StorageError> {
        self.locked(|store| {
            let key = (tenant.clone(), UserKey { directory: directory.clone(), id: user.id });
            if store.users.get(&key).map(|stored| stored.sequence) != expected {
                return Ok(PutUser::Stale);
            }
            let before = store.users.get(&key).cloned();
            let mut ended = Vec::new();
            for claimants in store.claimants(tenant, directory, &user, before.as_ref()) {
                match claimants.room(user.changed_at) {
                    Room::Free => {}
                    Room::Ends(id) => ended.push(UserKey { directory: directory.clone(), id }),
                    Room::Full => return Ok(PutUser::AddressFull),
                }
            }
            if user.username.is_some() {
                let others = store.users_in(tenant, directory).filter(|other| other.id != user.id);
                let namesakes: Vec<_> = others.filter(|other| other.username == user.username).collect();
                let moves = |other: &&mut StoredUser| on_name == NameConflict::Move && other.gives_up_name();
                if !namesakes.iter().all(moves) {
                    return Ok(PutUser::NameTaken);
                }
                for other in namesakes {
                    other.username = None;
                }
            }
            for other in ended {
                store.users.remove(&(tenant.clone(), other));
            }
            store.users.insert(key, user);
            store.commits += 1;
            Ok(PutUser::Written)
        })
    }

    async fn enrol(&self, mut command: EnrolCommand) -> Result<EnrolOutcome, StorageError> {
        self.locked(|store| {
            let at = store.judged_at(command.now);
            command.now = at;
            command.starts.iter_mut().for_each(|start| start.now = at);
            let user = &command.user;
            let others = store.users_in(&command.tenant, &command.directory);
            let (mut id_taken, mut name_taken) = (false, false);
            others.for_each(|other| {
                id_taken |= other.id == user.id;
                name_taken |=
                    other.id != user.id && user.username.is_some() && other.username == user.username;
            });
            let starts = command.starts.iter().map(|start| store.start_state(start)).collect();
            let damaged = |_| StorageError::Corrupt { table: "verifications" };
            let claimants = store.claimants(&command.tenant, &command.directory, &command.user, None);
            let state = EnrolState { id_taken, name_taken, claimants, starts };
            let Decision { outcome, changes } = enrol(state, &command, &self.keys).map_err(damaged)?;
            if !changes.is_empty() {
                self.commit(store, &command.tenant, changes, at);
            }
            Ok(outcome)
        })
    }

    async fn spend_nonce(&self, mut command: NonceCommand) -> Result<NonceOutcome, StorageError> {
        self.locked(|store| {
            command.now = store.judged_at(command.now);
            let key = (command.tenant.clone(), command.key);
            let rows = store.nonces_of(&command.tenant, command.kind);
            let outcome = spend(store.nonces.get(&key), rows, &command);
            if outcome == NonceOutcome::Fresh && command.keep {
                store.nonces.insert(key, StoredNonce::new(&command));
                store.high_water = Some(command.now);
            }
            Ok(outcome)
        })
    }

    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<(), StorageError> {
        self.locked(|store| {
            self.log(store, &events);
            Ok(())
        })
    }

    async fn audit_entries(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>, StorageError> {
        self.locked(|store| {
            let newer = store.audit.iter().filter(|entry| entry.seq > after);
            Ok(newer.take(limit as usize).cloned().collect())
        })
    }

    async fn audit_head(&self) -> Result<Option<SealedHead>, StorageError> {
        self.locked(|store| {
            let head = store.audit_head.unwrap_or_default();
            Ok(store.high_water.map(|mark| head.sealed(&self.keys, mark)))
        })
    }
}

/// Hands out due messages, tenant by tenant.
fn claim_messages(store: &mut Store, command: ClaimCommand) -> Vec<Message> {
    let ClaimCommand { mut slots, after, lease, now } = command;
    let now = store.judged_at(now);
    let mut due: BTreeMap<Lane, Vec<usize>> = BTreeMap::new();
    for (index, message) in store.messages.iter().enumerate() {
        if message.due_at().is_some_and(|due| due <= now) {
            due.entry(Lane::of(message)).or_default().push(index);
        }
    }
    for waiting in due.values_mut() {
        waiting.sort_by_key(|index| std::cmp::Reverse((store.messages[*index].due_at(), *index)));
    }
    let mut rota = Rota::new(due.keys().cloned(), after.as_ref());
    let mut claimed = Vec::new();
    while slots.free() > 0
        && let Some(lane) = rota.next()
    {
        if !slots.is_open(&lane) {
            continue;
        }
        while let Some(index) = due.get_mut(&lane).and_then(Vec::pop) {
            store.high_water = Some(now);
            match outbox::claim(store.messages[index].clone(), lease, now) {
                Claim::NotDue(_) => {}
                Claim::Finished(finished) => store.messages[index] = finished,
                Claim::Submit(leased) => {
                    slots.take(&leased);
                    store.messages[index] = leased.clone();
                    claimed.push(leased);
                    rota.again(lane);
                    break;
                }
            }
        }
    }
    claimed
}

/// Drops up to `limit` rows that are over; answers how many.
fn forget<K: Ord + Clone, V>(rows: &mut BTreeMap<K, V>, limit: u32, over: impl Fn(&V) -> bool) -> u32 {
    let mut gone = 0;
    rows.retain(|_, row| {
        let goes = gone < limit && over(row);
        gone += u32::from(goes);
        !goes
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::bench::{ALICE, Bench, EngineFixture, opened};
    use std::sync::Arc;

    struct Memory(Arc<MemoryEngine>);

    #[async_trait]
    impl EngineFixture for Memory {
        async fn fresh() -> Self {
            Self(Arc::new(MemoryEngine::new(crate::testkit::keys())))
        }

        fn engine(&self) -> Arc<dyn Engine> {
            self.0.clone()
        }

        async fn reopen(&mut self) {
            self.0.reopen();
        }
    }

    /// Shows: P2, F19.
    #[tokio::test]
    async fn an_approval_leaves_nothing_behind_of_its_client() {
        let bench = Bench::<Memory>::new().await;
        let start = StartCommand { client: Some([1; 16]), ..bench.start_of(ALICE) };
        let id = opened(bench.start(start).await).id;
        let clients = || bench.fixture.0.store.lock().expect("no rule panics").clients.len();
        assert_eq!(clients(), 1);
        bench.check(id, &bench.code(id).await).await;
        assert_eq!(clients(), 0);
    }
}
