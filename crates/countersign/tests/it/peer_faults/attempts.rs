//! How many guesses there are, and what does not bring more.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{MAILBOX, NUMBER, check, guess_wrong, login, resend, status, wrong, zap};
use crate::support::{Answer, TestApp, call};

/// Peer fault 3: the start counted as a try and the limit was tested after adding, so that the last
/// try refused the right code.
/// Shows: P3.
#[tokio::test]
async fn the_fifth_of_five_guesses_is_accepted_when_it_is_right() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    for used in 1..=4 {
        assert_eq!(check(&app, &id, &wrong(&code)).await["checks"], json!({"used": used, "max": 5}));
    }
    assert_eq!(check(&app, &id, &code).await["valid"], true);
}

/// Peer fault 10: tries were kept with the code, and a new send set them to zero.
/// Shows: A3, P10.
#[tokio::test]
async fn a_resend_brings_no_guesses_back() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    guess_wrong(&app, &id, &code, 3).await;
    app.advance(30);
    assert_eq!(resend(&app, &id).await.json()["checks"], json!({"used": 3, "max": 5}));
    app.sent().await;
    guess_wrong(&app, &id, &code, 2).await;
    assert_eq!(check(&app, &id, &code).await["reason"], "exhausted");
}

/// Peer fault 11: a wrong guess deleted the row and wrote it again; a resend or a right guess in the
/// gap met the old code, or none.
/// Shows: P11.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_guess_a_resend_and_a_right_guess_may_meet() {
    let app = TestApp::on_sqlite();
    let (id, code) = app.started(NUMBER).await;
    app.advance(30);
    let mistyped = wrong(&code);
    let (wrong, again) = tokio::join!(check(&app, &id, &mistyped), resend(&app, &id));
    assert_eq!((&wrong["reason"], again.status), (&json!("wrong_code"), 200));
    assert_eq!(app.code().await, code);
    assert_eq!(check(&app, &id, &code).await["valid"], true);
}

/// A call that a proxy passes on for a client, or that claims so.
async fn call_for(address: SocketAddr, client: &str, path: &str, headers: &[&str], body: Value) -> Answer {
    let forwarded = format!("X-Forwarded-For: {client}");
    let own = ["Content-Type: application/json", &forwarded];
    let headers: Vec<String> = own.iter().chain(headers).map(|&line| line.to_owned()).collect();
    let path = path.to_owned();
    let calling = tokio::task::spawn_blocking(move || {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        call(address, "POST", &path, &headers, &body.to_string()).unwrap()
    });
    calling.await.unwrap()
}

/// Peer faults 16 and 31: a wrong code wrote nothing, and the only limit was one per network address.
///
/// Shows: N12, P16, P31.
#[tokio::test]
async fn guesses_are_counted_wherever_they_come_from() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    let address = app.behind_the_front(&["127.0.0.0/8"]).await;
    let path = format!("/v1/verifications/{id}/check");
    let key = format!("Authorization: Bearer {}", crate::support::DEMO);
    for last in 1..=5 {
        let guess = json!({"code": wrong(&code)});
        let answer = call_for(address, &format!("203.0.113.{last}"), &path, &[&key], guess).await;
        assert_eq!(answer.json()["checks"]["used"], last, "{answer:?}");
    }
    assert_eq!(check(&app, &id, &code).await["reason"], "exhausted");
    app.sent().await;
}

/// How many of 25 sign-ups are taken, each from an address of its own, as `X-Forwarded-For` has it.
async fn taken_of_25(trusted: &[&str], from: impl Fn(u8) -> String) -> usize {
    let app = TestApp::enforcing_client_limits();
    let address = app.behind_the_front(trusted).await;
    let headers = ["X-Fingerprint: 1234444", "X-Merchant-ID: bece038f-2e46-49f4-b25e-89cd38d6dc16"];
    let mut taken = 0;
    for n in 0..25 {
        let body = json!({"phone": format!("+4478712340{n:02}"), "password": "pw"});
        let answer = call_for(address, &from(n), "/v2/mobile/signup", &headers, body).await;
        taken += usize::from(answer.status == 200);
    }
    app.sent().await;
    taken
}

