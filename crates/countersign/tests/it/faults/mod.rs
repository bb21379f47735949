//! A disk that stalls, is full, or fails to sync: nothing is approved, nothing is sent, every caller
//! learns it within two seconds, and the node recovers where that is safe and leaves where it is not.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crash::client::Connection;
use crate::crash::node::{Node, Running};
use crate::crash::phone::Phone;

/// A node on a disk with a switch.
struct Faulty {
    phone: Arc<Phone>,
    node: Node,
    running: Running,
}

impl Faulty {
    fn start() -> Self {
        let phone = Arc::new(Phone::start());
        let node = Node::prepare(phone.address());
        let (library, switch) = (node.path("disk.so"), node.path("switch"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status()
            .expect("a C compiler");
        assert!(compiled.success());
        let running = node.start_with(&[("LD_PRELOAD", library), ("FAULT_SWITCH", switch)]);
        Self { phone, node, running }
    }

    fn switch(&self, fault: &str) {
        // Renamed into place: the shim never reads half a word.
        let (new, switch): (PathBuf, PathBuf) = (self.node.path("switch.new"), self.node.path("switch"));
        std::fs::write(&new, fault).expect("written");
        std::fs::rename(new, switch).expect("renamed");
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let began = Instant::now();
        let mut connection = Connection::open(self.running.address()).expect("it listens");
        let answer = connection.call(method, path, body).expect("an answer");
        assert!(began.elapsed() < Duration::from_secs(3), "{path} took {:?}", began.elapsed());
        answer
    }

    fn begin(&self, to: &str) -> (u16, Value) {
        self.call("POST", "/v1/verifications", Some(&json!({ "to": to })))
    }

    fn recovers(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.call("GET", "/readyz", None).0 != 200 {
            assert!(Instant::now() < deadline, "it does not recover");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn arrived(&self, to: &str) -> bool {
        self.phone.code_for(to).is_some()
    }

    fn wait_for_code(&self, to: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(code) = self.phone.code_for(to) {
                return code;
            }
            assert!(Instant::now() < deadline, "no code for {to}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_unavailable((status, body): &(u16, Value)) -> bool {
    *status == 503 && body["type"] == "/problems/unavailable"
}

/// Shows: I7, R3, O1.
#[test]
fn a_stalled_disk_is_answered_503_and_nothing_is_approved_or_sent_until_it_moves_again() {
    let node = Faulty::start();
    let (_, started) = node.begin("before@example.com");
    let code = node.wait_for_code("before@example.com");
    let check = format!("/v1/verifications/{}/check", started["id"].as_str().expect("an id"));

    node.switch("stall");
    assert!(is_unavailable(&node.begin("during@example.com")));
    assert!(is_unavailable(&node.call("POST", &check, Some(&json!({ "code": code })))));
    assert_eq!(node.call("GET", "/readyz", None).0, 503);
    assert_eq!(node.call("GET", "/livez", None).0, 200);
    assert!(!node.arrived("during@example.com"));

    node.switch("");
    node.recovers();
    assert_eq!(node.begin("after@example.com").0, 201);
    node.wait_for_code("after@example.com");
    node.running.kill();
}

/// Shows: R3.
#[test]
fn a_full_disk_is_answered_503_and_works_again_when_there_is_room() {
    let node = Faulty::start();
    assert_eq!(node.begin("before@example.com").0, 201);
    node.wait_for_code("before@example.com");

    node.switch("full");
    for n in 0..20 {
        assert!(is_unavailable(&node.begin(&format!("during-{n}@example.com"))));
    }
    assert_eq!(node.call("GET", "/readyz", None).0, 503);

    node.switch("");
    node.recovers();
    assert_eq!(node.begin("after@example.com").0, 201);
    node.wait_for_code("after@example.com");
    for n in 0..20 {
        assert!(!node.arrived(&format!("during-{n}@example.com")), "a refused start was sent");
    }
    let (_, list) = node.call("GET", "/v1/verifications", None);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "{list}");
    node.running.kill();
}

/// Shows: I3, R3, E9.
#[test]
fn e9_a_failed_sync_is_never_tried_again_and_the_next_start_has_what_was_answered_and_nothing_else() {
    let mut node = Faulty::start();
    let (_, started) = node.begin("before@example.com");
    node.wait_for_code("before@example.com");

    node.switch("sync-fails");
    let mut connection = Connection::open(node.running.address()).expect("it listens");
    let answer = connection.call("POST", "/v1/verifications", Some(&json!({ "to": "during@example.com" })));
    assert!(answer.is_none_or(|answer| is_unavailable(&answer)));
    assert_eq!(node.running.ends_within(Duration::from_secs(10)).code(), Some(1));
    assert!(!node.arrived("during@example.com"));

    node.running = node.node.start_with(&[]);
    // What was refused is not sent later: the messages behind it leave, it does not.
    assert_eq!(node.begin("after@example.com").0, 201);
    node.wait_for_code("after@example.com");
    assert!(!node.arrived("during@example.com"), "a refused start was sent");
    let (_, list) = node.call("GET", "/v1/verifications", None);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "{list}");
    let path = format!("/v1/verifications/{}", started["id"].as_str().expect("an id"));
    assert_eq!(node.call("GET", &path, None).0, 200);
    node.running.kill();
}
