//! The write connection, and what it remembers between commands.
//!
//! Rows that nearly every command needs (tenants and their ledgers, the high-water mark, the audit
//! log's head) are kept in memory and written once per commit, not once per command. A rollback
//! forgets them all, so that memory never knows more than the disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use countersign_core::audit::{self, AuditEvent, AuditHead, SealedHead};
use countersign_core::codec::{from_row, to_row};
use countersign_core::keys::{AuditMac, KeyRing};
use countersign_core::names::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::verification::TenantLedger;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use super::failure::{Failure, InTable};
use super::files;
use super::outbox::{self, Outbox};
use super::recipients::{self, Recipients};

/// A value of the store that is kept in memory, and written with the commit if it moved.
#[derive(Debug, Default)]
struct Kept<T> {
    value: T,
    moved: bool,
}

impl<T> Kept<T> {
    fn new(value: T) -> Self {
        Self { value, moved: false }
    }

    fn set(&mut self, value: T) {
        *self = Self { value, moved: true };
    }
}

/// A tenant as remembered.
#[derive(Debug)]
pub(super) struct Tenant {
    /// Its number in every key.
    pub(super) number: i64,
    ledger: Kept<TenantLedger>,
}

/// What a commit made true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Committed {
    /// The latest instant ever committed.
    pub(super) high_water: Option<Timestamp>,
    /// Whether messages may be due that nobody knows of yet.
    pub(super) messages_due: bool,
    /// Whether anything was written, and therefore synced.
    pub(super) wrote: bool,
}

/// The write connection.
pub(super) struct Session {
    pub(super) conn: Connection,
    pub(super) keys: Arc<KeyRing>,
    /// Whether memory has to be read again: at first, and after every rollback.
    stale: bool,
    high_water: Kept<Option<Timestamp>>,
    tenants: HashMap<TenantId, Tenant>,
    audit_head: Kept<AuditHead>,
    pub(super) outbox: Outbox,
    pub(super) recipients: Recipients,
    /// After so many changes these are sorted into the recipients' tree.
    pub(super) recipients_round: u32,
    messages_due: bool,
    changes_before: u64,
    /// Makes the next commit fail like a failing disk: no file system does so on request.
    #[cfg(test)]
    pub(super) fail_next_commit: Option<rusqlite::Error>,
    /// Every statement that was run, so that a test can ask how.
    #[cfg(test)]
    pub(super) statements: std::cell::RefCell<std::collections::BTreeSet<String>>,
}

impl Session {
    pub(super) fn new(conn: Connection, keys: Arc<KeyRing>, recipients_round: u32) -> Self {
        // Every statement of the engine stays prepared; there are fewer than this.
        conn.set_prepared_statement_cache_capacity(128);
        Self {
            conn,
            keys,
            stale: true,
            high_water: Kept::default(),
            tenants: HashMap::new(),
            audit_head: Kept::default(),
            outbox: Outbox::default(),
            recipients: Recipients::default(),
            recipients_round,
            messages_due: false,
            changes_before: 0,
            #[cfg(test)]
            fail_next_commit: None,
            #[cfg(test)]
            statements: std::cell::RefCell::default(),
        }
    }

    // -- transactions --

