//! Stored answers of idempotent requests.

use countersign_core::codec::{from_row, to_row};
use countersign_core::engine::{Answer, IdempotencyClaim, StoredAnswer};
use countersign_core::ids::VerificationId;
use countersign_core::verification::Verification;

use super::failure::{Failure, InTable};
use super::session::Session;
use super::unit::Unit;

/// What was answered under a key.
pub(super) fn find(unit: &Unit<'_>, claim: &IdempotencyClaim) -> Result<Option<StoredAnswer>, Failure> {
    let Some(number) = unit.number else { return Ok(None) };
    let sql = "SELECT row FROM answers WHERE tenant = ?1 AND key = ?2";
    unit.session
        .find(sql, (number, claim.key), |row| from_row(row.get_ref(0)?.as_blob()?).in_table("answers"))
}

/// Keeps an answer with its effect.
pub(super) fn put<O: Answer>(unit: &Unit<'_>, claim: &IdempotencyClaim, outcome: &O) -> Result<(), Failure> {
    let answer = StoredAnswer::new(claim, outcome, unit.now);
    // An older answer under the same key has run out, or this one would not be written: it gives way,
    // number and all, so that the numbers keep the order of time.
    unit.session.execute(
        "INSERT OR REPLACE INTO answers (tenant, key, verification, forget_at, row)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            unit.number,
            claim.key,
            answer.verification.as_ref().map(VerificationId::as_bytes),
            answer.forget_at().as_millis(),
            to_row(&answer),
        ),
    )?;
    Ok(())
}

/// Takes out of stored answers what a verification no longer knows.
pub(super) fn forget_recipient(session: &Session, wiped: &Verification) -> Result<(), Failure> {
    let mut answers = Vec::new();
    {
        let mut statement = session.prepare("SELECT seq, row FROM answers WHERE verification = ?1")?;
        let mut rows = statement.query([wiped.id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let answer = from_row::<StoredAnswer>(row.get_ref(1)?.as_blob()?);
            answers.push((row.get::<_, i64>(0)?, answer));
        }
    }
    for (seq, answer) in answers {
        let forgotten = answer.and_then(|mut answer| {
            answer.forget_recipient(wiped)?;
            Ok(to_row(&answer))
        });
        match forgotten {
            Ok(row) => session.execute("UPDATE answers SET row = ?2 WHERE seq = ?1", (seq, row))?,
            // Nobody can be answered from it, and nobody knows what it holds.
            Err(_) => session.execute("DELETE FROM answers WHERE seq = ?1", [seq])?,
        };
    }
    Ok(())
}

/// Deletes up to `limit` answers that have run out.
pub(super) fn forget(session: &Session, limit: u32, now: i64) -> Result<usize, Failure> {
    // Numbers stand in the order of time: the scan ends at the first that stays.
    session.execute(
        "DELETE FROM answers WHERE seq IN
           (SELECT seq FROM (SELECT seq, forget_at FROM answers ORDER BY seq LIMIT ?1) WHERE forget_at <= ?2)",
        (limit, now),
    )
}
