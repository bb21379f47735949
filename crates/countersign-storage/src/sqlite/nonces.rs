//! What was presented once and must not be presented again.
//!
//! How many rows a tenant has stands in its own row of `tenants`, which every statement here that adds
//! or removes one keeps right.

use std::collections::BTreeMap;

use countersign_core::engine::{NonceCommand, NonceOutcome, StoredNonce, spend as spend_rule};
use countersign_core::time::Timestamp;

use super::failure::Failure;
use super::session::Session;

/// Takes note of a nonce.
pub(super) fn spend(session: &mut Session, command: &mut NonceCommand) -> Result<NonceOutcome, Failure> {
    command.now = session.judged_at(command.now);
    let number = session.tenant(&command.tenant)?.map(|tenant| tenant.number);
    let sql = "SELECT request, keep_until FROM nonces WHERE tenant = ?1 AND key = ?2";
    let stored = session.find(sql, (number, command.key), |row| {
        Ok(StoredNonce { request: row.get(0)?, keep_until: Timestamp::from_millis(row.get(1)?) })
    })?;
    let sql = "SELECT nonces FROM tenants WHERE number = ?1";
    let rows: u32 = session.find(sql, [number], |row| Ok(row.get(0)?))?.unwrap_or(0);
    let outcome = spend_rule(stored.as_ref(), rows, command);
    if outcome == NonceOutcome::Fresh {
        put(session, command, stored.is_none())?;
        session.advance_to(command.now);
    }
    Ok(outcome)
}

fn put(session: &mut Session, command: &NonceCommand, is_new: bool) -> Result<(), Failure> {
    let number = session.tenant_number(&command.tenant)?;
    let nonce = StoredNonce::new(command);
    session.execute(
        "INSERT INTO nonces (tenant, key, request, keep_until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tenant, key) DO UPDATE SET request = ?3, keep_until = ?4",
        (number, command.key, nonce.request, nonce.keep_until.as_millis()),
    )?;
    if is_new {
        session.execute("UPDATE tenants SET nonces = nonces + 1 WHERE number = ?1", [number])?;
    }
    Ok(())
}

/// Deletes up to `limit` nonces that have run out; answers how many there were.
pub(super) fn forget(session: &Session, limit: u32, now: Timestamp) -> Result<usize, Failure> {
    let mut over: Vec<(i64, [u8; 16])> = Vec::new();
    {
        let sql = "SELECT tenant, key FROM nonces WHERE keep_until < ?1 ORDER BY keep_until LIMIT ?2";
        let mut statement = session.prepare(sql)?;
        let mut rows = statement.query((now.as_millis(), limit))?;
        while let Some(row) = rows.next()? {
            over.push((row.get(0)?, row.get(1)?));
        }
    }
    let mut gone: BTreeMap<i64, i64> = BTreeMap::new();
    for (tenant, key) in &over {
        session.execute("DELETE FROM nonces WHERE tenant = ?1 AND key = ?2", (tenant, key))?;
        *gone.entry(*tenant).or_default() += 1;
    }
    for (tenant, rows) in gone {
        session.execute("UPDATE tenants SET nonces = nonces - ?2 WHERE number = ?1", (tenant, rows))?;
    }
    Ok(over.len())
}
