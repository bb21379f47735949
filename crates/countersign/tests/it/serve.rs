//! `countersign serve`, as a process.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Installation, call};

/// Shows: O2.
#[test]
fn an_asked_process_is_unready_first_then_finishes_and_ends_well() {
    let installation = Installation::new("server.drain_seconds = 2");
    let mut server = installation.serve();
    assert_eq!(server.get("/readyz").status, 200);
    server.terminate();
    let asked = Instant::now();
    while server.get("/readyz").status == 200 {
        assert!(asked.elapsed() < Duration::from_secs(1), "it takes too long to become unready");
    }
    // Unready, but still serving: a load balancer needs time to notice.
    let started = server.post("/v1/verifications", &json!({"to": "+12125550123"}));
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(server.get("/livez").status, 200);
    assert!(server.wait().success());
    assert!(asked.elapsed() >= Duration::from_secs(2));
    TcpStream::connect(server.address()).unwrap_err();
}

#[test]
fn the_audit_log_tells_of_starts_and_ends_and_is_whole_while_it_grows() {
    let installation = Installation::new("server.drain_seconds = 0");
    installation.serve().stop();
    let server = installation.serve();
    assert_eq!(server.get("/readyz").status, 200, "it answers once its start is written down");
    let verified = installation.run(&["audit", "verify"], &[]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(said, "the audit log is whole: 3 entries\n", "{}", String::from_utf8_lossy(&verified.stderr));
    server.stop();
}

/// Shows: R17.
#[test]
fn a_backup_is_taken_while_serving_and_overwrites_nothing() {
    let installation = Installation::new("server.drain_seconds = 0");
    let server = installation.serve();
    let id = server.post("/v1/verifications", &json!({"to": "+12125550123"})).text("id");
    let copy = installation.path("copy.db");
    let backup = || installation.run(&["backup"], &[copy.to_str().unwrap()]);
    assert!(backup().status.success());
    assert_eq!(backup().status.code(), Some(1), "the copy exists");
    server.stop();

    std::fs::rename(&copy, installation.path("countersign.db")).unwrap();
    let restored = installation.serve();
    assert_eq!(restored.get(&format!("/v1/verifications/{id}")).text("status"), "canceled");
}

/// Shows: K8.
#[test]
fn other_keys_are_refused() {
    let installation = Installation::new("");
    installation.serve().stop();
    std::fs::remove_file(installation.path("keys")).unwrap();
    crate::support::keys(&installation.path("keys"));
    let refused = installation.run(&["serve"], &[]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains("is not the one this store was written under"), "{why}");
}

#[test]
fn metrics_may_have_a_listener_of_their_own() {
    let installation = Installation::new("server.metrics_listen = '127.0.0.1:0'");
    let server = installation.serve();
    let printed = server.printed();
    let address =
        printed.strip_prefix("metrics on http://").and_then(|l| l.strip_suffix("/metrics\n")).unwrap();
    let metrics = call(address.parse().unwrap(), "GET", "/metrics", &[], "").unwrap();
    assert_eq!((metrics.status, server.get("/metrics").status), (200, 404));
    assert!(metrics.body.contains("countersign_clock_lag_seconds"), "{metrics:?}");
}

/// Shows: O10.
#[test]
fn every_metric_is_explained_to_operators() {
    let installation = Installation::new("server.metrics_beside_api = true");
    let server = installation.serve();
    server.post("/v1/verifications", &json!({"to": "+447700900123"}));
    let metrics = server.get("/metrics").body;
    let manual = include_str!("../../../../docs/operations.md");
    let names: Vec<&str> =
        metrics.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(manual.contains(&format!("| `{name}")), "docs/operations.md does not explain {name}");
    }
}

/// What a supervisor sends when a terminal closes, or to have the configuration read again.
#[test]
fn a_hang_up_is_an_orderly_end() {
    let installation = Installation::new("server.drain_seconds = 1");
    let mut server = installation.serve();
    server.signal("HUP");
    let asked = Instant::now();
    while server.get("/readyz").status == 200 {
        assert!(asked.elapsed() < Duration::from_secs(1), "it takes too long to become unready");
    }
    assert!(server.wait().success());
    let log = server.log();
    assert!(log.contains("SIGHUP") && log.contains("leaving"), "{log}");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let installation = Installation::new("server.drain_seconds = 60");
    let mut server = installation.serve();
    server.signal("INT");
    while server.get("/readyz").status == 200 {}
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(130));
}

/// Shows: A25.
#[test]
fn a_serving_process_leaves_no_core_dump() {
    let installation = Installation::new("");
    let server = installation.serve();
    let limits = server.told_by_the_system("limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"], "{core}");
}
