//! The write connection, and what it remembers between commands.
//!
//! Rows that nearly every command needs (tenants and their ledgers, the high-water mark, the audit
//! log's head) are kept in memory and written once per commit, not once per command. A rollback takes
//! back what the transaction changed in memory, and nothing is read again: a command that fails is a
//! small thing, also when ten of them fail in a second.
//!
//! Whoever adds something to memory adds it to [`Mark`], or keeps what a change replaced.

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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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

/// A moment in a transaction that memory and the store can be taken back to.
#[derive(Clone, Debug)]
struct Mark {
    high_water: Kept<Option<Timestamp>>,
    audit_head: Kept<AuditHead>,
    messages_due: bool,
    /// How many changes of tenants there were.
    tenants: usize,
    outbox: usize,
    recipients: recipients::Mark,
    /// How many rows had been changed since the connection was opened.
    rows: u64,
}

/// The write connection.
pub(super) struct Session {
    pub(super) conn: Connection,
    pub(super) keys: Arc<KeyRing>,
    /// Whether memory was read.
    recalled: bool,
    high_water: Kept<Option<Timestamp>>,
    tenants: HashMap<TenantId, Tenant>,
    /// What a rollback puts back, oldest first: a tenant's ledger, or that the tenant was not known.
    tenants_before: Vec<(TenantId, Option<Kept<TenantLedger>>)>,
    audit_head: Kept<AuditHead>,
    pub(super) outbox: Outbox,
    pub(super) recipients: Recipients,
    /// After so many changes these are sorted into the recipients' tree.
    pub(super) recipients_round: u32,
    messages_due: bool,
    /// How many rows had been changed when the transaction began; those that were changed and taken
    /// back count as changed before.
    rows_before: u64,
    /// Where the transaction began.
    begun: Option<Mark>,
    /// A later moment that it can be taken back to; SQLite has a savepoint there.
    marked: Option<Mark>,
    /// How often memory was read.
    #[cfg(test)]
    pub(super) recalls: u32,
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
            recalled: false,
            high_water: Kept::default(),
            tenants: HashMap::new(),
            tenants_before: Vec::new(),
            audit_head: Kept::default(),
            outbox: Outbox::default(),
            recipients: Recipients::default(),
            recipients_round,
            messages_due: false,
            rows_before: 0,
            begun: None,
            marked: None,
            #[cfg(test)]
            recalls: 0,
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
        self.rows_before = self.conn.total_changes();
        if !self.recalled {
            self.recall()?;
        }
        self.begun = Some(self.here());
        Ok(())
    }

    /// Marks this moment: [`Session::back`] leads here from now on.
    ///
    /// A savepoint is not free. SQLite copies each page that is changed after it for the first time.
    pub(super) fn mark(&mut self) -> Result<(), Failure> {
        self.release()?;
        self.execute("SAVEPOINT mark", ())?;
        self.marked = Some(self.here());
        Ok(())
    }

    /// Undoes what was done since the last mark, or since the transaction began; answers whether
    /// that is a mark. After an error: [`Session::rollback`].
    pub(super) fn back(&mut self) -> Result<bool, Failure> {
        // Some errors make SQLite roll back by itself.
        if self.conn.is_autocommit() || self.marked.is_none() {
            self.rollback();
            self.begin()?;
            return Ok(false);
        }
        self.execute("ROLLBACK TO mark", ())?;
        if let Some(mark) = self.marked.clone() {
            self.rows_before += self.conn.total_changes() - mark.rows;
            self.remember(&mark);
            self.marked = Some(Mark { rows: self.conn.total_changes(), ..mark });
        }
        Ok(true)
    }

    /// Writes what memory gathered and commits. After an error: [`Session::rollback`].
    pub(super) fn commit(&mut self) -> Result<Committed, Failure> {
        self.release()?;
        self.write_back()?;
        let wrote = self.conn.total_changes() != self.rows_before;
        #[cfg(test)]
        if let Some(error) = self.fail_next_commit.take() {
            return Err(error.into());
        }
        self.execute("COMMIT", ())?;
        self.begun = None;
        self.tenants_before.clear();
        self.outbox.keep();
        self.recipients.keep();
        let messages_due = std::mem::take(&mut self.messages_due);
        Ok(Committed { high_water: self.high_water.value, messages_due, wrote })
    }

    /// Undoes the transaction, if SQLite has not done so already.
    pub(super) fn rollback(&mut self) {
        self.marked = None;
        if let Some(begun) = self.begun.take() {
            self.remember(&begun);
        }
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

    /// Does without the last mark.
    fn release(&mut self) -> Result<(), Failure> {
        if self.marked.take().is_some() {
            self.execute("RELEASE mark", ())?;
        }
        Ok(())
    }

    fn here(&self) -> Mark {
        Mark {
            high_water: self.high_water,
            audit_head: self.audit_head,
            messages_due: self.messages_due,
            tenants: self.tenants_before.len(),
            outbox: self.outbox.mark(),
            recipients: self.recipients.mark(),
            rows: self.conn.total_changes(),
        }
    }

    /// Takes memory back to a mark of this transaction.
    fn remember(&mut self, mark: &Mark) {
        self.high_water = mark.high_water;
        self.audit_head = mark.audit_head;
        self.messages_due = mark.messages_due;
        while self.tenants_before.len() > mark.tenants {
            match self.tenants_before.pop() {
                Some((id, None)) => drop(self.tenants.remove(&id)),
                Some((id, Some(ledger))) => {
                    if let Some(tenant) = self.tenants.get_mut(&id) {
                        tenant.ledger = ledger;
                    }
                }
                None => {}
            }
        }
        self.outbox.back_to(mark.outbox);
        self.recipients.back_to(&mark.recipients);
    }

    fn recall(&mut self) -> Result<(), Failure> {
        self.high_water = Kept::new(high_water(&self.conn)?);
        self.audit_head = Kept::new(audit_head(&self.conn)?.map(|sealed| sealed.head).unwrap_or_default());
        self.recipients = Recipients::load(&self.conn)?;
        self.recalled = true;
        #[cfg(test)]
        {
            self.recalls += 1;
        }
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
        self.tenants_before.push((id.clone(), None));
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
            let before = std::mem::replace(&mut tenant.ledger, Kept { value: ledger, moved: true });
            self.tenants_before.push((id.clone(), Some(before)));
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

    /// Compares memory with the store, at the beginning of a transaction.
    #[cfg(test)]
    pub(super) fn agrees_with_store(&self) -> Result<(), Failure> {
        assert_eq!(self.high_water, Kept::new(high_water(&self.conn)?));
        let head = audit_head(&self.conn)?.map(|sealed| sealed.head).unwrap_or_default();
        assert_eq!(self.audit_head, Kept::new(head));
        for (id, tenant) in &self.tenants {
            let sql = "SELECT number, ledger FROM tenants WHERE name = ?1";
            let stored = self.find(sql, [id.as_str()], |row| {
                let ledger = row.get_ref(1)?.as_blob_or_null()?;
                let ledger = ledger.map(from_row).transpose().in_table("tenants")?.unwrap_or_default();
                Ok((row.get(0)?, Kept::new(ledger)))
            })?;
            assert_eq!(stored, Some((tenant.number, tenant.ledger.clone())), "{id}");
        }
        outbox::agrees_with_store(self)?;
        self.recipients.agrees_with_store(&self.conn)
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
