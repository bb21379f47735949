//! A disk that fails at the n-th call of a thread, once or from then on, for every n: no answer is
//! taken back, and the store opens again.
//!
//! The faults are real ones, injected into the system calls of a process of its own by strace, which
//! has to be installed: `cargo test -p countersign-storage --test faults -- --ignored`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and a child that talks by stdout")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign_core::engine::{Engine, Idempotent, SendOutcome};
use countersign_core::ids::VerificationId;
use countersign_core::names::TenantId;
use countersign_core::testkit::{ManualClock, commands, keys};
use countersign_storage::sqlite::{OpenError, SqliteEngine, SqliteOptions};

/// Where the child finds its store.
const STORE: &str = "COUNTERSIGN_FAULTY_STORE";

/// The calls that reach the disk, and how each can fail.
const FAULTS: [(&str, &str); 6] = [
    ("fdatasync", "EIO"),
    ("fsync", "EIO"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pread64", "EIO"),
    ("ftruncate", "EIO"),
];

/// How many answers the child tries to give.
const STARTS: u8 = 6;

fn open(path: &Path) -> Result<SqliteEngine, OpenError> {
    SqliteEngine::open(path, Arc::new(keys()), SqliteOptions::default(), ManualClock::START)
}

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Not a test: gives answers on a failing disk, and says each as soon as it is given.
#[tokio::test]
#[ignore = "the child of the test below"]
async fn child() {
    let Ok(path) = std::env::var(STORE) else { return };
    let Ok(engine) = open(path.as_ref()) else { return };
    for n in 0..STARTS {
        let to = format!("user-{n}@example.com");
        let start = commands::start(&tenant(), &to, ManualClock::START, [n; 32]);
        if let Ok(Idempotent::Fresh { outcome: SendOutcome::Accepted(accepted), .. }) =
            engine.start(start).await
        {
            println!("\nanswered {}", accepted.verification.id);
            std::io::stdout().flush().unwrap();
        }
    }
}

/// Runs the child with one fault, if it gets that far; answers what it answered, and whether it met
/// the fault.
fn answered(path: &Path, call: &str, error: &str, when: &str) -> (BTreeSet<VerificationId>, bool) {
    let trace = path.with_extension("trace");
    let child = Command::new("strace")
        .args(["-f", "-o", trace.to_str().unwrap(), "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:error={error}:when={when}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(STORE, path)
        .stderr(Stdio::null())
        .output()
        .expect("strace is installed");
    let said = String::from_utf8(child.stdout).unwrap();
    let ids = said.lines().filter_map(|line| line.strip_prefix("answered ")?.parse().ok()).collect();
    (ids, std::fs::read_to_string(trace).unwrap().contains("(INJECTED)"))
}

/// Shows: R3.
#[tokio::test]
#[ignore = "needs strace, and a minute"]
async fn no_answer_is_taken_back_whichever_call_fails() {
    for (call, error) in FAULTS {
        for ever in ["", "+"] {
            let places = fail_everywhere(call, error, ever).await;
            println!("{call} {error}{ever}: {places} places");
            assert!(places > 0, "{call} is never called: the test would prove nothing");
        }
    }
}

/// Fails the first call, the second, and so on until there is none; answers how many there were.
async fn fail_everywhere(call: &str, error: &str, ever: &str) -> u32 {
    for nth in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (answered, met) = answered(&path, call, error, &format!("{nth}{ever}"));
        if !met {
            assert_eq!(answered.len(), usize::from(STARTS), "without a fault all are answered");
            return nth - 1;
        }
        let engine = open(&path).unwrap_or_else(|why| panic!("{call} {error} {nth}{ever}: {why}"));
        for id in &answered {
            let stored = engine.verification(&tenant(), *id).await.unwrap();
            assert!(stored.is_some(), "{call} {error} {nth}{ever}: {id} is gone");
        }
    }
    unreachable!("the child makes a finite number of calls")
}
