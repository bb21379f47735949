//! A signed request is good once, and for ten minutes.

use countersign_core::nonces::NonceBudgets;
use countersign_core::testkit::tenant;
use serde_json::json;

use super::app::{App, OTHER_DOMAIN, Setup, said};

const LOGIN_CODE: &str = "codeType=2&internationalCode=86&phone=13800138000";

/// No drawn code has letters.
fn wrong_login() -> String {
    "internationalCode=86&phone=13800138000&smsCode=wrong0".into()
}

const SEND: &str = "codeType=3&internationalCode=86&phone=13800138000";

/// Shows: A8.
#[tokio::test]
async fn of_1000_requests_that_come_again_1000_are_refused() {
    let app = App::new();
    let mut refused = 0;
    for index in 0..1000 {
        let query = app.signed("validateSmsCode", &format!("phone=13800138000&smsCode={index:06}"));
        assert_eq!(app.post("validateSmsCode", &query).await.says(), said(5037, ""));
        let again = app.post("validateSmsCode", &query).await;
        refused += usize::from(again.says() == said(5420, "replayed"));
    }
    assert_eq!(refused, 1000);
}

/// Shows: A8.
#[tokio::test]
async fn of_two_that_come_at_once_one_is_taken() {
    let mut app = App::new();
    for round in 0..50 {
        let query = app.signed(
            "sendPhoneSmsCode",
            &format!("codeType=1&internationalCode=86&phone=138001380{round:02}"),
        );
        let (one, other) =
            tokio::join!(app.post("sendPhoneSmsCode", &query), app.post("sendPhoneSmsCode", &query));
        let mut codes = [one.code(), other.code()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 5420]);
        assert_eq!(app.sent().await.len(), 1);
    }
}

/// Shows: A8.
#[tokio::test]
async fn a_random_is_spent_whatever_comes_of_the_call() {
    let app = App::new();
    app.make("sendPhoneSmsCode", SEND).await;
    for (query, code) in
        [(SEND.to_owned(), 5058), ("codeType=3&internationalCode=44&phone=13800138000".to_owned(), 5059)]
    {
        let query = app.signed("sendPhoneSmsCode", &query);
        assert_eq!(app.post("sendPhoneSmsCode", &query).await.code(), code);
        assert_eq!(app.post("sendPhoneSmsCode", &query).await.says(), said(5420, "replayed"));
    }
}

#[tokio::test]
async fn a_random_is_not_spent_before_signature_and_time_are_good() {
    let app = App::new();
    let query = app.signed("sendPhoneSmsCode", &format!("{SEND}&random=aaaaaaaaaaaaaaaa"));
    let forged = query.replace("phone=13800138000", "phone=13800138001");
    assert_eq!(app.post("sendPhoneSmsCode", &forged).await.says(), said(5420, ""));
    let old = app.signed("sendPhoneSmsCode", &format!("{SEND}&random=aaaaaaaaaaaaaaaa&ts=1744773000000"));
    assert_eq!(app.post("sendPhoneSmsCode", &old).await.says(), said(5420, "stale_timestamp"));
    assert_eq!(app.post("sendPhoneSmsCode", &query).await.code(), 200);
}

/// Shows: A8.
#[tokio::test]
async fn another_spelling_of_the_signature_is_the_same_request() {
    let app = App::new();
    let query = app.signed("sendPhoneSmsCode", SEND);
    assert_eq!(app.post("sendPhoneSmsCode", &query).await.code(), 200);
    let (front, signature) = query.split_once("signature=").unwrap();
    let shouted = format!("{front}signature={}", signature.to_uppercase());
    assert_eq!(app.post("sendPhoneSmsCode", &shouted).await.says(), said(5420, "replayed"));
}

#[tokio::test]
async fn two_user_domains_may_draw_the_same_random() {
    let app = App::new();
    let random = "random=aaaaaaaaaaaaaaaa";
    assert_eq!(app.make("sendPhoneSmsCode", &format!("{SEND}&{random}")).await.code(), 200);
    let other = format!("{SEND}&{random}&userDomain={OTHER_DOMAIN}");
    assert_eq!(app.make("sendPhoneSmsCode", &other).await.code(), 200);
}

