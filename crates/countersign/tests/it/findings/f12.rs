//! A stranger who guesses at somebody's codes, and the person who needs one meanwhile.

use serde_json::{Value, json};

use super::one_tenant::config;
use crate::support::{Answer, DEMO, TestApp};

const PERSON: &str = "ann@example.com";
/// One mailbox, and one budget: what a stranger types into a public form.
const TAGGED: &str = "ann+x@example.com";
const PHONE: &str = "+12125550123";
/// No drawn code has letters in lower case.
const WRONG: &str = "wrong0";

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

async fn start(app: &TestApp, body: Value) -> Answer {
    app.post("/v1/verifications", body).await
}

async fn check(app: &TestApp, id: &str, body: Value) -> Answer {
    app.post(&format!("/v1/verifications/{id}/check"), body).await
}

/// Guesses until nothing is compared any more; answers how many were.
async fn guess_until_held(app: &TestApp, to: &str, ip: Option<&str>) -> u32 {
    let mut compared = 0;
    loop {
        let started = start(app, json!({ "to": to })).await;
        if started.status == 429 {
            app.sent().await;
            return compared;
        }
        let id = started.text("id");
        let client = ip.map_or_else(|| json!({}), |ip| json!({ "ip": ip }));
        for _ in 0..5 {
            let guess = check(app, &id, json!({ "code": WRONG, "client": client })).await;
            match guess.text("reason").as_str() {
                "wrong_code" => compared += 1,
                reason => {
                    assert_eq!(reason, "recipient_held");
                    app.sent().await;
                    return compared;
                }
            }
        }
        // Starts have an hourly limit of their own.
        app.advance(720);
    }
}

async fn recipient(app: &TestApp, to: &str) -> Value {
    app.get(&format!("/v1/recipients/{}", to.replace('+', "%2B"))).await.json()
}

/// Has a code sent and types it.
async fn approve(app: &TestApp, to: &str, more: Value, ip: &str) -> bool {
    let mut body = json!({ "to": to });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let started = start(app, body).await;
    assert_eq!(started.status, 201, "{started:?}");
    let code = app.code().await;
    let client = json!({ "ip": ip });
    check(app, &started.text("id"), json!({ "code": code, "client": client })).await.json()["valid"] == true
}

/// Whoever types 20 wrong codes for a tagged address holds the mailbox for the public form, and not for the
/// backend that vouches for the person.
///
/// Shows: F12, A23.
#[tokio::test]
async fn f12_a_stranger_holds_a_person_and_trusted_calls_go_on() {
    for app in [TestApp::new(), TestApp::on_sqlite()] {
        assert_eq!(guess_until_held(&app, TAGGED, None).await, 20);
        let public = start(&app, json!({ "to": PERSON })).await;
        assert_eq!(
            (public.status, public.text("type").ends_with("recipient-held")),
            (429, true),
            "{public:?}"
        );

        let reserved = start(&app, json!({ "to": PERSON, "trusted": true })).await;
        assert_eq!(reserved.status, 201, "{reserved:?}");
        let (id, code) = (reserved.text("id"), app.code().await);
        let by_address = json!({ "to": PERSON, "code": WRONG });
        for _ in 0..10 {
            for guess in [
                check(&app, &id, json!({ "code": code })).await,
                check(&app, &id, json!({ "code": WRONG })).await,
                app.post("/v1/verifications/check", by_address.clone()).await,
            ] {
                assert_eq!(guess.text("reason"), "recipient_held", "{guess:?}");
                assert_eq!(guess.json()["checks"]["used"], 0);
            }
        }
        let right = check(&app, &id, json!({ "code": code, "trusted": true })).await;
        assert_eq!(right.json()["valid"], true, "{right:?}");

        let second = start(&app, json!({ "to": PERSON, "trusted": true })).await;
        assert_eq!(second.status, 201);
        let right = json!({ "code": app.code().await, "trusted": true });
        assert_eq!(check(&app, &second.text("id"), right).await.json()["valid"], true);
        let third = start(&app, json!({ "to": PERSON, "trusted": true })).await;
        assert_eq!(third.status, 429, "{third:?}");
        let counters = recipient(&app, PERSON).await;
        assert_eq!(counters["reserved_starts"], json!({ "last_24h": 2, "max_per_24h": 2 }));
        assert_eq!((&counters["held"], &counters["failed_checks"]["last_24h"]), (&json!(true), &json!(20)));
    }
}

