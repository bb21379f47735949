//! `POST /v1/verifications`.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ALICE, BOB, Call, TestApp};
use countersign_core::names::Channel;
use countersign_core::policy::TestNumbers;
use countersign_core::testkit::RecordingProvider;

const PATH: &str = "/v1/verifications";

#[tokio::test]
async fn a_start_opens_a_verification_and_sends_its_code() {
    let app = TestApp::new();
    let body = json!({"to": ALICE, "purpose": "login", "locale": "de-CH", "metadata": {"order": "42"}});
    let answer = app.post(PATH, body).await;
    assert_snapshot!(answer, @r#"
        201
        content-type: application/json
        location: /v1/verifications/ver_01m7vzgc0091a3m5qc70zp9bfe
        {"id":"ver_01m7vzgc0091a3m5qc70zp9bfe",
         "status":"pending",
         "to":"+12125550101",
         "channel":"sms",
         "purpose":"login",
         "locale":"de",
         "created_at":"2026-11-20T08:00:00Z",
         "expires_at":"2026-11-20T08:10:00Z",
         "sends":{"used":1,"max":5,"next_at":"2026-11-20T08:00:30Z"},
         "checks":{"used":0,"max":5},
         "metadata":{"order":"42"}}
    "#);
    let sent = app.sent().await;
    assert_eq!((sent.len(), sent[0].0.as_str(), sent[0].1.expose().len()), (1, ALICE, 6));
    assert!(!answer.body.contains(sent[0].1.expose()));
}

#[tokio::test]
async fn an_address_gets_a_mail_unless_told_otherwise() {
    let app = TestApp::new();
    let answer = app.post(PATH, json!({"to": "Alice@Example.com"})).await.json();
    assert_eq!((&answer["to"], &answer["channel"]), (&json!("Alice@example.com"), &json!("email")));
    assert_eq!(answer["purpose"], "verification");
    let answer = app.post(PATH, json!({"to": ALICE, "channel": "voice"})).await.json();
    assert_eq!(answer["channel"], "voice");
    assert_eq!(app.sent().await.len(), 2);
}

#[tokio::test]
async fn a_double_click_answers_the_same_and_sends_once() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    app.code().await;
    app.wait(29);
    let again = app.post(PATH, json!({"to": ALICE, "purpose": "login"})).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["id"], again.header("location")),
        (200, &json!(id), None)
    );
    assert!(app.sent().await.is_empty());
}

#[tokio::test]
async fn a_second_start_is_told_what_the_verification_holds_and_not_what_it_said_itself() {
    let app = TestApp::new();
    let first = app.post(PATH, json!({"to": "Alice@example.com", "metadata": {"order": "42"}})).await.json();
    let second = app.post(PATH, json!({"to": "alice@example.com", "metadata": {"order": "43"}})).await.json();
    for field in ["id", "to", "metadata"] {
        assert_eq!(second[field], first[field], "{field}");
    }
    assert_eq!(second["metadata"], json!({"order": "42"}));
}

#[tokio::test]
async fn a_start_after_the_cool_down_sends_again_over_the_channel_it_names() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.wait(30);
    let again = app.post(PATH, json!({"to": ALICE, "purpose": "login", "channel": "voice"})).await;
    let body = again.json();
    assert_eq!((again.status.as_u16(), &body["id"], &body["channel"]), (200, &json!(id), &json!("voice")));
    assert_eq!(body["sends"], json!({"used": 2, "max": 5, "next_at": "2026-11-20T08:01:30Z"}));
    assert_eq!(app.code().await, code);
}

#[tokio::test]
async fn a_start_with_used_up_sends_is_refused() {
    let app = TestApp::new();
    app.start(ALICE).await;
    for wait in [30, 60, 120, 240] {
        app.wait(wait);
        app.post(PATH, json!({"to": ALICE, "purpose": "login"})).await;
    }
    let refused = app.post(PATH, json!({"to": ALICE, "purpose": "login"})).await;
    assert_snapshot!(refused, @r#"
        429
        content-type: application/problem+json
        retry-after: 150
        {"type":"/problems/sends-exhausted",
         "title":"This verification has sent all it may",
         "status":429,
         "detail":"its sends are used up; it ends in 150 seconds",
         "retry_after":150}
    "#);
}

#[tokio::test]
async fn another_context_opens_another_verification() {
    let app = TestApp::new();
    let transfer = |amount: &str| json!({"to": ALICE, "context": {"amount": amount, "payee": "Bob"}});
    let first = app.post(PATH, transfer("10")).await.json();
    let second = app.post(PATH, transfer("1000")).await;
    assert_eq!(second.status, 201);
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.json()["status"], "canceled");
}

#[tokio::test]
async fn a_code_is_handed_back_to_a_key_that_may_read_it_and_nothing_is_sent() {
    let app = TestApp::new();
    let body = json!({"to": ALICE, "delivery": "return"});
    let refused = app.send(Call::post(PATH).key("verify-of-demo").json(&body)).await;
    assert_eq!(refused.problem(), "forbidden");
    let answer = app.post(PATH, body).await;
    assert_eq!(answer.status, 201);
    let answer = answer.json();
    let (id, code) = (answer["id"].as_str().unwrap(), answer["code"].as_str().unwrap());
    assert!(app.sent().await.is_empty());
    assert_eq!(app.check(id, code).await, (true, String::new()));
}

