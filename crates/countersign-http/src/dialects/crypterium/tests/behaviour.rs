//! What callers and their users rely on, beyond single exchanges.

use serde_json::json;

use super::app::{
    App, CONFIRM, GOOD, MERCHANT, OK, OTHER, PHONE, RESEND, RESET_CODE, RESET_CONFIRM, SIGNUP, error,
};

#[tokio::test]
async fn the_sample_request_of_the_source_sends_the_code_of_a_pending_sign_up() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    app.wait(60);
    app.sent().await;
    let body = "{\n  \"phone\": \"+447871234567\"\n}";
    let reply = app.post_with(RESEND, body, &[]).await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, OK));
    assert_eq!(app.sent().await, ["sms to +447871234567"]);
}

#[tokio::test]
async fn a_resent_code_is_a_new_one_and_the_older_one_is_void() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    let older = app.code(PHONE).await;
    app.wait(60);
    app.resend(PHONE).await;
    let newer = app.code(PHONE).await;
    assert_ne!(older, newer);
    assert_eq!(app.confirm(PHONE, &older).await.says(), error(117));
    assert_eq!(app.confirm(PHONE, &newer).await.says(), GOOD);
}

#[tokio::test]
async fn messages_are_sixty_sixty_a_hundred_and_twenty_and_two_hundred_and_forty_seconds_apart() {
    let app = App::new();
    app.sign_up(PHONE).await;
    for wait in [60, 60, 120, 240] {
        app.wait(wait - 1);
        let early = app.resend(PHONE).await;
        assert_eq!((early.says(), &early.headers["retry-after"]), (error(157), &"1".parse().unwrap()));
        app.wait(1);
        assert_eq!(app.resend(PHONE).await.says(), GOOD, "after {wait} s");
    }
}

#[tokio::test]
async fn a_merchant_may_do_without_waiting_times_and_not_without_caps() {
    let app = App::with(&json!({ "cool_downs_seconds": [] }));
    for _ in 0..5 {
        assert_eq!(app.sign_up(PHONE).await.says(), GOOD);
    }
    assert_eq!(app.resend(PHONE).await.says(), error(167));
}

#[tokio::test]
async fn a_resend_buys_no_new_guesses() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    let wrong = app.wrong_code().await;
    for _ in 0..4 {
        assert_eq!(app.confirm(PHONE, &wrong).await.says(), error(117));
    }
    app.wait(60);
    app.resend(PHONE).await;
    let (right, wrong) = (app.code(PHONE).await, app.wrong_code().await);
    assert_eq!(app.confirm(PHONE, &wrong).await.says(), error(117));
    assert_eq!(app.confirm(PHONE, &right).await.says(), error(53));
}

#[tokio::test]
async fn a_confirmed_number_is_registered_as_proven_and_its_code_is_used_up() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    assert!(app.user(PHONE).await.is_none(), "nobody is registered before the proof");
    let code = app.code(PHONE).await;
    assert_eq!(app.confirm(PHONE, &code).await.says(), GOOD);
    let user = app.user(PHONE).await.unwrap();
    assert!(user.phone_verified && user.id.starts_with("ver_"));
    assert_eq!(app.confirm(PHONE, &code).await.says(), error(117));
}

/// Who only says that a number is theirs gets nothing of who proves it.
///
/// Shows: F3.
#[tokio::test]
async fn f3_a_user_who_only_claimed_the_number_is_not_adopted() {
    use countersign_core::directory::{UserBy, UserChange};
    use countersign_core::recipient::Recipient;
    let mut app = App::new();
    let Recipient::Phone(phone) = Recipient::from_canonical(PHONE) else { panic!("a number") };
    let change = UserChange { phone: Some(phone), ..UserChange::default() };
    let acme = countersign_core::testkit::tenant("acme").id;
    app.directory.put(&acme, "u1", &change, None).await.unwrap();
    app.registered(PHONE).await;
    let user = app.user(PHONE).await.unwrap();
    assert!(user.phone_verified && user.id.starts_with("ver_"), "{}", user.id);
    let claims = app.directory.find(&acme, UserBy::Id("u1")).await.unwrap().unwrap();
    assert!(!claims.phone_verified);
}

#[tokio::test]
async fn looking_at_a_resets_code_charges_a_guess_and_leaves_the_code_good() {
    let mut app = App::new();
    app.registered(PHONE).await;
    app.reset(PHONE).await;
    let code = app.code(PHONE).await;
    for _ in 0..4 {
        assert_eq!(app.post(RESET_CODE, json!({ "phone": PHONE, "code": code })).await.says(), GOOD);
    }
    let set = json!({ "phone": PHONE, "code": code, "password": "new" });
    assert_eq!(app.post(RESET_CONFIRM, set.clone()).await.says(), GOOD);
    assert_eq!(app.post(RESET_CONFIRM, set).await.says(), error(8));
}

/// Shows: N10.
#[tokio::test]
async fn a_code_is_good_for_its_own_purpose_and_tenant_only() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    let code = app.code(PHONE).await;
    assert_eq!(app.post(RESET_CODE, json!({ "phone": PHONE, "code": code })).await.says(), error(8));
    let guess = json!({ "phone": PHONE, "smsCode": code }).to_string();
    let elsewhere = app.post_with(CONFIRM, &guess, &[("x-merchant-id", OTHER)]).await;
    assert_eq!(elsewhere.says(), error(117));
    assert_eq!(app.confirm(PHONE, &code).await.says(), GOOD);
}

