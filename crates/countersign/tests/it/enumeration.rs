//! Where end users' devices call directly, nobody learns who is registered: the same calls get the
//! same answers (status, headers in their order, body, length), whether they are about somebody who is
//! known or somebody who is not, from the first message until both are held; and to be held looks like to
//! have used everything up.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, signed};

const HOUR: u64 = 3600;

/// What is done about both people, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The API's call of this name.
    Call(&'static str),
    Wait(u64),
}

use Step::{Call, Wait};

/// Every answer that a caller can bring about, in three days: too soon, used up, expired, too often, and
/// at last held.
fn three_days(send: &'static str, check: &'static str) -> Vec<Step> {
    let mut steps = vec![Call(send), Call(send), Wait(29), Call(send), Wait(1), Call(send)];
    steps.extend([Call(check); 6]);
    steps.extend([Call(send), Wait(600), Call(check), Call(send), Wait(600), Call(check), Wait(24 * HOUR)]);
    for _day in 0..3 {
        for _verification in 0..5 {
            steps.extend([Call(send), Call(check), Call(check), Call(check), Call(check), Call(check)]);
            steps.extend([Call(check), Call(send), Wait(2 * HOUR)]);
        }
        steps.push(Wait(24 * HOUR));
    }
    steps.extend([Call(check), Call(send)]);
    steps
}

/// Everything of an answer but what differs between any two.
fn seen(answer: &Answer) -> impl PartialEq + Debug + use<> {
    let own = |(name, _): &&(String, String)| !["x-request-id", "date"].contains(&name.as_str());
    let headers: Vec<(String, String)> = answer.headers.iter().filter(own).cloned().collect();
    (answer.status, headers, answer.body.clone())
}

/// Takes the steps about both people, who get equal answers. Answers with the last of them, to the
/// calls in their order.
async fn alike<A: AsyncFn(&str, &str) -> Answer>(
    app: &TestApp,
    [known, unknown]: [&str; 2],
    steps: &[Step],
    ask: A,
) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Wait(seconds) => app.advance(*seconds),
            Call(call) => {
                let (first, second) = (ask(call, known).await, ask(call, unknown).await);
                assert_eq!(seen(&first), seen(&second), "step {n}: {step:?}");
                answers.push(first);
            }
        }
    }
    answers
}

async fn held(app: &TestApp, address: &str) -> bool {
    let recipient = app.get(&format!("/v1/recipients/{}", address.replace('+', "%2B"))).await.json();
    recipient["held"] == true && recipient["held_reason"] == "consecutive_failures"
}

async fn zap(app: &TestApp, call: &str, who: &str) -> Answer {
    let member = match who.as_bytes() {
        [b'+', ..] => "phoneNumber",
        text if text.contains(&b'@') => "email",
        _ => "username",
    };
    let (path, body): (&str, Value) = match call {
        "resend" => ("/v1/otp/resend", json!({ member: who })),
        "forgot" => ("/v1/otp/forgotPassword", json!({ "identity": who })),
        // No drawn code has letters.
        _ => ("/v1/otp/verify", json!({ "identity": who, "otp": "wrong0" })),
    };
    app.call("POST", path, &[("authorization", "Bearer dev-zap-token")], Some(body)).await
}

/// A service where Ann is registered, and was sent a code two days ago. That there once was one is told
/// by a check before the next is sent ("expired"), as the page has it; who is registered is not.
async fn with_ann() -> TestApp {
    let app = TestApp::new();
    let body = json!({"userId": "ann", "email": "ann@example.com", "phoneNumber": "+12125550123",
        "username": "ann_1"});
    let generated = app.call("POST", "/v1/otp/", &[("authorization", "Bearer dev-zap-token")], Some(body));
    assert_eq!(generated.await.status, 200);
    assert_eq!(app.sent().await.len(), 2);
    app.advance(48 * HOUR);
    app
}

