//! What callers and their users rely on, beyond single exchanges.

use serde_json::json;

use super::app::{App, said};

const EMAIL: &str = "adminuser@zap.com";
const PHONE: &str = "+2348011111111";

/// A code to each of one user's addresses, or one to both.
async fn sent_to_both(app: &mut App) {
    let body = json!({ "userId": "u1", "email": EMAIL, "phoneNumber": PHONE, "username": "onlydev" });
    assert_eq!(app.post("/v1/otp/", body).await.says(), said(200, "OTP Generated"));
    assert_eq!(app.sent().await, [format!("email to {EMAIL}"), format!("sms to {PHONE}")]);
}

async fn verify(app: &App, identity: &str, otp: &str) -> (u16, String) {
    app.post("/v1/otp/verify", json!({ "otp": otp, "identity": identity })).await.says()
}

#[tokio::test]
async fn the_sample_bodies_of_the_source_work() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    for (sample, sent) in [
        (r#"{ "email": "adminuser@zap.com" }"#, vec!["email to adminuser@zap.com"]),
        (
            "{\n    \"email\": \"adminuser@zap.com\",\n    \"phoneNumber\": \"+2348011111111\"\n}",
            vec!["email to adminuser@zap.com", "sms to +2348011111111"],
        ),
        (r#"{ "phoneNumber": "+2348011111111" }"#, vec!["sms to +2348011111111"]),
        (r#"{ "username": "onlydev" }"#, vec!["email to adminuser@zap.com", "sms to +2348011111111"]),
    ] {
        app.wait(600);
        let reply = app.post_text("/v1/otp/resend", sample).await;
        assert_eq!(
            (reply.status.as_u16(), reply.body.as_str()),
            (200, r#"{"success":true,"data":"OTP ReSent"}"#)
        );
        assert_eq!(app.sent().await, sent);
    }
}

#[tokio::test]
async fn messages_wait_30_60_120_and_240_seconds() {
    let mut app = App::new();
    let resend = json!({ "email": EMAIL });
    for wait in [30, 60, 120, 240] {
        assert_eq!(app.post("/v1/otp/resend", resend.clone()).await.says(), said(200, "OTP ReSent"));
        assert_eq!(app.sent().await.len(), 1);
        app.wait(wait - 1);
        let early = app.post("/v1/otp/resend", resend.clone()).await;
        assert_eq!(
            (early.says(), early.headers["retry-after"].as_bytes()),
            (said(400, "Too many requests"), &b"1"[..])
        );
        app.wait(1);
    }
    assert_eq!(app.post("/v1/otp/resend", resend).await.says(), said(200, "OTP ReSent"));
    assert_eq!(app.sent().await.len(), 1, "the fifth");
}

#[tokio::test]
async fn codes_have_six_digits_and_live_ten_minutes() {
    for (age, outcome) in [(599, said(200, "OTP verified")), (600, said(400, "OTP expired"))] {
        let mut app = App::new();
        sent_to_both(&mut app).await;
        let code = app.code(EMAIL).await;
        assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        app.wait(age);
        assert_eq!(verify(&app, EMAIL, &code).await, outcome);
    }
}

#[tokio::test]
async fn either_address_verifies_a_shared_code_and_uses_it_up_for_both() {
    for (first, second) in [(EMAIL, PHONE), (PHONE, EMAIL)] {
        let mut app = App::with(&json!({ "multi_destination": "shared" }));
        sent_to_both(&mut app).await;
        let code = app.code(EMAIL).await;
        assert_eq!(code, app.code(PHONE).await);
        assert_eq!(verify(&app, first, &code).await, said(200, "OTP verified"));
        assert_eq!(verify(&app, second, &code).await, said(400, "Invalid OTP"));
    }
}

#[tokio::test]
async fn separate_codes_are_good_with_their_own_address_only_and_share_the_budget() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let (by_email, by_phone) = (app.code(EMAIL).await, app.code(PHONE).await);
    assert_ne!(by_email, by_phone);
    for _ in 0..2 {
        assert_eq!(verify(&app, PHONE, &by_email).await, said(400, "Invalid OTP"));
        assert_eq!(verify(&app, EMAIL, &by_phone).await, said(400, "Invalid OTP"));
    }
    assert_eq!(verify(&app, PHONE, &by_phone).await, said(200, "OTP verified"));
    assert_eq!(verify(&app, EMAIL, &by_email).await, said(400, "Invalid OTP"));
}

#[tokio::test]
async fn five_wrong_guesses_over_two_addresses_are_all() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let (right, wrong) = (app.code(EMAIL).await, app.wrong_code().await);
    for identity in [EMAIL, PHONE, EMAIL, PHONE, "onlydev"] {
        assert_eq!(verify(&app, identity, &wrong).await, said(400, "Invalid OTP"), "{identity}");
    }
    for identity in [EMAIL, PHONE, "onlydev"] {
        assert_eq!(verify(&app, identity, &right).await, said(400, "Too many attempts"), "{identity}");
    }
}

#[tokio::test]
async fn a_username_verifies_with_either_of_two_separate_codes() {
    for address in [EMAIL, PHONE] {
        let mut app = App::new();
        sent_to_both(&mut app).await;
        let code = app.code(address).await;
        assert_eq!(verify(&app, "onlydev", &code).await, said(200, "OTP verified"));
    }
}

#[tokio::test]
async fn a_username_verifies_what_runs_for_its_phone_though_its_email_is_done() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let code = app.code(EMAIL).await;
    verify(&app, EMAIL, &code).await;
    app.post("/v1/otp/resend", json!({ "phoneNumber": PHONE })).await;
    let code = app.code(PHONE).await;
    assert_eq!(verify(&app, "onlydev", &code).await, said(200, "OTP verified"));
}

