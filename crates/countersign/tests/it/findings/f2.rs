//! A public code for test numbers beside a real address.

use serde_json::json;

use super::one_tenant::{app, config, zap, zap_verify, zitadel};
use crate::support::{Installation, TestApp};

const MAIL: &str = "ann@example.com";
/// Every code of this number is 123456.
const TEST: &str = "+447700900001";

/// The number is started, and the real address is added by a resend: the public code is none for it.
///
/// Shows: F2.
#[tokio::test]
async fn f2_a_real_address_is_never_verified_by_the_code_of_test_numbers() {
    for options in ["", "multi_destination = \"shared\""] {
        let app = TestApp::serving(config("", options));
        assert_eq!(zap(&app, "/v1/otp/resend", json!({ "phoneNumber": TEST })).await.status, 200);
        app.sent().await;
        app.advance(30);
        let both = zap(&app, "/v1/otp/resend", json!({ "email": MAIL, "phoneNumber": TEST })).await;
        assert_eq!((both.status, both.text("data")), (400, "Invalid phoneNumber".into()));
        assert_eq!(app.sent().await.len(), 0);
        assert_eq!(zap_verify(&app, MAIL, "123456").await.text("data"), "Invalid OTP");
        // The test number's own verification goes on.
        assert_eq!(zap_verify(&app, TEST, "123456").await.status, 200);
    }
}

/// The same the other way round: a real address' code is not replaced by the public one.
///
/// Shows: F2.
#[tokio::test]
async fn f2_a_test_number_never_joins_what_runs_for_a_real_address() {
    let app = app();
    assert_eq!(zap(&app, "/v1/otp/resend", json!({ "email": MAIL })).await.status, 200);
    let code = app.code().await;
    app.advance(30);
    let both = zap(&app, "/v1/otp/resend", json!({ "email": MAIL, "phoneNumber": TEST })).await;
    assert_eq!(both.status, 400);
    assert_eq!(app.sent().await.len(), 0);
    for identity in [MAIL, TEST] {
        assert_eq!(zap_verify(&app, identity, "123456").await.text("data"), "Invalid OTP", "{identity}");
    }
    assert_eq!(zap_verify(&app, MAIL, &code).await.status, 200);
}

/// A mailbox and a test number registered together: nothing is registered and nobody is sent anything. What has
/// a provider for real messages only never sees a test number.
///
/// Shows: F2.
#[tokio::test]
async fn f2_no_provider_sees_a_test_number() {
    let app = app();
    let both = json!({ "userId": "u1", "email": MAIL, "phoneNumber": TEST, "username": "ann" });
    let refused = zap(&app, "/v1/otp/", both).await;
    assert_eq!((refused.status, refused.text("data")), (400, "Invalid phoneNumber".into()));
    assert_eq!(app.sent().await.len(), 0);
    assert_eq!(zap_verify(&app, MAIL, "123456").await.text("data"), "Invalid OTP");
    // Nothing was counted: the very next call is no second one within the waiting time.
    assert_eq!(zap(&app, "/v1/otp/", json!({ "userId": "u1", "email": MAIL })).await.status, 200);
    assert_eq!(app.sent().await.len(), 1);
}

/// Where an API verifies each address by itself there is nothing to mix: each has its own code.
///
/// Shows: F2.
#[tokio::test]
async fn f2_a_user_with_a_test_number_has_another_code_for_the_mailbox() {
    let app = app();
    let user = json!({
        "userId": "1", "username": "ann", "profile": {"givenName": "Ann", "familyName": "Example"},
        "email": {"email": MAIL, "sendCode": {}}, "phone": {"phone": TEST, "sendCode": {}},
    });
    assert_eq!(zitadel(&app, "POST", "/v2/users/human", Some(user)).await.status, 200);
    let sent = app.sent().await;
    assert_eq!(sent.len(), 2);
    let verify = |kind: &str| {
        let (path, body) = (format!("/v2/users/1/{kind}/verify"), json!({ "verificationCode": "123456" }));
        let app = &app;
        async move { zitadel(app, "POST", &path, Some(body)).await.status }
    };
    assert_eq!(verify("email").await, 400);
    assert_eq!(verify("phone").await, 200);
}

/// Once per tenant, at the start; a drawn code is nobody's business.
///
/// Shows: F2.
#[test]
fn f28_serve_and_check_config_warn_of_fixed_test_codes() {
    let policy = |code: &str| format!("[tenants.policy.test_numbers]\nranges = ['+447700900000']\n{code}");
    for (code, warns) in [("code = '123456'", true), ("", false)] {
        let installation = Installation::new("server.drain_seconds = 0");
        installation.configure_more(&policy(code));
        let checked = installation.run(&["check-config"], &[]);
        let checked = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        for told in [installation.serve().stop_and_tell(), checked] {
            let warned = told.lines().filter(|line| line.contains("its test numbers have a fixed code"));
            assert_eq!(warned.count(), usize::from(warns), "{told}");
            assert!(!told.contains("123456"), "{told}");
        }
    }
}
