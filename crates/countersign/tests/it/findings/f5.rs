//! Wrong guesses at many recipients raise the price of guessing and lock nobody out.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Installation, TestApp};

/// No drawn code has letters in lower case.
const WRONG: &str = "wrong0";

/// Opens a verification; its id.
async fn open(app: &TestApp, to: &str) -> String {
    let answer = app.post("/v1/verifications", json!({"to": to, "purpose": "login"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.text("id")
}

async fn guess(app: &TestApp, id: &str, code: &str) -> serde_json::Value {
    let answer = app.post(&format!("/v1/verifications/{id}/check"), json!({ "code": code })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// An honest person starts and types the code that arrived; the code.
async fn prove(app: &TestApp, to: &str) -> String {
    let (id, code) = app.started(to).await;
    let checked = guess(app, &id, &code).await;
    assert_eq!(checked["valid"], true, "{checked}");
    code
}

/// 12,000 wrong guesses over 3,000 recipients, and an honest person for each 120 of them.
/// Shows: F5.
#[tokio::test]
async fn f5_twelve_thousand_wrong_guesses_lock_nobody_out_and_make_codes_longer() {
    let app = TestApp::new();
    let mut lengths = Vec::new();
    for victim in 0..3_000 {
        let id = open(&app, &format!("victim{victim}@example.com")).await;
        app.sent().await;
        for _ in 0..4 {
            assert_eq!(guess(&app, &id, WRONG).await["reason"], "wrong_code");
        }
        let failures = 4 * (victim + 1);
        if failures % 120 == 0 {
            let code = prove(&app, &format!("honest{victim}@example.com")).await;
            lengths.push((failures, code.len()));
        }
    }
    assert_eq!(lengths.len(), 100);
    for (failures, length) in lengths {
        assert_eq!(length, if failures < 10_000 { 6 } else { 8 }, "after {failures} failures");
    }
}

/// Test numbers prove nobody, and guesses at them cost no message.
/// Shows: F5.
#[tokio::test]
async fn f5_ten_thousand_wrong_guesses_at_test_numbers_change_nothing_for_anybody() {
    let app = TestApp::new();
    for number in 0..1_000 {
        for _ in 0..2 {
            let id = open(&app, &format!("+447700900{number:03}")).await;
            for _ in 0..5 {
                assert_eq!(guess(&app, &id, WRONG).await["reason"], "wrong_code");
            }
        }
    }
    app.sent().await;
    assert_eq!(prove(&app, "honest@example.com").await.len(), 6);
}

/// Look-alikes stand for users that do not exist: nothing is sent, and nobody is proven.
/// Shows: F5.
#[tokio::test]
async fn f5_ten_thousand_wrong_guesses_at_users_that_do_not_exist_change_nothing_for_anybody() {
    let app = TestApp::new();
    let zap = async |path: &str, body| app.call("POST", path, &[], Some(body)).await;
    for user in 0..2_000 {
        let identity = format!("nobody{user}");
        let asked = zap("/v1/otp/resend", json!({ "username": identity })).await;
        assert_eq!(asked.status, 200, "{asked:?}");
        let wrong = json!({"identity": identity, "otp": WRONG});
        for _ in 0..5 {
            let checked = zap("/v1/otp/verify", wrong.clone()).await;
            assert_eq!((checked.status, checked.text("data")), (400, "Invalid OTP".to_owned()));
        }
        // The look-alike has counted them.
        assert_eq!(zap("/v1/otp/verify", wrong).await.text("data"), "Too many attempts");
    }
    assert!(app.sent().await.is_empty());
    assert_eq!(prove(&app, "honest@example.com").await.len(), 6);
}

/// The operator learns of it from the metrics and the log, without looking at each answer.
///
/// Shows: F5.
#[test]
fn f5_the_operator_is_told_of_a_level_that_is_entered() {
    let installation = Installation::new("server.drain_seconds = 0\nserver.metrics_beside_api = true");
    installation
        .configure_more("[tenants.policy.limits]\nfailed_checks_alert = 2\nfailed_checks_raised = 1000");
    let server = installation.serve();
    let id = server.post("/v1/verifications", &json!({ "to": "+12125550123" })).text("id");
    let wrong = json!({ "code": WRONG });
    for _ in 0..2 {
        assert_eq!(server.post(&format!("/v1/verifications/{id}/check"), &wrong).status, 200);
    }
    let began = Instant::now();
    while !server.get("/metrics").body.contains("countersign_tenant_failure_level{tenant=\"acme\"} 1") {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", server.get("/metrics").body);
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = server.stop_and_tell();
    assert!(
        log.contains("much is guessed at this tenant's codes") && log.contains("level=\"alert\""),
        "{log}"
    );
}
