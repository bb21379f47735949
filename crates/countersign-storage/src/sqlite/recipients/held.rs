//! Who may be held, in the order in which they came to be: the list for whoever has to help.

use std::time::Duration;

use countersign_core::codec::{from_row, to_row};
use countersign_core::engine::{HeldPage, HeldPlace, HeldQuery, HeldRecipient};
use countersign_core::ids::VerificationId;
use countersign_core::keys::RecipientKey;
use countersign_core::names::TenantId;
use countersign_core::time::Timestamp;
use countersign_core::verification::{RecipientLedger, Verification};
use rusqlite::{Connection, Row};

use super::{Place, Session};
use crate::sqlite::failure::{Failure, InTable};
use crate::sqlite::session::find;
use crate::sqlite::unit;

/// Those whose hold lasts, and those of whom enough failed of late, newest first.
pub(in crate::sqlite) const NEWEST_HOLDS: &str = "\
    SELECT since, key, row FROM holds
      WHERE tenant = (SELECT number FROM tenants WHERE name = ?1) AND lasting = 1 AND (since, key) < (?2, ?3)
    UNION ALL
    SELECT since, key, row FROM holds
      WHERE tenant = (SELECT number FROM tenants WHERE name = ?1) AND lasting = 0 AND (since, key) < (?2, ?3)
        AND since > ?4 AND halves >= ?5
    ORDER BY since DESC, key DESC LIMIT ?6";

/// How long a failed check counts.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Writes where a ledger is in the list, or that it is not in it any longer.
pub(super) fn list(session: &Session, (tenant, key): Place, ledger: &RecipientLedger) -> Result<(), Failure> {
    let Some(held) = ledger.may_be_held() else { return unlist(session, (tenant, key)) };
    session.execute(
        "INSERT INTO holds (tenant, key, lasting, since, halves, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant, key) DO UPDATE SET lasting = ?3, since = ?4, halves = ?5, row = ?6",
        (tenant, key.as_bytes(), held.lasting, held.since.as_millis(), held.halves, to_row(ledger)),
    )?;
    Ok(())
}

/// Takes a recipient off the list.
pub(super) fn unlist(session: &Session, (tenant, key): Place) -> Result<(), Failure> {
    session.execute("DELETE FROM holds WHERE tenant = ?1 AND key = ?2", (tenant, key.as_bytes()))?;
    Ok(())
}

/// Lists the holds that were there before there was a list, once. It walks through all recipients.
pub(in crate::sqlite) fn take_over(session: &mut Session) -> Result<(), Failure> {
    let listed = session.find("SELECT holds_listed FROM state", (), |row| Ok(row.get::<_, bool>(0)?))?;
    if listed.unwrap_or(false) {
        return Ok(());
    }
    let mut held: Vec<(Place, RecipientLedger)> = Vec::new();
    {
        let sql = "SELECT tenant, key, row FROM recipients WHERE row IS NOT NULL AND forget_at IS NULL";
        let mut statement = session.conn.prepare(sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let place = (row.get(0)?, RecipientKey::from_bytes(row.get(1)?));
            // A damaged row is told when somebody asks for it; it must not keep the store from opening.
            held.extend(from_row(row.get_ref(2)?.as_blob()?).ok().map(|ledger| (place, ledger)));
        }
    }
    let news = session.recipients.news.iter();
    held.extend(news.filter_map(|(place, news)| Some((*place, news.ledger.clone()?))));
    for (place, ledger) in held {
        list(session, place, &ledger)?;
    }
    session.execute("UPDATE state SET holds_listed = 1", ())?;
    Ok(())
}

/// A tenant's recipients who are held, newest hold first.
pub(in crate::sqlite) fn held(
    conn: &Connection,
    tenant: &TenantId,
    query: &HeldQuery,
) -> Result<HeldPage, Failure> {
    let before = query.before.map(|place| (place.since.as_millis(), *place.budget.as_bytes()));
    let (since, key) = before.unwrap_or((i64::MAX, [0; 16]));
    // Two halves are a guess.
    let (day_ago, halves) = (query.now - DAY, query.caps.failed_checks_per_day.saturating_mul(2));
    let mut statement = conn.prepare_cached(NEWEST_HOLDS)?;
    let mut rows =
        statement.query((tenant.as_str(), since, key, day_ago.as_millis(), halves, query.looks))?;
    let (mut page, mut looks) = (HeldPage::default(), 0);
    while page.found.len() < query.limit as usize {
        let Some(row) = rows.next()? else { return Ok(page) };
        looks += 1;
        let (place, ledger) = read(row)?;
        // The index says who may be held; the rule decides.
        if let Some(place) = query.place(place.budget, &ledger) {
            let verification =
                ledger.guessed_at().map(|id| verification(conn, tenant, id)).transpose()?.flatten();
            page.found.push(HeldRecipient { place, ledger, verification });
        }
        if looks == query.looks && page.found.len() < query.limit as usize {
            page.go_on = Some(place);
        }
    }
    Ok(page)
}

fn read(row: &Row<'_>) -> Result<(HeldPlace, RecipientLedger), Failure> {
    let place = HeldPlace {
        since: Timestamp::from_millis(row.get(0)?),
        budget: RecipientKey::from_bytes(row.get(1)?),
    };
    Ok((place, from_row(row.get_ref(2)?.as_blob()?).in_table("holds")?))
}

fn verification(
    conn: &Connection,
    tenant: &TenantId,
    id: VerificationId,
) -> Result<Option<Verification>, Failure> {
    let sql = "SELECT v.seq, v.row FROM verifications v JOIN tenants t ON t.number = v.tenant
               WHERE t.name = ?1 AND v.id = ?2";
    let found = find(conn, sql, (tenant.as_str(), id.as_bytes()), unit::verification)?;
    Ok(found.map(|(_, verification)| verification).filter(|v| v.tenant == *tenant))
}
