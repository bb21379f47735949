//! What a code is good for, and how often.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{MAILBOX, NUMBER, OTHER_NUMBER, check, guess_wrong, login, resend, status, wrong, zap};
use crate::support::{Answer, TestApp};

/// Peer fault 4: an option of the check kept the code, so that it was accepted again and again.
/// Shows: A5, P4.
#[tokio::test]
async fn approved_is_final() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    assert_eq!(check(&app, &id, &code).await["valid"], true);
    for guess in [&code, &wrong(&code)] {
        let again = check(&app, &id, guess).await;
        assert_eq!((&again["valid"], &again["reason"]), (&json!(false), &json!("already_used")));
    }
    assert_eq!(resend(&app, &id).await.status, 409);
    assert_eq!(status(&app, &id).await, "approved");
}

/// Peer fault 9: the code of a password reset was good again after it had been used.
/// Shows: P9.
#[tokio::test]
async fn the_code_of_a_password_reset_is_good_once() {
    let app = TestApp::new();
    app.post("/v1/verifications", json!({"to": MAILBOX, "purpose": "password_reset"})).await;
    let guess = json!({"to": MAILBOX, "purpose": "password_reset", "code": app.code().await});
    assert_eq!(app.post("/v1/verifications/check", guess.clone()).await.json()["valid"], true);
    assert_eq!(app.post("/v1/verifications/check", guess).await.json()["reason"], "already_used");
}

/// Peer faults 8 and 37: parallel checks read the row before any of them deleted or closed it.
/// Shows: I1, P8, P37.
#[tokio::test(flavor = "multi_thread")]
async fn of_64_parallel_right_codes_one_is_accepted() {
    let app = Arc::new(TestApp::on_sqlite());
    let (id, code) = app.started(NUMBER).await;
    let answers = at_once(&app, &id, &code).await;
    assert_eq!(answers.iter().filter(|answer| answer["valid"] == true).count(), 1);
    assert!(answers.iter().all(|answer| answer["valid"] == true || answer["reason"] == "already_used"));
}

/// Peer faults 8 and 37, the other half: parallel wrong guesses were counted as one.
/// Shows: N12, P8, P37.
#[tokio::test(flavor = "multi_thread")]
async fn of_64_parallel_wrong_codes_five_are_compared() {
    let app = Arc::new(TestApp::on_sqlite());
    let (id, code) = app.started(NUMBER).await;
    let answers = at_once(&app, &id, &wrong(&code)).await;
    assert_eq!(answers.iter().filter(|answer| answer["reason"] == "wrong_code").count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer["reason"] == "exhausted").count(), 59);
}

async fn at_once(app: &Arc<TestApp>, id: &str, code: &str) -> Vec<Value> {
    let mut guesses = JoinSet::new();
    for _ in 0..64 {
        let (app, id, code) = (Arc::clone(app), id.to_owned(), code.to_owned());
        guesses.spawn(async move { check(&app, &id, &code).await });
    }
    guesses.join_all().await
}

/// Peer fault 14: a code adopted an account that somebody else had opened for the address.
/// Shows: N10, A6.
#[tokio::test]
async fn a_code_is_good_only_for_the_tenant_that_had_it_sent() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    let other = [("authorization", "Bearer csk_dev_other_00000000000000000000000000000")];
    let by_id = format!("/v1/verifications/{id}/check");
    let by_number = json!({"to": NUMBER, "purpose": "login", "code": code});
    assert_eq!(app.call("POST", &by_id, &other, Some(json!({ "code": code }))).await.status, 404);
    assert_eq!(app.call("POST", "/v1/verifications/check", &other, Some(by_number)).await.status, 404);
    assert_eq!(check(&app, &id, &code).await["valid"], true);
}

/// Peer fault 15: a proof that was not finished was reported as if it were.
/// Shows: P15.
#[tokio::test]
async fn nothing_but_the_right_code_is_ever_reported_as_approved() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    guess_wrong(&app, &id, &code, 1).await;
    app.advance(30);
    assert_eq!(resend(&app, &id).await.text("status"), "pending");
    assert_eq!(app.post("/v1/verifications", login(NUMBER)).await.text("status"), "pending");
    assert_eq!(status(&app, &id).await, "pending");
    app.sent().await;
    assert_eq!(check(&app, &id, &code).await["status"], "approved");
}

/// Peer fault 19: one code served as first and as second factor.
/// Shows: N6, P19.
#[tokio::test]
async fn a_code_is_good_for_its_own_purpose_only() {
    let app = TestApp::new();
    let (_, code) = app.started(MAILBOX).await;
    app.post("/v1/verifications", json!({"to": MAILBOX, "purpose": "password_reset"})).await;
    assert_ne!(app.code().await, code, "seeded chance draws different codes here");
    let guess = json!({"to": MAILBOX, "purpose": "password_reset", "code": code});
    assert_eq!(app.post("/v1/verifications/check", guess).await.json()["reason"], "wrong_code");
}

/// Peer fault 26: a code that was sent to one phone reset another user's password.
/// Shows: N6, P26.
#[tokio::test]
async fn a_code_is_good_for_its_own_recipient_only() {
    let app = TestApp::new();
    let (_, code) = app.started(NUMBER).await;
    let (_, other) = app.started(OTHER_NUMBER).await;
    assert_ne!(other, code, "seeded chance draws different codes here");
    let guess = json!({"to": OTHER_NUMBER, "purpose": "login", "code": code});
    assert_eq!(app.post("/v1/verifications/check", guess).await.json()["reason"], "wrong_code");
}

/// Peer fault 34: expiry was looked at on one of two paths.
/// Shows: N2, P34.
#[tokio::test]
async fn an_expired_code_is_refused_on_every_path() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    zap(&app, "/v1/otp/", json!({"userId": "ann", "email": MAILBOX})).await;
    let zap_code = app.code().await;
    app.advance(600);
    assert_eq!(check(&app, &id, &code).await["reason"], "expired");
    let by_number = json!({"to": NUMBER, "purpose": "login", "code": code});
    assert_eq!(app.post("/v1/verifications/check", by_number).await.json()["reason"], "expired");
    let refused: Answer = zap(&app, "/v1/otp/verify", json!({"identity": MAILBOX, "otp": zap_code})).await;
    assert_eq!((refused.status, refused.text("data").as_str()), (400, "OTP expired"));
}
