//! One mailbox, added by two users of Crypterium's.

use serde_json::json;

use super::one_tenant::{add_email, app, signed_up};

const MAIL: &str = "victim@example.com";

/// The attacker adds the victim's mailbox, then the victim does and follows her own link: it is proven for her,
/// and for nobody else.
///
/// Shows: F4.
#[tokio::test]
async fn f4_a_link_proves_the_mailbox_for_the_user_who_asked_for_it() {
    let app = app();
    let mallory = signed_up(&app, "+12125550123").await;
    let victim = signed_up(&app, "+12125550124").await;
    assert_eq!(add_email(&app, &mallory, MAIL).await.status, 200);
    app.sent().await;
    app.advance(60);
    assert_eq!(add_email(&app, &victim, MAIL).await.status, 200);
    let sent = app.sent().await;
    let link = sent[0].link.as_ref().unwrap().expose().strip_prefix("https://app.example.com").unwrap();
    assert_eq!(app.call("GET", link, &[], None).await.status, 200);
    assert_eq!(add_email(&app, &victim, MAIL).await.json()["errorId"], 310);
    // It is another user's now, so that the attacker cannot have it.
    assert_eq!(add_email(&app, &mallory, MAIL).await.json()["errorId"], 168);
}

/// Each has a waiting time and guesses of their own, and a code that is no other's.
///
/// Shows: F4.
#[tokio::test]
async fn f4_a_code_is_good_for_its_own_user_only() {
    let app = app();
    let tokens = [signed_up(&app, "+12125550123").await, signed_up(&app, "+12125550124").await];
    let mut links = Vec::new();
    for token in &tokens {
        assert_eq!(add_email(&app, token, MAIL).await.status, 200);
        let sent = app.sent().await;
        links.push((sent[0].link.as_ref().unwrap().expose().to_owned(), sent[0].code.expose().to_owned()));
    }
    let [(first, first_code), (second, second_code)] = &links[..] else { panic!("two links") };
    for (link, own, other) in [(first, first_code, second_code), (second, second_code, first_code)] {
        let crossed = link.strip_suffix(own.as_str()).unwrap().to_owned() + other;
        let path = crossed.strip_prefix("https://app.example.com").unwrap();
        let refused = app.call("GET", path, &[], None).await;
        assert_eq!((refused.status, &refused.json()["errorId"]), (400, &json!(8)));
    }
    let path = second.strip_prefix("https://app.example.com").unwrap();
    assert_eq!(app.call("GET", path, &[], None).await.status, 200);
}

/// With the platform a confirmed mailbox is not replaced: 310, and the new one gets no mail.
#[tokio::test]
async fn a_confirmed_mailbox_is_not_replaced_by_one_that_nobody_has_proven() {
    let app = app();
    let token = signed_up(&app, "+12125550123").await;
    assert_eq!(add_email(&app, &token, MAIL).await.status, 200);
    let sent = app.sent().await;
    let link = sent[0].link.as_ref().unwrap().expose().strip_prefix("https://app.example.com").unwrap();
    assert_eq!(app.call("GET", link, &[], None).await.status, 200);
    let refused = add_email(&app, &token, "other@example.com").await;
    assert_eq!(refused.status, 400);
    let body = r#"{"error":"EMAIL_ALREADY_CONFIRMED","errorId":310,"message":"Email is already confirmed","systemId":"core"}"#;
    assert_eq!(refused.body, body);
    assert_eq!(app.sent().await.len(), 0);
    // The one before is still there, and still confirmed.
    assert_eq!(add_email(&app, &token, MAIL).await.json()["errorId"], 310);
}
