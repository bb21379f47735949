//! `countersign dev`, as a process.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Server, program};

#[test]
fn the_commands_that_are_printed_run_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let printed = server.printed().replace("\n  ", "\n");
    let commands: Vec<&str> = printed.split("\n\n").flat_map(|api| api.split("# ").skip(1)).collect();
    let commands = commands.iter().map(|command| command.split_once('\n').unwrap().1.trim_end().to_owned());
    run_all(&server, &commands.collect::<Vec<_>>());
    server.stop();
}

#[test]
fn the_commands_of_the_docs_page_run_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let page = server.get("/docs").body;
    let commands = page.split("<code>").skip(1).map(|rest| {
        let text = rest.split("</code>").next().unwrap();
        text.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")
    });
    run_all(&server, &commands.collect::<Vec<_>>());
}

/// Runs commands one after the other, with the code from the inbox where one is to be put in.
fn run_all(server: &Server, commands: &[String]) {
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let checks = command.contains("\"code\"");
        let command = if checks {
            command.replace("123456", &server.code_for("+12125550123"))
        } else {
            command.clone()
        };
        let (status, body) = run(&command);
        assert!((200..300).contains(&status), "{command}: {status} {body}");
        // One dialect answers 200 always, and says in its body how it went.
        assert!(body["code"].is_null() || body["code"] == 200, "{command}: {body}");
        if checks {
            assert_eq!(body["valid"], true, "{body}");
        }
    }
    assert!(!server.code_for("adminuser@zap.com").is_empty());
}

/// What a shell makes of a command line: the answer's status and body.
fn run(command: &str) -> (u16, Value) {
    let line = format!("{command} -w '\\n%{{http_code}}'");
    let ran = Command::new("sh").args(["-c", &line]).env("no_proxy", "*").output().unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    let printed = String::from_utf8(ran.stdout).unwrap();
    let (body, status) = printed.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn what_was_counted_survives_a_restart_and_so_do_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let id = server.post("/v1/verifications", &json!({"to": "+12125550123"})).text("id");
    server.post(&format!("/v1/verifications/{id}/check"), &json!({"code": "000000x"}));
    let code = server.code_for("+12125550123");
    server.stop();
    let server = Server::dev(folder.path(), &[]);
    let again = server.get(&format!("/v1/verifications/{id}")).json();
    assert_eq!((&again["checks"]["used"], &again["to"]), (&json!(1), &json!("+12125550123")));
    let right = server.post(&format!("/v1/verifications/{id}/check"), &json!({ "code": code })).json();
    assert_eq!(right["valid"], true);
}

#[test]
fn a_fixed_clock_stands_until_it_is_pushed_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &["--fixed-clock", "2030-01-01T00:00:00Z"]);
    let started = server.post("/v1/verifications", &json!({"to": "+12125550123"}));
    assert_eq!(started.text("created_at"), "2030-01-01T00:00:00Z");
    assert_eq!(
        server.post("/dev/clock", &json!({"advance_seconds": 61})).text("now"),
        "2030-01-01T00:01:01Z"
    );
    let resent = server.post(&format!("/v1/verifications/{}/resend", started.text("id")), &json!({}));
    assert_eq!((resent.status, resent.json()["sends"]["used"].as_u64()), (200, Some(2)));
    server.stop();

    let data = folder.path().to_str().unwrap();
    let back = program(&[
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data,
        "--fixed-clock",
        "2029-12-31T23:59:59Z",
    ]);
    let why = String::from_utf8_lossy(&back.stderr);
    assert_eq!(back.status.code(), Some(2), "{why}");
    assert!(why.contains("use another --data-dir"), "{why}");
}