/// Shows: A9.
#[tokio::test]
async fn the_window_ends_after_600_000_milliseconds_on_either_side() {
    let app = App::new();
    let now: i64 = app.ts().parse().unwrap();
    for (offset, expected) in [
        (-600_001, said(5420, "stale_timestamp")),
        (-600_000, said(5037, "")),
        (600_000, said(5037, "")),
        (600_001, said(5420, "stale_timestamp")),
    ] {
        let query = format!("phone=13800138000&smsCode=123456&ts={}", now + offset);
        assert_eq!(app.make("validateSmsCode", &query).await.says(), expected, "{offset}");
    }
}

#[tokio::test]
async fn a_request_is_remembered_until_it_is_stale() {
    let app = App::new();
    let ahead = app.ts().parse::<i64>().unwrap() + 600_000;
    let query = app.signed("validateSmsCode", &format!("phone=13800138000&smsCode=123456&ts={ahead}"));
    assert_eq!(app.post("validateSmsCode", &query).await.code(), 5037);
    app.wait(1200);
    assert_eq!(app.post("validateSmsCode", &query).await.says(), said(5420, "replayed"));
    app.wait(1);
    assert_eq!(app.post("validateSmsCode", &query).await.says(), said(5420, "stale_timestamp"));
}

/// Shows: A8.
#[tokio::test]
async fn a_login_has_no_time_and_is_remembered_for_a_day() {
    let app = App::new();
    app.make("sendPhoneSmsCode", LOGIN_CODE).await;
    let query = app.signed("phoneSmsCodeLogin", &wrong_login());
    assert_eq!(app.post("phoneSmsCodeLogin", &query).await.says(), said(5037, ""));
    app.wait(24 * 3600);
    assert_eq!(app.post("phoneSmsCodeLogin", &query).await.says(), said(5420, "replayed"));
}

/// Wrong logins where there is no code to compare, and where there is: the first are not remembered, the
/// others fill a budget that no other call needs.
/// Shows: F6.
#[tokio::test]
async fn f6_wrong_logins_take_no_place_from_other_signed_calls() {
    let budgets = NonceBudgets { dated: 5, undated: 2 };
    let mut app = App::build(Setup { budget_of_nonces: Some(budgets), ..Setup::default() });
    for _ in 0..20 {
        let query = app.signed("phoneSmsCodeLogin", &wrong_login());
        for _ in 0..2 {
            assert_eq!(app.post("phoneSmsCodeLogin", &query).await.says(), said(5037, ""));
        }
    }
    assert_eq!(app.make("sendPhoneSmsCode", LOGIN_CODE).await.code(), 200);
    let right = app.last_code().await;
    for _ in 0..2 {
        assert_eq!(app.make("phoneSmsCodeLogin", &wrong_login()).await.says(), said(5037, ""));
    }
    assert_eq!(
        app.make("phoneSmsCodeLogin", &wrong_login()).await.status.as_u16(),
        503,
        "that budget is full"
    );
    assert_eq!(app.make("sendPhoneSmsCode", SEND).await.code(), 200);
    let query = format!("phone=13800138000&codeType=2&smsCode={right}");
    assert_eq!(app.make("validateSmsCode", &query).await.code(), 200);
    app.sent().await;
}

/// What is not as long as the code is no guess, whoever has a code: one's own number is enough to try it.
/// Shows: F6.
#[tokio::test]
async fn f6_logins_with_no_guess_are_not_remembered() {
    let budgets = NonceBudgets { dated: 50, undated: 1 };
    let mut app = App::build(Setup { budget_of_nonces: Some(budgets), ..Setup::default() });
    assert_eq!(app.make("sendPhoneSmsCode", LOGIN_CODE).await.code(), 200);
    let right = app.last_code().await;
    let login = |code: &str| format!("internationalCode=86&phone=13800138000&smsCode={code}");
    for _ in 0..5 {
        assert_eq!(app.make("phoneSmsCodeLogin", &login("1234")).await.says(), said(5037, ""));
    }
    assert_eq!(app.make("phoneSmsCodeLogin", &login(&right)).await.code(), 200);
    app.wait(400);
    assert_eq!(app.make("sendPhoneSmsCode", LOGIN_CODE).await.code(), 200);
    app.sent().await;
    app.wait(299);
    let live = app.make("phoneSmsCodeLogin", &login("654321")).await;
    assert_eq!(live.status.as_u16(), 503, "it is as long as a code, and the budget is one login");
    app.wait(2);
    assert_eq!(
        app.make("phoneSmsCodeLogin", &login("654321")).await.says(),
        said(5037, ""),
        "its code is dead"
    );
}

