//! One command of one tenant: what it reads, so that a rule can decide it.
//!
//! What was read is remembered, so that writing back touches only the columns and indexes that
//! moved; the writing is in [`changes`](super::changes).

use countersign_core::codec::from_row;
use countersign_core::ids::VerificationId;
use countersign_core::keys::RecipientKey;
use countersign_core::names::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::verification::resend::RunningState;
use countersign_core::verification::{
    ClientKey, ClientLedger, Ledgers, RecipientLedger, Topic, Verification,
};

use super::failure::{Failure, InTable};
use super::recipients;
use super::session::Session;

/// A verification that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) id: VerificationId,
    pub(super) seq: i64,
    pub(super) sweep_at: Timestamp,
    pub(super) destinations: usize,
    /// How many messages it has, where that is known: it was opened by this very command.
    pub(super) messages: Option<i64>,
}

/// One command of one tenant.
pub(super) struct Unit<'s> {
    pub(super) session: &'s mut Session,
    pub(super) tenant: &'s TenantId,
    /// The tenant's number; `None` while it has never written anything.
    pub(super) number: Option<i64>,
    /// The instant at which it is judged.
    pub(super) now: Timestamp,
    pub(super) verifications: Vec<Known>,
    /// How often an address has joined a verification in a topic: the newest one's number.
    pub(super) joined: Vec<(RecipientKey, Topic, i64)>,
}

impl<'s> Unit<'s> {
    /// Begins a command, judged at the later of `now` and the store's high-water mark.
    pub(super) fn new(
        session: &'s mut Session,
        tenant: &'s TenantId,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let number = session.tenant(tenant)?.map(|tenant| tenant.number);
        Ok(Self::numbered_tenant(session, tenant, number, now))
    }

    /// The same where the tenant's number is known. It needs nothing else of the tenant, whose ledger may be
    /// damaged.
    pub(super) fn numbered_tenant(
        session: &'s mut Session,
        tenant: &'s TenantId,
        number: Option<i64>,
        now: Timestamp,
    ) -> Self {
        let now = session.judged_at(now);
        Self { session, tenant, number, now, verifications: Vec::new(), joined: Vec::new() }
    }

    /// The verification of that id, if it is this tenant's.
    pub(super) fn verification(&mut self, id: VerificationId) -> Result<Option<Verification>, Failure> {
        let Some(number) = self.number else { return Ok(None) };
        let sql = "SELECT seq, row FROM verifications WHERE tenant = ?1 AND id = ?2";
        let found = self.session.find(sql, (number, id.as_bytes()), verification)?;
        Ok(self.remember(found))
    }

    /// The verification that an address joined last in a topic, however it stands.
    pub(super) fn latest(
        &mut self,
        identity: &RecipientKey,
        topic: Topic,
    ) -> Result<Option<Verification>, Failure> {
        let found = match self.number {
            None => None,
            Some(number) => recipients::latest(self.session, number, identity, &topic)?,
        };
        self.joined.push((*identity, topic, found.map_or(0, |(joined, _)| joined)));
        match found {
            None => Ok(None),
            Some((_, seq)) => self.numbered(seq),
        }
    }

    /// The verification of that number, if it is this tenant's.
    pub(super) fn numbered(&mut self, seq: i64) -> Result<Option<Verification>, Failure> {
        let sql = "SELECT seq, row FROM verifications WHERE seq = ?1";
        let found = self.session.find(sql, [seq], verification)?;
        Ok(self.remember(found))
    }

    /// Takes note of a verification that was read; another tenant's is nobody's.
    pub(super) fn remember(&mut self, found: Option<(i64, Verification)>) -> Option<Verification> {
        let (seq, verification) = found.filter(|(_, v)| v.tenant == *self.tenant)?;
        self.verifications.push(Known {
            id: verification.id,
            seq,
            sweep_at: verification.sweep_at(),
            destinations: verification.destinations.len(),
            messages: None,
        });
        Some(verification)
    }

    /// A recipient's ledger; the default when nothing is known.
    pub(super) fn ledger(&self, budget: &RecipientKey) -> Result<RecipientLedger, Failure> {
        let Some(number) = self.number else { return Ok(RecipientLedger::default()) };
        Ok(recipients::ledger(self.session, number, budget)?.unwrap_or_default())
    }

    /// A client address' ledger; the default when nothing is known.
    pub(super) fn client(&self, client: &ClientKey) -> Result<ClientLedger, Failure> {
        let Some(number) = self.number else { return Ok(ClientLedger::default()) };
        let sql = "SELECT row FROM client_ledgers WHERE tenant = ?1 AND client = ?2";
        let found = self.session.find(sql, (number, client), |row| {
            from_row(row.get_ref(0)?.as_blob()?).in_table("client_ledgers")
        })?;
        Ok(found.unwrap_or_default())
    }

    /// A verification with the ledgers that a resend or a check of it reads.
    pub(super) fn running(&mut self, verification: Option<Verification>) -> Result<RunningState, Failure> {
        let budgets = verification.iter().flat_map(Verification::budgets);
        let recipients = budgets.map(|budget| self.ledger(&budget)).collect::<Result<_, _>>()?;
        let ends = verification.as_ref().and_then(|v| v.ends_hold.as_ref());
        let also_released = ends.map(|ends| self.ledger(&ends.budget)).transpose()?;
        let client = verification.as_ref().and_then(|v| v.client);
        let client = client.map(|client| self.client(&client)).transpose()?.unwrap_or_default();
        let tenant = self.session.tenant_ledger(self.tenant)?;
        Ok(RunningState { verification, ledgers: Ledgers { recipients, client, tenant, also_released } })
    }
}

/// Reads `seq, row`.
pub(super) fn verification(row: &rusqlite::Row<'_>) -> Result<(i64, Verification), Failure> {
    Ok((row.get(0)?, from_row(row.get_ref(1)?.as_blob()?).in_table("verifications")?))
}
