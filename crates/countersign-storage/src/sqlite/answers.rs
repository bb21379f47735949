//! Stored answers of idempotent requests.

use countersign_core::codec::{Undecodable, from_row, to_row};
use countersign_core::engine::{CheckOutcome, IdempotencyClaim, SendOutcome, StoredAnswer};
use countersign_core::verification::Verification;
use minicbor::{Decode, Encode};

use super::failure::{Failure, InTable};
use super::session::Session;
use super::unit::Unit;

/// An outcome that can be stored as an answer.
pub(super) trait Answer: Encode<()> + for<'b> Decode<'b, ()> {
    /// What the `call` column says.
    const CALL: i64;

    /// The verification it tells about.
    fn verification(&mut self) -> Option<&mut Verification>;
}

impl Answer for SendOutcome {
    const CALL: i64 = 0;

    fn verification(&mut self) -> Option<&mut Verification> {
        match self {
            Self::Accepted(accepted) => Some(&mut accepted.verification),
            Self::Refused(_) => None,
        }
    }
}

impl Answer for CheckOutcome {
    const CALL: i64 = 1;

    fn verification(&mut self) -> Option<&mut Verification> {
        match self {
            Self::Right { verification } | Self::Rejected { verification, .. } => Some(verification),
            Self::NotFound | Self::TenantBudget { .. } => None,
        }
    }
}

/// What was answered under a key.
pub(super) fn find(unit: &Unit<'_>, claim: &IdempotencyClaim) -> Result<Option<StoredAnswer>, Failure> {
    let Some(number) = unit.number else { return Ok(None) };
    let sql = "SELECT row FROM answers WHERE tenant = ?1 AND key = ?2";
    unit.session
        .find(sql, (number, claim.key), |row| from_row(row.get_ref(0)?.as_blob()?).in_table("answers"))
}

/// Keeps an answer with its effect.
pub(super) fn put<O: Answer>(
    unit: &Unit<'_>,
    claim: &IdempotencyClaim,
    outcome: &mut O,
) -> Result<(), Failure> {
    let answer = StoredAnswer::new(claim, outcome, unit.now);
    // An older answer under the same key has run out, or this one would not be written: it gives way,
    // number and all, so that the numbers keep the order of time.
    unit.session.execute(
        "INSERT OR REPLACE INTO answers (tenant, key, call, verification, forget_at, row)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            unit.number,
            claim.key,
            O::CALL,
            outcome.verification().map(|v| *v.id.as_bytes()),
            answer.forget_at().as_millis(),
            to_row(&answer),
        ),
    )?;
    Ok(())
}

/// Takes out of stored answers what a verification no longer knows: its addresses and notes.
pub(super) fn wipe(session: &Session, wiped: &Verification) -> Result<(), Failure> {
    let mut answers = Vec::new();
    {
        let sql = "SELECT seq, call, row FROM answers WHERE verification = ?1";
        let mut statement = session.prepare(sql)?;
        let mut rows = statement.query([wiped.id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let call: i64 = row.get(1)?;
            answers.push((row.get::<_, i64>(0)?, without_address(call, row.get_ref(2)?.as_blob()?, wiped)));
        }
    }
    for (seq, answer) in answers {
        match answer {
            Ok(row) => session.execute("UPDATE answers SET row = ?2 WHERE seq = ?1", (seq, row))?,
            // Nobody can be answered from it, and nobody knows what it holds.
            Err(Undecodable) => session.execute("DELETE FROM answers WHERE seq = ?1", [seq])?,
        };
    }
    Ok(())
}

fn without_address(call: i64, row: &[u8], wiped: &Verification) -> Result<Vec<u8>, Undecodable> {
    let mut answer: StoredAnswer = from_row(row)?;
    answer.outcome = match call {
        SendOutcome::CALL => wiped_outcome::<SendOutcome>(&answer.outcome, wiped)?,
        _ => wiped_outcome::<CheckOutcome>(&answer.outcome, wiped)?,
    };
    Ok(to_row(&answer))
}

fn wiped_outcome<O: Answer>(outcome: &[u8], wiped: &Verification) -> Result<Vec<u8>, Undecodable> {
    let mut outcome: O = from_row(outcome)?;
    if let Some(told) = outcome.verification() {
        told.metadata.clone_from(&wiped.metadata);
        for (told, wiped) in told.destinations.iter_mut().zip(&wiped.destinations) {
            told.recipient.clone_from(&wiped.recipient);
        }
    }
    Ok(to_row(&outcome))
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
