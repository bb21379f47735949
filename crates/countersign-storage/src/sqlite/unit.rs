//! One command of one tenant: what it reads, so that a rule can decide it.
//!
//! What was read is remembered, so that writing back touches only the columns and indexes that
//! moved; the writing is in [`changes`](super::changes).

use countersign_core::codec::from_row;
use countersign_core::ids::VerificationId;
use countersign_core::keys::RecipientKey;
use countersign_core::names::{Purpose, TenantId};
use countersign_core::time::Timestamp;
use countersign_core::verification::resend::RunningState;
use countersign_core::verification::{ClientKey, ClientLedger, Ledgers, RecipientLedger, Verification};

use super::failure::{Failure, InTable};
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
    /// How often an address has joined a verification for a purpose: the newest one's number.
    pub(super) joined: Vec<(RecipientKey, Purpose, i64)>,
    /// The ledgers that exist, with the ends that are written beside them.
    pub(super) ledgers: Vec<(RecipientKey, Option<Timestamp>)>,
}

impl<'s> Unit<'s> {
    /// Begins a command, judged at the later of `now` and the store's high-water mark.
    pub(super) fn new(
        session: &'s mut Session,
        tenant: &'s TenantId,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let now = session.judged_at(now);
        let number = session.tenant(tenant)?.map(|tenant| tenant.number);
        Ok(Self {
            session,
            tenant,
            number,
            now,
            verifications: Vec::new(),
            joined: Vec::new(),
            ledgers: Vec::new(),
        })
    }

    /// The verification of that id, if it is this tenant's.
    pub(super) fn verification(&mut self, id: VerificationId) -> Result<Option<Verification>, Failure> {
        let Some(number) = self.number else { return Ok(None) };
        let sql = "SELECT seq, row FROM verifications WHERE tenant = ?1 AND id = ?2";
        let found = self.session.find(sql, (number, id.as_bytes()), verification)?;
        Ok(self.remember(found))
    }

    /// The verification that an address joined last for a purpose, however it stands.
    pub(super) fn latest(
        &mut self,
        identity: &RecipientKey,
        purpose: &Purpose,
    ) -> Result<Option<Verification>, Failure> {
        let found = match self.number {
            None => None,
            Some(number) => {
                let sql = "SELECT v.seq, v.row, r.joined
                           FROM recipients r CROSS JOIN verifications v ON v.seq = r.verification
                           WHERE r.tenant = ?1 AND r.key = ?2 AND r.purpose = ?3
                           ORDER BY r.joined DESC LIMIT 1";
                let params = (number, identity.as_bytes(), purpose.as_str());
                let read = |row: &rusqlite::Row<'_>| Ok((verification(row)?, row.get::<_, i64>(2)?));
                self.session.find(sql, params, read)?
            }
        };
        let joined = found.as_ref().map_or(0, |(_, joined)| *joined);
        self.joined.push((*identity, purpose.clone(), joined));
        Ok(self.remember(found.map(|(verification, _)| verification)))
    }

    /// Every verification that an address takes part in.
    pub(super) fn all_of(&mut self, identity: &RecipientKey) -> Result<Vec<Verification>, Failure> {
        let Some(number) = self.number else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        {
            let mut statement = self.session.prepare(
                "SELECT v.seq, v.row FROM recipients r CROSS JOIN verifications v ON v.seq = r.verification
                 WHERE r.tenant = ?1 AND r.key = ?2",
            )?;
            let mut rows = statement.query((number, identity.as_bytes()))?;
            while let Some(row) = rows.next()? {
                found.push(verification(row)?);
            }
        }
        Ok(found.into_iter().filter_map(|found| self.remember(Some(found))).collect())
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
    pub(super) fn ledger(&mut self, budget: &RecipientKey) -> Result<RecipientLedger, Failure> {
        let Some(number) = self.number else { return Ok(RecipientLedger::default()) };
        let sql = "SELECT row FROM recipients WHERE tenant = ?1 AND key = ?2 AND purpose = '' AND joined = 0";
        let found: Option<RecipientLedger> = self.session.find(sql, (number, budget.as_bytes()), |row| {
            from_row(row.get_ref(0)?.as_blob()?).in_table("recipients")
        })?;
        if let Some(ledger) = &found {
            self.ledgers.push((*budget, ledger.forget_at()));
        }
        Ok(found.unwrap_or_default())
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
        let destinations = verification.as_ref().map_or(&[][..], |v| &v.destinations);
        let recipients = destinations.iter().map(|d| self.ledger(&d.budget)).collect::<Result<_, _>>()?;
        let tenant = self.session.tenant_ledger(self.tenant)?;
        Ok(RunningState {
            verification,
            ledgers: Ledgers { recipients, client: ClientLedger::default(), tenant },
        })
    }
}

/// Reads `seq, row`.
pub(super) fn verification(row: &rusqlite::Row<'_>) -> Result<(i64, Verification), Failure> {
    Ok((row.get(0)?, from_row(row.get_ref(1)?.as_blob()?).in_table("verifications")?))
}
