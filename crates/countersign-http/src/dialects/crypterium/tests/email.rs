//! E-mail addresses of users with a token.

use serde_json::json;

use super::app::{App, EMAIL_ADD, EMAIL_RESEND, GOOD, MERCHANT, PHONE, error};

const MAIL: &str = "ann@example.com";
const OTHER_PHONE: &str = "+447871234568";

async fn add(app: &App, token: &str, email: &str) -> (u16, Option<u64>) {
    app.call_as(token, "PUT", EMAIL_ADD, &format!(r#"{{"email":"{email}"}}"#)).await.says()
}

/// Follows the link in the mail to the user with this access token.
async fn follow(app: &App, access_token: &str, email: &str, code: &str) -> (u16, Option<u64>) {
    let token = app.link_token(access_token, code);
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
    assert_eq!(follow(&app, &token, "Ann%40EXAMPLE.com", &code).await, GOOD);
    assert!(app.user(PHONE).await.unwrap().email_verified);
    assert_eq!(follow(&app, &token, MAIL, &code).await, error(310));
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
    let token = app.link_token(&token, &code);
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
    assert_eq!(follow(&app, &token, "ann+x@example.com", &code).await, GOOD);
}

#[tokio::test]
async fn the_link_of_an_address_that_was_replaced_proves_nothing() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    add(&app, &token, MAIL).await;
    let code = app.code(MAIL).await;
    add(&app, &token, "new@example.com").await;
    assert_eq!(follow(&app, &token, MAIL, &code).await, error(8));
    let user = app.user(PHONE).await.unwrap();
    assert_eq!((user.email.unwrap().expose(), user.email_verified), ("new@example.com", false));
}

/// Each waits for their own messages, and each link is its own user's.
///
/// Shows: F4.
#[tokio::test]
async fn f4_an_address_that_two_users_add_is_proven_for_whose_link_is_followed() {
    let mut app = App::new();
    let (first, second) = (app.registered(PHONE).await, app.registered(OTHER_PHONE).await);
    assert_eq!(add(&app, &first, MAIL).await, GOOD);
    let firsts = app.code(MAIL).await;
    assert_eq!(add(&app, &second, MAIL).await, GOOD);
    let seconds = app.code(MAIL).await;
    assert_eq!(follow(&app, &second, MAIL, &firsts).await, error(8));
    assert_eq!(follow(&app, &first, MAIL, &seconds).await, error(8));
    assert_eq!(follow(&app, &second, MAIL, &seconds).await, GOOD);
    let verified = |user: Option<countersign_core::directory::User>| user.unwrap().email_verified;
    assert!(!verified(app.user(PHONE).await) && verified(app.user(OTHER_PHONE).await));
    assert_eq!(add(&app, &first, MAIL).await, error(168));
}

/// Its token names the merchant and not the user, who has to show who they are.
#[tokio::test]
async fn a_code_without_its_link_takes_the_users_access_token() {
    let mut app = App::new();
    let (token, other) = (app.registered(PHONE).await, app.registered(OTHER_PHONE).await);
    add(&app, &token, MAIL).await;
    let code = app.code(MAIL).await;
    let path = format!("/v2/mobile/email/confirm?email={MAIL}&token=vs4Djy5GSfSyXonNONbcFgAA{code}");
    assert_eq!(app.get(&path).await.says(), error(8));
    assert_eq!(app.call_as(&other, "GET", &path, "").await.says(), error(8));
    assert_eq!(app.call_as("nonsense", "GET", &path, "").await.says(), (401, Some(0)));
    assert_eq!(app.call_as(&token, "GET", &path, "").await.says(), GOOD);
    assert!(app.user(PHONE).await.unwrap().email_verified);
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
    assert_eq!(follow(&app, &token, MAIL, &older).await, error(8));
    assert_eq!(follow(&app, &token, MAIL, &newer).await, GOOD);
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
    let link = format!("/v2/mobile/email/confirm?email={MAIL}&token={}", app.link_token(&token, &code));
    let head = axum::http::Request::head(&link).body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.call(head).await.status, 405);
    assert_eq!(app.get(&link).await.says(), GOOD);
}
