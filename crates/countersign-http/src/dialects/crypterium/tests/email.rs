//! E-mail addresses of users with a token.

use serde_json::json;

use super::app::{App, EMAIL_ADD, EMAIL_RESEND, GOOD, MERCHANT, PHONE, error};

const MAIL: &str = "ann@example.com";
const OTHER_PHONE: &str = "+447871234568";

async fn add(app: &App, token: &str, email: &str) -> (u16, Option<u64>) {
    app.call_as(token, "PUT", EMAIL_ADD, &format!(r#"{{"email":"{email}"}}"#)).await.says()
}

async fn follow(app: &App, email: &str, code: &str) -> (u16, Option<u64>) {
    let token = App::link_token(code);
    app.get(&format!("/v2/mobile/email/confirm?email={email}&token={token}")).await.says()
}

#[tokio::test]
async fn the_link_proves_the_address_of_the_user_who_asked_and_works_once() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    assert_eq!(add(&app, &token, MAIL).await, GOOD);
    let before = app.user(PHONE).await.unwrap();
    assert_eq!((before.email.unwrap().expose(), before.email_verified), (MAIL, false));
    let code = app.code(MAIL).await;
    assert_eq!(follow(&app, "Ann%40EXAMPLE.com", &code).await, GOOD);
    assert!(app.user(PHONE).await.unwrap().email_verified);
    assert_eq!(follow(&app, MAIL, &code).await, error(310));
}

#[tokio::test]
async fn the_link_in_the_mail_proves_the_address_as_it_stands() {
    let base = "https://vault.example.com/v2/mobile/email/confirm";
    let mut app = App::with(&json!({ "email_link": base }));
    let token = app.registered(PHONE).await;
    assert_eq!(app.link().await, None, "a text message has none");
    assert_eq!(add(&app, &token, "ann+x&y@example.com").await, GOOD);
    let link = app.link().await.unwrap();
    let start = format!("{base}?email=ann%2Bx%26y%40example.com&event=EMAIL_CONFIRM&token=");
    assert!(link.starts_with(&start), "{link}");
    assert_eq!(app.get(link.strip_prefix("https://vault.example.com").unwrap()).await.says(), GOOD);
    assert!(app.user(PHONE).await.unwrap().email_verified);
}

#[tokio::test]
async fn a_link_that_is_sent_again_has_the_new_code() {
    let mut app = App::with(&json!({ "email_link": "https://app.example.com/?page=confirm" }));
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    app.wait(60);
    assert_eq!(app.call_as(&token, "POST", EMAIL_RESEND, "").await.says(), GOOD);
    let (link, code) = (app.link().await.unwrap(), app.code(MAIL).await);
    let token = App::link_token(&code);
    assert_eq!(
        link,
        format!(
            "https://app.example.com/?page=confirm&email=ann%40example.com&event=EMAIL_CONFIRM&token={token}"
        )
    );
}

#[tokio::test]
async fn without_the_setting_a_mail_has_no_link_and_what_is_no_link_is_refused() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    assert_eq!(app.link().await, None);
    let merchant =
        json!({ "id": MERCHANT, "tenant": "acme", "signature": "off", "email_link": "example.com" });
    let section = serde_json::from_value(json!({ "merchants": [merchant] })).unwrap();
    let refused = App::open(section).err().unwrap().to_string();
    assert!(refused.starts_with("email_link of merchant "), "{refused}");
}

#[tokio::test]
async fn a_plus_in_a_links_address_may_be_left_as_it_is() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    assert_eq!(add(&app, &token, "ann+x@example.com").await, GOOD);
    let code = app.code("ann+x@example.com").await;
    assert_eq!(follow(&app, "ann+x@example.com", &code).await, GOOD);
}

#[tokio::test]
async fn the_link_of_an_address_that_was_replaced_proves_nothing() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    let code = app.code(MAIL).await;
    add(&app, &token, "new@example.com").await;
    assert_eq!(follow(&app, MAIL, &code).await, error(8));
    let user = app.user(PHONE).await.unwrap();
    assert_eq!((user.email.unwrap().expose(), user.email_verified), ("new@example.com", false));
}

#[tokio::test]
async fn an_address_that_two_users_add_is_proven_for_the_one_who_asked_first() {
    let mut app = App::new();
    let (first, second) = (app.registered(PHONE).await, app.registered(OTHER_PHONE).await);
    assert_eq!(add(&app, &first, MAIL).await, GOOD);
    assert_eq!(add(&app, &second, MAIL).await, error(157));
    app.wait(60);
    assert_eq!(add(&app, &second, MAIL).await, GOOD);
    let code = app.code(MAIL).await;
    assert_eq!(follow(&app, MAIL, &code).await, GOOD);
    let verified = |user: Option<countersign_core::directory::User>| user.unwrap().email_verified;
    assert!(verified(app.user(PHONE).await) && !verified(app.user(OTHER_PHONE).await));
    assert_eq!(add(&app, &second, MAIL).await, error(168));
}

#[tokio::test]
async fn a_link_that_expired_is_sent_again_with_a_new_code() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    let older = app.code(MAIL).await;
    app.wait(3600);
    assert_eq!(app.call_as(&token, "POST", EMAIL_RESEND, "").await.says(), GOOD);
    let newer = app.code(MAIL).await;
    assert_eq!(follow(&app, MAIL, &older).await, error(8));
    assert_eq!(follow(&app, MAIL, &newer).await, GOOD);
}

#[tokio::test]
async fn only_an_access_token_of_this_merchant_opens_the_calls() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    let elsewhere = token.replace("bece038f2e4649f4b25e89cd38d6dc16", "0b6f2f0e5f0a4a539d0d3a8f6f6f1c11");
    for wrong in
        [&token[..token.len() - 1], &token[33..], &elsewhere, "x", "bece038f2e4649f4b25e89cd38d6dc16."]
    {
        assert_eq!(add(&app, wrong, MAIL).await, (401, Some(0)), "{wrong}");
    }
    assert_eq!(add(&app, &token, MAIL).await, GOOD);
}

#[tokio::test]
async fn asking_for_the_head_of_a_link_follows_it_not() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    let code = app.code(MAIL).await;
    let link = format!("/v2/mobile/email/confirm?email={MAIL}&token={}", App::link_token(&code));
    let head = axum::http::Request::head(&link).body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.call(head).await.status, 405);
    assert_eq!(app.get(&link).await.says(), GOOD);
}
