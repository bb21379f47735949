//! The directory's rows.

use countersign_core::codec::{from_row, to_row};
use countersign_core::engine::{NameConflict, Proven, PutUser, StoredUser, UserAddress};
use countersign_core::keys::RecipientKey;
use countersign_core::names::TenantId;
use countersign_core::time::Timestamp;

use super::failure::{Failure, InTable};
use super::session::Session;

/// Writes a user if its stored sequence is `expected`.
pub(super) fn put(
    session: &mut Session,
    tenant: &TenantId,
    user: &StoredUser,
    expected: Option<u64>,
    on_name: NameConflict,
) -> Result<PutUser, Failure> {
    let number = session.tenant_number(tenant)?;
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND id = ?2";
    let stored: Option<StoredUser> = session.find(sql, (number, user.id), read)?;
    if stored.map(|stored| stored.sequence) != expected {
        return Ok(PutUser::Stale);
    }
    if let Some(username) = &user.username {
        let sql = "SELECT row FROM users WHERE tenant = ?1 AND username = ?2 AND id <> ?3";
        let namesakes = all(session, sql, (number, username, user.id))?;
        if on_name == NameConflict::Refuse && !namesakes.is_empty() {
            return Ok(PutUser::NameTaken);
        }
        for mut namesake in namesakes {
            namesake.username = None;
            write(session, number, &namesake)?;
        }
    }
    write(session, number, user)?;
    Ok(PutUser::Written)
}

/// Records what was proven: with every user whose address it is, or with one user alone.
pub(super) fn prove(session: &Session, tenant: i64, proven: &Proven, now: Timestamp) -> Result<(), Failure> {
    let (users, address) = match proven {
        Proven::Address(address) => (of_address(session, tenant, address)?, address),
        Proven::OfUser(UserAddress { user, address }) => {
            let sql = "SELECT row FROM users WHERE tenant = ?1 AND id = ?2";
            (all(session, sql, (tenant, user))?, address)
        }
    };
    for mut user in users {
        if user.prove(address, now) {
            write(session, tenant, &user)?;
        }
    }
    Ok(())
}

/// Removes every user whose address it is.
pub(super) fn remove(session: &Session, tenant: i64, address: &RecipientKey) -> Result<(), Failure> {
    for user in of_address(session, tenant, address)? {
        session.execute("DELETE FROM users WHERE tenant = ?1 AND id = ?2", (tenant, user.id))?;
    }
    Ok(())
}

/// Every user whose address it is.
pub(super) fn of_address(
    session: &Session,
    tenant: i64,
    address: &RecipientKey,
) -> Result<Vec<StoredUser>, Failure> {
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND email = ?2
               UNION ALL
               SELECT row FROM users WHERE tenant = ?1 AND phone = ?2 AND email IS NOT ?2";
    all(session, sql, (tenant, address.as_bytes()))
}

fn all(session: &Session, sql: &str, params: impl rusqlite::Params) -> Result<Vec<StoredUser>, Failure> {
    let mut statement = session.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(read(row)?);
    }
    Ok(users)
}

/// Reads `row`.
pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<StoredUser, Failure> {
    from_row(row.get_ref(0)?.as_blob()?).in_table("users")
}

fn write(session: &Session, tenant: i64, user: &StoredUser) -> Result<(), Failure> {
    session.execute(
        "INSERT INTO users (tenant, id, username, email, phone, changed_at, row)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (tenant, id) DO UPDATE
         SET username = ?3, email = ?4, phone = ?5, changed_at = ?6, row = ?7",
        (
            tenant,
            user.id,
            user.username,
            user.email.as_ref().map(RecipientKey::as_bytes),
            user.phone.as_ref().map(RecipientKey::as_bytes),
            user.changed_at.as_millis(),
            to_row(user),
        ),
    )?;
    Ok(())
}
