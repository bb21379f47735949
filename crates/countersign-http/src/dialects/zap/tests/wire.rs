//! Forms, configuration, and what must not be printed.

use axum::body::Body;
use axum::body::HttpBody;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::app::{App, TOKEN, said};
use crate::dialects::zap::Config;

#[tokio::test]
async fn every_call_has_four_paths() {
    for call in ["otp", "otp/resend", "otp/verify", "otp/forgotPassword", "forgotPassword"] {
        for path in [
            format!("/v1/{call}"),
            format!("/v1/{call}/"),
            format!("/api/v1/{call}"),
            format!("/api/v1/{call}/"),
        ] {
            let app = App::new();
            let get = Request::builder().uri(&path).body(Body::empty()).unwrap();
            let reply = app.call(get).await;
            assert_eq!(reply.says(), said(405, "Method not allowed"), "{path}");
            assert_eq!(reply.headers["allow"], "POST", "{path}");
        }
    }
}

#[tokio::test]
async fn every_other_path_below_is_not_found_with_any_method() {
    let app = App::new();
    for path in
        ["/v1/otp/x", "/v1/otp/resend/x", "/api/v1", "/api/v1/", "/api/v1/otpx", "/api/v1/otp/verify//"]
    {
        for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            assert_eq!(app.call(request).await.says(), said(404, "Not found"), "{path}");
        }
    }
}

#[tokio::test]
async fn the_dialect_stands_beside_the_native_api() {
    let app = App::whole();
    assert_eq!(
        app.post("/v1/otp/resend", json!({ "email": "a@zap.com" })).await.says(),
        said(200, "OTP ReSent")
    );
    assert_eq!(app.post("/v1/otp/cancel", json!({})).await.says(), said(404, "Not found"));
    for native in ["/v1/verifications", "/v1/nothing"] {
        let reply = app.post(native, json!({})).await;
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{native}");
    }
}

#[tokio::test]
async fn what_is_refused_unread_has_no_body_and_a_panic_has_the_usual_one() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]
    {
        let refusal = crate::dialects::zap::refusal(status);
        assert_eq!((refusal.status(), refusal.body().size_hint().exact()), (status, Some(0)));
    }
    let panicked = crate::dialects::zap::refusal(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(panicked.headers()["content-length"], "66");
}

#[tokio::test]
async fn forms_are_what_the_page_says() {
    let long_local = format!("{}@zap.com", "a".repeat(65));
    let refused: [(&str, &[&str], &str); 3] = [
        (
            "email",
            &["a", "@zap.com", "a@zap", "a@b@zap.com", "a b@zap.com", "a@zap.com\u{0}", &long_local],
            "Invalid email",
        ),
        (
            "phoneNumber",
            &[
                "2348011111111",
                "+0348011111111",
                "+123456",
                "+1234567890123456",
                "+234 8011111111",
                "+",
                "＋2348011111111",
            ],
            "Invalid phoneNumber",
        ),
        ("username", &["a", "aaaaaaaaaaaaaaaaaaaaa", "only.dev", "only dev", "ünlydev"], "Invalid username"),
    ];
    let app = App::new();
    for (field, values, text) in refused {
        for value in values {
            let reply = app.post("/v1/otp/resend", json!({ field: value })).await;
            assert_eq!(reply.says(), said(400, text), "{field}: {value:?}");
        }
    }
}

/// The longest and the shortest of each form; where a code is concerned, those of the source's samples.
#[tokio::test]
async fn forms_reach_as_far_as_the_page_says() {
    let domain = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63));
    let longest = format!("{}@{domain}", "l".repeat(64));
    assert_eq!(longest.len(), 320);
    let app = App::with(&json!({ "reason_header": true }));
    for body in [
        json!({ "email": longest }),
        json!({ "email": "a@b.ng" }),
        json!({ "phoneNumber": "+2903123" }),
        json!({ "phoneNumber": "+491511234567890" }),
        json!({ "username": "ab" }),
        json!({ "username": "ABCdef_0123456789_xy" }),
    ] {
        assert_eq!(app.post("/v1/otp/resend", body.clone()).await.says(), said(200, "OTP ReSent"), "{body}");
    }
    let user = json!({ "userId": "ü".repeat(200), "email": "u@zap.com" });
    assert_eq!(app.post("/v1/otp/", user).await.says(), said(200, "OTP Generated"));
    let too_long = json!({ "email": format!("{longest}d") });
    assert_eq!(app.post("/v1/otp/resend", too_long).await.says(), said(400, "Invalid email"));
    for otp in ["573587", "22344", "fee325666ab", "1", "12345678901234567890"] {
        let reply = app.post("/v1/otp/verify", json!({ "otp": otp, "identity": "never@zap.com" })).await;
        assert_eq!(
            reply.headers["countersign-reason"], "nothing_pending",
            "{otp}: a code, not the right one"
        );
    }
}

