//! Writing what a rule decided: all of it in the command's transaction.

use countersign_core::codec::to_row;
use countersign_core::ids::VerificationId;
use countersign_core::time::Timestamp;
use countersign_core::verification::{Changes, ClientKey, ClientLedger, Status, Verification};

use super::failure::Failure;
use super::unit::{Known, Unit};
use super::{directory, outbox, recipients};

impl Unit<'_> {
    /// Writes all changes of a decision.
    pub(super) fn write(&mut self, changes: Changes) -> Result<(), Failure> {
        self.session.advance_to(self.now);
        let number = self.session.tenant_number(self.tenant)?;
        self.number = Some(number);
        for verification in &changes.verifications {
            self.put_verification(number, verification)?;
        }
        // What was queued before goes first, so that it cannot take new messages along.
        for drop in &changes.drop_messages {
            let known = self.known(drop.verification).ok_or(Failure::Corrupt("verifications"))?;
            if known.messages == Some(0) {
                continue;
            }
            let seq = known.seq;
            outbox::abandon_open(self.session, seq, drop.destination, drop.reason, self.now)?;
        }
        for message in changes.messages {
            let seq = self.seq(message.verification)?;
            let known = self.verifications.iter_mut().find(|known| known.seq == seq);
            let messages = known.and_then(|known| known.messages.as_mut());
            outbox::queue(self.session, seq, messages.as_deref().copied(), message)?;
            if let Some(messages) = messages {
                *messages += 1;
            }
        }
        for (budget, ledger) in &changes.ledgers {
            recipients::put_ledger(self.session, number, budget, ledger);
        }
        if let Some((client, ledger)) = &changes.client {
            self.put_client(number, client, ledger)?;
        }
        if let Some(ledger) = changes.tenant {
            self.session.set_tenant_ledger(self.tenant, ledger)?;
        }
        for ended in &changes.ended_users {
            directory::remove(self.session, number, ended.directory.as_str(), &ended.id)?;
        }
        for new in &changes.users {
            directory::add(self.session, number, new)?;
        }
        for proven in &changes.proven {
            directory::prove(self.session, number, proven, self.now)?;
        }
        self.session.append_audit(&changes.audit)
    }

    fn known(&self, id: VerificationId) -> Option<Known> {
        self.verifications.iter().find(|known| known.id == id).copied()
    }

    /// The number of a verification that this command read or wrote.
    pub(super) fn seq(&self, id: VerificationId) -> Result<i64, Failure> {
        match self.known(id) {
            Some(known) => Ok(known.seq),
            // No rule speaks of a verification that it was not given.
            None => Err(Failure::Corrupt("verifications")),
        }
    }

    /// Inserts or replaces a verification.
    pub(super) fn put_verification(&mut self, number: i64, v: &Verification) -> Result<(), Failure> {
        let (status, sweep_at, row) = (status_number(v.status), v.sweep_at(), to_row(v));
        let known = self.known(v.id);
        let seq = match known {
            None => {
                self.session.execute(
                    "INSERT INTO verifications (id, tenant, status, expires_at, sweep_at, row)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (v.id.as_bytes(), number, status, v.expires_at.as_millis(), sweep_at.as_millis(), row),
                )?;
                self.session.conn.last_insert_rowid()
            }
            // Most commands leave the end alone, and with it two index entries.
            Some(known) if known.sweep_at == sweep_at => {
                let sql = "UPDATE verifications SET status = ?2, row = ?3 WHERE seq = ?1";
                self.session.execute(sql, (known.seq, status, row))?;
                known.seq
            }
            Some(known) => {
                let sql = "UPDATE verifications SET status = ?2, sweep_at = ?3, row = ?4 WHERE seq = ?1";
                self.session.execute(sql, (known.seq, status, sweep_at.as_millis(), row))?;
                known.seq
            }
        };
        let topic = v.topic();
        let joined_before = known.map_or(0, |known| known.destinations);
        for (index, destination) in v.destinations.iter().enumerate().skip(joined_before) {
            if v.destinations[..index].iter().any(|other| other.identity == destination.identity) {
                continue;
            }
            // The rule was told this address' newest verification, or it could not have opened one.
            let newest = self.joined.iter().find(|(key, of, _)| *key == destination.identity && *of == topic);
            let newest = newest.map(|(_, _, joined)| *joined).ok_or(Failure::Corrupt("recipients"))?;
            recipients::join(self.session, number, &destination.identity, &topic, newest + 1, seq);
        }
        self.verifications.retain(|known| known.id != v.id);
        self.verifications.push(Known {
            id: v.id,
            seq,
            sweep_at,
            destinations: v.destinations.len(),
            messages: known.map_or(Some(0), |known| known.messages),
        });
        Ok(())
    }

    fn put_client(&self, number: i64, client: &ClientKey, ledger: &ClientLedger) -> Result<(), Failure> {
        match ledger.forget_at().map(Timestamp::as_millis) {
            Some(forget_at) => self.session.execute(
                "INSERT INTO client_ledgers (tenant, client, forget_at, row) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, client) DO UPDATE SET forget_at = ?3, row = ?4",
                (number, client, forget_at, to_row(ledger)),
            )?,
            // Nothing counts any longer: nobody would ever come to clear it up.
            None => self
                .session
                .execute("DELETE FROM client_ledgers WHERE tenant = ?1 AND client = ?2", (number, client))?,
        };
        Ok(())
    }
}

/// A status as its column says it: the number of its stored form.
pub(super) fn status_number(status: Status) -> i64 {
    match status {
        Status::Pending => 0,
        Status::Approved => 1,
        Status::Canceled => 2,
        Status::Expired => 3,
        Status::Exhausted => 4,
    }
}
