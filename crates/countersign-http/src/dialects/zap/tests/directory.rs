//! Usernames that the tenant's own directory resolves.

use serde_json::{Value, json};

use super::app::{App, Reply, said};

const EMAIL: &str = "adminuser@zap.com";
const PHONE: &str = "+2348011111111";

/// A tenant with a directory that knows `onlydev`.
fn app() -> App {
    let hook = json!({ "url": "https://app.example/directory", "signing_keys": ["0123456789abcdef"] });
    let app = App::with(&json!({ "directory_hook": hook }));
    app.hook.knows("onlydev", &json!({ "email": EMAIL, "phoneNumber": PHONE }).to_string());
    app
}

async fn resend(app: &App, username: &str) -> Reply {
    app.post("/v1/otp/resend", json!({ "username": username })).await
}

#[tokio::test]
async fn the_directory_is_asked_for_the_name_and_nothing_else() {
    let mut app = app();
    resend(&app, "onlydev").await;
    let code = app.last_code().await;
    app.post("/v1/otp/verify", json!({ "otp": code, "identity": "onlydev" })).await;
    assert_eq!(app.hook.questions(), [r#"{"username":"onlydev"}"#; 2]);
}

#[tokio::test]
async fn what_the_directory_says_goes_before_what_was_bound_here() {
    let mut app = app();
    for (name, sent) in [("onlydev", EMAIL), ("here_only", "old@zap.com")] {
        let bound = json!({ "userId": name, "email": "old@zap.com", "username": name });
        app.hook.knows("onlydev", &json!({ "email": EMAIL, "phoneNumber": null }).to_string());
        app.post("/v1/otp/", bound).await;
        app.sent().await;
        app.wait(100);
        assert_eq!(resend(&app, name).await.says(), said(200, "OTP ReSent"));
        assert_eq!(app.sent().await, [format!("email to {sent}")]);
    }
}

/// Shows: A7.
#[tokio::test]
async fn an_unknown_name_is_asked_for_and_answered_like_a_known_one() {
    let mut app = app();
    for wait in [0, 1, 29, 31, 100] {
        app.wait(wait);
        assert_eq!(resend(&app, "onlydev").await, resend(&app, "nobody_here").await, "after {wait} s more");
    }
    let wrong = app.wrong_code().await;
    for guess in 0..8 {
        let guessed = |name: &str| json!({ "otp": wrong, "identity": name });
        let known = app.post("/v1/otp/verify", guessed("onlydev")).await;
        assert_eq!(known, app.post("/v1/otp/verify", guessed("nobody_here")).await, "guess {guess}");
    }
    let asked = |name: &str| app.hook.questions().iter().filter(|asked| asked.contains(name)).count();
    assert_eq!((asked("onlydev"), asked("nobody_here")), (13, 13));
}

/// Nor does the log: an answer that cannot be used is a line there, without the address.
/// Shows: A7.
#[tokio::test]
async fn a_name_whose_addresses_cannot_be_used_is_answered_like_one_that_nobody_has() {
    let mut app = app();
    let unusable: [Value; 5] = [
        json!({ "email": "no mailbox" }),
        json!({ "phoneNumber": "08011111111" }),
        json!({ "phoneNumber": "+19002345678" }),
        json!({ "email": "", "phoneNumber": null }),
        json!({}),
    ];
    for (n, answer) in unusable.iter().enumerate() {
        let (name, nobody) = (format!("broken_{n}"), format!("nobody_{n}"));
        app.hook.knows(&name, &answer.to_string());
        for _ in 0..2 {
            assert_eq!(resend(&app, &name).await, resend(&app, &nobody).await, "{answer}");
        }
        assert!(app.sent().await.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn one_usable_address_is_enough() {
    let mut app = app();
    app.hook.knows("half", &json!({ "email": "no mailbox", "phoneNumber": PHONE }).to_string());
    assert_eq!(resend(&app, "half").await.says(), said(200, "OTP ReSent"));
    assert_eq!(app.sent().await, [format!("sms to {PHONE}")]);
}

#[tokio::test]
async fn what_is_no_answer_sends_nothing_and_charges_nothing() {
    let mut app = app();
    for answer in
        ["", "[]", "null", "\"a@zap.com\"", r#"{"email":7}"#, r#"{"email":"a@zap.com","email":"b@zap.com"}"#]
    {
        app.hook.knows("onlydev", answer);
        let failed = said(503, "An error occured processing the request");
        assert_eq!(resend(&app, "onlydev").await.says(), failed, "{answer}");
    }
    app.hook.knows("onlydev", &json!({ "email": EMAIL }).to_string());
    assert_eq!(resend(&app, "onlydev").await.says(), said(200, "OTP ReSent"));
    assert_eq!(app.sent().await, [format!("email to {EMAIL}")]);
}

#[tokio::test]
async fn an_outage_of_the_directory_costs_no_guess() {
    let mut app = app();
    resend(&app, "onlydev").await;
    let (right, wrong) = (app.last_code().await, app.wrong_code().await);
    app.hook.set_directory_down(true);
    for _ in 0..10 {
        let guess = json!({ "otp": wrong, "identity": "onlydev" });
        assert_eq!(app.post("/v1/otp/verify", guess).await.status, 503);
    }
    app.hook.set_directory_down(false);
    let guess = json!({ "otp": right, "identity": "onlydev" });
    assert_eq!(app.post("/v1/otp/verify", guess).await.says(), said(200, "OTP verified"));
}
