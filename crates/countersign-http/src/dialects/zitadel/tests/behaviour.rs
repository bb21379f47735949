//! What callers and their users rely on, beyond single exchanges.

use countersign_core::names::Channel;
use serde_json::json;

use super::app::{App, MINI, PHONE, PHONELESS, PROVEN, said};

fn phone(id: &str, call: &str) -> String {
    format!("/v2/users/{id}/phone{call}")
}

async fn returned(app: &App, path: &str, mut body: serde_json::Value) -> String {
    body["returnCode"] = json!({});
    let reply = app.post(path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["verificationCode"].as_str().unwrap().to_owned()
}

async fn verify(app: &App, id: &str, code: &str) -> (u16, String) {
    app.post(&phone(id, "/verify"), json!({ "verificationCode": code })).await.says()
}

/// Shows: A4.
#[tokio::test]
async fn the_code_of_before_is_dead_at_once() {
    let app = App::new().await;
    let first = app.code().await;
    let second = returned(&app, &phone(MINI, "/resend"), json!({})).await;
    assert_eq!(verify(&app, MINI, &first).await, said(400, "COMMAND-eis9R"));
    assert_eq!(verify(&app, MINI, &second).await, said(200, ""));
    assert!(app.user(MINI).await.phone_verified);
}

/// Shows: A4.
#[tokio::test]
async fn no_code_survives_removal_or_another_number_even_if_the_old_one_comes_back() {
    let app = App::new().await;
    let code = app.code().await;
    let number = "+41791234599";
    returned(&app, &phone(MINI, ""), json!({ "phone": number })).await;
    assert_eq!(verify(&app, MINI, &code).await, said(400, "COMMAND-eis9R"));
    let back = returned(&app, &phone(MINI, ""), json!({ "phone": PHONE })).await;
    assert_eq!(verify(&app, MINI, &code).await, said(400, "COMMAND-eis9R"));
    app.call("PAT123", "DELETE", &phone(MINI, ""), "").await;
    assert_eq!(verify(&app, MINI, &back).await, said(400, "COMMAND-eis9R"));
    returned(&app, &phone(MINI, ""), json!({ "phone": PHONE })).await;
    assert_eq!(verify(&app, MINI, &back).await, said(400, "COMMAND-eis9R"));
}

/// Shows: A6.
#[tokio::test]
async fn two_users_of_one_number_wait_and_prove_for_themselves() {
    let app = App::new().await;
    let theirs = returned(&app, &phone(PHONELESS, ""), json!({ "phone": PHONE })).await;
    assert_eq!(app.post(&phone(MINI, "/resend"), json!({})).await.status, 200);
    assert_eq!(app.post(&phone(PHONELESS, "/resend"), json!({})).await.status, 200);
    assert_eq!(app.sent().await, [format!("sms to {PHONE}"), format!("sms to {PHONE}")]);
    assert_eq!(verify(&app, MINI, &theirs).await, said(400, "COMMAND-eis9R"));
    let code = returned(&app, &phone(PHONELESS, "/resend"), json!({})).await;
    assert_eq!(verify(&app, PHONELESS, &code).await, said(200, ""));
    assert_eq!(
        (app.user(MINI).await.phone_verified, app.user(PHONELESS).await.phone_verified),
        (false, true)
    );
}

/// Shows: A3.
#[tokio::test]
async fn five_guesses_are_all_whoever_asks_for_another_code() {
    let app = App::new().await;
    for _ in 0..5 {
        assert_eq!(verify(&app, MINI, "WRONG1").await, said(400, "COMMAND-eis9R"));
        app.post(&phone(MINI, "/resend"), json!({ "returnCode": {} })).await;
    }
    let code = app.code().await;
    assert_eq!(verify(&app, MINI, &code).await, said(429, "CSIGN-Ax3vw"));
    for body in [json!({}), json!({ "returnCode": {} })] {
        assert_eq!(app.post(&phone(MINI, "/resend"), body).await.says(), said(429, "CSIGN-Ax3vw"));
    }
    app.wait(600);
    let code = returned(&app, &phone(MINI, "/resend"), json!({})).await;
    assert_eq!(verify(&app, MINI, &code).await, said(200, ""));
}

#[tokio::test]
async fn a_code_that_came_back_keeps_no_message_waiting() {
    let app = App::new().await;
    returned(&app, &phone(PHONELESS, ""), json!({ "phone": "+41791234599" })).await;
    assert_eq!(app.post(&phone(PHONELESS, "/resend"), json!({})).await.status, 200);
    assert_eq!(app.sent().await, ["sms to +41791234599"]);
}

/// Shows: A20.
#[tokio::test]
async fn sixty_codes_an_hour_come_back_and_no_more() {
    let app = App::new().await;
    let mut came_back = 1; // with the user
    while app.post(&phone(MINI, "/resend"), json!({ "returnCode": {} })).await.status == 200 {
        came_back += 1;
    }
    assert_eq!(came_back, 60);
    let reply = app.post(&phone(MINI, "/resend"), json!({ "returnCode": {} })).await;
    assert_eq!(
        (reply.says(), reply.headers["retry-after"].as_bytes()),
        (said(429, "CSIGN-Sc7kq"), &b"3600"[..])
    );
}

#[tokio::test]
async fn a_failure_changes_the_sequence_and_nothing_else() {
    let app = App::new().await;
    let before = app.user(MINI).await;
    verify(&app, MINI, "WRONG1").await;
    let mut after = app.user(MINI).await;
    assert_eq!(after.sequence, before.sequence + 1);
    after.sequence = before.sequence;
    assert!(after == before);
}

#[tokio::test]
async fn without_a_provider_the_call_succeeds_and_nothing_proves_the_number() {
    let app = App::build(&json!({}), |_| {}, &[Channel::Email]).await;
    assert_eq!(app.post(&phone(MINI, "/resend"), json!({})).await.status, 200);
    assert!(app.sent().await.is_empty());
    assert!(!app.user(MINI).await.phone_verified);
}

#[tokio::test]
async fn a_refused_send_leaves_the_number_as_it_was() {
    let app =
        App::build(&json!({}), |acme| acme.policy.allowed_regions = vec!["SE".into()], &Channel::ALL).await;
    let reply = app.post(&phone(MINI, ""), json!({ "phone": "+41791234599" })).await;
    assert_eq!(reply.says(), said(403, "CSIGN-Bl5zm"));
    assert_eq!(app.user(MINI).await.phone.unwrap().expose(), PHONE);
    let user = json!({
        "userId": "u1", "profile": { "givenName": "M", "familyName": "M" },
        "email": { "email": "m@mouse.com" }, "phone": { "phone": PHONE },
    });
    assert_eq!(app.post("/v2/users/human", user).await.says(), said(403, "CSIGN-Bl5zm"));
    assert_eq!(app.call("PAT123", "GET", "/v2/users/u1", "").await.status, 404);
    assert!(app.sent().await.is_empty());
}

/// Shows: N1.
#[tokio::test]
async fn codes_are_what_the_tenant_says() {
    let app = App::with(&json!({ "code_length": 8, "code_alphabet": "digits", "phone_code_life": 60 })).await;
    let code = returned(&app, &phone(MINI, ""), json!({ "phone": "+41791234599" })).await;
    assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    app.wait(60);
    assert_eq!(verify(&app, MINI, &code).await, said(400, "COMMAND-eis9R"));
}

/// Shows: A12.
#[tokio::test]
async fn a_code_is_exact() {
    let app = App::new().await;
    let code = returned(&app, &phone(MINI, "/resend"), json!({})).await;
    for other in [code.to_lowercase(), format!("{}-{}", &code[..3], &code[3..]), format!(" {code}")] {
        if other != code {
            assert_eq!(verify(&app, MINI, &other).await, said(400, "COMMAND-eis9R"), "{other}");
        }
    }
    assert_eq!(verify(&app, MINI, &code).await, said(200, ""));
}

#[tokio::test]
async fn the_verified_flag_goes_with_the_number() {
    let app = App::new().await;
    assert!(app.user(PROVEN).await.phone_verified);
    returned(&app, &phone(PROVEN, ""), json!({ "phone": "+41791234599" })).await;
    let user = app.user(PROVEN).await;
    assert_eq!((user.phone_verified, user.phone_pending), (false, true));
}

/// Shows: A7.
#[tokio::test]
async fn without_the_right_every_id_but_ones_own_is_answered_alike() {
    let app = App::new().await;
    let body = r#"{"phone":"+41791234599","code":"ABC123","verificationCode":"ABC123"}"#;
    for token in ["HUMAN456", "VIEWER", "NOBODY"] {
        for call in ["", "/resend", "/verify"] {
            let known = app.call(token, "POST", &phone(PROVEN, call), body).await;
            assert!(known.status == 403 || known.status == 404, "{token}, {call}: {}", known.text());
            for other in [PHONELESS, "163840776835432709", "404"] {
                assert_eq!(
                    app.call(token, "POST", &phone(other, call), body).await,
                    known,
                    "{token}, {call}"
                );
            }
        }
    }
    assert!(app.sent().await.is_empty());
}

const TEMPLATE: &str = "https://example.com/{{.OrgID}}?u={{.UserID}}&c={{.Code}}";

#[tokio::test]
async fn a_mail_has_the_link_of_its_own_call_with_its_own_code() {
    let app = App::new().await;
    app.sent().await;
    let email = |call: &str| format!("/v2/users/{MINI}/email{call}");
    let with_link = json!({ "email": "new@mouse.com", "sendCode": { "urlTemplate": TEMPLATE } });
    assert_eq!(app.post(&email(""), with_link).await.status, 200);
    let (links, code) = app.links().await;
    assert_eq!(links, [Some(format!("https://example.com/69629023906488334?u={MINI}&c={code}"))]);
    app.wait(60);
    let again = json!({ "sendCode": { "urlTemplate": "app://confirm/{{.Code}}" } });
    assert_eq!(app.post(&email("/resend"), again).await.status, 200);
    let (links, code) = app.links().await;
    assert_eq!(links, [Some(format!("app://confirm/{code}"))]);
    app.wait(60);
    assert_eq!(app.post(&email("/resend"), json!({})).await.status, 200);
    assert_eq!(app.links().await.0, [None]);
}

#[tokio::test]
async fn a_new_users_mail_has_a_link_that_keeps_the_users_id_in_its_place_and_the_text_message_none() {
    let app = App::new().await;
    app.sent().await;
    let user = json!({
        "userId": "a&c=0", "profile": { "givenName": "Ann", "familyName": "Mouse" },
        "email": { "email": "ann@mouse.com", "sendCode": { "urlTemplate": TEMPLATE } },
        "phone": { "phone": "+41791234599" },
    });
    assert_eq!(app.post("/v2/users/human", user).await.status, 200);
    let (mut links, _) = app.links().await;
    links.sort();
    let [None, Some(link)] = &links[..] else { panic!("{links:?}") };
    assert!(link.starts_with("https://example.com/69629023906488334?u=a%26c%3D0&c="), "{link}");
}

/// The message's code was dead, and the third call answered as if a good one were under way.
#[tokio::test]
async fn a_send_after_a_code_came_back_is_no_double_click() {
    let app = App::new().await;
    assert_eq!(app.post(&phone(MINI, "/resend"), json!({})).await.status, 200);
    let live = returned(&app, &phone(MINI, "/resend"), json!({})).await;
    app.wait(1);
    let third = app.post(&phone(MINI, "/resend"), json!({})).await;
    assert_eq!(third.says(), said(429, "CSIGN-Cd29x"));
    assert!(third.headers.contains_key("retry-after"));
    assert_eq!(verify(&app, MINI, &live).await, said(200, ""));
}

#[tokio::test]
async fn a_send_with_another_link_is_no_double_click() {
    let app = App::new().await;
    let send = async |url: &str| {
        let body = json!({ "sendCode": { "urlTemplate": url } });
        app.post(&format!("/v2/users/{MINI}/email/resend"), body).await.says()
    };
    assert_eq!(send("https://a.example/{{.Code}}").await, said(200, ""));
    app.wait(1);
    assert_eq!(send("https://a.example/{{.Code}}").await, said(200, ""));
    assert_eq!(send("https://b.example/{{.Code}}").await, said(429, "CSIGN-Cd29x"));
    let (links, code) = app.links().await;
    assert_eq!(links, [Some(format!("https://a.example/{code}"))]);
}
