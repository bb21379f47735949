//! The tables of the reference engine.

use std::collections::BTreeMap;

use crate::audit::{AuditEntry, AuditHead};
use crate::engine::{
    Claimants, NonceKind, StartCommand, StorageError, StoredAnswer, StoredNonce, StoredUser, UserKey,
};
use crate::ids::VerificationId;
use crate::keys::RecipientKey;
use crate::names::{DirectoryName, TenantId};
use crate::outbox::{Abandoned, Message};
use crate::time::Timestamp;
use crate::verification::resend::RunningState;
use crate::verification::start::StartState;
use crate::verification::{
    ClientKey, ClientLedger, Ledgers, RecipientLedger, TenantLedger, Topic, Verification,
};

/// All tables. Every method runs under the lock from its first read to its last write, so that each
/// is atomic by construction.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) high_water: Option<Timestamp>,
    /// How many commands have changed something.
    pub(super) commits: u64,
    pub(super) verifications: BTreeMap<VerificationId, Verification>,
    /// Per address and topic, the verifications it belongs to, in the order in which it joined
    /// them. Ids do not tell that order: several may be drawn within one millisecond, and an address
    /// may join a verification that is older than its own last one.
    pub(super) joined: BTreeMap<(TenantId, Topic, RecipientKey), Vec<VerificationId>>,
    pub(super) recipients: BTreeMap<(TenantId, RecipientKey), RecipientLedger>,
    pub(super) clients: BTreeMap<(TenantId, ClientKey), ClientLedger>,
    pub(super) tenants: BTreeMap<TenantId, TenantLedger>,
    /// In the order in which they were queued.
    pub(super) messages: Vec<Message>,
    pub(super) answers: BTreeMap<(TenantId, [u8; 16]), StoredAnswer>,
    /// By tenant and by directory.
    pub(super) users: BTreeMap<(TenantId, UserKey), StoredUser>,
    pub(super) nonces: BTreeMap<(TenantId, [u8; 16]), StoredNonce>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) audit_head: Option<AuditHead>,
}

impl Store {
    /// Time never runs backwards.
    pub(super) fn judged_at(&self, now: Timestamp) -> Timestamp {
        self.high_water.map_or(now, |latest| latest.max(now))
    }

    pub(super) fn put(&mut self, verification: Verification) {
        for destination in &verification.destinations {
            let key = (verification.tenant.clone(), verification.topic(), destination.identity);
            let joined = self.joined.entry(key).or_default();
            if !joined.contains(&verification.id) {
                joined.push(verification.id);
            }
        }
        self.verifications.insert(verification.id, verification);
    }

    pub(super) fn delete(&mut self, verification: &Verification) {
        let id = verification.id;
        self.verifications.remove(&id);
        self.messages.retain(|message| message.verification != id);
        self.joined.values_mut().for_each(|joined| joined.retain(|other| *other != id));
        self.joined.retain(|_, joined| !joined.is_empty());
    }

    pub(super) fn get(&self, tenant: &TenantId, id: VerificationId) -> Option<&Verification> {
        self.verifications.get(&id).filter(|verification| verification.tenant == *tenant)
    }

    pub(super) fn latest(
        &self,
        tenant: &TenantId,
        topic: Topic,
        identity: RecipientKey,
    ) -> Option<&Verification> {
        let joined = self.joined.get(&(tenant.clone(), topic, identity))?;
        self.verifications.get(joined.last()?)
    }

    pub(super) fn recipient(&self, tenant: &TenantId, budget: &RecipientKey) -> RecipientLedger {
        self.recipients.get(&(tenant.clone(), *budget)).cloned().unwrap_or_default()
    }

    /// What a start reads.
    pub(super) fn start_state(&self, command: &StartCommand) -> StartState {
        let (tenant, wanted) = (&command.tenant, &command.destinations);
        let topic = Topic::new(&command.dialect, &command.purpose);
        let latest = |identity| self.latest(tenant, topic.clone(), identity).cloned();
        StartState {
            latest: wanted.iter().map(|d| latest(d.keys.identity)).collect(),
            ledgers: Ledgers {
                recipients: wanted.iter().map(|d| self.recipient(tenant, &d.keys.budget)).collect(),
                client: self.client(tenant, command.client),
                tenant: self.tenants.get(tenant).cloned().unwrap_or_default(),
                also_released: None,
            },
        }
    }

