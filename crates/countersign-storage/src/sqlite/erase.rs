//! Erasing a recipient, a part at a time: a number may have thousands of verifications, and nobody else
//! waits for all of them.
//!
//! What is left to do stands in a row of `erasures`, written with every part. Whoever asked is answered
//! when nothing is left; after a crash, or where nobody waits any more, clearing up does the rest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::engine::{RecipientCommand, UserKey};
use countersign_core::keys::RecipientKey;
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::outbox::Abandoned;
use countersign_core::time::Timestamp;
use countersign_core::verification::erase as erase_rule;

use super::failure::Failure;
use super::recipients::{self, JoinedRow};
use super::session::Session;
use super::unit::Unit;
use super::{answers, directory, outbox};

/// How many rows one part erases: some milliseconds of the writer's time.
const PART: u32 = 64;

/// An erasure that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Erasure {
    tenant: i64,
    /// Who is erased.
    key: RecipientKey,
    /// Whose verifications come next: the recipient's, then its users' own.
    of: RecipientKey,
    /// The last one of them that is done.
    done: JoinedRow,
}

/// Of whom an erasure is.
type Whose = (TenantId, RecipientKey);

/// How many callers wait for the erasure of each recipient. Those of whom nobody does are abandoned.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<Whose, usize>>);

impl UnderWay {
    /// One more waits for this erasure, until what this answers is dropped.
    pub(super) fn begin(&self, tenant: &TenantId, key: &RecipientKey) -> Waits<'_> {
        let whose = (tenant.clone(), *key);
        *self.callers().entry(whose.clone()).or_default() += 1;
        Waits { under_way: self, whose }
    }

    /// Whether anybody waits for it.
    fn has(&self, tenant: &TenantId, key: &RecipientKey) -> bool {
        self.callers().contains_key(&(tenant.clone(), *key))
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<Whose, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller waits for an erasure.
#[derive(Debug)]
pub(super) struct Waits<'w> {
    under_way: &'w UnderWay,
    whose: Whose,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut callers = self.under_way.callers();
        if let Some(count) = callers.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.whose);
            }
        }
    }
}

/// Where an erasure stands among all: its tenant's number and its key, as they are stored.
pub(super) type Place = (i64, Vec<u8>);

/// What came of one part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    /// How many verifications no longer know the recipient because of it.
    pub(super) wiped: u32,
    /// Whether nothing is left.
    pub(super) over: bool,
}

/// Begins an erasure, anew where one is under way, and does its first part.
pub(super) fn begin(session: &mut Session, command: &RecipientCommand) -> Result<Part, Failure> {
    let now = session.judged_at(command.now);
    session.append_audit(std::slice::from_ref(&command.audit))?;
    let Some(tenant) = session.tenant(&command.tenant)?.map(|tenant| tenant.number) else {
        session.advance_to(now);
        return Ok(Part { wiped: 0, over: true });
    };
    let budget = &command.keys.budget;
    if let Some(mut ledger) = recipients::ledger(session, tenant, budget)?
        && ledger.forget_whereabouts()
    {
        recipients::put_ledger(session, tenant, budget, &ledger);
    }
    let key = command.keys.identity;
    let done = JoinedRow::default();
    part(session, &command.tenant, Erasure { tenant, key, of: key, done }, now)
}

/// Does the next part of a recipient's erasure.
pub(super) fn go_on(session: &mut Session, command: &RecipientCommand) -> Result<Part, Failure> {
    let tenant = session.tenant(&command.tenant)?.map(|tenant| tenant.number);
    let sql = "SELECT tenant, key, of, purpose, joined FROM erasures WHERE tenant = ?1 AND key = ?2";
    let found = session.find(sql, (tenant, command.keys.identity.as_bytes()), read)?;
    let Some(erasure) = found else { return Ok(Part { wiped: 0, over: true }) };
    let now = session.judged_at(command.now);
    part(session, &command.tenant, erasure, now)
}

