//! Whether the audit log that a start finds is the one that the store was left with.

use countersign_core::audit::{self, ADOPTED, AuditEvent, AuditHead, MISMATCH, SealedHead};
use countersign_core::ids::VerificationId;
use countersign_core::keys::{AuditMac, KeyRing};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::failure::Failure;
use super::session::{self, Session};

/// Looks at the head before anything is committed behind it, which would seal it anew. A head that does
/// not hold is no reason to refuse the service to everybody: the log goes on behind its last entry, with
/// one that says what was found, and never verifies as whole again.
pub(super) fn take_over(session: &mut Session, now: Timestamp) -> Result<(), Failure> {
    drop_unmarked_head(session)?;
    let last = last_entry(&session.conn)?;
    let holds = match session::audit_head(&session.conn)? {
        Some(sealed) => {
            sealed.holds(&session.keys)
                && sealed.head == last
                && !is_older_than_rows(&session.conn, sealed.mark)?
        }
        None => last.seq == 0 && is_new(&session.conn)?,
    };
    if holds {
        return Ok(());
    }
    tracing::error!(entries = last.seq, "the audit log or its head was changed while the store was closed");
    session.continue_audit_behind(last);
    session.append_audit(&[AuditEvent {
        at: session.judged_at(now),
        tenant: None,
        actor: "system".into(),
        action: MISMATCH.into(),
        subject: format!("found at entry {}", last.seq),
    }])
}

/// The number of the schema change that gives the head its present place.
pub(super) const HEAD_MOVES: usize = 5;

/// Takes over the head that an older version sealed without the mark, and says so in an entry. It belongs to the
/// transaction of that schema change, and happens at no other time: whoever can write to the file can make such a
/// table, and seal an emptied log anew by it. A head that does not hold is left to the check of each start.
pub(super) fn adopt_unmarked_head(conn: &Connection, keys: &KeyRing, now: Timestamp) -> Result<(), Failure> {
    let old = conn.query_row("SELECT seq, mac, seal FROM audit_head", (), |row| {
        let head =
            AuditHead { seq: row.get::<_, i64>(0)?.cast_unsigned(), mac: AuditMac::from_bytes(row.get(1)?) };
        Ok((head, AuditMac::from_bytes(row.get(2)?)))
    });
    let old = old.optional()?;
    conn.execute("DROP TABLE audit_head", ())?;
    // That version wrote a head with the first entry.
    let head = match old {
        Some((head, seal)) if head.was_sealed_alone(keys, &seal) => head,
        None if !is_new(conn)? => AuditHead::default(),
        Some(_) | None => return Ok(()),
    };
    if head != last_entry(conn)? {
        return Ok(());
    }
    let mark = session::high_water(conn)?.map_or(now, |latest| latest.max(now));
    let adopted = AuditEvent {
        at: mark,
        tenant: None,
        actor: "system".into(),
        action: ADOPTED.into(),
        subject: format!("of an older version, at entry {}", head.seq),
    };
    let (entries, head) = audit::append(keys, Some(&head), &[adopted]);
    for entry in &entries {
        let row = (entry.seq.cast_signed(), &entry.event, entry.mac.as_bytes());
        conn.execute("INSERT INTO audit (seq, event, mac) VALUES (?1, ?2, ?3)", row)?;
    }
    let SealedHead { head, mark, seal } = head.sealed(keys, mark);
    conn.execute(
        "UPDATE state SET high_water = ?1, audit_seq = ?2, audit_mac = ?3, audit_seal = ?4",
        (mark.as_millis(), head.seq.cast_signed(), head.mac.as_bytes(), seal.as_bytes()),
    )?;
    Ok(())
}

/// No start has left such a table behind: it proves nothing.
fn drop_unmarked_head(session: &Session) -> Result<(), Failure> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'audit_head'";
    if session.conn.query_row(sql, (), |row| row.get::<_, i64>(0))? > 0 {
        tracing::error!(
            "somebody put an older version's head of the audit log into the store; it is dropped"
        );
        session.conn.execute("DROP TABLE audit_head", ())?;
    }
    Ok(())
}

/// The last entry there is, whatever the head says.
fn last_entry(conn: &Connection) -> Result<AuditHead, Failure> {
    let sql = "SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1";
    let last = conn.query_row(sql, (), |row| {
        Ok(AuditHead { seq: row.get::<_, i64>(0)?.cast_unsigned(), mac: AuditMac::from_bytes(row.get(1)?) })
    });
    Ok(last.optional()?.unwrap_or_default())
}

/// Whether nothing was ever committed.
pub(super) fn is_new(conn: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT high_water IS NULL AND NOT EXISTS (SELECT 1 FROM tenants) FROM state";
    Ok(conn.query_row(sql, (), |row| row.get(0))?)
}

/// Whether the newest verification was opened after the mark: then the mark is not this store's.
pub(super) fn is_older_than_rows(conn: &Connection, mark: Timestamp) -> Result<bool, Failure> {
    let sql = "SELECT id FROM verifications ORDER BY seq DESC LIMIT 1";
    let newest: Option<[u8; 16]> = conn.query_row(sql, (), |row| row.get(0)).optional()?;
    Ok(newest.is_some_and(|id| VerificationId::from_bytes(id).drawn_at() > mark))
}
