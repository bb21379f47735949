//! `/v1/recipients/{to}`.

use countersign_core::engine::Engine;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ALICE, Call, TestApp};

const PATH: &str = "/v1/recipients/+12125550101";

/// Fails checks of ALICE until `count` failed.
async fn fail(app: &TestApp, count: usize) {
    for round in 0..count {
        if round % 5 == 0 {
            app.wait(600);
            app.start(ALICE).await;
        }
        let guess = json!({"to": ALICE, "purpose": "login", "code": "nocode"});
        assert_eq!(app.post("/v1/verifications/check", guess).await.json()["reason"], "wrong_code");
    }
}

#[tokio::test]
async fn the_support_desk_sees_what_is_counted() {
    let app = TestApp::new();
    fail(&app, 2).await;
    assert_snapshot!(app.get(PATH).await, @r#"
        200
        content-type: application/json
        {"to":"+12125550101",
         "held":false,
         "held_reason":null,
         "starts":{"last_hour":1,"last_24h":1,"max_per_hour":5,"max_per_24h":10},
         "reserved_starts":{"last_24h":0,"max_per_24h":2},
         "sends":{"last_hour":1,"last_24h":1},
         "failed_checks":{"last_hour":2,"last_24h":2,"max_per_24h":20},
         "consecutive_failures":{"used":2,"max":50}}
    "#);
    let unknown = app.get("/v1/recipients/%2B12125550199").await.json();
    assert_eq!(
        unknown["starts"],
        json!({"last_hour": 0, "last_24h": 0, "max_per_hour": 5, "max_per_24h": 10})
    );
}

#[tokio::test]
async fn a_hold_is_seen_and_lifted_by_an_administrator_with_an_audit_entry() {
    let app = TestApp::new();
    fail(&app, 20).await;
    let held = app.get(PATH).await.json();
    assert_eq!((&held["held"], &held["held_reason"]), (&json!(true), &json!("failed_checks")));
    assert!(held["retry_after"].as_u64().unwrap() > 80_000);

    let before = app.engine.audit_entries(0, 100).await.unwrap().len();
    let release = Call::post(&format!("{PATH}/release"));
    assert_eq!(app.send(release.clone().key("verify-of-demo")).await.problem(), "forbidden");
    let released = app.send(release.key("admin-of-demo")).await;
    assert_eq!((released.status.as_u16(), &released.json()["held"]), (200, &json!(false)));
    assert_eq!(app.engine.audit_entries(0, 100).await.unwrap().len(), before + 1);
    app.wait(3600);
    app.start(ALICE).await;
}

/// Shows: O9.
#[tokio::test]
async fn erasing_cancels_what_is_pending_and_keeps_what_is_counted() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let erase = Call::new("DELETE", PATH);
    assert_eq!(app.send(erase.clone().key("verify-of-demo")).await.problem(), "forbidden");
    let erased = app.send(erase.key("admin-of-demo")).await;
    assert_eq!(erased.json(), json!({"erased_verifications": 1}));
    let left = app.get(&format!("/v1/verifications/{id}")).await;
    assert_eq!(left.json()["status"], "canceled");
    assert!(!left.body.contains("2125550101"));
    assert_eq!(app.get(PATH).await.json()["starts"]["last_hour"], 1);
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn tenants_count_apart() {
    let app = TestApp::new();
    app.start(ALICE).await;
    let other = app.send(Call::new("GET", PATH).key("key-of-other")).await;
    assert_eq!(other.json()["starts"]["last_hour"], 0);
}

#[tokio::test]
async fn a_path_that_names_no_recipient_is_refused() {
    let app = TestApp::new();
    for to in ["12125550101", "x", "%00", "+1", "a@", "+%EF%BC%91%EF%BC%92125550101"] {
        let answer = app.get(&format!("/v1/recipients/{to}")).await;
        assert_eq!(answer.fault(), ("invalid-recipient".into(), "to".into()), "{to}");
    }
    assert_eq!(app.get("/v1/recipients/%ff").await.fault(), ("malformed-request".into(), "to".into()));
}
