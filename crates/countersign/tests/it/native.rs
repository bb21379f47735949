//! The native API end to end, in process.

use serde_json::json;

use crate::support::TestApp;

const NUMBER: &str = "+12125550123";

#[tokio::test]
async fn a_code_is_sent_and_accepted_once() {
    for app in [TestApp::new(), TestApp::on_sqlite()] {
        let (id, code) = app.started(NUMBER).await;
        let check = format!("/v1/verifications/{id}/check");
        let first = app.post(&check, json!({ "code": code })).await.json();
        assert_eq!((&first["valid"], &first["status"]), (&json!(true), &json!("approved")));
        let second = app.post(&check, json!({ "code": code })).await.json();
        assert_eq!((&second["valid"], &second["reason"]), (&json!(false), &json!("already_used")));
    }
}

/// Shows: O5.
#[tokio::test]
async fn a_resend_inside_the_cool_down_is_refused_and_sends_nothing() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    let resend = format!("/v1/verifications/{id}/resend");
    app.advance(10);
    let refused = app.post(&resend, json!({})).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("20")));
    assert!(app.sent().await.is_empty());
    app.advance(20);
    assert_eq!(app.post(&resend, json!({})).await.status, 200);
    assert_eq!(app.code().await, code, "people type the first message that arrives");
}

#[tokio::test]
async fn a_code_dies_with_its_window() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    app.advance(600);
    let late = app.post(&format!("/v1/verifications/{id}/check"), json!({ "code": code })).await.json();
    assert_eq!((&late["valid"], &late["reason"]), (&json!(false), &json!("expired")));
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let app = TestApp::new();
    let (id, _) = app.started(NUMBER).await;
    let other = [("authorization", "Bearer csk_dev_other_00000000000000000000000000000")];
    let path = format!("/v1/verifications/{id}");
    assert_eq!(app.call("GET", &path, &other, None).await.status, 404);
    assert_eq!(app.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_test_number_is_shown_where_dev_mode_shows_it_and_counts_for_itself() {
    let app = TestApp::new();
    for _ in 0..20 {
        let started = app.post("/v1/verifications", json!({"to": "+447700900123", "purpose": "login"})).await;
        assert_eq!(started.status, 201, "{started:?}");
        let id = started.text("id");
        assert_eq!(app.sent().await.len(), 1);
        assert_eq!(app.post(&format!("/v1/verifications/{id}/cancel"), json!({})).await.status, 200);
    }
}

#[tokio::test]
#[should_panic = "the test did not look at a message"]
async fn a_message_that_nobody_looked_at_fails_its_test() {
    let app = TestApp::new();
    app.post("/v1/verifications", json!({"to": NUMBER})).await;
}
