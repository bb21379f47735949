//! The directories' rows.

use countersign_core::codec::{from_row, to_row};
use countersign_core::engine::{
    CLAIMS_PER_ADDRESS, Claimants, NameConflict, NewRow, Proven, PutUser, Room, StoredUser, UserKey,
};
use countersign_core::keys::RecipientKey;
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::time::Timestamp;

use super::failure::{Failure, InTable};
use super::session::Session;

/// Writes a user if its stored sequence is `expected`.
pub(super) fn put(
    session: &mut Session,
    tenant: &TenantId,
    directory: &DirectoryName,
    user: &StoredUser,
    expected: Option<u64>,
    on_name: NameConflict,
) -> Result<PutUser, Failure> {
    let number = session.tenant_number(tenant)?;
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND id = ?3";
    let stored: Option<StoredUser> = session.find(sql, (number, directory.as_str(), user.id), read)?;
    if stored.as_ref().map(|stored| stored.sequence) != expected {
        return Ok(PutUser::Stale);
    }
    let mut ended = Vec::new();
    for claimants in claimants(session, number, directory, user, stored.as_ref())? {
        match claimants.room(user.changed_at) {
            Room::Free => {}
            Room::Ends(id) => ended.push(id),
            Room::Full => return Ok(PutUser::AddressFull),
        }
    }
    if let Some(username) = &user.username {
        let sql = "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND username = ?3 AND id <> ?4";
        let namesakes = all(session, sql, (number, directory.as_str(), username, user.id), read)?;
        let moves = |other: &StoredUser| on_name == NameConflict::Move && other.gives_up_name();
        if !namesakes.iter().all(moves) {
            return Ok(PutUser::NameTaken);
        }
        for mut namesake in namesakes {
            namesake.username = None;
            write(session, number, directory.as_str(), &namesake)?;
        }
    }
    for id in ended {
        remove(session, number, directory.as_str(), &id)?;
    }
    write(session, number, directory.as_str(), user)?;
    Ok(PutUser::Written)
}

/// Per address that a user claims and did not have `before`, the others of the directory who have it: as many of
/// them as the rule needs to see. A store of before may have more.
pub(super) fn claimants(
    session: &Session,
    tenant: i64,
    directory: &DirectoryName,
    user: &StoredUser,
    before: Option<&StoredUser>,
) -> Result<Vec<Claimants>, Failure> {
    const MOST: usize = 4 * CLAIMS_PER_ADDRESS;
    let mut claimants = Vec::new();
    for address in user.claims(before) {
        let column = if user.email == Some(address) { "email" } else { "phone" };
        let sql = format!(
            "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND {column} = ?3 AND id <> ?4 LIMIT {MOST}"
        );
        let others = all(session, &sql, (tenant, directory.as_str(), address.as_bytes(), user.id), read)?;
        claimants.push(Claimants { address, others });
    }
    Ok(claimants)
}

/// Whether a user has that id, and whether another one has that name.
pub(super) fn taken(
    session: &Session,
    tenant: i64,
    directory: &DirectoryName,
    user: &StoredUser,
) -> Result<(bool, bool), Failure> {
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND id = ?3";
    let id = !all(session, sql, (tenant, directory.as_str(), user.id), read)?.is_empty();
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND username = ?3 AND id <> ?4";
    let name = match &user.username {
        Some(name) => !all(session, sql, (tenant, directory.as_str(), name, user.id), read)?.is_empty(),
        None => false,
    };
    Ok((id, name))
}

/// Writes a user whom nobody stands in the way of.
pub(super) fn add(session: &Session, tenant: i64, new: &NewRow) -> Result<(), Failure> {
    write(session, tenant, new.directory.as_str(), &new.user)
}

/// Records what was proven with the user that it was asked for.
pub(super) fn prove(session: &Session, tenant: i64, proven: &Proven, now: Timestamp) -> Result<(), Failure> {
    let UserKey { directory, id } = &proven.user;
    let sql = "SELECT row FROM users WHERE tenant = ?1 AND directory = ?2 AND id = ?3";
    if let Some(mut user) = session.find(sql, (tenant, directory.as_str(), id), read)?
        && user.prove(proven.address.as_ref(), now)
    {
        write(session, tenant, directory.as_str(), &user)?;
    }
    Ok(())
}

/// Removes a user, who may be of before directories.
pub(super) fn remove(session: &Session, tenant: i64, directory: &str, id: &[u8; 16]) -> Result<(), Failure> {
    let sql = "DELETE FROM users WHERE tenant = ?1 AND directory = ?2 AND id = ?3";
    session.execute(sql, (tenant, directory, id))?;
    Ok(())
}

