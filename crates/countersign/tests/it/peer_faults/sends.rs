//! How many messages go out, and what becomes of them.

use std::time::Duration;

use countersign_core::provider::{DeliveryError, DeliveryErrorKind, Retry};
use serde_json::{Value, json};

use super::{MAILBOX, NUMBER, check, login, resend, zap};
use crate::support::TestApp;

/// Peer fault 6: limits were per id, and ids are free.
/// Shows: I5, O5, P6.
#[tokio::test]
async fn starts_are_capped_per_recipient_over_all_ids() {
    let app = TestApp::new();
    for n in 1..=5 {
        let start = json!({"to": NUMBER, "purpose": format!("purpose{n}")});
        assert_eq!(app.post("/v1/verifications", start).await.status, 201);
    }
    assert_eq!(app.sent().await.len(), 5);
    let refused = app.post("/v1/verifications", login(NUMBER)).await;
    assert_eq!((refused.status, refused.text("type").as_str()), (429, "/problems/recipient-limit"));
    assert_eq!(refused.header("retry-after"), Some("3600"));
    assert!(app.sent().await.is_empty());
}

/// Peer fault 7: a resend needed no credential and had no cool-down.
/// Shows: P7.
#[tokio::test]
async fn a_resend_needs_a_key_and_waits() {
    let app = TestApp::new();
    let (id, _) = app.started(NUMBER).await;
    let path = format!("/v1/verifications/{id}/resend");
    assert_eq!(app.call("POST", &path, &[], Some(json!({}))).await.status, 401);
    assert_eq!(resend(&app, &id).await.status, 429);
    assert!(app.sent().await.is_empty());
}

/// Peer fault 12: a limit per network address took every IPv6 address for another client.
/// Shows: A20, P12.
#[tokio::test]
async fn addresses_of_one_ipv6_network_are_one_client() {
    let app = TestApp::enforcing_client_limits();
    for n in 1..=20 {
        assert_eq!(start_from(&app, n, &format!("2001:db8:1:2::{n:x}")).await, 201);
    }
    assert_eq!(start_from(&app, 21, "2001:db8:1:2:ffff::1").await, 429);
    assert_eq!(start_from(&app, 22, "2001:db8:1:3::1").await, 201);
    app.sent().await;
}

/// Peer fault 12, the other half: an IPv4 address written as IPv6 was another client.
/// Shows: P12.
#[tokio::test]
async fn both_spellings_of_an_ipv4_address_are_one_client() {
    let app = TestApp::enforcing_client_limits();
    for n in 1..=20 {
        let ip = if n % 2 == 0 { "192.0.2.1" } else { "::ffff:192.0.2.1" };
        assert_eq!(start_from(&app, n, ip).await, 201);
    }
    assert_eq!(start_from(&app, 21, "192.0.2.1").await, 429);
    app.sent().await;
}

async fn start_from(app: &TestApp, n: u32, ip: &str) -> u16 {
    let start = json!({"to": format!("user{n}@example.com"), "purpose": "login", "client": {"ip": ip}});
    app.post("/v1/verifications", start).await.status
}

/// Peer fault 13: an address was normalised when sending and not when checking.
/// Shows: P13.
#[tokio::test]
async fn a_mailbox_is_the_same_however_it_is_written() {
    let app = TestApp::new();
    let (_, code) = app.started("Ann@Example.COM").await;
    let guess = json!({"to": "aNN@example.com", "purpose": "login", "code": code});
    assert_eq!(app.post("/v1/verifications/check", guess).await.json()["valid"], true);
}

/// Peer fault 13, the other half: a tag made a new address with new limits.
/// Shows: A13, P13.
#[tokio::test]
async fn tags_of_a_mailbox_share_its_limits() {
    let app = TestApp::new();
    for n in 1..=5 {
        assert_eq!(app.post("/v1/verifications", login(&format!("ann+{n}@example.com"))).await.status, 201);
    }
    assert_eq!(app.post("/v1/verifications", login(MAILBOX)).await.status, 429);
    assert_eq!(app.sent().await.len(), 5);
}

/// Peer fault 20: the answer told whether an account exists.
/// Shows: A7, P20.
#[tokio::test]
async fn a_user_who_does_not_exist_is_answered_like_one_who_does() {
    let app = TestApp::new();
    zap(&app, "/v1/otp/", json!({"userId": "ann", "email": MAILBOX, "username": "ann"})).await;
    assert_eq!(app.sent().await.len(), 1);
    app.advance(30);
    for _ in 0..2 {
        let known = zap(&app, "/v1/otp/resend", json!({"username": "ann"})).await;
        let unknown = zap(&app, "/v1/otp/resend", json!({"username": "nobody"})).await;
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
        assert_eq!(names(&known), names(&unknown));
    }
    assert_eq!(app.sent().await.len(), 1, "to the one who exists");
}

