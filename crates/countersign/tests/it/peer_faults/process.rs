//! Faults that show only from outside a running program.

use serde_json::json;

use crate::support::Installation;

const MAILBOX: &str = "canary-mailbox@example.com";
const NUMBER: &str = "+12125550199";

/// Peer fault 29: tries were counted in the process, and a restart cleared them.
/// Shows: P29.
#[test]
fn guesses_stay_counted_over_a_restart() {
    let installation = Installation::new("");
    let server = installation.serve();
    let started = server.post("/v1/verifications", &json!({"to": MAILBOX, "delivery": "return"}));
    let (path, code) = (format!("/v1/verifications/{}/check", started.text("id")), started.text("code"));
    for _ in 0..4 {
        assert_eq!(server.post(&path, &json!({"code": "wrong0"})).text("reason"), "wrong_code");
    }
    drop(server); // killed, not asked
    let server = installation.serve();
    assert_eq!(server.post(&path, &json!({"code": "wrong0"})).text("reason"), "wrong_code");
    assert_eq!(server.post(&path, &json!({ "code": code })).text("reason"), "exhausted");
}

/// Peer fault 30: a log line had the number and the code. Here the log is at its most talkative.
/// Shows: P30, P31.
#[test]
fn neither_log_nor_metrics_nor_store_show_a_code_or_a_recipient() {
    let installation = Installation::new("log.filter = 'trace'\nserver.metrics_beside_api = true");
    // Ten characters do not turn up by chance, as six digits do in instants and page numbers.
    installation.configure_more("[tenants.policy]\ncode_alphabet = 'alphanumeric'\ncode_length = 10");
    let server = installation.serve();
    let mut codes = Vec::new();
    for to in [MAILBOX, NUMBER] {
        let returned = server.post("/v1/verifications", &json!({"to": to, "delivery": "return"}));
        codes.push(returned.text("code"));
        let path = format!("/v1/verifications/{}/check", returned.text("id"));
        server.post("/v1/verifications", &json!({"to": to, "purpose": "login"})); // to a webhook that is not there
        server.post(&path, &json!({"code": "wrong0"}));
        server.post(&path, &json!({"code": codes.last()}));
        server.get(&format!("/v1/recipients/{}", to.replace('+', "%2B")));
        server.get("/v1/verifications");
    }
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("countersign_http_requests_total"), "{metrics}");
    let log = server.log();
    server.stop();
    assert!(log.contains("TRACE") && log.contains("/check"), "the log is not at its most talkative: {log}");
    let store = installation.store();
    assert!(store.len() > 10_000, "the store is not where it was looked for");
    for secret in
        codes.iter().map(String::as_str).chain([MAILBOX, "canary-mailbox", NUMBER, &NUMBER[1..], "csk_test"])
    {
        assert!(!log.contains(secret), "{secret} in the log: {log}");
        assert!(!metrics.contains(secret), "{secret} in the metrics");
        let found = store.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        assert!(!found, "{secret} in the store");
    }
}
