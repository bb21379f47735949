//! `POST /v1/verifications/{id}/cancel`.

use serde_json::json;

use crate::support::{ALICE, Call, TestApp};

#[tokio::test]
async fn a_canceled_verification_stays_canceled() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let path = format!("/v1/verifications/{id}/cancel");
    for call in [Call::post(&path), Call::post(&path).json(&json!({}))] {
        let answer = app.send(call).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("canceled")));
        assert_eq!(answer.json()["sends"]["next_at"], json!(null));
    }
    assert!(app.sent().await.is_empty(), "its message was not sent yet, and never will be");
}

#[tokio::test]
async fn an_approved_verification_is_not_canceled() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.check(&id, &code).await;
    let answer = app.send(Call::post(&format!("/v1/verifications/{id}/cancel"))).await;
    assert_eq!(
        (answer.problem().as_str(), &answer.json()["verification_status"]),
        ("not-pending", &json!("approved"))
    );
}

#[tokio::test]
async fn a_cancel_takes_no_body() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let answer = app.post(&format!("/v1/verifications/{id}/cancel"), json!({"why": "x"})).await;
    assert_eq!(answer.problem(), "malformed-request");
    assert_eq!(app.get(&format!("/v1/verifications/{id}")).await.json()["status"], "pending");
}