/// The program clears up by itself: nobody else asks the store to.
/// Shows: I9, O8.
#[test]
fn what_has_ended_is_masked_after_a_day_and_gone_after_thirty() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &["--fixed-clock", "2030-01-01T00:00:00Z"]);
    let body = json!({"to": "+12125550123", "metadata": {"note": "remember"}});
    let id = server.post("/v1/verifications", &body).text("id");
    let path = format!("/v1/verifications/{id}");
    server.code_for("+12125550123");
    server.advance(600 + 24 * 3600 - 1);
    std::thread::sleep(Duration::from_secs(6)); // longer than the pause between two rounds of clearing up
    assert_eq!(server.get(&path).json()["to"], "+12125550123");

    server.advance(1);
    let masked =
        wait_for("the address goes", || server.get(&path).json(), |seen| seen["to"] != "+12125550123");
    assert_eq!((&masked["status"], &masked["metadata"]), (&json!("expired"), &json!({})), "{masked}");

    server.advance(29 * 24 * 3600);
    wait_for("the rest goes", || server.get(&path).status, |status| *status == 404);
    let list = server.get("/v1/verifications").json();
    assert_eq!(list["data"], json!([]), "{list}");
    server.stop();
}

/// Looks again and again until it is as wanted.
fn wait_for<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = look();
        if wanted(&seen) {
            return seen;
        }
        assert!(Instant::now() < patience, "{what}: {seen:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Shows: O12.
#[test]
fn it_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8025"] {
        let refused = program(&["dev", "--listen", address, "--data-dir", data.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(2), "{address}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("on this machine only"));
    }
    assert!(!data.exists(), "nothing was created");
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let second = program(&["dev", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()]);
    let why = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{why}");
    assert!(why.contains("in use by another process"), "{why}");
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn data_without_its_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Server::dev(folder.path(), &[]).stop();
    std::fs::remove_file(folder.path().join("countersign.keys")).unwrap();
    let refused = program(&["dev", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Bring the key file back"));
    assert!(!folder.path().join("countersign.keys").exists());
}

#[test]
fn the_samples_of_the_zap_documentation_work_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let json = "Content-Type: application/json";
    let resend = |headers: &[&str]| {
        server.send("POST", "/api/v1/otp/resend", headers, r#"{"phoneNumber": "+2348011111111"}"#)
    };
    assert_eq!(resend(&[json]).json(), json!({"success": true, "data": "OTP ReSent"}));
    assert!(!server.code_for("+2348011111111").is_empty());
    assert_eq!(resend(&[json, "Authorization: Bearer wrong"]).status, 401);
}

#[test]
fn the_sample_of_the_crypterium_documentation_works_as_printed_and_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let resend = |server: &Server, merchant: &str| {
        let merchant = format!("X-Merchant-ID: {merchant}");
        let headers = ["Content-Type: application/json", "X-Fingerprint: 1234444", &merchant];
        let body = "{\n  \"phone\": \"+447871234567\"\n}";
        server.send("POST", "/v2/mobile/phone/verify/resend", &headers, body).json()
    };
    let server = Server::dev(folder.path(), &[]);
    assert_eq!(resend(&server, "bece038f-2e46-49f4-b25e-89cd38d6dc16"), json!({"result": "ok"}));
    assert!(!server.code_for("+447871234567").is_empty());
    let unsigned = resend(&server, "0b6f2f0e-5f0a-4a53-9d0d-3a8f6f6f1c11");
    assert_eq!(unsigned["error"], "INVALID_SIGNATURE");
    server.stop();
    let server = Server::dev(folder.path(), &[]);
    server.post("/dev/clock", &json!({"advance_seconds": 61}));
    assert_eq!(resend(&server, "bece038f-2e46-49f4-b25e-89cd38d6dc16"), json!({"result": "ok"}));
    assert!(!server.code_for("+447871234567").is_empty());
    server.stop();
}

#[test]
fn the_example_of_the_enduserapi_documentation_works_at_its_time_with_its_real_signature() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &["--fixed-clock", "2025-04-16T03:24:54Z"]);
    let send = |signature: &str, country: &str| {
        let path = format!(
            "/v2/sms/enduserapi/v2/sendPhoneSmsCode?codeType=3&internationalCode={country}&phone=13800138000\
             &random=76a6L647F02CAoN9&signature={signature}&ts=1744773894369&userDomain=C.DM.10271.5"
        );
        server.send("POST", &path, &["Content-Type: application/json"], "").json()["code"].clone()
    };
    let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let real = "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891";
    assert_eq!(send(of_nothing, "86"), 5420);
    assert_eq!((send(real, "86"), send(real, "86")), (json!(200), json!(5420)));
    assert!(!server.code_for("+8613800138000").is_empty());
}
