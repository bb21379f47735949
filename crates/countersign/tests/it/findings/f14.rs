//! Verifications by their ids, over another wire API than they were asked for.

use serde_json::json;

use super::one_tenant::{config, vault, zap, zap_verify};
use crate::support::{Answer, TestApp};

const PHONE: &str = "+12125550123";

/// The id of the newest verification, which the tenant's own list tells.
async fn newest(app: &TestApp) -> String {
    let list =
        app.call("GET", "/v1/verifications?limit=1", &[("authorization", "Bearer csk_acme")], None).await;
    list.json()["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{list:?}")).to_owned()
}

async fn native(app: &TestApp, id: &str, verb: &str, body: serde_json::Value) -> Answer {
    app.post_as("csk_acme", &format!("/v1/verifications/{id}/{verb}"), body).await
}

/// ZAP pretends to send to a country that the tenant does not send to. No resend of it sends anything.
///
/// Shows: F14.
#[tokio::test]
async fn f14_a_resend_by_id_of_what_was_pretended_reaches_nobody() {
    let app = TestApp::serving(config("allowed_regions = [\"GB\"]", ""));
    assert_eq!(zap(&app, "/v1/otp/resend", json!({ "phoneNumber": PHONE })).await.status, 200);
    assert_eq!(app.sent().await.len(), 0);
    let id = newest(&app).await;
    app.advance(30);
    let resent = native(&app, &id, "resend", json!({})).await;
    assert_eq!(resent.status, 404, "{resent:?}");
    assert_eq!(app.sent().await.len(), 0);
}

/// So is a look-alike of somebody whom the caller must learn nothing about.
///
/// Shows: F14.
#[tokio::test]
async fn f14_a_resend_by_id_of_a_look_alike_reaches_nobody() {
    let app = TestApp::serving(config("", ""));
    assert_eq!(vault(&app, "password/reset", json!({ "phone": PHONE })).await.status, 200);
    let id = newest(&app).await;
    app.advance(60);
    assert_eq!(native(&app, &id, "resend", json!({})).await.status, 404);
    assert_eq!(app.sent().await.len(), 0);
}

/// Neither sent again nor checked nor charged: five wrong guesses and a resend later its own code works, and its
/// own waiting time was not started again.
///
/// Shows: F14.
#[tokio::test]
async fn f14_by_its_id_another_wire_apis_verification_is_unknown_and_not_charged() {
    let app = TestApp::serving(config("", ""));
    assert_eq!(zap(&app, "/v1/otp/resend", json!({ "phoneNumber": PHONE })).await.status, 200);
    let code = app.code().await;
    let id = newest(&app).await;
    app.advance(30);
    assert_eq!(native(&app, &id, "resend", json!({})).await.status, 404);
    assert_eq!(native(&app, &id, "resend", json!({ "channel": "voice" })).await.status, 404);
    for guess in ["000000", "000001", "000002", "000003", "000004", &code] {
        assert_eq!(native(&app, &id, "check", json!({ "code": guess })).await.status, 404);
    }
    let path = format!("/v1/recipients/{}", PHONE.replace('+', "%2B"));
    let recipient = app.call("GET", &path, &[("authorization", "Bearer csk_acme")], None).await;
    assert_eq!(recipient.json()["failed_checks"]["last_hour"], 0);
    assert_eq!(zap_verify(&app, PHONE, &code).await.status, 200);
}
