//! What answers say, and what they leave unsaid.

use serde_json::json;

use super::{MAILBOX, NUMBER, check, resend, status, wrong, zap};
use crate::support::{Answer, TestApp};

/// Peer fault 1: the answer to a wrong guess carried the right code; so did those to a start, a look
/// and a lock-out.
/// Shows: A18, P1.
#[tokio::test]
async fn no_answer_on_any_path_shows_the_code() {
    let app = TestApp::new();
    let mut answers = vec![app.post("/v1/verifications", super::login(NUMBER)).await];
    let (id, code) = (answers[0].text("id"), app.code().await);
    answers.push(app.post(&format!("/v1/verifications/{id}/check"), json!({"code": wrong(&code)})).await);
    app.advance(30);
    answers.push(resend(&app, &id).await);
    assert_eq!(app.code().await, code, "the same code, or the test proves nothing");
    answers.push(app.get(&format!("/v1/verifications/{id}")).await);
    answers.push(app.get("/v1/verifications").await);
    answers.push(app.get(&format!("/v1/recipients/{}", NUMBER.replace('+', "%2B"))).await);
    for _ in 0..5 {
        answers.push(app.post(&format!("/v1/verifications/{id}/check"), json!({"code": wrong(&code)})).await);
    }
    zap(&app, "/v1/otp/", json!({"userId": "ann", "email": MAILBOX})).await;
    let other = app.code().await;
    answers.push(zap(&app, "/v1/otp/verify", json!({"identity": MAILBOX, "otp": wrong(&other)})).await);
    for answer in answers {
        assert!(!shows(&answer, &code) && !shows(&answer, &other), "{answer:?}");
    }
}

fn shows(answer: &Answer, code: &str) -> bool {
    answer.body.contains(code) || answer.headers.iter().any(|(_, value)| value.contains(code))
}

/// Peer fault 5: a link with the code in it verified, and a mail scanner followed the link.
/// Shows: A24, P5.
#[tokio::test]
async fn looking_changes_nothing() {
    let app = TestApp::new();
    let (id, code) = app.started(NUMBER).await;
    let number = NUMBER.replace('+', "%2B");
    for path in [
        format!("/v1/verifications/{id}/check?code={code}"),
        format!("/v1/verifications/{id}/resend"),
        format!("/v1/verifications/{id}/cancel"),
        format!("/v1/verifications/check?to={number}&purpose=login&code={code}"),
        format!("/v1/otp/verify?identity={number}&otp={code}"),
    ] {
        for method in ["GET", "HEAD"] {
            let key = format!("Bearer {}", crate::support::DEMO);
            let answer = app.call(method, &path, &[("authorization", &key)], None).await;
            assert!(matches!(answer.status, 400..=405), "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(status(&app, &id).await, "pending");
    assert!(app.sent().await.is_empty());
    assert_eq!(check(&app, &id, &code).await["checks"]["used"], 1);
}
