//! `GET /v1/verifications/{id}`.

use std::time::Duration;

use countersign_core::engine::Engine;
use countersign_core::provider::{DeliveryError, DeliveryErrorKind, Retry};
use countersign_core::testkit::{ManualClock, RecordingProvider};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{ALICE, TestApp};

async fn deliveries(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/verifications/{id}")).await.json()["deliveries"].clone()
}

#[tokio::test]
async fn a_verification_tells_what_became_of_its_messages() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let at = "2026-11-20T08:00:00Z";
    let queued = json!([{"channel": "sms", "provider": null, "status": "queued", "at": at}]);
    assert_eq!(deliveries(&app, &id).await, queued);
    app.code().await;
    assert_snapshot!(app.get(&format!("/v1/verifications/{id}")).await, @r#"
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
         "checks":{"used":0,"max":5},
         "metadata":{},
         "deliveries":[{"channel":"sms","provider":"carrier","status":"sent","at":"2026-11-20T08:00:00Z"}]}
    "#);
}

#[tokio::test]
async fn a_message_that_nobody_can_deliver_has_failed_and_says_why() {
    let provider = RecordingProvider::new("carrier");
    let routes = provider.routes();
    provider.answer_next(Err(DeliveryError::new(DeliveryErrorKind::Recipient, Retry::Never, "gone")));
    let app = TestApp::over(provider, routes, |_| {});
    let id = app.start(ALICE).await;
    assert!(app.sent().await.is_empty());
    let delivery = &deliveries(&app, &id).await[0];
    assert_eq!(
        (&delivery["status"], &delivery["reason"]),
        (&json!("failed"), &json!("recipient_unreachable"))
    );
}

#[tokio::test]
async fn a_message_that_came_too_late_has_expired() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.wait(600);
    assert!(app.sent().await.is_empty());
    assert_eq!(deliveries(&app, &id).await[0]["status"], "expired");
}

#[tokio::test]
async fn a_day_after_its_end_a_verification_no_longer_knows_its_recipient() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.wait(600);
    app.sent().await;
    for hours in [0, 25] {
        app.wait(hours * 3600);
        let now = ManualClock::START + Duration::from_secs(600 + hours * 3600);
        app.engine.sweep(100, now).await.unwrap();
    }
    let answer = app.get(&format!("/v1/verifications/{id}")).await.json();
    let to = answer["to"].as_str().unwrap();
    assert!(to.contains('*') && to != ALICE, "{to}");
    assert_eq!(answer["metadata"], json!({}));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::new();
    for id in ["ver_01k9ywa3m0q3v7y2h4x8n5c6d9", "nonsense", "%00", "%ff", "ver_", "..%2f"] {
        let answer = app.get(&format!("/v1/verifications/{id}")).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "not-found"), "{id}");
    }
}
