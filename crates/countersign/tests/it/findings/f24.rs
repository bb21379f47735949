//! Keys in the memory and the environment of the process.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::support::Installation;

/// Who runs this test.
fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Keys and secrets that came from the environment stood there for as long as the process lived.
///
/// Shows: F24.
#[test]
fn f24_no_secret_stays_in_the_environment() {
    let installation = Installation::new("");
    let keys = std::fs::read_to_string(installation.path("keys")).unwrap();
    let text = std::fs::read_to_string(installation.path("c.toml")).unwrap();
    let text = text.replace("[keys]\nfile = 'keys'\n", "");
    let text = text.replace("'0123456789abcdef'", "'env:WEBHOOK_KEY'");
    installation
        .configure(&format!("{text}\n[[dialects.zap.tokens]]\ntenant = 'acme'\ntoken = 'env:ZAP_TOKEN'\n"));
    let mut server = installation.serve_by(|command| {
        command.env("COUNTERSIGN_KEYS", &keys);
        command
            .env("WEBHOOK_KEY", "a-webhook-key-of-some-length")
            .env("ZAP_TOKEN", "a-zap-token-of-some-length");
        command.env("SOMETHING_ELSE", "stays-where-it-is");
    });
    assert_eq!(server.get("/readyz").status, 200);
    let zap = ["Authorization: Bearer a-zap-token-of-some-length", "Content-Type: application/json"];
    let body = r#"{"userId": "ann", "email": "ann@example.com"}"#;
    assert_eq!(server.send("POST", "/v1/otp/", &zap, body).status, 200, "its secrets are good");
    match server.told_by_the_system("environ") {
        Ok(environment) => {
            assert!(environment.contains("SOMETHING_ELSE=stays-where-it-is"), "{environment}");
            for secret in ["COUNTERSIGN_KEYS", "pepper", "a-webhook-key", "a-zap-token"] {
                assert!(!environment.contains(secret), "{secret}");
            }
        }
        // Nobody but the system's own user may look at it at all.
        Err(error) => assert_eq!((error.kind(), uid() == 0), (std::io::ErrorKind::PermissionDenied, false)),
    }
    let command = server.told_by_the_system("comm").unwrap();
    assert_eq!(command.trim(), "countersign", "it is found under its name");
    server.terminate();
    assert!(server.wait().success(), "it is still the process that was started");
}

/// A process that others of the same user may look into gives them its keys; what is in `/proc` of one that they
/// may not is the system's.
///
/// Shows: F24.
#[test]
fn f24_nobody_may_look_into_the_process() {
    let installation = Installation::new("");
    let server = if uid() == 0 {
        // The system's own user owns its processes' files either way: somebody else has to run it.
        let nobody = 65_534;
        let program = installation.path("countersign");
        std::fs::copy(env!("CARGO_BIN_EXE_countersign"), &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let folder = installation.path("");
        let own = |path: &Path| chown(path, Some(nobody), Some(nobody)).unwrap();
        own(&folder);
        for file in std::fs::read_dir(&folder).unwrap() {
            own(&file.unwrap().path());
        }
        installation.serve_by(|command| {
            let mut other = std::process::Command::new(&program);
            other.args(command.get_args()).uid(nobody).gid(nobody);
            *command = other;
        })
    } else {
        installation.serve()
    };
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.owner_in_proc(), 0, "the process may be dumped");
}
