//! The audit log is cut off, and the store put back to hide it.

use std::time::{Duration, Instant};

use crate::support::{Installation, Server};

/// The newest end of the log that the program has told, as `--at-least` takes it.
fn noted(server: &Server) -> String {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let log = server.log();
        let line = log.lines().rev().find(|line| line.contains("audit head"));
        if let Some(line) = line {
            let value = |name: &str| line.split(name).nth(1).unwrap().split(' ').next().unwrap().to_owned();
            return format!("{}:{}", value("seq="), value("seal="));
        }
        assert!(Instant::now() < patience, "the end of the audit log is not told: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An older copy of the whole store verified as whole, and nothing outside of it knew better.
///
/// Shows: F17, E4.
#[test]
fn f17_what_the_program_logged_finds_a_store_that_was_put_back() {
    let installation = Installation::new("server.drain_seconds = 0");
    installation.serve().stop();
    let copy = installation.path("copy.db");
    assert!(installation.run(&["backup"], &[copy.to_str().unwrap()]).status.success());
    let server = installation.serve();
    let noted = noted(&server);
    server.stop();

    let verify = |arguments: &[&str]| {
        let verified = installation.run(&["audit", "verify"], arguments);
        let said = [verified.stdout, verified.stderr].concat();
        (verified.status.code(), String::from_utf8(said).unwrap())
    };
    let at_least = ["--at-least", &noted];
    assert_eq!(verify(&at_least), (Some(0), "the audit log is whole: 4 entries\n".into()));
    std::fs::rename(&copy, installation.path("countersign.db")).unwrap();
    assert_eq!(verify(&[]), (Some(0), "the audit log is whole: 2 entries\n".into()));
    let (code, said) = verify(&at_least);
    assert!(code == Some(1) && said.contains("NOT whole") && said.contains("put back"), "{said}");
    assert_eq!(verify(&["--at-least", "3:beef"]).0, Some(2), "no seal");
}

/// Under another key the log looked as if its first entry had been changed.
#[test]
fn another_key_is_told_from_a_log_that_was_changed() {
    let installation = Installation::new("server.drain_seconds = 0");
    installation.serve().stop();
    std::fs::remove_file(installation.path("keys")).unwrap();
    crate::support::keys(&installation.path("keys"));
    let verified = installation.run(&["audit", "verify"], &[]);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert_eq!(verified.status.code(), Some(2), "{said}");
    assert!(said.contains("did not write this log") && !said.contains("changed"), "{said}");
}