#[tokio::test]
async fn a_code_of_the_caller_s_own_needs_the_tenant_s_leave() {
    let own = |code: &str| json!({"to": ALICE, "code": code});
    assert_eq!(TestApp::new().post(PATH, own("ABC123")).await.problem(), "forbidden");
    let app = TestApp::with(|tenant| tenant.policy.allow_custom_codes = true);
    for bad in ["12345", "12345678901", "", "123-456", "12 3456", "１２３４５６", "123456\n", "12345!"]
    {
        assert_eq!(
            app.post(PATH, own(bad)).await.fault(),
            ("malformed-request".into(), "code".into()),
            "{bad:?}"
        );
    }
    let answer = app.post(PATH, own("ABC123")).await;
    assert_eq!((answer.status.as_u16(), answer.body.contains("ABC123")), (201, false));
    assert_eq!(app.code().await, "ABC123");
}

#[tokio::test]
async fn the_sixth_start_in_an_hour_is_refused() {
    let app = TestApp::new();
    for purpose in ["a", "b", "c", "d", "e"] {
        assert_eq!(app.post(PATH, json!({"to": ALICE, "purpose": purpose})).await.status, 201);
    }
    app.wait(600);
    assert_snapshot!(app.post(PATH, json!({"to": ALICE, "purpose": "f"})).await, @r#"
        429
        content-type: application/problem+json
        retry-after: 3000
        {"type":"/problems/recipient-limit",
         "title":"This recipient had enough verifications for now",
         "status":429,
         "detail":"this recipient may have another verification in 3000 seconds",
         "retry_after":3000}
    "#);
    assert_eq!(app.post(PATH, json!({"to": BOB})).await.status, 201);
}

#[tokio::test]
async fn one_client_address_starts_twenty_an_hour_where_that_is_enforced() {
    let app = TestApp::with(|tenant| tenant.policy.caps.client_limit_refuses = true);
    let start =
        |n: u32| json!({"to": format!("+121255501{n:02}"), "client": {"ip": format!("2001:db8::{n:x}")}});
    for n in 0..20 {
        assert_eq!(app.post(PATH, start(n)).await.status, 201);
    }
    let refused = app.post(PATH, start(20)).await;
    assert_eq!((refused.problem().as_str(), refused.header("retry-after")), ("client-limit", Some("3600")));
}

#[tokio::test]
async fn a_spent_budget_refuses_starts() {
    let provider = RecordingProvider::new("dear");
    let routes = countersign_core::provider::Routes::shared(vec![provider.route(600)]);
    let app = TestApp::over(provider, routes, |tenant| {
        tenant.policy.caps.tenant_spend_per_day_micros = Some(1000);
    });
    app.start(ALICE).await;
    let refused = app.post(PATH, json!({"to": BOB})).await;
    assert_eq!(refused.problem(), "tenant-budget");
    assert_eq!(refused.header("retry-after").unwrap(), refused.json()["retry_after"].to_string());
}

#[tokio::test]
async fn a_channel_must_reach_the_address_and_be_carried() {
    let provider = RecordingProvider::carrying("texts", &[Channel::Sms, Channel::Email]);
    let routes = provider.routes();
    let app = TestApp::over(provider, routes, |_| {});
    for (to, channel) in [(ALICE, "email"), ("a@example.com", "sms"), (ALICE, "voice"), (ALICE, "fax")] {
        let answer = app.post(PATH, json!({"to": to, "channel": channel})).await;
        assert_eq!(answer.fault(), ("malformed-request".into(), "channel".into()), "{to} {channel}");
    }
}

/// Shows: A20.
#[tokio::test]
async fn a_country_that_is_not_on_the_list_is_blocked() {
    let app = TestApp::with(|tenant| tenant.policy.allowed_regions = vec!["DE".into()]);
    assert_snapshot!(app.post(PATH, json!({"to": ALICE})).await, @r#"
        403
        content-type: application/problem+json
        {"type":"/problems/blocked",
         "title":"The request was blocked",
         "status":403,
         "detail":"this tenant does not send messages to this country"}
    "#);
}

#[tokio::test]
async fn a_test_number_needs_no_provider() {
    let provider = RecordingProvider::carrying("none", &[]);
    let routes = provider.routes();
    let app = TestApp::over(provider, routes, |tenant| {
        let range = (447_700_900_000, 447_700_900_999);
        tenant.policy.test_numbers = TestNumbers { ranges: vec![range], code: None };
    });
    assert_eq!(app.post(PATH, json!({"to": "+447700900123"})).await.status, 201);
    assert_eq!(app.post(PATH, json!({"to": ALICE})).await.fault().1, "channel");
}

/// A school's pupils, or a carrier's customers, come from one address.
/// Shows: F19.
#[tokio::test]
async fn f19_a_client_address_starts_as_often_as_people_come_from_it() {
    let app = TestApp::new();
    for n in 0..60 {
        let start = json!({"to": format!("+121255501{n:02}"), "client": {"ip": "203.0.113.7"}});
        assert_eq!(app.post(PATH, start).await.status, 201);
    }
}