    /// Begins a transaction that may write: never a read that has to be upgraded later, which could
    /// fail half-way.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.execute("BEGIN IMMEDIATE", ())?;
        self.changes_before = self.conn.total_changes();
        if self.stale {
            self.recall()?;
        }
        Ok(())
    }

    /// Writes what memory gathered and commits. After an error: [`Session::rollback`].
    pub(super) fn commit(&mut self) -> Result<Committed, Failure> {
        self.write_back()?;
        let wrote = self.conn.total_changes() != self.changes_before;
        #[cfg(test)]
        if let Some(error) = self.fail_next_commit.take() {
            return Err(error.into());
        }
        self.execute("COMMIT", ())?;
        let messages_due = std::mem::take(&mut self.messages_due);
        Ok(Committed { high_water: self.high_water.value, messages_due, wrote })
    }

    /// Undoes the transaction, if SQLite has not done so already.
    pub(super) fn rollback(&mut self) {
        self.stale = true;
        self.outbox = Outbox::default();
        self.messages_due = false;
        if !self.conn.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", ())
        {
            // The next BEGIN will fail then, and with it every command: nothing is acknowledged.
            tracing::error!(%error, "the store could not roll back");
        }
    }

    /// Takes back a commit of which nobody knows how far it got, after its rollback: its callers are told
    /// that nothing was done, and the next start must not find it in the log.
    ///
    /// SQLite's index of the log ends before that commit, which was never entered there. What follows in
    /// the file is made unreadable. A disk that refuses even this leaves the commit to chance, and the
    /// log of the program says so.
    pub(super) fn disown_failed_commit(&self) {
        let disown = || -> Result<(), Failure> {
            let frames: i64 = self.conn.query_row("PRAGMA wal_checkpoint(NOOP)", (), |row| row.get(1))?;
            let page: i64 = self.conn.query_row("PRAGMA page_size", (), |row| row.get(0))?;
            let log = files::beside(Path::new(self.conn.path().unwrap_or_default()), "-wal");
            Ok(files::cut_log(&log, frames.max(0).unsigned_abs(), page.unsigned_abs())?)
        };
        match disown() {
            Ok(()) => tracing::warn!("what the failed commit wrote is void"),
            Err(error) => {
                tracing::error!(%error, "what the failed commit wrote cannot be made void: the next start may find it");
            }
        }
    }

    fn recall(&mut self) -> Result<(), Failure> {
        self.tenants.clear();
        self.high_water = Kept::new(high_water(&self.conn)?);
        self.audit_head = Kept::new(audit_head(&self.conn)?.map(|sealed| sealed.head).unwrap_or_default());
        self.recipients = Recipients::load(&self.conn)?;
        self.stale = false;
        Ok(())
    }

    fn write_back(&mut self) -> Result<(), Failure> {
        outbox::write_back(self)?;
        recipients::write_back(self)?;
        for tenant in self.tenants.values_mut().filter(|tenant| tenant.ledger.moved) {
            self.conn
                .prepare_cached("UPDATE tenants SET ledger = ?2 WHERE number = ?1")?
                .execute((tenant.number, to_row(&tenant.ledger.value)))?;
            tenant.ledger.moved = false;
        }
        if let Some(mark) = self.high_water.value
            && (self.high_water.moved || self.audit_head.moved)
        {
            // One row: the head costs no page of its own.
            let SealedHead { head, mark, seal } = self.audit_head.value.sealed(&self.keys, mark);
            self.execute(
                "UPDATE state SET high_water = ?1, audit_seq = ?2, audit_mac = ?3, audit_seal = ?4",
                (mark.as_millis(), head.seq.cast_signed(), head.mac.as_bytes(), seal.as_bytes()),
            )?;
            (self.high_water.moved, self.audit_head.moved) = (false, false);
        }
        Ok(())
    }

    // -- time --

    /// The instant at which a command is judged: time never runs backwards.
    pub(super) fn judged_at(&self, now: Timestamp) -> Timestamp {
        self.high_water.value.map_or(now, |latest| latest.max(now))
    }

    /// Something is being committed at `now`.
    pub(super) fn advance_to(&mut self, now: Timestamp) {
        self.high_water.set(Some(self.judged_at(now)));
    }

    // -- tenants --

    /// A tenant that has written something before.
    pub(super) fn tenant(&mut self, id: &TenantId) -> Result<Option<&Tenant>, Failure> {
        if !self.tenants.contains_key(id) {
            let sql = "SELECT number, ledger FROM tenants WHERE name = ?1";
            let found = self.find(sql, [id.as_str()], |row| {
                let ledger = row.get_ref(1)?.as_blob_or_null()?;
                let ledger = ledger.map(from_row).transpose().in_table("tenants")?.unwrap_or_default();
                Ok(Tenant { number: row.get(0)?, ledger: Kept::new(ledger) })
            })?;
            let Some(tenant) = found else { return Ok(None) };
            self.tenants.insert(id.clone(), tenant);
        }
        Ok(self.tenants.get(id))
    }

    /// A tenant's number, given to it now if it has none.
    pub(super) fn tenant_number(&mut self, id: &TenantId) -> Result<i64, Failure> {
        if let Some(tenant) = self.tenant(id)? {
            return Ok(tenant.number);
        }
        self.execute("INSERT INTO tenants (name) VALUES (?1)", [id.as_str()])?;
        let number = self.conn.last_insert_rowid();
        self.tenants.insert(id.clone(), Tenant { number, ledger: Kept::default() });
        Ok(number)
    }

    /// What is counted for a tenant as a whole.
    pub(super) fn tenant_ledger(&mut self, id: &TenantId) -> Result<TenantLedger, Failure> {
        Ok(self.tenant(id)?.map(|tenant| tenant.ledger.value.clone()).unwrap_or_default())
    }

    /// Changes it; written with the commit.
    pub(super) fn set_tenant_ledger(&mut self, id: &TenantId, ledger: TenantLedger) -> Result<(), Failure> {
        self.tenant_number(id)?;
        if let Some(tenant) = self.tenants.get_mut(id) {
            tenant.ledger.set(ledger);
        }
        Ok(())
    }

    // -- the rest --

    /// Appends to the audit log.
    pub(super) fn append_audit(&mut self, events: &[AuditEvent]) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        let (entries, head) = audit::append(&self.keys, Some(&self.audit_head.value), events);
        for entry in &entries {
            self.execute(
                "INSERT INTO audit (seq, event, mac) VALUES (?1, ?2, ?3)",
                (entry.seq.cast_signed(), &entry.event, entry.mac.as_bytes()),
            )?;
        }
        self.audit_head.set(head);
        events.iter().map(|event| event.at).max().into_iter().for_each(|at| self.advance_to(at));
        Ok(())
    }

    /// Goes on behind another entry than the one that the store names as the last.
    pub(super) fn continue_audit_behind(&mut self, head: AuditHead) {
        self.audit_head.set(head);
    }

    /// Messages may be due: whoever waits for them is woken after the commit.
    pub(super) fn messages_are_due(&mut self) {
        self.messages_due = true;
    }

    // -- statements --

    /// A statement that stays prepared.
    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Failure> {
        #[cfg(test)]
        self.statements.borrow_mut().insert(sql.to_owned());
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// Runs a statement; answers how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Failure> {
        Ok(self.prepare(sql)?.execute(params)?)
    }

    /// Reads one row, if there is one.
    pub(super) fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        first(self.prepare(sql)?, params, read)
    }
}

