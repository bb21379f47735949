//! Backups, and a database that is damaged.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::support::Installation;

/// Overwrites the first page of an index with noise; the store is closed. No start looks at an index.
fn damage(database: &Path, index: &str) {
    let conn = Connection::open(database).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = conn.query_row(sql, [index], |row| row.get(0)).unwrap();
    drop(conn);
    let mut file = OpenOptions::new().write(true).open(database).unwrap();
    file.seek(SeekFrom::Start(u64::from(page - 1) * 4096)).unwrap();
    file.write_all(&[0xA5; 4096]).unwrap();
}

/// A damaged page counted as the fault of the command that met it: some calls were answered 503, the
/// others as ever, and the node was ready.
///
/// Shows: E15.
#[test]
fn e15_a_damaged_database_ends_the_node_with_a_code_of_its_own() {
    let installation = Installation::new("server.drain_seconds = 0");
    let server = installation.serve();
    let id = server.post("/v1/verifications", &json!({"to": "+12125550123"})).text("id");
    server.stop();
    damage(&installation.path("countersign.db"), "verifications_by_id");

    let mut server = installation.serve();
    let read = server.try_get(&format!("/v1/verifications/{id}"));
    assert!(read.is_none_or(|answer| answer.status == 503));
    // From now on nothing is taken for good, until the process has gone.
    let patience = Instant::now() + Duration::from_secs(30);
    while let Some(answer) = server.try_get("/readyz") {
        assert_eq!(answer.status, 503, "{answer:?}");
        let started = server.try_post("/v1/verifications", &json!({"to": "+12125550124"}));
        assert!(started.is_none_or(|answer| answer.status == 503));
        assert!(Instant::now() < patience, "it does not leave");
    }
    assert_eq!(server.wait().code(), Some(3));
    let log = server.end_of_log();
    let last = log.lines().last().unwrap();
    assert!(last.contains("the store is lost") && last.contains("restore a backup"), "{log}");
}

/// A backup got its name by a hard link, which many file systems do not have.
///
/// Shows: E15.
#[test]
fn e15_a_backup_needs_no_hard_links() {
    let installation = Installation::new("");
    installation.serve().stop();
    let (source, library) = (installation.path("links.c"), installation.path("links.so"));
    fs::write(
        &source,
        "#include <errno.h>\n\
         int link(const char *a, const char *b) { (void)a; (void)b; errno = EPERM; return -1; }\n\
         int linkat(int a, const char *b, int c, const char *d, int e)\n\
         { (void)a; (void)b; (void)c; (void)d; (void)e; errno = EPERM; return -1; }\n",
    )
    .unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(compiled.expect("a C compiler").success());
    let copy = installation.path("copy.db");
    let backup = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["backup", "--config", installation.path("c.toml").to_str().unwrap()])
        .arg(&copy)
        .env("LD_PRELOAD", &library)
        .output()
        .unwrap();
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    assert!(copy.exists() && !installation.path("copy.db.partial").exists());
}