    pub(super) fn client(&self, tenant: &TenantId, client: Option<ClientKey>) -> ClientLedger {
        let found = client.and_then(|key| self.clients.get(&(tenant.clone(), key)));
        found.cloned().unwrap_or_default()
    }

    /// Keeps what is counted for a client address, as long as anything is.
    pub(super) fn put_client(&mut self, client: (TenantId, ClientKey), ledger: ClientLedger) {
        match ledger.forget_at() {
            Some(_) => self.clients.insert(client, ledger),
            None => self.clients.remove(&client),
        };
    }

    pub(super) fn running(&self, tenant: &TenantId, verification: Option<&Verification>) -> RunningState {
        let budgets = verification.into_iter().flat_map(Verification::budgets);
        let ends = verification.and_then(|v| v.ends_hold.as_ref());
        RunningState {
            verification: verification.cloned(),
            ledgers: Ledgers {
                recipients: budgets.map(|budget| self.recipient(tenant, &budget)).collect(),
                client: self.client(tenant, verification.and_then(|v| v.client)),
                tenant: self.tenants.get(tenant).cloned().unwrap_or_default(),
                also_released: ends.map(|ends| self.recipient(tenant, &ends.budget)),
            },
        }
    }

    pub(super) fn nonces_of(&self, tenant: &TenantId, kind: NonceKind) -> u32 {
        let theirs = |((owner, _), nonce): &(&(TenantId, [u8; 16]), &StoredNonce)| {
            owner == tenant && nonce.kind == kind
        };
        let rows = self.nonces.iter().filter(theirs).count();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    pub(super) fn users_of<'a>(
        &'a mut self,
        tenant: &'a TenantId,
    ) -> impl Iterator<Item = (&'a UserKey, &'a mut StoredUser)> {
        let theirs = self.users.iter_mut().filter(move |((owner, _), _)| owner == tenant);
        theirs.map(|((_, key), user)| (key, user))
    }

    pub(super) fn users_in<'a>(
        &'a mut self,
        tenant: &'a TenantId,
        directory: &'a DirectoryName,
    ) -> impl Iterator<Item = &'a mut StoredUser> {
        self.users_of(tenant).filter(move |(key, _)| key.directory == *directory).map(|(_, user)| user)
    }

    /// Per address that a user claims and did not have `before`, the others of the directory who have it.
    pub(super) fn claimants(
        &mut self,
        tenant: &TenantId,
        directory: &DirectoryName,
        user: &StoredUser,
        before: Option<&StoredUser>,
    ) -> Vec<Claimants> {
        let mut of = |address| {
            let others = self.users_in(tenant, directory).filter(|other| other.id != user.id);
            let others =
                others.filter(|other| has_address(other, &address)).map(|other| other.clone()).collect();
            Claimants { address, others }
        };
        user.claims(before).map(&mut of).collect()
    }

    /// What a verification no longer knows, no answer about it tells.
    pub(super) fn forget_recipient(&mut self, wiped: &Verification) -> Result<(), StorageError> {
        let mut told = self.answers.values_mut().filter(|answer| answer.verification == Some(wiped.id));
        told.try_for_each(|answer| answer.forget_recipient(wiped))
            .map_err(|_| StorageError::Corrupt { table: "answers" })
    }

    /// Abandons a verification's open messages: all, or those to one destination.
    pub(super) fn abandon_open(
        &mut self,
        verification: VerificationId,
        destination: Option<u8>,
        reason: Abandoned,
        now: Timestamp,
    ) {
        (self.messages.iter_mut())
            .filter(|message| message.verification == verification)
            .filter(|message| destination.is_none_or(|index| message.destination == index))
            .filter(|message| message.due_at().is_some())
            .for_each(|message| message.abandon(reason, now));
    }
}

pub(super) fn has_address(user: &StoredUser, address: &RecipientKey) -> bool {
    [&user.email, &user.phone].contains(&&Some(*address))
}