#[tokio::test]
async fn the_directory_marks_the_address_alone_that_the_code_was_sent_to() {
    for (identity, sent_to, proven) in
        [(EMAIL, EMAIL, (true, false)), (PHONE, PHONE, (false, true)), ("onlydev", PHONE, (false, true))]
    {
        let mut app = App::new();
        sent_to_both(&mut app).await;
        let code = app.code(sent_to).await;
        assert_eq!(verify(&app, identity, &code).await, said(200, "OTP verified"));
        assert_eq!(app.proven("u1").await, proven, "{identity}");
    }
}

/// Whoever read one of the addresses has it.
#[tokio::test]
async fn a_shared_code_proves_the_user_and_no_address() {
    for identity in [EMAIL, PHONE, "onlydev"] {
        let mut app = App::with(&json!({ "multi_destination": "shared" }));
        sent_to_both(&mut app).await;
        let code = app.code(EMAIL).await;
        assert_eq!(verify(&app, identity, &code).await, said(200, "OTP verified"));
        assert_eq!(app.proven("u1").await, (false, false), "{identity}");
        assert!(app.user("u1").await.confirmed, "{identity}");
    }
}

#[tokio::test]
async fn a_changed_address_is_no_longer_proven() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let code = app.code(EMAIL).await;
    verify(&app, EMAIL, &code).await;
    app.post("/v1/otp/", json!({ "userId": "u1", "email": "other@zap.com" })).await;
    let user = app.user("u1").await;
    assert_eq!((user.email.unwrap().expose(), user.email_verified), ("other@zap.com", false));
    assert_eq!(user.username.as_deref(), Some("onlydev"));
}

/// Nobody knows whether two addresses that were asked for in no user's name are one person's: neither's guesses
/// nor code are the other's.
///
/// Shows: F1.
#[tokio::test]
async fn f1_addresses_of_nobody_in_particular_are_verified_apart() {
    let mut app = App::new();
    app.post("/v1/otp/resend", json!({ "email": EMAIL })).await;
    let wrong = app.wrong_code().await;
    for _ in 0..4 {
        verify(&app, EMAIL, &wrong).await;
    }
    app.wait(30);
    let both = json!({ "email": EMAIL, "phoneNumber": PHONE });
    assert_eq!(app.post("/v1/otp/resend", both).await.says(), said(200, "OTP ReSent"));
    let (by_email, by_phone) = (app.code(EMAIL).await, app.code(PHONE).await);
    assert_eq!(verify(&app, PHONE, &wrong).await, said(400, "Invalid OTP"));
    assert_eq!(verify(&app, PHONE, &by_phone).await, said(200, "OTP verified"));
    assert_eq!(verify(&app, EMAIL, &by_email).await, said(200, "OTP verified"));
}