/// Deletes up to `limit` users of whom nothing was ever proven and whose time is over.
pub(super) fn forget(session: &Session, limit: u32, now: Timestamp) -> Result<u32, Failure> {
    let sql =
        "SELECT tenant, directory, id, row FROM users WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2";
    let due = all(session, sql, (now.as_millis(), limit), |row| {
        let user = from_row::<StoredUser>(row.get_ref(3)?.as_blob()?).ok();
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?, user))
    })?;
    let mut forgotten = 0;
    for (tenant, directory, id, user) in due {
        let sql = match user {
            Some(user) if user.forget_at().is_some_and(|at| at <= now) => {
                forgotten += 1;
                "DELETE FROM users WHERE tenant = ?1 AND directory = ?2 AND id = ?3"
            }
            Some(_) => continue,
            None => {
                // As with a verification: it keeps nothing else from being cleared, and does not vanish.
                tracing::error!(directory, "a row of users cannot be read; it is left as it is");
                "UPDATE users SET forget_at = NULL WHERE tenant = ?1 AND directory = ?2 AND id = ?3"
            }
        };
        session.execute(sql, (tenant, directory, id))?;
    }
    Ok(forgotten)
}

/// One of the users whose address it is, in whatever directory: the same one, as long as it is there. That
/// of a user of before directories is empty.
pub(super) fn first_of_address(
    session: &Session,
    tenant: i64,
    address: &RecipientKey,
) -> Result<Option<(String, [u8; 16])>, Failure> {
    for column in ["email", "phone"] {
        let sql = format!(
            "SELECT directory, id FROM users WHERE tenant = ?1 AND {column} = ?2 ORDER BY directory, id LIMIT 1"
        );
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        if let Some(user) = session.find(&sql, (tenant, address.as_bytes()), read)? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// A user that was written before there were directories.
#[derive(Debug)]
pub(super) struct Unfiled {
    /// The number of its tenant, and its id.
    pub(super) place: (i64, Vec<u8>),
    /// Whose user it is, and what it says; `None` if that cannot be read.
    pub(super) user: Option<(TenantId, StoredUser)>,
}

/// Up to `limit` users that were written before there were directories, of those behind a place.
pub(super) fn unfiled(
    session: &Session,
    after: Option<&(i64, Vec<u8>)>,
    limit: u32,
) -> Result<Vec<Unfiled>, Failure> {
    let sql = "SELECT u.tenant, u.id, t.name, u.row FROM users u INDEXED BY users_without_directory
               LEFT JOIN tenants t ON t.number = u.tenant
               WHERE u.directory = '' AND (u.tenant, u.id) > (?1, ?2) ORDER BY u.tenant, u.id LIMIT ?3";
    let (tenant, id) = after.map_or((i64::MIN, &[][..]), |(tenant, id)| (*tenant, id));
    all(session, sql, (tenant, id, limit), |row| {
        let tenant = row.get_ref(2)?.as_str_or_null()?.and_then(|name| TenantId::parse(name).ok());
        let user = from_row(row.get_ref(3)?.as_blob()?).ok();
        Ok(Unfiled { place: (row.get(0)?, row.get(1)?), user: tenant.zip(user) })
    })
}

/// Gives a user that was written before there were directories its own, whether or not there is room for its
/// claims: it had them before. One that has a namesake there is not lost: it keeps its id and gives up its name.
/// `false` if another one has the id there: then it stays as it is.
pub(super) fn file(
    session: &Session,
    tenant: i64,
    user: &StoredUser,
    into: &DirectoryName,
) -> Result<bool, Failure> {
    let into = into.as_str();
    let is_taken = |column: &str, key: &[u8; 16]| {
        let sql =
            format!("SELECT 1 FROM users WHERE tenant = ?1 AND directory = ?2 AND {column} = ?3 LIMIT 1");
        Ok::<_, Failure>(session.find(&sql, (tenant, into, key), |_| Ok(()))?.is_some())
    };
    if is_taken("id", &user.id)? {
        return Ok(false);
    }
    let name = user.username.as_ref().map(|name| is_taken("username", name)).transpose()?;
    let username = user.username.filter(|_| name == Some(false));
    remove(session, tenant, "", &user.id)?;
    write(session, tenant, into, &StoredUser { username, ..user.clone() })?;
    Ok(true)
}

fn all<T>(
    session: &Session,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
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

fn write(session: &Session, tenant: i64, directory: &str, user: &StoredUser) -> Result<(), Failure> {
    session.execute(
        "INSERT INTO users (tenant, directory, id, username, email, phone, changed_at, forget_at, row)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (tenant, directory, id) DO UPDATE
         SET username = ?4, email = ?5, phone = ?6, changed_at = ?7, forget_at = ?8, row = ?9",
        (
            tenant,
            directory,
            user.id,
            user.username,
            user.email.as_ref().map(RecipientKey::as_bytes),
            user.phone.as_ref().map(RecipientKey::as_bytes),
            user.changed_at.as_millis(),
            user.forget_at().map(Timestamp::as_millis),
            to_row(user),
        ),
    )?;
    Ok(())
}
