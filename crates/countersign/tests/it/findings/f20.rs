//! Usernames of ZAP's: whose they are, and how long.

use serde_json::json;

use super::one_tenant::{app, zap, zap_verify};
use crate::support::TestApp;

const ANN: &str = "ann@example.com";
const MALLORY: &str = "mallory@example.com";

/// Who is sent a code when a username asks for one.
async fn reached_by(app: &TestApp, username: &str) -> Vec<String> {
    app.sent().await;
    app.advance(600);
    assert_eq!(zap(app, "/v1/otp/resend", json!({ "username": username })).await.status, 200);
    app.sent().await.iter().map(|message| message.recipient.expose().to_owned()).collect()
}

/// Shows: F20.
#[tokio::test]
async fn f20_a_username_moves_only_from_a_user_who_has_proven_nothing() {
    let app = app();
    let ann = json!({ "userId": "a", "email": ANN, "username": "ann" });
    let mallory = json!({ "userId": "m", "email": MALLORY, "username": "ann" });
    // Nobody has proven anything yet: the name is a claim like any other.
    assert_eq!(zap(&app, "/v1/otp/", mallory.clone()).await.status, 200);
    app.advance(600);
    app.sent().await;
    assert_eq!(zap(&app, "/v1/otp/", ann).await.status, 200);
    let code = app.code().await;
    assert_eq!(reached_by(&app, "ann").await, [ANN]);
    app.advance(600);
    assert_eq!(zap(&app, "/v1/otp/resend", json!({ "email": ANN })).await.status, 200);
    let newer = app.code().await;
    assert_ne!(code, newer);
    assert_eq!(zap_verify(&app, ANN, &newer).await.status, 200);
    let refused = zap(&app, "/v1/otp/", mallory).await;
    assert_eq!((refused.status, refused.text("data")), (400, "Invalid username".into()));
    assert_eq!(app.sent().await.len(), 0);
    assert_eq!(reached_by(&app, "ann").await, [ANN]);
}

/// Shows: F20.
#[tokio::test]
async fn f20_a_refused_call_changes_no_user() {
    let app = app();
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "m", "email": MALLORY })).await.status, 200);
    app.sent().await;
    // Within the waiting time: refused, and the name is bound to nobody.
    let too_soon = json!({ "userId": "m", "email": MALLORY, "username": "taken" });
    assert_eq!(zap(&app, "/v1/otp/", too_soon).await.text("data"), "Too many requests");
    assert_eq!(reached_by(&app, "taken").await, [""; 0]);
    // Nor does a refused call move it from who has it.
    assert_eq!(
        zap(&app, "/v1/otp/", json!({ "userId": "a", "email": ANN, "username": "ann" })).await.status,
        200
    );
    app.sent().await;
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "m", "email": MALLORY })).await.status, 200);
    let too_soon = json!({ "userId": "m", "email": MALLORY, "username": "ann" });
    assert_eq!(zap(&app, "/v1/otp/", too_soon).await.text("data"), "Too many requests");
    assert_eq!(reached_by(&app, "ann").await, [ANN]);
}
