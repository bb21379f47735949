//! A backup is put in the place of a store whose write-ahead log is still there.

use std::fs;

use serde_json::json;

use crate::support::Installation;

/// The operator copied a backup over the database of a node that had crashed. The next start merged the
/// old log into it: pages were damaged, or used codes were pending again, and `/readyz` said 200.
///
/// Shows: E6.
#[test]
fn e6_a_backup_beside_a_leftover_log_does_not_start_until_the_log_is_moved_away() {
    let installation = Installation::new("server.drain_seconds = 0");
    let (database, copy) = (installation.path("countersign.db"), installation.path("copy.db"));
    let (log, index) = (installation.path("countersign.db-wal"), installation.path("countersign.db-shm"));
    let server = installation.serve();
    let id = server.post("/v1/verifications", &json!({"to": "+12125550123"})).text("id");
    assert!(installation.run(&["backup"], &[copy.to_str().unwrap()]).status.success());
    for n in 0..20 {
        server.post("/v1/verifications", &json!({"to": format!("+121255501{n:02}")}));
    }
    drop(server); // killed
    assert!(fs::metadata(&log).unwrap().len() > 0);
    fs::copy(&copy, &database).unwrap();

    let before = (fs::read(&database).unwrap(), fs::read(&log).unwrap());
    for _ in 0..2 {
        let refused = installation.refused(&[]);
        let why = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{why}");
        for named in [&log, &index] {
            assert!(why.contains(named.to_str().unwrap()), "{why}");
        }
        assert!(why.contains("move") && why.contains("Nothing was changed"), "{why}");
        assert_eq!((fs::read(&database).unwrap(), fs::read(&log).unwrap()), before);
    }

    let elsewhere = installation.path("before");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&log, elsewhere.join("wal")).unwrap();
    let _may_be_gone = fs::rename(&index, elsewhere.join("shm"));
    let restored = installation.serve();
    assert_eq!(restored.get("/readyz").status, 200);
    assert_eq!(restored.get(&format!("/v1/verifications/{id}")).text("status"), "canceled");
    assert_eq!(restored.post("/v1/verifications", &json!({"to": "+12125550123"})).status, 201);
    restored.stop();
}

/// Shows: E6.
#[test]
fn e6_restore_puts_a_backup_in_the_place_of_a_crashed_store_and_loses_none_of_its_files() {
    let installation = Installation::new("server.drain_seconds = 0");
    let copy = installation.path("copy.db");
    let server = installation.serve();
    let id = server.post("/v1/verifications", &json!({"to": "+12125550123"})).text("id");
    assert!(installation.run(&["backup"], &[copy.to_str().unwrap()]).status.success());
    let later = server.post("/v1/verifications", &json!({"to": "+12125550124"})).text("id");
    let restore = |backup: &str| installation.run(&["restore"], &[backup]);
    let refused = restore(copy.to_str().unwrap());
    assert_eq!(refused.status.code(), Some(1), "it is in use");
    drop(server); // killed
    let old = fs::read(installation.path("countersign.db")).unwrap();

    let store = installation.path("countersign.db");
    let not_a_backup = restore(store.to_str().unwrap());
    assert_eq!(not_a_backup.status.code(), Some(2), "{not_a_backup:?}");
    let restored = restore(copy.to_str().unwrap());
    let said = String::from_utf8_lossy(&restored.stdout);
    assert!(restored.status.success(), "{restored:?}");
    assert!(
        said.contains("1 codes that are live") && said.contains("audit log is whole: 1 entries"),
        "{said}"
    );
    let moved: Vec<_> =
        said.lines().filter_map(|line| line.split_once("is now ")).map(|(_, to)| to).collect();
    assert_eq!(moved.len(), 3, "{said}");
    assert_eq!(fs::read(moved[0]).unwrap(), old);
    assert!(copy.exists(), "the backup stays");

    let server = installation.serve();
    assert_eq!(server.get(&format!("/v1/verifications/{id}")).text("status"), "canceled");
    assert_eq!(server.get(&format!("/v1/verifications/{later}")).status, 404);
    server.stop();
}

/// Shows: E6.
#[test]
fn e6_restore_changes_nothing_when_the_backup_is_damaged_or_was_written_under_other_keys() {
    let installation = Installation::new("server.drain_seconds = 0");
    let copy = installation.path("copy.db");
    let server = installation.serve();
    server.post("/v1/verifications", &json!({"to": "+12125550123"}));
    server.stop();
    assert!(installation.run(&["backup"], &[copy.to_str().unwrap()]).status.success());
    let whole = fs::read(&copy).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 8192 * 4096;
    damaged[middle..middle + 4096].fill(0xA5);
    fs::write(&copy, damaged).unwrap();
    let before = fs::read(installation.path("countersign.db")).unwrap();
    let refused = installation.run(&["restore"], &[copy.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert_eq!(fs::read(installation.path("countersign.db")).unwrap(), before);

    fs::write(&copy, whole).unwrap();
    fs::remove_file(installation.path("keys")).unwrap();
    crate::support::keys(&installation.path("keys"));
    let refused = installation.run(&["restore"], &[copy.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_eq!(fs::read(installation.path("countersign.db")).unwrap(), before);
    assert!(!installation.path("countersign.db.restoring").exists());
}
