//! What nobody learns: who is registered. Peer fault 20: an answer that differs for somebody unknown.

use serde_json::json;

use super::app::{App, PHONE, RESET_CODE, Reply};

/// Another number of the same kind.
const STRANGER: &str = "+447871234568";

/// One call for a number, and the seconds before it.
type Step = (u64, &'static str);

async fn take(app: &App, step: &str, phone: &str) -> Reply {
    match step {
        "signup" => app.sign_up(phone).await,
        "resend" => app.resend(phone).await,
        "reset" => app.reset(phone).await,
        "confirm" => app.confirm(phone, "12345x").await,
        "look" => app.post(RESET_CODE, json!({ "phone": phone, "code": "12345x" })).await,
        _ => panic!("no such step: {step}"),
    }
}

/// A known number and a stranger's get equal answers to the same calls, headers and lengths included.
async fn assert_equal_answers(steps: &[Step]) {
    let mut app = App::new();
    app.registered(PHONE).await;
    app.wait(24 * 3600 + 600);
    for (index, (wait, step)) in steps.iter().enumerate() {
        app.wait(*wait);
        let (known, unknown) = (take(&app, step, PHONE).await, take(&app, step, STRANGER).await);
        assert_eq!(known, unknown, "step {index}, {step}");
    }
}

/// Shows: A7.
#[tokio::test]
async fn sign_ups_and_resends_in_any_order_do_not_tell_who_is_known() {
    for steps in [
        &[(0, "signup"), (1, "signup"), (59, "signup"), (1, "resend"), (60, "resend"), (900, "resend")][..],
        &[(0, "resend"), (0, "signup"), (1, "resend"), (61, "resend"), (0, "signup")],
        &[(0, "resend"), (0, "confirm"), (0, "resend"), (60, "resend"), (3600, "signup"), (0, "confirm")],
        &[(0, "signup"), (600, "signup"), (600, "signup"), (600, "signup"), (600, "signup"), (600, "signup")],
    ] {
        assert_equal_answers(steps).await;
    }
}

/// Shows: A7.
#[tokio::test]
async fn resets_do_not_tell_who_is_known() {
    assert_equal_answers(&[(0, "reset"), (1, "reset"), (59, "reset"), (0, "look"), (120, "reset")]).await;
    assert_equal_answers(&[(0, "look"), (0, "reset"), (0, "signup"), (0, "resend"), (900, "reset")]).await;
}

/// Shows: A7.
#[tokio::test]
async fn guesses_run_out_alike_for_whoever_is_known() {
    let guesses = |step| (0..7).map(move |_| (1, step));
    for (sends, checks) in [("signup", "confirm"), ("resend", "confirm"), ("reset", "look")] {
        let steps: Vec<Step> = [(0, sends)].into_iter().chain(guesses(checks)).chain([(1, sends)]).collect();
        assert_equal_answers(&steps).await;
    }
}

#[tokio::test]
async fn a_resend_does_not_tell_whether_a_sign_up_is_pending() {
    let app = App::new();
    app.sign_up(PHONE).await;
    app.wait(60);
    for (wait, step) in [(0, "resend"), (1, "resend"), (0, "confirm"), (0, "confirm")] {
        app.wait(wait);
        let (pending, nothing) = (take(&app, step, PHONE).await, take(&app, step, STRANGER).await);
        assert_eq!(pending, nothing, "{step}");
    }
}

#[tokio::test]
async fn nothing_is_ever_sent_on_a_silent_path() {
    let mut app = App::new();
    app.registered(PHONE).await;
    app.sent().await;
    for step in ["signup", "resend", "signup", "resend"] {
        app.wait(60);
        take(&app, step, PHONE).await;
    }
    for step in ["resend", "reset", "resend", "reset"] {
        app.wait(60);
        take(&app, step, STRANGER).await;
    }
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn a_look_alike_does_not_stand_in_the_way_of_a_real_sign_up() {
    let mut app = App::new();
    app.resend(PHONE).await;
    app.reset(PHONE).await;
    app.registered(PHONE).await;
    assert!(app.user(PHONE).await.unwrap().phone_verified);
}