/// Shows: A7, P20.
#[tokio::test]
async fn zap_answers_alike_about_known_and_unknown_people_until_both_are_held() {
    for pair in [["ann_1", "nob_2"], ["ann@example.com", "nob@example.com"], ["+12125550123", "+12125550124"]]
    {
        let app = with_ann().await;
        let answers =
            alike(&app, pair, &three_days("resend", "check"), async |call, who| zap(&app, call, who).await)
                .await;
        assert!(held(&app, if pair[0] == "ann_1" { "ann@example.com" } else { pair[0] }).await, "{pair:?}");
        let texts: std::collections::BTreeSet<String> = answers.iter().map(|a| a.text("data")).collect();
        let all = ["Invalid OTP", "OTP ReSent", "OTP expired", "Too many attempts", "Too many requests"];
        assert_eq!(texts.iter().map(String::as_str).collect::<Vec<_>>(), all, "{pair:?}");
        app.sent().await;
    }
}

/// Shows: A7.
#[tokio::test]
async fn zap_asks_nobody_for_a_password_reset_that_says_who_exists() {
    for pair in [["ann_1", "nob_2"], ["ann@example.com", "nob@example.com"]] {
        let app = with_ann().await;
        let mut steps = Vec::new();
        for wait in [1, 28, 1, 60, 120, 240, 600, HOUR, HOUR] {
            steps.extend([Call("forgot"), Wait(wait)]);
        }
        alike(&app, pair, &steps, async |call, who| zap(&app, call, who).await).await;
        app.sent().await;
    }
}

/// Who is held is not told apart from who has used up all messages and guesses: only the time to wait is
/// another one.
/// Shows: A7.
#[tokio::test]
async fn zap_answers_about_somebody_held_as_about_somebody_who_used_everything_up() {
    let app = with_ann().await;
    let bob = "bob@example.com";
    alike(&app, ["ann@example.com", "nob@example.com"], &three_days("resend", "check"), async |call, who| {
        zap(&app, call, who).await
    })
    .await;
    for wait in [30, 60, 120, 240, 0] {
        assert_eq!(zap(&app, "resend", bob).await.status, 200);
        app.advance(wait);
    }
    assert!(held(&app, "ann@example.com").await && !held(&app, bob).await);
    let masked = |mut answer: Answer| {
        for (name, value) in &mut answer.headers {
            if name == "retry-after" {
                *value = "…".to_owned();
            }
        }
        format!("{:?}", seen(&answer))
    };
    let used_up = zap(&app, "resend", bob).await;
    assert_eq!(used_up.text("data"), "Too many requests");
    assert_eq!(masked(zap(&app, "resend", "ann@example.com").await), masked(used_up));

    let carol = "carol@example.com";
    zap(&app, "resend", carol).await;
    for _ in 0..5 {
        zap(&app, "check", carol).await;
    }
    let used_up = zap(&app, "check", carol).await;
    assert_eq!(used_up.text("data"), "Too many attempts");

    // Dora's twentieth wrong guess comes over another wire API, while a code of hers is pending here.
    let dora = "dora@example.com";
    for guesses in [5, 5, 5, 4] {
        app.advance(600);
        assert_eq!(zap(&app, "resend", dora).await.status, 200);
        for _ in 0..guesses {
            assert_eq!(zap(&app, "check", dora).await.text("data"), "Invalid OTP");
        }
    }
    let other = app.post("/v1/verifications", json!({"to": dora, "purpose": "other"})).await.text("id");
    let wrong = app.post(&format!("/v1/verifications/{other}/check"), json!({"code": "wrong0"})).await;
    assert_eq!(wrong.text("reason"), "wrong_code");
    let held = zap(&app, "check", dora).await;
    let wait: u32 = held.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 600, "held longer than any verification lives, and not for {wait} s");
    assert_eq!(masked(held), masked(used_up));
    app.sent().await;
}

