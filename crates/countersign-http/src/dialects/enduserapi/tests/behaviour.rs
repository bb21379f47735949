//! What callers may rely on, over more than one call.

use countersign_core::testkit::tenant;
use countersign_core::tokens::TokenUse;
use serde_json::json;

use super::app::{App, OTHER_DOMAIN, Setup, acme, said};

const SEND: &str = "codeType=3&internationalCode=86&phone=13800138000";

async fn validate(app: &App, code: &str) -> u64 {
    app.make("validateSmsCode", &format!("phone=13800138000&smsCode={code}")).await.code()
}

/// Shows: A4.
#[tokio::test]
async fn a_new_code_voids_the_older_one_at_once() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    let first = app.last_code().await;
    app.wait(60);
    app.make("sendPhoneSmsCode", SEND).await;
    let second = app.last_code().await;
    assert_ne!(first, second);
    assert_eq!((validate(&app, &first).await, validate(&app, &second).await), (5037, 200));
}

/// Shows: N2.
#[tokio::test]
async fn every_code_lives_five_minutes_from_its_own_send_whenever_that_was() {
    for first_to_second in [60, 299, 300, 301, 599] {
        let mut app = App::new();
        app.make("sendPhoneSmsCode", SEND).await;
        app.wait(first_to_second);
        assert_eq!(app.make("sendPhoneSmsCode", SEND).await.code(), 200);
        let code = app.last_code().await;
        app.wait(299);
        let query = format!("phone=13800138000&smsCode={code}&isDisabled=2");
        assert_eq!(app.make("validateSmsCode", &query).await.code(), 200, "{first_to_second}");
        app.wait(1);
        assert_eq!(validate(&app, &code).await, 5037, "{first_to_second}");
    }
}

#[tokio::test]
async fn a_send_after_five_minutes_counts_as_a_start() {
    let app = App::new();
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(app.make("sendPhoneSmsCode", SEND).await.says());
        app.wait(301);
    }
    assert_eq!(answers[..5], vec![said(200, ""); 5]);
    assert_eq!(answers[5], said(5058, "retry_after=2095"));
}

/// Shows: A3.
#[tokio::test]
async fn guesses_are_not_refreshed_by_a_resend() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    let wrong = app.wrong_code().await;
    for _ in 0..4 {
        assert_eq!(validate(&app, &wrong).await, 5037);
    }
    app.wait(60);
    assert_eq!(app.make("sendPhoneSmsCode", SEND).await.code(), 200);
    let (wrong, right) = (app.wrong_code().await, app.last_code().await);
    assert_eq!((validate(&app, &wrong).await, validate(&app, &right).await), (5037, 5037));
}

/// Shows: A6.
#[tokio::test]
async fn a_code_is_good_for_its_user_domain_number_and_type_only() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    let code = app.last_code().await;
    for elsewhere in [
        format!("phone=13800138001&smsCode={code}"),
        format!("phone=13800138000&smsCode={code}&codeType=2"),
        format!("phone=13800138000&smsCode={code}&userDomain={OTHER_DOMAIN}&internationalCode=86"),
    ] {
        assert_eq!(app.make("validateSmsCode", &elsewhere).await.code(), 5037, "{elsewhere}");
    }
    assert_eq!(validate(&app, &code).await, 200);
}

/// Shows: A13.
#[tokio::test]
async fn spellings_of_one_number_share_its_waiting_time() {
    let app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    for spelling in [
        "internationalCode=86&phone=%2B8613800138000",
        "internationalCode=0086&phone=13800138000",
        "internationalCode=%2B86&phone=013800138000",
    ] {
        let reply = app.make("sendPhoneSmsCode", &format!("codeType=3&{spelling}")).await;
        assert_eq!(reply.code(), 5058, "{spelling}");
    }
}

/// Shows: A12.
#[tokio::test]
async fn odd_texts_cost_no_guess() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    let code = app.last_code().await;
    for odd in ["12345", "1234567", "12345%EF%BC%96", "123%20456", "12345%0A", "12345%00"] {
        for _ in 0..2 {
            assert_eq!(validate(&app, odd).await, 5037, "{odd}");
        }
    }
    assert_eq!(validate(&app, &code).await, 200);
}

#[tokio::test]
async fn tokens_of_a_login_speak_for_the_number_until_they_end() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", &SEND.replace("codeType=3", "codeType=2")).await;
    let code = app.last_code().await;
    let query = format!("internationalCode=86&phone=13800138000&smsCode={code}");
    let data = app.make("phoneSmsCodeLogin", &query).await.json()["data"].clone();
    let access = data["accessToken"]["token"].as_str().unwrap().strip_prefix("Bearer ").unwrap();
    let refresh = data["refreshToken"]["token"].as_str().unwrap();
    let acme = acme();
    let of = |kind| TokenUse { tenant: &acme, kind, audience: b"" };
    let claims = app.tokens.open(of("enduserapi access"), access).unwrap();
    assert_eq!(claims.subject, "+8613800138000");
    assert_eq!(claims.expires_at.as_millis() / 1000, data["accessToken"]["expirationTime"].as_i64().unwrap());
    app.wait(2 * 3600);
    assert!(app.tokens.open(of("enduserapi access"), access).is_err());
    assert!(app.tokens.open(of("enduserapi refresh"), refresh).is_ok());
}

/// Shows: N2.
#[tokio::test]
async fn a_login_code_logs_in_once() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", &SEND.replace("codeType=3", "codeType=2")).await;
    let query = format!("internationalCode=86&phone=13800138000&smsCode={}", app.last_code().await);
    assert_eq!(app.make("phoneSmsCodeLogin", &query).await.code(), 200);
    assert_eq!(app.make("phoneSmsCodeLogin", &query).await.code(), 5037);
}

#[tokio::test]
async fn a_hook_that_fails_leaves_a_used_code() {
    let hook = json!({ "url": "https://app.example/hook", "signing_keys": ["0123456789abcdef"] });
    let mut app = App::with(json!({ "password_reset_hook": hook }));
    app.make("sendPhoneSmsCode", &SEND.replace("codeType=3", "codeType=1")).await;
    let query = format!("code={}&phone=13800138000&pwd=x&userDomain=C.DM.10271.5", app.last_code().await);
    let put = || {
        let uri = format!("{}?{query}", super::app::path("userPwdReset"));
        axum::http::Request::put(uri).body(axum::body::Body::empty()).unwrap()
    };
    app.hook.answer_next(Err(crate::hooks::HookError::Unavailable));
    assert_eq!(app.call(put()).await.status, 503);
    assert_eq!(app.call(put()).await.code(), 5037);
    assert_eq!(app.hook.bodies().len(), 1);
}

#[tokio::test]
async fn the_tenants_policy_says_how_long_codes_are() {
    let mut acme = tenant("acme");
    acme.policy.terms.code.length = 8;
    let mut app = App::build(Setup { acme, ..Setup::default() });
    app.make("sendPhoneSmsCode", SEND).await;
    let code = app.last_code().await;
    assert_eq!(code.len(), 8);
    assert_eq!((validate(&app, "123456").await, validate(&app, &code).await), (5037, 200));
}
