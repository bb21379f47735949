//! `POST /v1/verifications/{id}/resend`.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ALICE, Call, TestApp};

fn path(id: &str) -> String {
    format!("/v1/verifications/{id}/resend")
}

#[tokio::test]
async fn a_resend_sends_the_same_code_again() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.wait(30);
    // The body may be left out, with its media type.
    let answer = app.send(Call::post(&path(&id))).await;
    assert_snapshot!(answer, @r#"
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
         "sends":{"used":2,"max":5,"next_at":"2026-11-20T08:01:30Z"},
         "checks":{"used":0,"max":5},
         "metadata":{}}
    "#);
    assert_eq!(app.code().await, code);
}

#[tokio::test]
async fn a_resend_over_another_channel() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.code().await;
    app.wait(30);
    let answer = app.post(&path(&id), json!({"channel": "voice"})).await;
    assert_eq!(answer.json()["channel"], "voice");
    app.code().await;
    let wrong = app.post(&path(&id), json!({"channel": "email"})).await;
    assert_eq!(wrong.fault(), ("malformed-request".into(), "channel".into()));
}

#[tokio::test]
async fn a_resend_inside_the_cool_down_is_refused_and_sends_nothing() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.code().await;
    app.wait(3);
    assert_snapshot!(app.post(&path(&id), json!({})).await, @r#"
        429
        content-type: application/problem+json
        retry-after: 27
        {"type":"/problems/cool-down",
         "title":"It is too soon to send again",
         "status":429,
         "detail":"the next message may be sent in 27 seconds",
         "retry_after":27}
    "#);
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn an_ended_verification_is_not_sent_again() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.check(&id, &code).await;
    assert_snapshot!(app.post(&path(&id), json!({})).await, @r#"
        409
        content-type: application/problem+json
        {"type":"/problems/not-pending",
         "title":"The verification has ended",
         "status":409,
         "detail":"the verification is approved",
         "verification_status":"approved"}
    "#);
    app.wait(601);
    let other = app.start(ALICE).await;
    app.wait(601);
    assert_eq!(app.post(&path(&other), json!({})).await.json()["verification_status"], "expired");
}

#[tokio::test]
async fn used_up_sends_are_used_up() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    for wait in [30, 60, 120, 240] {
        app.wait(wait);
        assert_eq!(app.post(&path(&id), json!({})).await.status, 200);
    }
    let refused = app.post(&path(&id), json!({})).await;
    assert_eq!((refused.problem().as_str(), refused.header("retry-after")), ("sends-exhausted", Some("150")));
}