async fn vault(app: &TestApp, call: &str, phone: &str) -> Answer {
    let (path, body) = match call {
        "signup" => ("signup", json!({"phone": phone, "password": "correct horse"})),
        "resend" => ("phone/verify/resend", json!({ "phone": phone })),
        "confirm" => ("phone/confirm", json!({"phone": phone, "smsCode": "wrong0"})),
        "reset" => ("password/reset", json!({ "phone": phone })),
        _ => ("password/reset/confirm/code", json!({"phone": phone, "code": "wrong0"})),
    };
    let headers = [("x-merchant-id", "bece038f-2e46-49f4-b25e-89cd38d6dc16"), ("x-fingerprint", "1234444")];
    app.call("POST", &format!("/v2/mobile/{path}"), &headers, Some(body)).await
}

/// A service where `known` signed up, as long ago as makes no difference.
async fn signed_up(app: TestApp, known: &str) -> TestApp {
    assert_eq!(vault(&app, "signup", known).await.status, 200);
    let code = app.code().await;
    let headers = [("x-merchant-id", "bece038f-2e46-49f4-b25e-89cd38d6dc16")];
    let body = json!({"phone": known, "smsCode": code});
    let confirmed = app.call("POST", "/v2/mobile/phone/confirm", &headers, Some(body)).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    app.advance(48 * HOUR);
    app
}

/// A sign-up of somebody who has signed up sends nothing and is answered like any other; a resend or a reset
/// for nobody likewise.
/// Shows: A7.
#[tokio::test]
async fn crypterium_answers_alike_about_those_who_signed_up_and_those_who_did_not() {
    let pair = ["+12125550123", "+12125550124"];
    for (send, check) in [("signup", "confirm"), ("resend", "confirm"), ("reset", "reset code")] {
        let app = signed_up(TestApp::new(), pair[0]).await;
        let ask = async |call: &str, phone: &str| vault(&app, call, phone).await;
        let answers = alike(&app, pair, &three_days(send, check), ask).await;
        assert!(answers.iter().all(|answer| [200, 400].contains(&answer.status)), "{send}");
        assert!(answers.iter().any(|answer| answer.status == 200), "{send}");
        app.sent().await;
    }
}

/// Who would not be sent anything is told so too.
#[tokio::test]
async fn crypterium_answers_alike_when_the_money_of_the_day_is_spent() {
    let pair = ["+12125550123", "+12125550124"];
    let mut config = countersign::dev::config();
    for tenant in &mut config.tenants {
        tenant.policy.caps.tenant_spend_per_day_micros = Some(20);
    }
    let app = signed_up(TestApp::charging(10, config), pair[0]).await;
    for other in ["+12125550125", "+12125550126"] {
        assert_eq!(vault(&app, "signup", other).await.status, 200);
    }
    let ask = async |call: &str, phone: &str| vault(&app, call, phone).await;
    let answers = alike(&app, pair, &["signup", "resend", "reset"].map(Call), ask).await;
    for answer in &answers {
        assert_eq!(answer.text("error"), "RATE_LIMIT_SIGNUP_ATTEMPT", "{answer:?}");
    }
    assert_eq!(app.sent().await.len(), 2);
}

/// Wrong guesses over the native API, where everybody may ask about anybody: they hold the number, which
/// Crypterium's app has nothing to do with.
async fn hold_natively(app: &TestApp, phone: &str) {
    for _verification in 0..4 {
        let started = app.post("/v1/verifications", json!({"to": phone, "purpose": "elsewhere"})).await;
        assert_eq!(started.status, 201, "{started:?}");
        let check = format!("/v1/verifications/{}/check", started.text("id"));
        for _ in 0..5 {
            assert_eq!(app.post(&check, json!({"code": "wrong0"})).await.json()["valid"], false);
        }
    }
    let recipient = app.get(&format!("/v1/recipients/{}", phone.replace('+', "%2B"))).await.json();
    assert_eq!(recipient["held"], true, "{recipient}");
}