/// The limit per client counts the address that a trusted proxy names, and nobody else's word.
///
/// Shows: N12.
#[tokio::test]
async fn a_client_is_who_a_trusted_proxy_says_and_nobody_else() {
    assert_eq!(taken_of_25(&["127.0.0.0/8"], |n| format!("203.0.113.{n}")).await, 25);
    assert_eq!(taken_of_25(&["127.0.0.0/8"], |_| "203.0.113.9".into()).await, 20);
    assert_eq!(taken_of_25(&["127.0.0.0/8"], |n| format!("192.0.2.{n}, 203.0.113.9")).await, 20);
    assert_eq!(taken_of_25(&[], |n| format!("203.0.113.{n}")).await, 20, "anybody may claim that");
}

/// Peer faults 18 and 39: tries were limited per code and codes were not, so that one guess each was
/// sprayed over many of them.
/// Shows: A1, P18, P39.
#[tokio::test]
async fn guesses_are_capped_per_recipient_over_all_verifications() {
    let app = TestApp::new();
    for n in 1..=5 {
        let start = json!({"to": NUMBER, "purpose": format!("purpose{n}")});
        let id = app.post("/v1/verifications", start).await.text("id");
        let code = app.code().await;
        guess_wrong(&app, &id, &code, 4).await;
        if n == 5 {
            let held = check(&app, &id, &code).await;
            assert_eq!((&held["valid"], &held["reason"]), (&json!(false), &json!("recipient_held")));
            assert_eq!(held["checks"]["used"], 4, "nothing is compared and nothing charged");
        }
    }
}

/// Peer fault 23: newer APIs of the same product went around the lock-out.
/// Peer fault 27: one path to the check had no limit at all.
#[tokio::test]
async fn zap_counts_in_the_native_apis_ledger() {
    let app = TestApp::new();
    zap(&app, "/v1/otp/", json!({"userId": "ann", "email": MAILBOX})).await;
    let guess = json!({"identity": MAILBOX, "otp": wrong(&app.code().await)});
    for _ in 0..5 {
        assert_eq!(zap(&app, "/v1/otp/verify", guess.clone()).await.status, 400);
    }
    assert_eq!(zap(&app, "/v1/otp/verify", guess).await.text("data"), "Too many attempts");
    let known = app.get(&format!("/v1/recipients/{MAILBOX}")).await.json();
    assert_eq!(known["failed_checks"]["last_24h"], 5, "{known}");
}

/// Peer fault 32: one limit was not looked at while another was switched on.
/// Shows: P32.
#[tokio::test]
async fn of_two_limits_the_stricter_one_wins() {
    let app = TestApp::new();
    for n in 1..=4 {
        let start = json!({"to": NUMBER, "purpose": format!("purpose{n}")});
        let id = app.post("/v1/verifications", start).await.text("id");
        let code = app.code().await;
        guess_wrong(&app, &id, &code, 5).await;
        let over = check(&app, &id, &code).await; // 5 of 5 here, 20 of 20 for the recipient with the last
        assert_eq!(over["reason"], "exhausted");
    }
    let refused = app.post("/v1/verifications", login(NUMBER)).await;
    assert_eq!((refused.status, refused.text("type").as_str()), (429, "/problems/recipient-held"));
}

/// Peer fault 33: the answer to a locked-out guess told whether the code was right.
/// Shows: P33.
#[tokio::test]
async fn the_answer_to_a_guess_too_many_does_not_depend_on_the_code() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    guess_wrong(&app, &id, &code, 5).await;
    assert_eq!(check(&app, &id, &code).await, check(&app, &id, &wrong(&code)).await);
    assert_eq!(status(&app, &id).await, "exhausted");
}

/// Peer fault 35: the lock-out was written in the failed request's transaction and rolled back with it.
/// Shows: P35.
#[tokio::test]
async fn a_guess_stays_charged_though_its_answer_is_an_error() {
    let app = TestApp::on_sqlite();
    zap(&app, "/v1/otp/", json!({"userId": "ann", "email": MAILBOX})).await;
    let guess = json!({"identity": MAILBOX, "otp": wrong(&app.code().await)});
    assert_eq!(zap(&app, "/v1/otp/verify", guess).await.status, 400);
    let found = app.get(&format!("/v1/verifications?to={MAILBOX}")).await.json();
    assert_eq!(found["data"][0]["checks"], json!({"used": 1, "max": 5}));
}
