//! Two merchants of Crypterium's that are one tenant.

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use super::one_tenant::{MERCHANTS, add_email, app, signed_up, vault, vault_of};

const PHONE: &str = "+12125550123";

/// Shows: F22.
#[tokio::test]
async fn f22_a_code_is_good_with_its_own_merchant_only() {
    let app = app();
    vault(&app, "signup", json!({ "phone": PHONE, "password": "correct horse" })).await;
    let confirm = json!({ "phone": PHONE, "smsCode": app.code().await });
    let refused = vault_of(&app, MERCHANTS[1], "phone/confirm", confirm.clone()).await;
    assert_eq!((refused.status, &refused.json()["errorId"]), (400, &json!(117)), "{refused:?}");
    assert_eq!(vault(&app, "phone/confirm", confirm).await.status, 200);
}

/// Shows: F22.
#[tokio::test]
async fn f22_a_resend_of_another_merchant_sends_nothing() {
    let app = app();
    vault(&app, "signup", json!({ "phone": PHONE, "password": "correct horse" })).await;
    app.sent().await;
    app.advance(60);
    let resend = json!({ "phone": PHONE });
    assert_eq!(vault_of(&app, MERCHANTS[1], "phone/verify/resend", resend.clone()).await.status, 200);
    assert!(app.sent().await.is_empty());
    assert_eq!(vault(&app, "phone/verify/resend", resend).await.status, 200);
    assert_eq!(app.sent().await.len(), 1);
}

/// Shows: F22.
#[tokio::test]
async fn f22_a_token_is_good_with_its_own_merchant_only() {
    let app = app();
    let token = signed_up(&app, PHONE).await;
    let (merchant, sealed) = token.split_once('.').unwrap();
    let others = merchant.replace("01", "02") + "." + sealed;
    assert_eq!(add_email(&app, &others, "her@example.com").await.status, 401);
    assert_eq!(add_email(&app, &token, "her@example.com").await.status, 200);
    assert_eq!(app.sent().await.len(), 1);
}

/// Shows: F22.
#[tokio::test]
async fn f22_a_link_is_good_with_its_own_merchant_only() {
    let app = app();
    let token = signed_up(&app, PHONE).await;
    assert_eq!(add_email(&app, &token, "her@example.com").await.status, 200);
    let sent = app.sent().await;
    let link = sent[0].link.as_ref().unwrap().expose();
    let link = link.strip_prefix("https://app.example.com").unwrap();
    let (path, key) = link.rsplit_once("token=").unwrap();
    let (head, code) = key.split_at(44);
    let mut head = BASE64URL_NOPAD.decode(head.as_bytes()).unwrap();
    head[15] = 2;
    let others = format!("{path}token={}{code}", BASE64URL_NOPAD.encode(&head));
    assert_eq!(app.call("GET", &others, &[], None).await.json()["errorId"], 8);
    assert_eq!(app.call("GET", link, &[], None).await.status, 200);
}