/// Each request has every fault from its row on; the first one decides.
#[tokio::test]
async fn faults_are_looked_for_in_the_documented_order() {
    let mut acme = countersign_core::testkit::tenant("acme");
    acme.policy.allowed_regions = vec!["SE".into()];
    let app = App::build(json!({ "tenants": { "acme": { "reason_header": true } } }), acme);
    let (abroad, resend) = (r#"{"phoneNumber":"+2348011111111"}"#, "/v1/otp/resend");
    let long_enough = json!({ "phoneNumber": "+46701740605" });
    assert_eq!(app.post(resend, long_enough).await.says(), said(200, "OTP ReSent"));
    let own_and_cooling = r#"{"phoneNumber":"+46701740605"}"#;
    for (path, token, media_type, body, status, reason) in [
        ("/v1/otp/x", "none", "text/plain", "{", 404, None),
        (resend, "none", "text/plain", "{", 401, None),
        (resend, "check-only", "text/plain", "{", 403, Some("not_permitted")),
        (resend, TOKEN, "text/plain", "{}", 400, Some("malformed")),
        (resend, TOKEN, "application/json", "{", 400, Some("malformed")),
        (resend, TOKEN, "application/json", r#"{"email":7,"phoneNumber":"0"}"#, 400, Some("malformed")),
        (resend, TOKEN, "application/json", "{}", 400, Some("missing_field")),
        (resend, TOKEN, "application/json", r#"{"phoneNumber":"0"}"#, 400, Some("invalid_phone")),
        (resend, TOKEN, "application/json", abroad, 200, None),
        (resend, TOKEN, "application/json", own_and_cooling, 400, Some("cooldown")),
    ] {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", media_type);
        let reply = app.call(request.body(Body::from(body)).unwrap()).await;
        let said = reply.headers.get("countersign-reason").map(|value| value.to_str().unwrap());
        assert_eq!((reply.status.as_u16(), said), (status, reason), "{path} {token} {media_type} {body}");
    }
}

#[tokio::test]
async fn two_tokens_or_a_token_of_another_kind_are_no_token() {
    let app = App::new();
    for values in [
        vec!["Bearer dev-zap-token", "Bearer dev-zap-token"],
        vec!["Basic dev-zap-token"],
        vec!["dev-zap-token"],
        vec![""],
    ] {
        let mut request = Request::post("/v1/otp/resend").header("content-type", "application/json");
        for value in &values {
            request = request.header("authorization", *value);
        }
        let reply = app.call(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(reply.says(), said(401, "Unauthorised"), "{values:?}");
    }
}

fn read(section: Value) -> Result<Config, String> {
    serde_json::from_value(section).map_err(|error| error.to_string())
}

#[test]
fn a_token_is_given_as_its_hash_or_in_clear_but_not_both() {
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for good in [
        json!({ "token_sha256": hash }),
        json!({ "token": "t" }),
        json!({ "token": "t", "scopes": ["start"] }),
    ] {
        assert!(read(json!({ "tokens": [with_tenant(&good)] })).is_ok(), "{good}");
    }
    for bad in [
        json!({}),
        json!({ "token": "" }),
        json!({ "token": "t", "token_sha256": hash }),
        json!({ "token_sha256": "e3b0" }),
        json!({ "token": "t", "scopes": ["admin"] }),
        json!({ "token": "t", "tennant": "x" }),
    ] {
        assert!(read(json!({ "tokens": [with_tenant(&bad)] })).is_err(), "{bad}");
    }
}

fn with_tenant(token: &Value) -> Value {
    let mut token = token.clone();
    token["tenant"] = json!("acme");
    token
}

#[test]
fn settings_have_their_documented_values_only() {
    for good in
        [json!({ "rate_status": 429 }), json!({ "phone_max": 18 }), json!({ "unknown_fields": "ignore" })]
    {
        assert!(read(json!({ "tenants": { "acme": good } })).is_ok(), "{good}");
    }
    for bad in [
        json!({ "rate_status": 420 }),
        json!({ "phone_max": 16 }),
        json!({ "multi_destination": "both" }),
        json!({ "stict": true }),
    ] {
        assert!(read(json!({ "tenants": { "acme": bad } })).is_err(), "{bad}");
    }
}

#[test]
fn a_section_that_names_what_does_not_exist_is_refused() {
    let hook =
        |url: &str| json!({ "acme": { "forgot_password_hook": { "url": url, "signing_keys": ["k"] } } });
    for (section, why) in [
        (json!({ "tokens": [{ "tenant": "acne", "token": "t" }] }), "there is no tenant \"acne\""),
        (json!({ "tenants": { "acne": {} } }), "there is no tenant \"acne\""),
        (json!({ "auth": "none" }), "auth = \"none\" needs default_tenant"),
        (json!({ "auth": "none", "default_tenant": "acne" }), "there is no tenant \"acne\""),
        (
            json!({ "tokens": [{ "tenant": "acme", "token": "t" }, { "tenant": "acme", "token": "t" }] }),
            "one token stands twice",
        ),
        (
            json!({ "tenants": hook("http://app.example") }),
            "forgot_password_hook of tenant \"acme\": not https",
        ),
        (
            json!({ "tenants": { "acme": {
                "directory_hook": { "url": "http://app.example", "signing_keys": ["k"] },
            } } }),
            "directory_hook of tenant \"acme\": not https",
        ),
    ] {
        assert_eq!(App::open(read(section).unwrap()).err().unwrap().to_string(), why);
    }
}

#[test]
fn no_secret_is_printed() {
    let config = read(json!({
        "tokens": [{ "tenant": "acme", "token": "the-token" }],
        "tenants": { "acme": {
            "forgot_password_hook": { "url": "https://app.example/the-path", "signing_keys": ["the-key"] },
            "directory_hook": { "url": "https://app.example/the-path", "signing_keys": ["the-key"] },
        } },
    }));
    let printed = format!("{:?}", config.unwrap());
    for secret in ["the-token", "the-path", "the-key", "digest"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