/// An address that is not known as the user's has a verification of its own, and its own guesses.
#[tokio::test]
async fn an_address_that_is_not_the_users_does_not_join_it() {
    let mut app = App::new();
    app.post("/v1/otp/", json!({ "userId": "u1", "email": EMAIL })).await;
    let wrong = app.wrong_code().await;
    for _ in 0..4 {
        verify(&app, EMAIL, &wrong).await;
    }
    app.wait(30);
    let both = json!({ "email": EMAIL, "phoneNumber": PHONE });
    assert_eq!(app.post("/v1/otp/resend", both).await.says(), said(200, "OTP ReSent"));
    assert_eq!(app.sent().await, [format!("email to {EMAIL}"), format!("sms to {PHONE}")]);
    let (by_email, by_phone) = (app.code(EMAIL).await, app.code(PHONE).await);
    assert_eq!(verify(&app, PHONE, &by_email).await, said(400, "Invalid OTP"));
    assert_eq!(verify(&app, PHONE, &by_phone).await, said(200, "OTP verified"));
    assert_eq!(verify(&app, EMAIL, &by_email).await, said(200, "OTP verified"));
    assert_eq!(app.proven("u1").await, (true, false));
}

/// Shows: F1.
#[tokio::test]
async fn f1_naming_a_strangers_address_beside_ones_own_voids_no_code() {
    let mut app = App::new();
    app.post("/v1/otp/resend", json!({ "email": EMAIL })).await;
    let hers = app.code(EMAIL).await;
    app.post("/v1/otp/resend", json!({ "phoneNumber": PHONE })).await;
    app.wait(10);
    app.post("/v1/otp/resend", json!({ "phoneNumber": PHONE, "email": EMAIL })).await;
    let mine = app.code(PHONE).await;
    assert_eq!(verify(&app, PHONE, &mine).await, said(200, "OTP verified"));
    assert_eq!(verify(&app, EMAIL, &hers).await, said(200, "OTP verified"));
}

#[tokio::test]
async fn a_username_and_its_own_address_get_one_message_each() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    app.wait(30);
    app.post("/v1/otp/resend", json!({ "phoneNumber": PHONE, "username": "onlydev" })).await;
    assert_eq!(app.sent().await, [format!("email to {EMAIL}"), format!("sms to {PHONE}")]);
    app.wait(60);
    app.post("/v1/otp/resend", json!({ "email": "AdminUser@ZAP.com", "username": "onlydev" })).await;
    assert_eq!(app.sent().await, [format!("email to {EMAIL}"), format!("sms to {PHONE}")]);
}

/// Peer fault 20: an answer that differs for somebody unknown.
/// Shows: A7, P20.
#[tokio::test]
async fn an_unknown_username_gets_the_answers_of_a_known_one_byte_for_byte() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    app.wait(24 * 3600);
    for path in ["/v1/otp/resend", "/v1/otp/forgotPassword"] {
        let body = |name: &str| {
            if path.ends_with("resend") { json!({ "username": name }) } else { json!({ "identity": name }) }
        };
        for wait in [0, 1, 29, 31, 100] {
            app.wait(wait);
            let known = app.post(path, body("onlydev")).await;
            let unknown = app.post(path, body("nobody_here")).await;
            assert_eq!(known, unknown, "{path} after {wait} s more");
        }
    }
}

