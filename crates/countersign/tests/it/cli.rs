//! The command line, where nothing is served.

use crate::support::{Installation, program};

fn said(output: &std::process::Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_good_configuration_is_in_order() {
    let installation = Installation::new("");
    let checked = installation.run(&["check-config"], &[]);
    let (stdout, stderr) = said(&checked);
    assert!(checked.status.success() && stdout.ends_with("c.toml is in order\n"), "{stdout}{stderr}");
}

#[test]
fn a_wrong_setting_is_named_with_its_line_by_every_command() {
    let installation = Installation::new("\nserver.drain_seconds = 3600");
    let file = installation.path("c.toml");
    let backup = installation.path("b");
    let commands: [(&[&str], &[&str]); 4] = [
        (&["check-config"], &[]),
        (&["serve"], &[]),
        (&["audit", "verify"], &[]),
        (&["backup"], &[backup.to_str().unwrap()]),
    ];
    for (before, after) in commands {
        let output = installation.run(before, after);
        let expected =
            format!("error: {}:3:24: server.drain_seconds: must be from 0 to 60\n", file.display());
        assert_eq!((output.status.code(), said(&output).1), (Some(2), expected), "{before:?}");
    }
}

#[test]
fn what_only_starting_would_find_is_found_by_checking() {
    let zap = "dialects.zap.tokens = [{ tenant = 'nobody', token = 't' }]";
    let checked = Installation::new(zap).run(&["check-config"], &[]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(said(&checked).1.contains("there is no tenant \"nobody\""), "{checked:?}");
}

/// Shows: K8.
#[test]
fn a_missing_key_file_is_refused_and_not_made() {
    let installation = Installation::new("");
    std::fs::remove_file(installation.path("keys")).unwrap();
    for command in ["serve", "check-config"] {
        let refused = installation.run(&[command], &[]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(said(&refused).1.contains("does not exist"), "{refused:?}");
    }
    assert!(!installation.path("keys").exists());
}

#[test]
#[cfg(unix)]
fn a_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new("");
    std::fs::set_permissions(installation.path("keys"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = installation.run(&["serve"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).1.contains("chmod 600"), "{refused:?}");
}

#[test]
fn keys_may_come_from_the_environment_and_then_only_from_there() {
    let installation = Installation::new("");
    let check = |text: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["check-config", "--config", installation.path("c.toml").to_str().unwrap()]);
        command.env("COUNTERSIGN_KEYS", text).output().unwrap()
    };
    let keys = std::fs::read_to_string(installation.path("keys")).unwrap();
    assert!(said(&check(&keys)).1.contains("keys come from one place"));

    let text = std::fs::read_to_string(installation.path("c.toml")).unwrap();
    installation.configure(&text.replace("file = 'keys'", ""));
    assert!(check(&keys).status.success());
    let secret = keys.lines().find_map(|line| line.strip_prefix("index = ")).unwrap();
    let broken = said(&check(&keys.replace("[seal]", "[seals]"))).1;
    assert!(
        broken.contains("the environment variable COUNTERSIGN_KEYS line ") && !broken.contains(secret),
        "{broken}"
    );
}

#[test]
fn an_address_that_is_taken_is_a_failure_while_running() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = program(&["dev", "--listen", &address, "--data-dir", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).1.contains(&format!("cannot listen on {address}")), "{output:?}");
}

#[test]
fn keys_are_printed_on_request_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let out = ["keys", "generate", "--out", path.to_str().unwrap()];
    let (stdout, _) = said(&program(&out));
    let first = std::fs::read_to_string(&path).unwrap();
    let secret = first.lines().find_map(|line| line.strip_prefix("index = \"")).unwrap();
    assert!(!stdout.contains(secret), "what goes to a file is not printed");
    assert_eq!(program(&out).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    assert!(said(&program(&["keys", "generate"])).0.contains("[pepper]\n1 = \""));
}

/// Shows: K3.
#[test]
fn an_api_key_is_shown_once_and_its_lines_fit_into_the_configuration() {
    let (stdout, _) =
        said(&program(&["api-key", "generate", "--tenant", "acme", "--scopes", "verify,admin"]));
    let (key, lines) = stdout.split_once("\n\n").unwrap();
    assert!(key.starts_with("csk_") && !lines.contains(key));
    let installation = Installation::new("");
    let text = std::fs::read_to_string(installation.path("c.toml")).unwrap();
    installation.configure(&format!("{text}{lines}"));
    assert!(installation.run(&["check-config"], &[]).status.success());
    let unknown = program(&["api-key", "generate", "--tenant", "acme", "--scopes", "everything"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn the_openapi_document_is_json() {
    let (stdout, _) = said(&program(&["openapi"]));
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(document["paths"]["/v1/verifications"]["post"].is_object());
}

#[test]
fn postgres_is_answered_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let refused = program(&["dev", "--data-dir", data, "--storage", "postgres://localhost/countersign"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).1.contains("not in this version"), "{refused:?}");
}