/// A number is held for what was guessed elsewhere: before a code of this API is asked for, and while one is
/// pending, which the guess then meets the hold with and not the end of its checks.
///
/// Shows: F21, A7.
#[tokio::test]
async fn f21_crypterium_answers_alike_about_held_numbers() {
    let pair = ["+12125550123", "+12125550124"];
    for (send, check) in [("signup", "confirm"), ("resend", "confirm"), ("reset", "reset code")] {
        for pending in [false, true] {
            let app = signed_up(TestApp::new(), pair[0]).await;
            let ask = async |call: &str, phone: &str| vault(&app, call, phone).await;
            if pending {
                alike(&app, pair, &[Call(send), Call(check)], ask).await;
            }
            for phone in pair {
                hold_natively(&app, phone).await;
            }
            let mut steps = vec![Call(check), Call(send), Wait(60), Call(check), Call(send)];
            steps.extend(["signup", "resend", "reset", "confirm", "reset code"].map(Call));
            steps.extend([Wait(24 * HOUR), Call(check), Call(send), Call(check)]);
            let answers = alike(&app, pair, &steps, ask).await;
            // The hold was met: it lasts for hours, no window does.
            let waits = |answer: &Answer| answer.header("retry-after")?.parse::<u64>().ok();
            let held = |answer: &&Answer| waits(answer).is_some_and(|seconds| seconds > 2 * HOUR);
            if pending {
                assert_eq!(answers[0].json()["errorId"], 53, "{send}: {:?}", answers[0]);
            }
            assert!(answers.iter().filter(held).count() >= 4, "{send}, pending: {pending}: {answers:?}");
            assert_eq!(answers.last().unwrap().status, 400);
            app.sent().await;
        }
    }
}

/// So are the limits of the number: what was started elsewhere counts for both.
///
/// Shows: F21, A7.
#[tokio::test]
async fn f21_crypterium_answers_alike_about_numbers_that_were_sent_enough_elsewhere() {
    let pair = ["+12125550123", "+12125550124"];
    for send in ["signup", "resend", "reset"] {
        let app = signed_up(TestApp::new(), pair[0]).await;
        for phone in pair {
            for purpose in ["one", "two", "three", "four", "five"] {
                let started = app.post("/v1/verifications", json!({"to": phone, "purpose": purpose})).await;
                assert_eq!(started.status, 201, "{started:?}");
            }
        }
        let ask = async |call: &str, phone: &str| vault(&app, call, phone).await;
        let answers =
            alike(&app, pair, &[Call(send), Wait(1800), Call(send), Wait(1800), Call(send)], ask).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [400, 400, 200], "{send}");
        app.sent().await;
    }
}

async fn end_user(app: &TestApp, call: &str, phone: &str) -> Answer {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let (turn, now) = (TURN.fetch_add(1, Ordering::Relaxed), app.now().as_millis());
    let (path, body) = match call {
        "send" => ("sendPhoneSmsCode", signed(phone, "codeType", "3", turn, now)),
        // Codes are digits there: whatever it is, it is wrong.
        _ => ("validateSmsCode", signed(phone, "smsCode", "000000", turn, now)),
    };
    app.call("POST", &format!("/v2/sms/enduserapi/v2/{path}"), &[], Some(body)).await
}

/// Shows: A7.
#[tokio::test]
async fn enduserapi_answers_alike_about_those_who_proved_their_number_and_those_who_did_not() {
    let pair = ["13800138000", "13800138001"];
    let app = TestApp::new();
    assert_eq!(end_user(&app, "send", pair[0]).await.json()["code"], 200);
    let right = signed(pair[0], "smsCode", &app.code().await, 1 << 40, app.now().as_millis());
    let proved = app.call("POST", "/v2/sms/enduserapi/v2/validateSmsCode", &[], Some(right)).await;
    assert_eq!(proved.json()["code"], 200, "{proved:?}");
    app.advance(48 * HOUR);
    let ask = async |call: &str, phone: &str| end_user(&app, call, phone).await;
    let answers = alike(&app, pair, &three_days("send", "check"), ask).await;
    let codes: std::collections::BTreeSet<i64> =
        answers.iter().map(|answer| answer.json()["code"].as_i64().unwrap()).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), [200, 5037, 5058]);
    assert!(held(&app, "+8613800138000").await);
    app.sent().await;
}
