//! `POST /v1/verifications/{id}/check` and `POST /v1/verifications/check`.

use countersign_core::policy::FailureBudget;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ALICE, BOB, Call, TestApp};

fn path(id: &str) -> String {
    format!("/v1/verifications/{id}/check")
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn the_right_code_is_accepted_once() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    assert_snapshot!(app.post(&path(&id), json!({"code": code})).await, @r#"
        200
        content-type: application/json
        {"id":"ver_01m7vzgc0091a3m5qc70zp9bfe",
         "status":"approved",
         "to":"+12125550101",
         "channel":"sms",
         "purpose":"login",
         "locale":"en",
         "created_at":"2026-11-20T08:00:00Z",
         "expires_at":"2026-11-20T08:10:00Z",
         "sends":{"used":1,"max":5,"next_at":null},
         "checks":{"used":1,"max":5},
         "metadata":{},
         "valid":true}
    "#);
    assert_eq!(app.check(&id, &code).await, (false, "already_used".into()));
}

#[tokio::test]
async fn a_wrong_code_costs_a_check() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    assert_snapshot!(app.post(&path(&id), json!({"code": wrong(&code)})).await, @r#"
        200
        content-type: application/json
        {"id":"ver_01m7vzgc0091a3m5qc70zp9bfe",
         "status":"pending",
         "to":"+12125550101",
         "channel":"sms",
         "purpose":"login",
         "locale":"en",
         "created_at":"2026-11-20T08:00:00Z",
         "expires_at":"2026-11-20T08:10:00Z",
         "sends":{"used":1,"max":5,"next_at":"2026-11-20T08:00:30Z"},
         "checks":{"used":1,"max":5},
         "metadata":{},
         "valid":false,
         "reason":"wrong_code"}
    "#);
}

#[tokio::test]
async fn spaces_and_hyphens_do_not_matter() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    let typed = format!(" {}-{} ", &code[..3], &code[3..]);
    assert_eq!(app.check(&id, &typed).await, (true, String::new()));
}

#[tokio::test]
async fn five_wrong_codes_are_the_end_even_for_the_right_one() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    for _ in 0..5 {
        assert_eq!(app.check(&id, wrong(&code)).await, (false, "wrong_code".into()));
    }
    assert_eq!(app.check(&id, &code).await, (false, "exhausted".into()));
    assert_eq!(app.checks_used(&id).await, 5);
}

#[tokio::test]
async fn a_late_code_is_expired_and_a_canceled_one_canceled() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.wait(600);
    assert_eq!(app.check(&id, &code).await, (false, "expired".into()));
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.send(Call::post(&format!("/v1/verifications/{id}/cancel"))).await;
    assert_eq!(app.check(&id, &code).await, (false, "canceled".into()));
}

/// Shows: N14.
#[tokio::test]
async fn a_check_repeats_the_context_exactly() {
    let app = TestApp::new();
    let start = json!({"to": ALICE, "context": {"amount": "10", "payee": "Bob"}});
    let id = app.post("/v1/verifications", start).await.json()["id"].as_str().unwrap().to_owned();
    let code = app.code().await;
    for context in [json!({}), json!({"amount": "10"}), json!({"amount": "100", "payee": "Bob"})] {
        let answer = app.post(&path(&id), json!({"code": code, "context": context})).await.json();
        assert_eq!((&answer["valid"], &answer["reason"]), (&json!(false), &json!("context_mismatch")));
    }
    let context = json!({"payee": "Bob", "amount": "10"});
    assert_eq!(app.post(&path(&id), json!({"code": code, "context": context})).await.json()["valid"], true);
}

#[tokio::test]
async fn a_check_by_recipient_finds_the_newest_of_the_purpose() {
    let app = TestApp::new();
    app.start(ALICE).await;
    let code = app.code().await;
    let check = |to: &str, purpose: &str| json!({"to": to, "purpose": purpose, "code": code});
    let by_recipient = "/v1/verifications/check";
    assert_eq!(app.post(by_recipient, check(BOB, "login")).await.problem(), "not-found");
    assert_eq!(app.post(by_recipient, check(ALICE, "registration")).await.problem(), "not-found");
    assert_eq!(app.post(by_recipient, json!({"to": ALICE, "code": code})).await.problem(), "not-found");
    assert_eq!(app.post(by_recipient, check("12125550101", "login")).await.problem(), "invalid-recipient");
    assert_eq!(app.post(by_recipient, check(ALICE, "login")).await.json()["valid"], true);
}

#[tokio::test]
async fn a_held_recipient_is_neither_sent_to_nor_compared() {
    let app = TestApp::new();
    for _ in 0..3 {
        let id = app.start(ALICE).await;
        let code = app.code().await;
        for _ in 0..5 {
            app.check(&id, wrong(&code)).await;
        }
        app.wait(600);
    }
    // One more is pending, with a guess left, when the twentieth failure comes from another purpose.
    let id = app.start(ALICE).await;
    let code = app.code().await;
    for _ in 0..4 {
        app.check(&id, wrong(&code)).await;
    }
    let other = app.post("/v1/verifications", json!({"to": ALICE, "purpose": "other"})).await;
    let other = other.json()["id"].as_str().unwrap().to_owned();
    let (_, reason) = app.check(&other, wrong(&app.code().await)).await;
    assert_eq!(reason, "wrong_code");

    let refused = app.post("/v1/verifications", json!({"to": ALICE, "purpose": "third"})).await;
    assert_eq!(
        (refused.problem().as_str(), refused.header("retry-after")),
        ("recipient-held", Some("84600"))
    );
    let (_, reason) = app.check(&id, &code).await;
    assert_eq!(reason, "recipient_held");
    assert_eq!(app.checks_used(&id).await, 4, "nothing was charged");
}

#[tokio::test]
async fn a_right_code_is_accepted_however_much_is_guessed_elsewhere() {
    let severe = FailureBudget { alert: 1, raised: 1, severe: 1 };
    let app = TestApp::with(|tenant| tenant.policy.caps.tenant_failures = severe);
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.check(&id, wrong(&code)).await;
    assert!(app.check(&id, &code).await.0);
}