#[tokio::test]
async fn another_spelling_of_a_number_is_the_same_number() {
    let mut app = App::new();
    app.sign_up("+4407871234567").await;
    assert_eq!(app.sent().await, ["sms to +447871234567"]);
    let code = app.code(PHONE).await;
    assert_eq!(app.confirm(PHONE, &code).await.says(), GOOD);
    assert_eq!(app.sign_up("+4407871234567").await.says(), GOOD);
    assert!(app.sent().await.is_empty(), "the number is known");
}

/// What a malformed guess would cost, it costs nobody.
#[tokio::test]
async fn odd_characters_in_a_code_are_refused_and_charge_nothing() {
    let mut app = App::new();
    app.sign_up(PHONE).await;
    let code = app.code(PHONE).await;
    let (head, tail) = code.split_at(3);
    for odd in [
        format!("{head} {tail}"),
        format!("{head}-{tail}"),
        format!("{code}\n"),
        format!("{code}\0"),
        format!("{head}\u{200d}{tail}"),
        "１２３４５６".into(),
        "\u{0661}\u{0662}\u{0663}\u{0664}\u{0665}\u{0666}".into(),
        "1".repeat(11),
    ] {
        assert_eq!(app.confirm(PHONE, &odd).await.says(), error(422), "{odd:?}");
    }
    assert_eq!(app.confirm(PHONE, &code).await.says(), GOOD);
}

#[tokio::test]
async fn the_hook_gets_the_new_password_once_and_only_after_the_proof() {
    let hook = json!({ "url": "https://app.example/proofs", "signing_keys": ["0123456789abcdef"] });
    let mut app = App::with(&json!({ "forward_hook": hook }));
    app.sign_up(PHONE).await;
    let code = app.code(PHONE).await;
    assert_eq!(app.confirm(PHONE, &code).await.body, OK);
    app.reset(PHONE).await;
    let (right, wrong) = (app.code(PHONE).await, app.wrong_code().await);
    let set = |code: &str| json!({ "phone": PHONE, "code": code, "password": "p\"\\ä\n" });
    assert_eq!(app.post(RESET_CONFIRM, set(&wrong)).await.says(), error(8));
    assert_eq!(app.post(RESET_CONFIRM, set(&right)).await.body, OK);
    assert_eq!(app.post(RESET_CONFIRM, set(&right)).await.says(), error(8));
    assert_eq!(
        app.hook.bodies(),
        [
            r#"{"phone":"+447871234567","purpose":"signup"}"#,
            r#"{"phone":"+447871234567","purpose":"password_reset","password":"p\"\\ä\n"}"#,
        ]
    );
}

/// Shows: N9.
#[tokio::test]
async fn a_clients_country_is_a_trusted_proxys_word_only() {
    let options =
        json!({ "client_country_header": "CF-IPCountry", "blocked_client_countries": ["sy", "kp"] });
    let mut app = App::with(&options);
    let body = json!({ "phone": PHONE, "password": "pw" }).to_string();
    let from = [("cf-ipcountry", "KP")];
    assert_eq!(app.post_with(SIGNUP, &body, &from).await.says(), GOOD, "anybody may say so");
    app.comes_directly_from("203.0.113.9");
    app.wait(60);
    assert_eq!(app.post_with(SIGNUP, &body, &from).await.says(), GOOD, "a client says so itself");
    app.comes_from("203.0.113.9");
    assert_eq!(app.post_with(SIGNUP, &body, &from).await.text("error"), "COUNTRY_BLOCKED_FOR_REGISTRATION");
    assert_eq!(app.post_with(SIGNUP, &body, &[("cf-ipcountry", "GB")]).await.says(), error(157));
}

#[tokio::test]
async fn a_test_number_is_taken_before_any_validation_and_wherever_it_is() {
    let mut acme = countersign_core::testkit::tenant("acme");
    acme.policy.test_numbers.ranges = vec![(99_912_345_000, 99_912_345_009)];
    acme.policy.allowed_regions = vec!["SE".into()];
    let mut app = App::build(&json!({}), acme);
    assert_eq!(app.sign_up("+99912345001").await.says(), GOOD);
    assert_eq!(app.sent().await, ["sms to +99912345001"]);
    assert_eq!(app.sign_up("+99912345010").await.says(), error(422));
}

#[tokio::test]
async fn a_service_that_is_set_up_wrongly_says_so_without_details() {
    let reply = App::without_texts().sign_up(PHONE).await;
    assert_eq!((reply.status.as_u16(), reply.text("error").as_str()), (500, "COMMON"));
    assert!(!reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_token_says_whose_it_is_and_nothing_about_the_user() {
    let mut app = App::new();
    let token = app.registered(PHONE).await;
    assert!(token.starts_with(&format!("{}.", MERCHANT.replace('-', ""))));
    assert!(!token.contains(&app.user(PHONE).await.unwrap().id));
}