/// Shows: F12, A23.
#[tokio::test]
async fn f12_only_a_key_that_may_vouches_for_a_request() {
    let app = TestApp::serving(config("", ""));
    let started = app.post_as("csk_acme", "/v1/verifications", json!({ "to": PHONE })).await;
    assert_eq!(started.status, 201, "{started:?}");
    let id = started.text("id");
    app.sent().await;
    for (path, body) in [
        ("/v1/verifications".to_owned(), json!({ "to": PHONE, "trusted": true })),
        ("/v1/verifications".to_owned(), json!({ "to": PHONE, "trusted": true, "ends_hold_of": PERSON })),
        (format!("/v1/verifications/{id}/resend"), json!({ "trusted": true })),
        (format!("/v1/verifications/{id}/check"), json!({ "code": WRONG, "trusted": true })),
        ("/v1/verifications/check".to_owned(), json!({ "to": PHONE, "code": WRONG, "trusted": true })),
    ] {
        let refused = app.post_as("csk_acme", &path, body).await;
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        assert!(refused.text("detail").contains("`trusted`"), "{refused:?}");
    }
    let not_vouched = json!({ "to": PHONE, "trusted": false, "ends_hold_of": PERSON });
    let refused = app.post_as("csk_acme", "/v1/verifications", not_vouched).await;
    assert_eq!((refused.status, refused.text("field").as_str()), (400, "ends_hold_of"), "{refused:?}");
}

/// Shows: F12.
#[tokio::test]
async fn f12_guesses_from_another_network_than_the_persons_count_half() {
    let app = TestApp::new();
    assert!(approve(&app, PHONE, json!({}), HOME).await);
    app.advance(3600);
    assert_eq!(guess_until_held(&app, PHONE, Some(ELSEWHERE)).await, 40);
    assert_eq!(recipient(&app, PHONE).await["failed_checks"]["last_24h"], 20);
    assert!(approve(&app, PERSON, json!({}), HOME).await);
    app.advance(3600);
    assert_eq!(guess_until_held(&app, PERSON, Some(HOME)).await, 20, "from there all count in full");
}

/// Shows: F12.
#[tokio::test]
async fn f12_a_hold_that_lasts_ends_by_a_proof_on_another_channel() {
    for app in [TestApp::new(), TestApp::on_sqlite()] {
        let mut guesses = 0;
        while recipient(&app, PHONE).await["held_reason"] != "consecutive_failures" {
            guesses += guess_until_held(&app, PHONE, None).await;
            app.advance(24 * 3600);
        }
        assert_eq!(guesses, 50);
        let trusted = start(&app, json!({ "to": PHONE, "trusted": true })).await;
        assert_eq!(trusted.status, 429, "it is ended, and not gone around: {trusted:?}");
        let same_channel = json!({ "to": "+12125550124", "trusted": true, "ends_hold_of": PHONE });
        let refused = start(&app, same_channel).await;
        assert_eq!((refused.status, refused.text("field").as_str()), (400, "ends_hold_of"), "{refused:?}");

        assert!(approve(&app, PERSON, json!({ "trusted": true, "ends_hold_of": PHONE }), HOME).await);
        assert_eq!(recipient(&app, PHONE).await["held"], false);
        assert!(approve(&app, PHONE, json!({}), HOME).await);
    }
}

/// Shows: F12.
#[tokio::test]
async fn f12_operators_see_who_is_held() {
    for app in [TestApp::new(), TestApp::on_sqlite()] {
        assert_eq!(app.get("/v1/recipients/held").await.json(), json!({ "data": [], "next_cursor": null }));
        for to in [PHONE, TAGGED, "+12125550199"] {
            assert_eq!(guess_until_held(&app, to, None).await, 20);
            app.advance(1);
        }
        let mut told = Vec::new();
        let mut path = "/v1/recipients/held?limit=2".to_owned();
        loop {
            let page = app.get(&path).await;
            assert_eq!(page.status, 200, "{page:?}");
            told.extend(page.json()["data"].as_array().unwrap().clone());
            let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
            path = format!("/v1/recipients/held?limit=2&cursor={cursor}");
        }
        let masked: Vec<_> = told.iter().map(|held| held["to"].as_str().unwrap()).collect();
        assert_eq!(masked, ["+12*******99", "a***@example.com", "+12*******23"]);
        assert!(told.iter().all(|held| held["reason"] == "failed_checks" && held["until"].is_string()));
        let guessed_at =
            app.get(&format!("/v1/verifications/{}", told[1]["verification"].as_str().unwrap())).await;
        assert_eq!(guessed_at.text("to"), TAGGED, "the tenant may read it for as long as it is kept");

        let bearer = format!("Bearer {DEMO}");
        let release = format!("/v1/recipients/{PERSON}/release");
        app.call("POST", &release, &[("authorization", &bearer)], None).await;
        let left = app.get("/v1/recipients/held").await.json();
        assert_eq!(left["data"].as_array().unwrap().len(), 2);
        let wrong = app.get("/v1/recipients/held?cursor=abc").await;
        assert_eq!((wrong.status, wrong.text("field").as_str()), (400, "cursor"));
    }
}
