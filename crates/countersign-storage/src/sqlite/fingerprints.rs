//! Which keys a store was written under.
//!
//! Under other keys nothing would open and nobody would be found, and what is written then would be
//! lost to the right keys: so a store refuses to open.

use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::key_use;
use super::open::OpenError;

/// A key's name, and what it is known by.
type Fingerprint = (String, [u8; 16]);

/// Compares the keys with those that the store knows, which it returns.
pub(super) fn compare(conn: &Connection, keys: &KeyRing) -> Result<Vec<Fingerprint>, OpenError> {
    let ring = keys.fingerprints();
    let stored: Vec<Fingerprint> = conn
        .prepare("SELECT name, print FROM key_fingerprints ORDER BY name")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, print) in &stored {
        match ring.iter().find(|(own, _)| own == name) {
            Some((_, own)) if own != print => return Err(OpenError::WrongKey { name: name.clone() }),
            None if name == "index" || name == "audit" => {
                return Err(OpenError::MissingKey { kind: name.clone() });
            }
            _ => {}
        }
    }
    // Dropping all versions at once is a mistake even where no row needs them.
    for kind in ["pepper.", "seal."] {
        let known = || stored.iter().filter(|(name, _)| name.starts_with(kind));
        let kept = |(name, _): &Fingerprint| ring.iter().any(|(own, _)| own == name);
        if known().next().is_some() && !known().any(kept) {
            return Err(OpenError::MissingKey { kind: kind.trim_end_matches('.').to_owned() });
        }
    }
    Ok(stored)
}

/// The same; and takes note of new versions, and forgets old ones that are gone and that no row needs.
pub(super) fn agree(conn: &Connection, keys: &KeyRing, now: Timestamp) -> Result<(), OpenError> {
    let (ring, stored) = (keys.fingerprints(), compare(conn, keys)?);
    let gone: Vec<&String> = stored
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !ring.iter().any(|(own, _)| own == *name))
        .collect();
    if !gone.is_empty() {
        tracing::warn!(?gone, "keys are missing from the key file; looking for rows that need them");
        let needed = key_use::count(conn, now)?;
        for name in gone {
            let rows = needed.rows(name);
            if rows > 0 {
                return Err(OpenError::NeededKey { name: name.clone(), rows });
            }
            tracing::info!(name, "no row needs this key any more");
            conn.execute("DELETE FROM key_fingerprints WHERE name = ?1", [name])?;
        }
    }
    for (name, print) in &ring {
        conn.execute("INSERT OR IGNORE INTO key_fingerprints (name, print) VALUES (?1, ?2)", (name, print))?;
    }
    Ok(())
}

/// Whether the log was written under this key, as far as the store says.
pub(super) fn is_audit_key(conn: &Connection, keys: &KeyRing) -> rusqlite::Result<bool> {
    let sql = "SELECT print FROM key_fingerprints WHERE name = 'audit'";
    let stored: Option<[u8; 16]> = conn.query_row(sql, (), |row| row.get(0)).optional()?;
    let own = keys.fingerprints().into_iter().find(|(name, _)| name == "audit").map(|(_, print)| print);
    Ok(stored.is_none() || stored == own)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sqlite::migrations::{MIGRATIONS, migrate};
    use countersign_core::keys::{KeyMaterial, SecretKey};

    const NOW: Timestamp = Timestamp::from_millis(0);

    pub(in crate::sqlite) fn ring(peppers: &[(u8, u8)], seals: &[(u8, u8)], index: u8, audit: u8) -> KeyRing {
        let key = |n: u8| SecretKey::new([n; 32]);
        let versions = |keys: &[(u8, u8)]| keys.iter().map(|&(version, n)| (version, key(n))).collect();
        let (pepper, seal) = (versions(peppers), versions(seals));
        KeyRing::new(KeyMaterial { pepper, seal, index: key(index), audit: key(audit) }).unwrap()
    }

    fn store() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, MIGRATIONS, |_, _| Ok(())).unwrap();
        agree(&conn, &ring(&[(1, 1)], &[(1, 2)], 3, 4), NOW).unwrap();
        conn
    }

    #[track_caller]
    fn refused(conn: &Connection, keys: &KeyRing) -> String {
        agree(conn, keys, NOW).unwrap_err().to_string()
    }

    /// Shows: K8.
    #[test]
    fn each_wrong_key_is_named() {
        let conn = store();
        for (keys, name) in [
            (ring(&[(1, 9)], &[(1, 2)], 3, 4), "pepper.1"),
            (ring(&[(1, 1)], &[(1, 9)], 3, 4), "seal.1"),
            (ring(&[(1, 1)], &[(1, 2)], 9, 4), "index"),
            (ring(&[(1, 1)], &[(1, 2)], 3, 9), "audit"),
        ] {
            assert!(refused(&conn, &keys).contains(name), "{name}");
        }
    }

    #[test]
    fn a_new_version_joins_and_an_old_one_may_leave_after_it() {
        let conn = store();
        agree(&conn, &ring(&[(1, 1), (2, 11)], &[(1, 2), (2, 12)], 3, 4), NOW).unwrap();
        agree(&conn, &ring(&[(2, 11)], &[(2, 12)], 3, 4), NOW).unwrap();
        assert!(refused(&conn, &ring(&[(2, 13)], &[(2, 12)], 3, 4)).contains("pepper.2"));
    }

    #[test]
    fn all_known_versions_cannot_leave_at_once() {
        let conn = store();
        assert!(refused(&conn, &ring(&[(2, 11)], &[(1, 2)], 3, 4)).contains("pepper"));
        assert!(refused(&conn, &ring(&[(1, 1)], &[(2, 12)], 3, 4)).contains("seal"));
    }
}