fn names(answer: &crate::support::Answer) -> Vec<&str> {
    answer.headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// Peer fault 21: two workers sent one message twice.
/// Shows: P21.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_one_message_once() {
    let app = TestApp::on_sqlite();
    for n in 1..=20 {
        app.post("/v1/verifications", login(&format!("user{n}@example.com"))).await;
    }
    let (one, other) = tokio::join!(app.dispatcher().step(), app.dispatcher().step());
    let sent = app.sent().await;
    assert_eq!(one.unwrap().sent + other.unwrap().sent, 20);
    assert_eq!(sent.len(), 20);
}

/// Peer fault 22: a message was given up, and the caller never learned of it.
/// Shows: P22.
#[tokio::test]
async fn a_message_that_was_given_up_is_shown_as_failed() {
    let app = TestApp::new();
    fail_next(&app, 1, DeliveryErrorKind::Configuration, Retry::Never);
    let id = app.post("/v1/verifications", login(NUMBER)).await.text("id");
    assert!(app.sent().await.is_empty());
    let delivery = deliveries(&app, &id).await[0].clone();
    assert_eq!(
        (&delivery["status"], &delivery["reason"]),
        (&json!("failed"), &json!("provider_configuration"))
    );
}

/// Peer fault 25: a failing gateway was tried again without end: many messages with the same code.
/// Shows: I4, P25.
#[tokio::test]
async fn a_message_is_submitted_three_times_at_most() {
    let app = TestApp::new();
    fail_next(&app, 3, DeliveryErrorKind::Unavailable, Retry::After(Duration::from_secs(1)));
    let id = app.post("/v1/verifications", login(NUMBER)).await.text("id");
    for _ in 0..60 {
        assert!(app.sent().await.is_empty(), "a fourth submission would be taken");
        app.advance(5);
    }
    assert_eq!(deliveries(&app, &id).await[0]["reason"], "submissions_used_up");
}

fn fail_next(app: &TestApp, times: u32, kind: DeliveryErrorKind, retry: Retry) {
    for _ in 0..times {
        app.provider().answer_next(Err(DeliveryError::new(kind, retry, "as the test says")));
    }
}

async fn deliveries(app: &TestApp, id: &str) -> Vec<Value> {
    let record = app.get(&format!("/v1/verifications/{id}")).await.json();
    record["deliveries"].as_array().unwrap().clone()
}

/// Peer fault 28: the cool-down was tested after sending.
/// Shows: P28.
#[tokio::test]
async fn a_second_start_inside_the_cool_down_calls_no_provider() {
    let app = TestApp::new();
    let (id, _) = app.started(NUMBER).await;
    let again = app.post("/v1/verifications", login(NUMBER)).await;
    assert_eq!((again.status, again.text("id")), (200, id));
    assert!(app.sent().await.is_empty());
}

/// Peer fault 36: wrong tries never burned the code, and starting the flow anew used up no resend.
/// Shows: P36.
#[tokio::test]
async fn starts_and_resends_use_up_the_same_five_sends() {
    let app = TestApp::new();
    let (id, _) = app.started(NUMBER).await;
    for (wait, by_start) in [(30, true), (60, false), (120, true), (240, false)] {
        app.advance(wait);
        let again = if by_start {
            app.post("/v1/verifications", login(NUMBER)).await
        } else {
            resend(&app, &id).await
        };
        assert_eq!(again.status, 200);
    }
    app.advance(60);
    for over in [app.post("/v1/verifications", login(NUMBER)).await, resend(&app, &id).await] {
        assert_eq!((over.status, over.text("type").as_str()), (429, "/problems/sends-exhausted"));
    }
    app.sent().await;
}

/// Peer fault 38: the limit on sends let everything pass when its query failed.
/// Shows: I7, N8, P38.
#[tokio::test]
async fn without_the_store_nothing_is_sent_and_nothing_approved() {
    let app = TestApp::without_store();
    for (path, body) in [
        ("/v1/verifications", login(NUMBER)),
        ("/v1/verifications/check", json!({"to": NUMBER, "purpose": "login", "code": "123456"})),
    ] {
        let answer = app.post(path, body).await;
        assert_eq!((answer.status, answer.text("type").as_str()), (503, "/problems/unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    for (path, body) in [
        ("/v1/otp/", json!({"userId": "ann", "email": MAILBOX})),
        ("/v1/otp/verify", json!({"identity": MAILBOX, "otp": "123456"})),
    ] {
        let answer = zap(&app, path, body).await;
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true));
    }
    assert!(app.provider().sent().is_empty());
}

/// Peer fault 40: numbers for tests met the limits of real ones.
/// Shows: P40.
#[tokio::test]
async fn test_numbers_have_limits_of_their_own() {
    let app = TestApp::new();
    for _ in 0..30 {
        let (id, code) = app.started("+447700900123").await;
        assert_eq!(check(&app, &id, &code).await["valid"], true);
    }
}
