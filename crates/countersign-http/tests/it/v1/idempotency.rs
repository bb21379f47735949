//! `Idempotency-Key`.

use serde_json::json;

use crate::support::{ALICE, Answer, BOB, Call, TestApp};

async fn start(app: &TestApp, key: &str, to: &str) -> Answer {
    let call = Call::post("/v1/verifications").json(&json!({"to": to})).header("idempotency-key", key);
    app.send(call).await
}

#[tokio::test]
async fn a_repeated_start_has_one_effect_and_the_same_bytes() {
    let app = TestApp::new();
    let first = start(&app, "k1", ALICE).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    app.code().await;
    app.wait(45);
    let second = start(&app, "k1", ALICE).await;
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.body, first.body);
    assert!(app.sent().await.is_empty());
}

/// Shows: A5.
#[tokio::test]
async fn a_repeated_check_has_one_effect() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    let check = |code: &str| {
        let path = format!("/v1/verifications/{id}/check");
        Call::post(&path).json(&json!({"code": code})).header("idempotency-key", "k1")
    };
    let first = app.send(check(&code)).await;
    let second = app.send(check(&code)).await;
    assert_eq!(first.json()["valid"], true);
    assert_eq!((second.body, second.status), (first.body, first.status));
    assert_eq!(app.checks_used(&id).await, 1);
}

#[tokio::test]
async fn a_repeated_resend_has_one_effect() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.code().await;
    app.wait(30);
    let resend = Call::post(&format!("/v1/verifications/{id}/resend")).header("idempotency-key", "k1");
    let first = app.send(resend.clone()).await;
    app.code().await;
    app.wait(60);
    assert_eq!(app.send(resend).await.body, first.body);
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let app = TestApp::new();
    start(&app, "k1", ALICE).await;
    let other_body = start(&app, "k1", BOB).await;
    assert_eq!((other_body.status.as_u16(), other_body.problem().as_str()), (422, "idempotency-mismatch"));
    let same_body_elsewhere = Call::post("/v1/verifications/check").header("idempotency-key", "k1");
    let other_call = app.send(same_body_elsewhere.json(&json!({"to": ALICE, "code": "123456"}))).await;
    assert_eq!(other_call.problem(), "idempotency-mismatch");
    assert_eq!(app.sent().await.len(), 1);
}

#[tokio::test]
async fn keys_belong_to_their_tenant() {
    let app = TestApp::new();
    let first = start(&app, "k1", ALICE).await.json();
    let call = Call::post("/v1/verifications").json(&json!({"to": ALICE})).header("idempotency-key", "k1");
    let other = app.send(call.key("key-of-other")).await;
    assert_eq!(other.status, 201);
    assert_ne!(other.json()["id"], first["id"]);
}

/// Shows: O6.
#[tokio::test]
async fn a_replayed_answer_holds_no_code() {
    let app = TestApp::new();
    let call = Call::post("/v1/verifications").json(&json!({"to": ALICE, "delivery": "return"}));
    let call = call.header("idempotency-key", "k1");
    assert!(app.send(call.clone()).await.json()["code"].is_string());
    let replayed = app.send(call).await;
    assert_eq!((replayed.status.as_u16(), replayed.header("idempotency-replayed")), (201, Some("true")));
    assert!(replayed.json().get("code").is_none());
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let app = TestApp::new();
    for good in ["x", &"x".repeat(255), "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""] {
        assert!(start(&app, good, ALICE).await.status.is_success(), "{good}");
    }
    for bad in ["", "a b", "a\tb", &"x".repeat(256)] {
        let fault = start(&app, bad, ALICE).await.fault();
        assert_eq!(fault, ("malformed-request".into(), "Idempotency-Key".into()), "{bad:?}");
    }
    let twice = Call::post("/v1/verifications").json(&json!({"to": BOB}));
    let twice = app.send(twice.header("idempotency-key", "a").header("idempotency-key", "a")).await;
    assert_eq!(twice.fault().1, "Idempotency-Key");
}
