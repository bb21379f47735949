//! What is read without a decision, on connections of its own.

use countersign_core::audit::{AuditEntry, SealedHead};
use countersign_core::codec::from_row;
use countersign_core::engine::StoredUser;
use countersign_core::engine::{ListQuery, TenantUsage, UserIndex, VerificationPage, VerificationRecord};
use countersign_core::ids::VerificationId;
use countersign_core::keys::{AuditMac, RecipientKey};
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::outbox::Message;
use countersign_core::time::Timestamp;
use countersign_core::verification::{Status, Verification};
use rusqlite::Connection;

use super::changes::status_number;
use super::failure::{Failure, InTable};
use super::session::find;
use super::{directory as rows, outbox, session, unit};

/// The tenant's number, or one that no tenant has.
const TENANT: &str = "(SELECT number FROM tenants WHERE name = ?1)";

/// Sorts behind every id, which has 16 bytes.
const AFTER_EVERY_ID: [u8; 17] = [0xFF; 17];

/// One verification of a tenant with its messages.
pub(super) fn verification(
    conn: &Connection,
    tenant: &TenantId,
    id: VerificationId,
) -> Result<Option<VerificationRecord>, Failure> {
    let sql = format!("SELECT seq, row FROM verifications WHERE tenant = {TENANT} AND id = ?2");
    let found = find(conn, &sql, (tenant.as_str(), id.as_bytes()), unit::verification)?;
    let Some((seq, verification)) = found.filter(|(_, v)| v.tenant == *tenant) else { return Ok(None) };
    let (first, last) = outbox::numbers_of(seq);
    let sql = "SELECT row FROM messages WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((first, last))?;
    let mut messages: Vec<Message> = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(from_row(row.get_ref(0)?.as_blob()?).in_table("messages")?);
    }
    Ok(Some(VerificationRecord { verification, messages }))
}

/// So many rows of an address are looked through at once: more than its caps leave of somebody whom nobody floods.
const FEW: usize = 512;

/// A tenant's verifications, newest first. `recent` are those that the wanted recipient joined and that
/// are not in its tree yet.
pub(super) fn list(
    conn: &Connection,
    tenant: &TenantId,
    query: &ListQuery,
    recent: &[i64],
) -> Result<VerificationPage, Failure> {
    let Some(identity) = &query.identity else { return list_all(conn, tenant, query) };
    let joined = joined(conn, tenant, identity, usize::MAX)?;
    list_of(conn, tenant, query, [joined, recent.to_owned()].concat())
}

/// The same for a recipient that joined a few; `None` if it joined many, through which somebody else has to look.
pub(super) fn list_of_few(
    conn: &Connection,
    tenant: &TenantId,
    query: &ListQuery,
    identity: &RecipientKey,
    recent: &[i64],
) -> Result<Option<VerificationPage>, Failure> {
    let joined = joined(conn, tenant, identity, FEW + 1)?;
    if joined.len() > FEW {
        return Ok(None);
    }
    list_of(conn, tenant, query, [joined, recent.to_owned()].concat()).map(Some)
}

