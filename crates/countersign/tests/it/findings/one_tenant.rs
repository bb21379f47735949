//! A service with one tenant that is served over every wire API.

use std::path::Path;

use countersign::config::{Config, ServiceConfig};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

/// The configuration, with these lines in the tenant's policy and in zap's options.
pub(super) fn config(policy: &str, zap: &str) -> ServiceConfig {
    let text = include_str!("one_tenant.toml")
        .replace("# the policy of the test", policy)
        .replace("# the options of zap", zap);
    Config::parse("one_tenant.toml", &text, Path::new("."), &|_| None).unwrap().service
}

/// The service with its defaults.
pub(super) fn app() -> TestApp {
    TestApp::serving(config("", ""))
}

/// A call of ZAP's.
pub(super) async fn zap(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post_as("zap-acme", path, body).await
}

/// ZAP's check of a code.
pub(super) async fn zap_verify(app: &TestApp, identity: &str, otp: &str) -> Answer {
    zap(app, "/v1/otp/verify", json!({ "identity": identity, "otp": otp })).await
}

/// The merchants that the tenant has at Crypterium.
pub(super) const MERCHANTS: [&str; 2] =
    ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];

/// A call of Crypterium's app.
pub(super) async fn vault(app: &TestApp, path: &str, body: Value) -> Answer {
    vault_of(app, MERCHANTS[0], path, body).await
}

/// A call of another merchant's app.
pub(super) async fn vault_of(app: &TestApp, merchant: &str, path: &str, body: Value) -> Answer {
    let headers = [("x-merchant-id", merchant), ("x-fingerprint", "1234444")];
    app.call("POST", &format!("/v2/mobile/{path}"), &headers, Some(body)).await
}

/// Signs a number up at Crypterium; the access token.
pub(super) async fn signed_up(app: &TestApp, phone: &str) -> String {
    assert_eq!(
        vault(app, "signup", json!({ "phone": phone, "password": "correct horse" })).await.status,
        200
    );
    let code = app.code().await;
    let confirmed = vault(app, "phone/confirm", json!({ "phone": phone, "smsCode": code })).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    confirmed.text("access_token")
}

/// Adds a mailbox for who has this token.
pub(super) async fn add_email(app: &TestApp, token: &str, email: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    app.call("PUT", "/v2/mobile/email/add", &[("authorization", &bearer)], Some(json!({ "email": email })))
        .await
}

/// A call of ZITADEL's.
pub(super) async fn zitadel(app: &TestApp, method: &str, path: &str, body: Option<Value>) -> Answer {
    app.call(method, path, &[("authorization", "Bearer zitadel-acme")], body).await
}

/// The code that was sent to an address since the last look; nobody else was sent anything else.
pub(super) fn code_to(sent: &[countersign_core::provider::RenderedMessage], to: &str) -> String {
    let own = sent.iter().find(|message| message.recipient.expose() == to);
    own.unwrap_or_else(|| panic!("{to} got nothing")).code.expose().to_owned()
}
