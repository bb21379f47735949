//! Who may do what.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ALICE, Call, TestApp};

/// Every call, with a body that would do.
fn calls(id: &str) -> Vec<Call> {
    let post = |path: &str| Call::post(path).json(&json!({}));
    vec![
        Call::post("/v1/verifications").json(&json!({"to": ALICE})),
        Call::new("GET", "/v1/verifications"),
        Call::new("GET", &format!("/v1/verifications/{id}")),
        post(&format!("/v1/verifications/{id}/resend")),
        post(&format!("/v1/verifications/{id}/cancel")),
        Call::post(&format!("/v1/verifications/{id}/check")).json(&json!({"code": "123456"})),
        Call::post("/v1/verifications/check").json(&json!({"to": ALICE, "code": "123456"})),
        Call::new("GET", "/v1/recipients/held"),
        Call::new("GET", "/v1/recipients/+12125550101"),
        post("/v1/recipients/+12125550101/release"),
        Call::new("DELETE", "/v1/recipients/+12125550101"),
    ]
}

#[tokio::test]
async fn nothing_is_done_without_a_key() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    for call in calls(&id) {
        for wrong in ["Bearer nonsense", "Bearer", "Basic a2V5LW9mLWRlbW8=", "Bearer key-of-nobody", ""] {
            let answer = app.send(call.clone().without("authorization").header("authorization", wrong)).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (401, "unauthenticated"));
        }
        let answer = app.send(call.clone().header("authorization", "Bearer key-of-demo")).await;
        assert_eq!(answer.status, 401, "two keys are none");
    }
    assert_snapshot!(app.send(Call::new("GET", "/v1/verifications").without("authorization")).await, @r#"
        401
        content-type: application/problem+json
        www-authenticate: Bearer
        {"type":"/problems/unauthenticated",
         "title":"An API key is needed",
         "status":401,
         "detail":"send `Authorization: Bearer` with a live API key"}
    "#);
}

#[tokio::test]
async fn a_disabled_tenant_does_nothing() {
    let app = TestApp::new();
    for call in calls("ver_01k9ywa3m0q3v7y2h4x8n5c6d9") {
        assert_eq!(app.send(call.key("key-of-disabled")).await.problem(), "forbidden");
    }
}

/// Shows: K3.
#[tokio::test]
async fn a_key_without_the_scope_does_nothing_and_is_told_which_one_it_lacks() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    for call in &calls(&id)[..9] {
        assert_eq!(app.send(call.clone().key("admin-of-demo")).await.problem(), "forbidden");
    }
    let release = calls(&id)[9].clone();
    assert_snapshot!(app.send(release.key("verify-of-demo")).await, @r#"
        403
        content-type: application/problem+json
        {"type":"/problems/forbidden",
         "title":"The API key may not do this",
         "status":403,
         "detail":"this key lacks the scope `admin`"}
    "#);
}

/// Shows: A6.
#[tokio::test]
async fn another_tenant_s_id_is_an_unknown_id() {
    let app = TestApp::new();
    let id = app.start(ALICE).await;
    let unknown = calls("ver_01k9ywa3m0q3v7y2h4x8n5c6d9");
    for (theirs, nobodys) in calls(&id).into_iter().zip(unknown).skip(2).take(4) {
        let theirs = app.send(theirs.key("key-of-other")).await;
        let nobodys = app.send(nobodys.key("key-of-other")).await;
        assert_eq!(theirs.status, 404);
        assert_eq!(theirs.to_string(), nobodys.to_string());
    }
    assert_eq!(app.checks_used(&id).await, 0);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let app = TestApp::new();
    for (method, path, allow) in [
        ("PUT", "/v1/verifications", "GET,HEAD,POST"),
        ("DELETE", "/v1/verifications", "GET,HEAD,POST"),
        ("TRACE", "/v1/verifications", "GET,HEAD,POST"),
        ("OPTIONS", "/v1/verifications", "GET,HEAD,POST"),
        ("GET", "/v1/verifications/check", "POST"),
        ("GET", "/v1/verifications/ver_x/check", "POST"),
        ("PATCH", "/v1/recipients/x", "DELETE,GET,HEAD"),
        ("POST", "/v1/openapi.json", "GET,HEAD"),
    ] {
        let answer = app.send(Call::new(method, path)).await;
        let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(',').collect();
        allowed.sort_unstable();
        assert_eq!(
            (answer.problem().as_str(), allowed.join(",")),
            ("method-not-allowed", allow.to_owned()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::new();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/verifications/",
        "/v2/verifications",
        "/V1/verifications",
        "/v1//verifications",
    ] {
        assert_eq!(app.get(path).await.problem(), "not-found", "{path}");
    }
}