/// Reads one row, if there is one.
pub(super) fn find<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    first(conn.prepare_cached(sql)?, params, read)
}

fn first<T>(
    mut statement: CachedStatement<'_>,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// The latest instant ever committed.
pub(super) fn high_water(conn: &Connection) -> Result<Option<Timestamp>, Failure> {
    let millis: Option<i64> = conn.query_row("SELECT high_water FROM state", (), |row| row.get(0))?;
    Ok(millis.map(Timestamp::from_millis))
}

/// The head of the audit log as stored, whether or not it holds. `None` in a new store.
pub(super) fn audit_head(conn: &Connection) -> Result<Option<SealedHead>, Failure> {
    let sql = "SELECT audit_seq, audit_mac, high_water, audit_seal FROM state WHERE audit_seal IS NOT NULL";
    let head = conn.prepare_cached(sql)?.query_row((), |row| {
        Ok(SealedHead {
            head: AuditHead {
                seq: row.get::<_, i64>(0)?.cast_unsigned(),
                mac: AuditMac::from_bytes(row.get(1)?),
            },
            mark: Timestamp::from_millis(row.get::<_, Option<i64>>(2)?.unwrap_or_default()),
            seal: AuditMac::from_bytes(row.get(3)?),
        })
    });
    Ok(head.optional()?)
}
