//! Numbered schema changes. A store's `user_version` says how many it has seen.

use rusqlite::Connection;

use super::open::OpenError;

/// All schema changes, oldest first. Never edit one that was released; add the next.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_nonces.sql"),
    include_str!("migrations/0003_recent_recipients.sql"),
    include_str!("migrations/0004_runs.sql"),
    include_str!("migrations/0005_audit_mark.sql"),
    include_str!("migrations/0006_directories.sql"),
    include_str!("migrations/0007_erasures.sql"),
    include_str!("migrations/0008_outbox_lanes.sql"),
    include_str!("migrations/0009_undated_nonces.sql"),
    include_str!("migrations/0010_holds.sql"),
];

/// Brings a store up to date. Each change and its number are one transaction, so that a process
/// killed in between leaves the store before or after it, never within. What SQL cannot do of a change, `rest`
/// does in the same transaction; it is told the change's number.
pub(super) fn migrate(
    conn: &Connection,
    migrations: &[&str],
    rest: impl Fn(&Connection, usize) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let found: u32 = conn.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    let found = found as usize;
    if found > migrations.len() {
        return Err(OpenError::NewerSchema { found, known: migrations.len() });
    }
    for (index, migration) in migrations.iter().enumerate().skip(found) {
        let number = index + 1;
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let change = || -> Result<(), OpenError> {
            conn.execute_batch(migration)?;
            rest(conn, number)?;
            Ok(conn.execute_batch(&format!("PRAGMA user_version = {number}; COMMIT"))?)
        };
        if let Err(error) = change() {
            if !conn.is_autocommit() {
                conn.execute_batch("ROLLBACK")?;
            }
            return Err(error);
        }
        tracing::info!(number, "the store's schema is up to date with change");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrate(conn: &Connection, migrations: &[&str]) -> Result<(), OpenError> {
        super::migrate(conn, migrations, |_, _| Ok(()))
    }

    fn version(conn: &Connection) -> i64 {
        conn.query_row("PRAGMA user_version", (), |row| row.get(0)).unwrap()
    }

    /// Shows: R16.
    #[test]
    fn a_change_happens_once_and_in_order() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, &["CREATE TABLE a (x)"]).unwrap();
        migrate(&conn, &["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"]).unwrap();
        assert_eq!(version(&conn), 2);
        conn.execute("INSERT INTO a (x, y) VALUES (1, 2)", ()).unwrap();
    }

    /// Shows: R16.
    #[test]
    fn a_change_that_fails_half_way_leaves_nothing_behind() {
        let conn = Connection::open_in_memory().unwrap();
        let broken = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)";
        assert!(migrate(&conn, &["CREATE TABLE a (x)", broken]).is_err());
        assert_eq!(version(&conn), 1);
        assert!(conn.prepare("SELECT x FROM b").is_err());
        assert!(conn.is_autocommit());
    }

    /// Shows: R16.
    #[test]
    fn a_newer_schema_is_refused() {
        let conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", 3).unwrap();
        let refused = migrate(&conn, &["CREATE TABLE a (x)"]);
        assert!(matches!(refused, Err(OpenError::NewerSchema { found: 3, known: 1 })));
    }
}