/// A held number's codes are not compared, so that a guess at them is not remembered either.
/// Shows: F6.
#[tokio::test]
async fn f6_logins_of_a_held_number_are_not_remembered() {
    let mut acme = tenant("acme");
    acme.policy.caps.recipient.failed_checks_per_day = 1;
    let budgets = NonceBudgets { dated: 5, undated: 2 };
    let mut app = App::build(Setup { acme, budget_of_nonces: Some(budgets), ..Setup::default() });
    app.make("sendPhoneSmsCode", LOGIN_CODE).await;
    app.sent().await;
    for _ in 0..10 {
        assert_eq!(app.make("phoneSmsCodeLogin", &wrong_login()).await.says(), said(5037, ""));
    }
}

/// Rightly signed, with a `random` that begins with digits: the number is too short to tell the send from a login to
/// another country. Nobody is told that who has not signed.
/// Shows: F23.
#[tokio::test]
async fn f23_a_signed_send_that_is_a_login_too_is_refused_on_the_wire() {
    let domain = json!({ "countries": ["44", "86"] });
    let mut app = App::build(Setup { domain, ..Setup::default() });
    let send = |random: &str| format!("codeType=1&internationalCode=86&phone=4412345&random={random}");
    let ambiguous = send("678abcdefghijklm");
    assert_eq!(app.make("sendPhoneSmsCode", &ambiguous).await.code(), 5019);
    let signed = app.signed("sendPhoneSmsCode", &ambiguous);
    let (unsigned, _) = signed.split_once("&signature=").unwrap();
    let forged = format!("{unsigned}&signature={}", "0".repeat(64));
    assert_eq!(app.post("sendPhoneSmsCode", &forged).await.code(), 5420);
    assert_eq!(app.make("sendPhoneSmsCode", &send("a678bcdefghijklm")).await.code(), 200);
    assert_eq!(app.sent().await.len(), 1);
}

/// Shows: F23.
#[tokio::test]
async fn f23_a_random_is_good_for_one_call_of_any_kind() {
    let mut app = App::new();
    app.make("sendPhoneSmsCode", LOGIN_CODE).await;
    let wrong = app.wrong_code().await;
    let random = "random=aaaaaaaaaaaaaaaa";
    let login = format!("internationalCode=86&phone=13800138000&smsCode={wrong}&{random}");
    assert_eq!(app.make("phoneSmsCodeLogin", &login).await.says(), said(5037, ""));
    for (call, query) in [
        ("sendPhoneSmsCode", SEND.to_owned()),
        ("validateSmsCode", format!("phone=13800138000&smsCode={wrong}")),
        ("sendEmail", "email=a@example.com&emailType=1".to_owned()),
        ("validateEmailCode", format!("email=a@example.com&code={wrong}")),
        ("phoneSmsCodeLogin", format!("internationalCode=86&phone=13800138001&smsCode={wrong}")),
    ] {
        let reply = app.make(call, &format!("{query}&{random}")).await;
        assert_eq!(reply.says(), said(5420, "replayed"), "{call}");
    }
}

/// Shows: A8.
#[tokio::test]
async fn more_requests_than_can_be_remembered_are_refused_and_send_nothing() {
    let budgets = NonceBudgets { dated: 1, undated: 1 };
    let mut app = App::build(Setup { budget_of_nonces: Some(budgets), ..Setup::default() });
    assert_eq!(app.make("validateSmsCode", "phone=13800138000&smsCode=123456").await.code(), 5037);
    let full = app.make("sendPhoneSmsCode", SEND).await;
    assert_eq!((full.status.as_u16(), full.says()), (503, said(5059, "unavailable")));
    assert!(full.headers.contains_key("retry-after"));
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn calls_about_mail_that_are_not_signed_need_no_random() {
    let app = App::with(json!({ "sign_email": false }));
    let query = "email=a@example.com&emailType=1&userDomain=C.DM.10271.5";
    assert_eq!(app.post("sendEmail", query).await.code(), 200);
    assert_eq!(app.post("sendEmail", query).await.code(), 5058);
}