/// Shows: A7.
#[tokio::test]
async fn guesses_at_an_unknown_username_run_out_like_those_at_a_known_one() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    app.wait(24 * 3600);
    for name in ["onlydev", "nobody_here"] {
        app.post("/v1/otp/resend", json!({ "username": name })).await;
    }
    let wrong = app.wrong_code().await;
    for step in 0..8 {
        app.wait(100);
        let guess = |name: &str| json!({ "otp": wrong, "identity": name });
        let known = app.post("/v1/otp/verify", guess("onlydev")).await;
        let unknown = app.post("/v1/otp/verify", guess("nobody_here")).await;
        assert_eq!(known, unknown, "guess {step}");
    }
}

/// What a malformed guess would cost, it costs nobody.
/// Shows: A12.
#[tokio::test]
async fn odd_characters_in_a_code_are_refused_and_charge_nothing() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let code = app.code(EMAIL).await;
    let (head, tail) = code.split_at(3);
    for odd in [
        format!("{head} {tail}"),
        format!("{head}-{tail}"),
        format!("{code}\n"),
        format!(" {code}"),
        format!("{code}\0"),
        format!("{head}\u{200d}{tail}"),
        format!("\u{202e}{code}"),
        "１２３４５６".into(),
        "\u{0661}\u{0662}\u{0663}\u{0664}\u{0665}\u{0666}".into(),
        "1".repeat(21),
    ] {
        assert_eq!(verify(&app, EMAIL, &odd).await, said(400, "Invalid OTP"), "{odd:?}");
    }
    assert_eq!(verify(&app, EMAIL, &code).await, said(200, "OTP verified"));
}

#[tokio::test]
async fn a_code_is_nothing_to_another_tenant() {
    let mut app = App::new();
    sent_to_both(&mut app).await;
    let code = app.code(EMAIL).await;
    for identity in [EMAIL, PHONE, "onlydev"] {
        let reply =
            app.post_as("other-token", "/v1/otp/verify", json!({ "otp": code, "identity": identity })).await;
        assert_eq!(reply.says(), said(400, "Invalid OTP"));
    }
    assert_eq!(verify(&app, EMAIL, &code).await, said(200, "OTP verified"));
}

#[tokio::test]
async fn the_hook_gets_the_password_once_and_only_after_the_proof() {
    let hook = json!({ "url": "https://app.example/password", "signing_keys": ["0123456789abcdef"] });
    let mut app = App::with(&json!({ "forgot_password_hook": hook }));
    app.post("/v1/otp/forgotPassword", json!({ "identity": EMAIL })).await;
    let (right, wrong) = (app.last_code().await, app.wrong_code().await);
    let set = |otp: &str| json!({ "identity": "AdminUser@ZAP.com", "otp": otp, "newPassword": "p\"\\ä\n" });
    assert_eq!(app.post("/v1/forgotPassword", set(&wrong)).await.says(), said(400, "Invalid OTP"));
    assert!(app.hook.bodies().is_empty());
    assert_eq!(app.post("/v1/forgotPassword", set(&right)).await.status, 200);
    assert_eq!(app.post("/v1/forgotPassword", set(&right)).await.says(), said(400, "Invalid OTP"));
    assert_eq!(app.hook.bodies(), [r#"{"identity":"adminuser@zap.com","newPassword":"p\"\\ä\n"}"#]);
}

#[tokio::test]
async fn a_service_that_is_set_up_wrongly_says_so_without_details() {
    let app = App::without_mail();
    let reply = app.post("/v1/otp/resend", json!({ "email": EMAIL })).await;
    assert_eq!(reply.says(), said(500, "An error occured processing the request"));
    assert!(!reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_test_number_is_taken_before_any_validation() {
    let mut acme = countersign_core::testkit::tenant("acme");
    acme.policy.test_numbers.ranges = vec![(99_912_345_000, 99_912_345_009)];
    let mut app = App::build(json!({}), acme);
    let (test, impossible) = ("+99912345001", "+99912345010");
    app.post("/v1/otp/resend", json!({ "phoneNumber": test })).await;
    assert_eq!(app.sent().await, [format!("sms to {test}")]);
    let refused = app.post("/v1/otp/resend", json!({ "phoneNumber": impossible })).await;
    assert_eq!(refused.says(), said(400, "Invalid phoneNumber"));
}