/// The place of the next erasure behind one.
pub(super) fn next_after(session: &Session, after: Option<&Place>) -> Result<Option<Place>, Failure> {
    let sql = "SELECT tenant, key FROM erasures WHERE (tenant, key) > (?1, ?2) ORDER BY tenant, key LIMIT 1";
    let (tenant, key) = after.map_or((i64::MIN, &[][..]), |(tenant, key)| (*tenant, key));
    session.find(sql, (tenant, key), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Does the next part of the erasure in a place, unless somebody waits for it, who does it then. Answers whether
/// something is left to do here.
pub(super) fn go_on_with(
    session: &mut Session,
    (number, key): &Place,
    under_way: &UnderWay,
    now: Timestamp,
) -> Result<bool, Failure> {
    let sql = "SELECT tenant, key, of, purpose, joined FROM erasures WHERE tenant = ?1 AND key = ?2";
    let Some(erasure) = session.find(sql, (number, key), read)? else { return Ok(false) };
    let sql = "SELECT name FROM tenants WHERE number = ?1";
    let name = session.find(sql, [number], |row| Ok(row.get::<_, String>(0)?))?;
    let tenant = name.and_then(|name| TenantId::parse(&name).ok()).ok_or(Failure::Corrupt("tenants"))?;
    if under_way.has(&tenant, &erasure.key) {
        return Ok(false);
    }
    let now = session.judged_at(now);
    Ok(!part(session, &tenant, erasure, now)?.over)
}

fn read(row: &rusqlite::Row<'_>) -> Result<Erasure, Failure> {
    let key = |index| Ok::<_, Failure>(RecipientKey::from_bytes(row.get(index)?));
    let done = JoinedRow { purpose: row.get(3)?, joined: row.get(4)? };
    Ok(Erasure { tenant: row.get(0)?, key: key(1)?, of: key(2)?, done })
}

fn part(
    session: &mut Session,
    tenant: &TenantId,
    mut erasure: Erasure,
    now: Timestamp,
) -> Result<Part, Failure> {
    session.advance_to(now);
    let (mut room, mut wiped) = (PART, 0);
    while room > 0 {
        let next = recipients::joined_after(session, erasure.tenant, &erasure.of, &erasure.done, room)?;
        let all = next.len() < room as usize;
        for (row, verification) in next {
            let whose = (tenant, erasure.tenant);
            wiped += u32::from(erase_verification(session, whose, verification, now)?);
            erasure.done = row;
            room -= 1;
        }
        if !all {
            break;
        }
        erasure.done = JoinedRow::default();
        loop {
            let first = directory::first_of_address(session, erasure.tenant, &erasure.key)?;
            let Some((directory, id)) = first else {
                forget(session, &erasure)?;
                return Ok(Part { wiped, over: true });
            };
            let before = session.keys.users_own_before_directories(tenant, &id, &erasure.key);
            if erasure.of != before {
                let user = DirectoryName::parse(&directory).map(|directory| UserKey { directory, id });
                let own = user.ok().map(|user| session.keys.users_own(tenant, &user, &erasure.key));
                erasure.of = own.filter(|own| *own != erasure.of).unwrap_or(before);
                break;
            }
            // Whose verifications are all done goes.
            directory::remove(session, erasure.tenant, &directory, &id)?;
            room = room.saturating_sub(1);
        }
    }
    keep(session, &erasure)?;
    Ok(Part { wiped, over: false })
}

/// Answers whether it knew the recipient.
fn erase_verification(
    session: &mut Session,
    (tenant, number): (&TenantId, i64),
    seq: i64,
    now: Timestamp,
) -> Result<bool, Failure> {
    let mut unit = Unit::numbered_tenant(session, tenant, Some(number), now);
    let Some(verification) = unit.numbered(seq)? else { return Ok(false) };
    let erased = erase_rule(verification.clone(), unit.now);
    unit.put_verification(number, &erased)?;
    outbox::abandon_open(unit.session, seq, None, Abandoned::Superseded, unit.now)?;
    answers::forget_recipient(unit.session, &erased)?;
    Ok(erased != verification)
}

fn keep(session: &Session, erasure: &Erasure) -> Result<(), Failure> {
    let Erasure { tenant, key, of, done } = erasure;
    session.execute(
        "INSERT INTO erasures (tenant, key, of, purpose, joined) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (tenant, key) DO UPDATE SET of = ?3, purpose = ?4, joined = ?5",
        (tenant, key.as_bytes(), of.as_bytes(), &done.purpose, done.joined),
    )?;
    Ok(())
}

fn forget(session: &Session, erasure: &Erasure) -> Result<(), Failure> {
    let sql = "DELETE FROM erasures WHERE tenant = ?1 AND key = ?2";
    session.execute(sql, (erasure.tenant, erasure.key.as_bytes()))?;
    Ok(())
}
