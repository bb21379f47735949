//! The store is out of reach.

use serde_json::json;

use crate::support::{ALICE, Call, TestApp};

/// Shows: I7.
#[tokio::test]
async fn without_the_store_every_call_says_so_and_nothing_is_approved() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let code = app.code().await;
    app.engine.set_down(true);
    for call in [
        Call::post("/v1/verifications").json(&json!({"to": ALICE})),
        Call::post(&format!("/v1/verifications/{id}/resend")),
        Call::post(&format!("/v1/verifications/{id}/check")).json(&json!({"code": code})),
        Call::post(&format!("/v1/verifications/{id}/cancel")),
        Call::new("GET", &format!("/v1/verifications/{id}")),
        Call::new("GET", "/v1/verifications"),
        Call::new("GET", "/v1/recipients/held"),
        Call::new("GET", "/v1/recipients/+12125550101"),
        Call::post("/v1/recipients/+12125550101/release"),
        Call::new("DELETE", "/v1/recipients/+12125550101"),
    ] {
        let answer = app.send(call).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "unavailable"));
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait));
        assert!(!answer.body.contains("switched off"), "the store's own words stay here");
    }
    app.engine.set_down(false);
    assert_eq!(app.check(&id, &code).await, (true, String::new()));
}
