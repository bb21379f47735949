//! Several wire APIs on one tenant, and what each believes of somebody.

use serde_json::json;

use super::one_tenant::{add_email, app, config, signed_up, vault, zap, zap_verify, zitadel};
use crate::support::TestApp;

const PHONE: &str = "+12125550123";
const MAIL: &str = "victim@example.com";

/// The attacker claims the victim's number over ZAP. When she signs up at Crypterium she gets a user of her own:
/// her tokens do not open the attacker's.
///
/// Shows: F3, P14.
#[tokio::test]
async fn f3_signing_up_adopts_no_user_that_another_wire_api_claimed_the_number_for() {
    let app = app();
    let claim = json!({ "userId": "mallory", "phoneNumber": PHONE, "username": "mallory" });
    assert_eq!(zap(&app, "/v1/otp/", claim).await.status, 200);
    app.sent().await;
    app.advance(60);
    let token = signed_up(&app, PHONE).await;
    // What she adds is not the attacker's: whoever knows that user's name is sent nothing there.
    assert_eq!(add_email(&app, &token, MAIL).await.status, 200);
    app.sent().await;
    app.advance(600);
    assert_eq!(zap(&app, "/v1/otp/resend", json!({ "username": "mallory" })).await.status, 200);
    let sent = app.sent().await;
    let to: Vec<&str> = sent.iter().map(|message| message.recipient.expose()).collect();
    assert_eq!(to, [PHONE]);
}

/// A user of ZITADEL's is given the victim's mailbox; she proves it over other wire APIs. It stays unproven.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_proof_over_one_wire_api_marks_nobody_in_another() {
    let app = app();
    let user = json!({
        "userId": "1", "username": "mallory", "profile": {"givenName": "M", "familyName": "M"},
        "email": {"email": MAIL, "sendCode": {}}, "phone": {"phone": PHONE, "sendCode": {}},
    });
    assert_eq!(zitadel(&app, "POST", "/v2/users/human", Some(user)).await.status, 200);
    app.sent().await;
    app.advance(60);
    // Over ZAP, over the native API and over Crypterium.
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "v", "email": MAIL })).await.status, 200);
    let code = app.code().await;
    assert_eq!(zap_verify(&app, MAIL, &code).await.status, 200);
    let started = app.post_as("csk_acme", "/v1/verifications", json!({ "to": PHONE })).await;
    assert_eq!(started.status, 201, "{started:?}");
    let (path, code) = (format!("/v1/verifications/{}/check", started.text("id")), app.code().await);
    assert_eq!(app.post_as("csk_acme", &path, json!({ "code": code })).await.json()["valid"], true);
    signed_up(&app, PHONE).await;
    let human = zitadel(&app, "GET", "/v2/users/1", None).await.json();
    for address in ["email", "phone"] {
        assert_ne!(human["user"]["human"][address]["isVerified"], true, "{address}: {human}");
    }
}

/// The same id over ZAP is another user: ZITADEL's keeps its mailbox and its name.
///
/// Shows: F3.
#[tokio::test]
async fn f3_generate_overwrites_no_user_of_another_wire_api() {
    let app = app();
    let user = json!({
        "userId": "1", "username": "ann", "profile": {"givenName": "Ann", "familyName": "Example"},
        "email": {"email": "ann@example.com", "isVerified": true},
    });
    assert_eq!(zitadel(&app, "POST", "/v2/users/human", Some(user)).await.status, 200);
    let other = json!({ "userId": "1", "email": MAIL, "username": "ann" });
    assert_eq!(zap(&app, "/v1/otp/", other).await.status, 200);
    app.sent().await;
    let human = zitadel(&app, "GET", "/v2/users/1", None).await.json();
    assert_eq!(human["user"]["human"]["email"]["email"], "ann@example.com");
    assert_eq!(human["user"]["username"], "ann");
}

/// Two users of one wire API claim one number; only the one whose code was typed has proven it. Which of them
/// Crypterium believes is nobody's business but its own.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_number_proven_over_zap_is_unknown_at_crypterium() {
    let app = app();
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "m", "phoneNumber": PHONE })).await.status, 200);
    let code = app.code().await;
    assert_eq!(zap_verify(&app, PHONE, &code).await.status, 200);
    // A reset is for numbers that are known there: nothing is sent.
    assert_eq!(vault(&app, "password/reset", json!({ "phone": PHONE })).await.status, 200);
    assert_eq!(app.sent().await.len(), 0);
}

/// Dialects that name one directory share it, because their tenant said so.
///
/// Shows: F3.
#[tokio::test]
async fn f3_dialects_share_a_directory_that_both_name() {
    let mut config = config("", "");
    let named = || serde_json::from_value(json!("people")).unwrap();
    config.dialects.zap.as_mut().unwrap().directory = Some(named());
    config.dialects.crypterium.as_mut().unwrap().directory = Some(named());
    let app = TestApp::serving(config);
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "ann", "phoneNumber": PHONE })).await.status, 200);
    let code = app.code().await;
    assert_eq!(zap_verify(&app, PHONE, &code).await.status, 200);
    assert_eq!(vault(&app, "password/reset", json!({ "phone": PHONE })).await.status, 200);
    assert_eq!(app.sent().await.len(), 1);
}

/// Two wire APIs have a purpose of the same name: what the one sends voids no code of the other.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_code_stays_good_while_another_wire_api_sends_for_the_same_purpose() {
    let app = app();
    signed_up(&app, PHONE).await;
    assert_eq!(vault(&app, "password/reset", json!({ "phone": PHONE })).await.status, 200);
    let code = app.code().await;
    let start = json!({ "to": PHONE, "purpose": "password_reset" });
    let key = [("authorization", "Bearer csk_acme")];
    assert_eq!(app.call("POST", "/v1/verifications", &key, Some(start)).await.status, 201);
    app.sent().await;
    let guess = json!({ "phone": PHONE, "code": code });
    let looked = vault(&app, "password/reset/confirm/code", guess).await;
    assert_eq!(looked.status, 200, "{looked:?}");
}

/// The attacker registers with the victim's mailbox; the victim types the code of that mail with her username: it
/// proves nothing of her, and the attacker gets nothing of it.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_code_asked_for_in_another_users_name_is_not_the_usernames() {
    let app = app();
    for (id, name) in [("v", "victim"), ("m", "mallory")] {
        let user = json!({ "userId": id, "email": MAIL, "username": name });
        assert_eq!(zap(&app, "/v1/otp/", user).await.status, 200, "{name}");
        app.advance(60);
    }
    let sent = app.sent().await;
    let mallorys = sent.last().unwrap().code.expose();
    assert_eq!(zap_verify(&app, "victim", mallorys).await.text("data"), "Invalid OTP");
    assert_eq!(zap_verify(&app, "mallory", mallorys).await.status, 200);
}