/// The verifications of all addresses. It goes back in time, and is over after so many looks: an index by
/// status would cost every start and every check more than this costs the few who ask.
fn list_all(conn: &Connection, tenant: &TenantId, query: &ListQuery) -> Result<VerificationPage, Failure> {
    let sql = format!(
        "SELECT id, status, expires_at, row FROM verifications
         WHERE tenant = {TENANT} AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    let before = query.before.as_ref().map_or(&AFTER_EVERY_ID[..], |id| id.as_bytes());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query((tenant.as_str(), before, query.looks))?;
    let mut page = VerificationPage::default();
    let mut looks = 0;
    while page.found.len() < query.limit as usize {
        let Some(row) = rows.next()? else { return Ok(page) };
        looks += 1;
        // The columns spare the reading of rows that cannot be meant; the rule decides.
        let (status, expires_at) = (row.get(1)?, row.get(2)?);
        if query.status.is_none_or(|wanted| may_stand_so(wanted, status, expires_at, query.now)) {
            let found: Verification = from_row(row.get_ref(3)?.as_blob()?).in_table("verifications")?;
            page.found.extend(Some(found).filter(|found| query.wants(found)));
        }
        if looks == query.looks && page.found.len() < query.limit as usize {
            page.go_on = Some(VerificationId::from_bytes(row.get(0)?));
            return Ok(page);
        }
    }
    Ok(page)
}

/// Expired is what is written so, and what is pending although its window closed.
fn may_stand_so(wanted: Status, status: i64, expires_at: i64, now: Timestamp) -> bool {
    let closed = status == status_number(Status::Pending) && expires_at <= now.as_millis();
    status_number(wanted) == if closed { status_number(Status::Expired) } else { status }
}

/// Up to `most` of the verifications that stand in a recipient's tree. Of each no more than a number is read: some
/// ten milliseconds for 100,000.
fn joined(
    conn: &Connection,
    tenant: &TenantId,
    identity: &RecipientKey,
    most: usize,
) -> Result<Vec<i64>, Failure> {
    let sql = format!(
        "SELECT verification FROM recipients
         WHERE tenant = {TENANT} AND key = ?2 AND verification IS NOT NULL LIMIT ?3"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(&sql)?;
    let joined = statement.query_map((tenant.as_str(), identity.as_bytes(), most), |row| row.get(0))?;
    Ok(joined.collect::<Result<_, _>>()?)
}

/// Of these verifications the wanted ones. It goes back in time, and is over after so many looks, as in
/// [`list_all`]. Numbers say when a verification was opened, and ids to the millisecond: those of one millisecond
/// are looked at together, and then put in the order of their ids.
fn list_of(
    conn: &Connection,
    tenant: &TenantId,
    query: &ListQuery,
    mut joined: Vec<i64>,
) -> Result<VerificationPage, Failure> {
    let Some(newest) = newest_before(conn, tenant, query.before)? else {
        return Ok(VerificationPage::default());
    };
    joined.retain(|seq| *seq <= newest);
    joined.sort_unstable_by_key(|seq| std::cmp::Reverse(*seq));
    joined.dedup(); // what is recent may be in the tree by now
    let mut statement =
        conn.prepare_cached("SELECT id, status, expires_at, row FROM verifications WHERE seq = ?1")?;
    let (mut page, mut looks, mut oldest) = (VerificationPage::default(), 0, None::<VerificationId>);
    for seq in joined {
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else { continue };
        let id = VerificationId::from_bytes(row.get(0)?);
        if query.before.is_some_and(|before| id >= before) {
            continue;
        }
        if oldest.is_some_and(|oldest| id.drawn_at() < oldest.drawn_at()) {
            if page.found.len() >= query.limit as usize {
                break;
            }
            if looks >= query.looks {
                page.go_on = oldest;
                break;
            }
        }
        looks += 1;
        oldest = oldest.min(Some(id)).or(Some(id));
        let (status, expires_at) = (row.get(1)?, row.get(2)?);
        if query.status.is_none_or(|wanted| may_stand_so(wanted, status, expires_at, query.now)) {
            let found: Verification = from_row(row.get_ref(3)?.as_blob()?).in_table("verifications")?;
            page.found.extend(Some(found).filter(|found| found.tenant == *tenant && query.wants(found)));
        }
    }
    page.found.sort_by_key(|found| std::cmp::Reverse(found.id));
    page.found.truncate(query.limit as usize);
    Ok(page)
}

/// The number that no verification drawn before the given one is above; `None` when there is none before it. It
/// may be deleted meanwhile.
fn newest_before(
    conn: &Connection,
    tenant: &TenantId,
    before: Option<VerificationId>,
) -> Result<Option<i64>, Failure> {
    let Some(before) = before else { return Ok(Some(i64::MAX)) };
    let sql =
        format!("SELECT id FROM verifications WHERE tenant = {TENANT} AND id < ?2 ORDER BY id DESC LIMIT 1");
    let last = find(conn, &sql, (tenant.as_str(), before.as_bytes()), |row| Ok(row.get::<_, [u8; 16]>(0)?))?;
    let Some(last) = last else { return Ok(None) };
    // Time never runs backwards: whatever was opened before that millisecond has a lower number than all in it.
    let mut millisecond = last;
    millisecond[6..].fill(0);
    let sql = format!("SELECT max(seq) FROM verifications WHERE tenant = {TENANT} AND id BETWEEN ?2 AND ?3");
    let mut end = last;
    end[6..].fill(0xFF);
    find(conn, &sql, (tenant.as_str(), millisecond, end), |row| Ok(row.get(0)?))
}

/// What is counted for a tenant.
pub(super) fn tenant_usage(conn: &Connection, tenant: &TenantId) -> Result<TenantUsage, Failure> {
    let sql = "SELECT ledger, nonces, undated_nonces FROM tenants WHERE name = ?1";
    let found = find(conn, sql, [tenant.as_str()], |row| {
        let ledger = row.get_ref(0)?.as_blob_or_null()?;
        let ledger = ledger.map(from_row).transpose().in_table("tenants")?.unwrap_or_default();
        Ok(TenantUsage { ledger, nonces: row.get(1)?, undated_nonces: row.get(2)? })
    })?;
    Ok(found.unwrap_or_default())
}

/// A user of a tenant's directory; of several, the one of the highest rank.
pub(super) fn find_user(
    conn: &Connection,
    tenant: &TenantId,
    directory: &DirectoryName,
    index: &UserIndex,
) -> Result<Option<StoredUser>, Failure> {
    let (key, condition) = match index {
        UserIndex::Id(id) => (id, "id = ?3"),
        UserIndex::Username(username) => (username, "username = ?3"),
        UserIndex::Address(address) => {
            let sql = format!(
                "SELECT row FROM users WHERE tenant = {TENANT} AND directory = ?2 AND email = ?3
                 UNION ALL
                 SELECT row FROM users WHERE tenant = {TENANT} AND directory = ?2 AND phone = ?3"
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query((tenant.as_str(), directory.as_str(), address.as_bytes()))?;
            let mut best: Option<StoredUser> = None;
            while let Some(row) = rows.next()? {
                let user = rows::read(row)?;
                best = match best {
                    Some(other) if other.rank(address) > user.rank(address) => Some(other),
                    _ => Some(user),
                };
            }
            return Ok(best);
        }
    };
    let sql = format!("SELECT row FROM users WHERE tenant = {TENANT} AND directory = ?2 AND {condition}");
    find(conn, &sql, (tenant.as_str(), directory.as_str(), key), rows::read)
}

/// Entries of the audit log after number `after`, in order.
pub(super) fn audit_entries(conn: &Connection, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Failure> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = "SELECT seq, event, mac FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let entries = statement.query_map((after, limit), |row| {
        Ok(AuditEntry {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            event: row.get(1)?,
            mac: AuditMac::from_bytes(row.get(2)?),
        })
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

/// The head of the audit log.
pub(super) fn audit_head(conn: &Connection) -> Result<Option<SealedHead>, Failure> {
    session::audit_head(conn)
}
