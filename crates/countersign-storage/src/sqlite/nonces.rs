//! What was presented once and must not be presented again.
//!
//! How many rows a tenant has stands in its own row of `tenants`, which every statement here that adds
//! or removes one keeps right.

use std::collections::BTreeMap;

use countersign_core::engine::{NonceCommand, NonceKind, NonceOutcome, StoredNonce, spend as spend_rule};
use countersign_core::time::Timestamp;

use super::failure::Failure;
use super::session::Session;

/// Takes note of a nonce.
pub(super) fn spend(session: &mut Session, command: &mut NonceCommand) -> Result<NonceOutcome, Failure> {
    command.now = session.judged_at(command.now);
    let number = session.tenant(&command.tenant)?.map(|tenant| tenant.number);
    let sql = "SELECT request, keep_until, undated FROM nonces WHERE tenant = ?1 AND key = ?2";
    let stored = session.find(sql, (number, command.key), |row| {
        let kind = if row.get(2)? { NonceKind::Undated } else { NonceKind::Dated };
        Ok(StoredNonce { request: row.get(0)?, keep_until: Timestamp::from_millis(row.get(1)?), kind })
    })?;
    let sql = match command.kind {
        NonceKind::Dated => "SELECT nonces FROM tenants WHERE number = ?1",
        NonceKind::Undated => "SELECT undated_nonces FROM tenants WHERE number = ?1",
    };
    let rows: u32 = session.find(sql, [number], |row| Ok(row.get(0)?))?.unwrap_or(0);
    let outcome = spend_rule(stored.as_ref(), rows, command);
    if outcome == NonceOutcome::Fresh && command.keep {
        put(session, command, stored.map(|stored| stored.kind))?;
        session.advance_to(command.now);
    }
    Ok(outcome)
}

fn put(session: &mut Session, command: &NonceCommand, replaced: Option<NonceKind>) -> Result<(), Failure> {
    let number = session.tenant_number(&command.tenant)?;
    let nonce = StoredNonce::new(command);
    session.execute(
        "INSERT INTO nonces (tenant, key, request, keep_until, undated) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (tenant, key) DO UPDATE SET request = ?3, keep_until = ?4, undated = ?5",
        (number, command.key, nonce.request, nonce.keep_until.as_millis(), nonce.kind == NonceKind::Undated),
    )?;
    if replaced != Some(nonce.kind) {
        count(session, number, nonce.kind, 1)?;
        if let Some(replaced) = replaced {
            count(session, number, replaced, -1)?;
        }
    }
    Ok(())
}

/// So many more of a kind are the tenant's.
fn count(session: &Session, tenant: i64, kind: NonceKind, more: i64) -> Result<(), Failure> {
    let sql = match kind {
        NonceKind::Dated => "UPDATE tenants SET nonces = nonces + ?2 WHERE number = ?1",
        NonceKind::Undated => "UPDATE tenants SET undated_nonces = undated_nonces + ?2 WHERE number = ?1",
    };
    session.execute(sql, (tenant, more))?;
    Ok(())
}

/// Deletes up to `limit` nonces that have run out; answers how many there were.
pub(super) fn forget(session: &Session, limit: u32, now: Timestamp) -> Result<usize, Failure> {
    let mut over: Vec<(i64, [u8; 16], NonceKind)> = Vec::new();
    {
        let sql =
            "SELECT tenant, key, undated FROM nonces WHERE keep_until < ?1 ORDER BY keep_until LIMIT ?2";
        let mut statement = session.prepare(sql)?;
        let mut rows = statement.query((now.as_millis(), limit))?;
        while let Some(row) = rows.next()? {
            let kind = if row.get(2)? { NonceKind::Undated } else { NonceKind::Dated };
            over.push((row.get(0)?, row.get(1)?, kind));
        }
    }
    let mut gone: BTreeMap<(i64, NonceKind), i64> = BTreeMap::new();
    for (tenant, key, kind) in &over {
        session.execute("DELETE FROM nonces WHERE tenant = ?1 AND key = ?2", (tenant, key))?;
        *gone.entry((*tenant, *kind)).or_default() += 1;
    }
    for ((tenant, kind), rows) in gone {
        count(session, tenant, kind, -rows)?;
    }
    Ok(over.len())
}
