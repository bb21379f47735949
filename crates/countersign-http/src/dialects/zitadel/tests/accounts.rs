//! Adding users: all of a call, or nothing; and what is not kept is refused.

use axum::body::Body;
use axum::http::Request;
use prost::Message;
use serde_json::{Value, json};

use super::app::{App, Reply, said};
use crate::dialects::zitadel::messages::user_v2::{
    AddHumanUserRequest, SetHumanEmail, SetHumanPhone, SetHumanProfile,
};

const ADD: &str = "/v2/users/human";

/// A user `u1` with a mailbox and a phone that nobody has, to whom codes are sent.
fn wanted() -> Value {
    json!({
        "userId": "u1",
        "profile": { "givenName": "Mickey", "familyName": "Mouse" },
        "email": { "email": "mickey@mouse.com" },
        "phone": { "phone": "+41791234599" },
    })
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

async fn is_there(app: &App, id: &str) -> bool {
    app.call("PAT123", "GET", &format!("/v2/users/{id}"), "").await.status == 200
}

#[tokio::test]
async fn a_user_and_both_messages_are_one_commit() {
    let app = App::new().await;
    let before = app.engine.commits();
    assert_eq!(app.post(ADD, wanted()).await.says(), said(200, ""));
    assert_eq!(app.engine.commits() - before, 1);
    let mut sent = app.sent().await;
    sent.sort();
    assert_eq!(sent, ["email to mickey@mouse.com", "sms to +41791234599"]);
    let user = app.user("u1").await;
    assert!(user.email_pending && user.phone_pending && !user.email_verified && !user.phone_verified);
}

/// The e-mail's code left, the number was at its cap, the answer was 429, and there was no user.
#[tokio::test]
async fn an_address_at_its_cap_leaves_no_user_no_message_and_no_charge() {
    let app = App::new().await;
    for number in 0..5 {
        let body = with(
            with(wanted(), "userId", json!(format!("o{number}"))),
            "email",
            json!({"email": format!("o{number}@mouse.com")}),
        );
        assert_eq!(app.post(ADD, body).await.status, 200);
    }
    app.sent().await;
    let before = app.engine.commits();
    assert_eq!(app.post(ADD, wanted()).await.says(), said(429, "CSIGN-Sc7kq"));
    assert_eq!((app.engine.commits() - before, app.sent().await), (0, Vec::new()));
    assert!(!is_there(&app, "u1").await);
    // The mailbox had nothing: it may have all five.
    for number in 0..5 {
        let body = json!({
            "userId": format!("m{number}"), "username": format!("m{number}"),
            "profile": { "givenName": "Mickey", "familyName": "Mouse" },
            "email": { "email": "mickey@mouse.com" },
        });
        assert_eq!(app.post(ADD, body).await.says(), said(200, ""), "{number}");
    }
}

#[tokio::test]
async fn a_taken_id_or_name_sends_nothing() {
    let app = App::new().await;
    assert_eq!(app.post(ADD, wanted()).await.status, 200);
    app.sent().await;
    assert_eq!(app.post(ADD, wanted()).await.says(), said(400, "COMMAND-k2unb"));
    let namesake = with(wanted(), "userId", json!("u2"));
    assert_eq!(app.post(ADD, namesake).await.says(), said(409, "V3-DKcYh"));
    assert_eq!(app.sent().await, Vec::<String>::new());
}

/// The platform sends nothing for a mailbox that is said to be unproven; here a mail went out.
#[tokio::test]
async fn a_mailbox_that_is_said_to_be_unproven_gets_no_mail_until_one_is_asked_for() {
    let app = App::new().await;
    let body = with(wanted(), "email", json!({"email": "mickey@mouse.com", "isVerified": false}));
    assert_eq!(app.post(ADD, body).await.status, 200);
    assert_eq!(app.sent().await, ["sms to +41791234599"]);
    let user = app.user("u1").await;
    assert!(!user.email_pending && !user.email_verified);
    let resent = app.post("/v2/users/u1/email/resend", json!({})).await;
    assert_eq!(resent.says(), said(400, "EMAIL-5w5ilin4yt"));
    assert_eq!(app.post("/v2/users/u1/email/send", json!({})).await.says(), said(200, ""));
    assert_eq!(app.sent().await, ["email to mickey@mouse.com"]);
    let code = app.code().await;
    let verified = app.post("/v2/users/u1/email/verify", json!({ "verificationCode": code })).await;
    assert_eq!(verified.says(), said(200, ""));
}

/// What was not kept was dropped in silence: a person was told that a password is set.
#[tokio::test]
async fn a_member_that_is_not_kept_is_refused_by_name_over_rest_connect_and_grpc() {
    let app = App::new().await;
    for (member, value) in [
        ("password", json!({"password": "correct horse"})),
        ("hashedPassword", json!({"hash": "$2y$10$x"})),
        ("hashed_password", json!({})),
        ("idpLinks", json!([{"idpId": "1", "userId": "2", "userName": "m"}])),
        ("totpSecret", json!("JBSWY3DPEHPK3PXP")),
        ("metadata", json!([{"key": "k", "value": "dg=="}])),
    ] {
        let named = if member == "hashed_password" { "hashedPassword" } else { member };
        let text = format!("Not supported: {named}");
        let body = with(wanted(), member, value);
        let rest = app.post(ADD, body.clone()).await;
        assert_eq!(rest.says(), said(501, "CSIGN-Nf4ut"), "{member}");
        assert_eq!(rest.json()["message"], format!("{text} (CSIGN-Nf4ut)"), "{member}");
        let connect = rpc(&app, "application/json", body.to_string().into()).await;
        assert_eq!(
            (connect.status.as_u16(), &connect.json()["code"]),
            (501, &json!("unimplemented")),
            "{member}"
        );
        assert!(connect.text().contains(&text), "{member}: {}", connect.text());
    }
    let mut message = AddHumanUserRequest {
        user_id: Some("u1".into()),
        profile: Some(SetHumanProfile {
            given_name: "M".into(),
            family_name: "M".into(),
            ..SetHumanProfile::default()
        }),
        email: Some(SetHumanEmail { email: "mickey@mouse.com".into(), ..SetHumanEmail::default() }),
        phone: Some(SetHumanPhone { phone: "+41791234599".into(), ..SetHumanPhone::default() }),
        ..AddHumanUserRequest::default()
    }
    .encode_to_vec();
    // Field 7, `password`, a message of one text: what an official client writes.
    message.extend(b"\x3a\x0f\x0a\x0dcorrect horse");
    let reply = grpc(&app, &message).await;
    let status = reply.trailers.get("grpc-status").or(reply.headers.get("grpc-status"));
    assert_eq!(status.unwrap(), "12");
    assert!(!is_there(&app, "u1").await);
    assert_eq!(app.sent().await, Vec::<String>::new());
    for nothing in [
        json!({"password": null}),
        json!({"idpLinks": []}),
        json!({"metadata": []}),
        json!({"totpSecret": null}),
    ] {
        let mut body = wanted();
        body.as_object_mut().unwrap().extend(nothing.as_object().unwrap().clone());
        body["userId"] = json!(null);
        body["username"] = json!(nothing.to_string());
        body["phone"] = json!(null);
        assert_eq!(app.post(ADD, body).await.says(), said(200, ""), "{nothing}");
    }
    app.sent().await;
}

async fn grpc(app: &App, message: &[u8]) -> Reply {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    rpc(app, "application/grpc", [&[0], &length[..], message].concat()).await
}

async fn rpc(app: &App, content_type: &str, body: Vec<u8>) -> Reply {
    let request = Request::post("/zitadel.user.v2.UserService/AddHumanUser")
        .header("authorization", "Bearer PAT123")
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(Body::from(body));
    app.send(request.unwrap()).await
}
