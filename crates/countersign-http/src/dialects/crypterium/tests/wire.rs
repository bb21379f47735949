//! Forms, configuration, and what must not be printed.

use axum::body::{Body, HttpBody};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::app::{App, EMAIL_ADD, EMAIL_RESEND, MERCHANT, PHONE, RESEND, SIGNUP, error};
use crate::dialects::crypterium::Config;

#[tokio::test]
async fn every_path_has_one_method_and_says_which() {
    let app = App::new();
    for (path, method) in [
        (SIGNUP, "POST"),
        ("/v2/mobile/phone/confirm", "POST"),
        (RESEND, "POST"),
        ("/v2/mobile/password/reset", "POST"),
        ("/v2/mobile/password/reset/confirm/code", "POST"),
        ("/v2/mobile/password/reset/confirm", "POST"),
        (EMAIL_ADD, "PUT"),
        (EMAIL_RESEND, "POST"),
        ("/v2/mobile/email/confirm", "GET"),
    ] {
        for other in ["DELETE", "HEAD", "OPTIONS"] {
            let request = Request::builder().method(other).uri(path).body(Body::empty()).unwrap();
            let reply = app.call(request).await;
            assert_eq!((reply.status.as_u16(), &*reply.body), (405, ""), "{other} {path}");
            assert_eq!(reply.headers["allow"], method, "{other} {path}");
        }
        assert_eq!(app.get(&format!("{path}/")).await.status, 404, "{path} has no alias");
    }
}

#[tokio::test]
async fn the_dialect_stands_beside_the_native_api() {
    let app = App::whole();
    assert_eq!(app.resend(PHONE).await.status, 200);
    let reply = app.post("/v2/mobile/nothing", json!({})).await;
    assert_eq!(reply.headers["content-type"], "application/problem+json");
}

#[test]
fn what_is_refused_unread_has_no_body_and_a_panic_has_the_usual_one() {
    let refusal = crate::dialects::crypterium::refusal(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        (refusal.status(), refusal.body().size_hint().exact()),
        (StatusCode::PAYLOAD_TOO_LARGE, Some(0))
    );
    let panicked = crate::dialects::crypterium::refusal(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(panicked.headers()["content-length"], "155");
}

#[tokio::test]
async fn a_phone_has_the_form_of_e164() {
    let app = App::new();
    for bad in [
        "447871234567",
        "+0447871234567",
        "+1234",
        "+1234567890123456",
        "+44 7871234567",
        "+",
        "＋447871234567",
        "+44787123456\u{0667}",
        "+447871234567\n",
    ] {
        assert_eq!(app.resend(bad).await.says(), error(422), "{bad:?}");
    }
}

#[tokio::test]
async fn headers_that_stand_twice_or_are_too_long_are_refused() {
    let app = App::new();
    let body = json!({ "phone": PHONE }).to_string();
    for (name, value, answer) in
        [("x-fingerprint", "1234445", error(422)), ("x-merchant-id", MERCHANT, error(0))]
    {
        let mut request = Request::post(RESEND).header("content-type", "application/json");
        for (name, value) in [("x-merchant-id", MERCHANT), ("x-fingerprint", "1234444"), (name, value)] {
            request = request.header(name, value);
        }
        let reply = app.call(request.body(Body::from(body.clone())).unwrap()).await;
        assert_eq!(reply.says(), answer, "{name}");
    }
    for (length, answer) in [(1024, (200, None)), (1025, error(422))] {
        let fingerprint = "f".repeat(length);
        let reply = app.post_with(RESEND, &body, &[("x-fingerprint", &fingerprint)]).await;
        assert_eq!(reply.says(), answer, "{length}");
    }
}

#[tokio::test]
async fn a_call_is_judged_in_the_documented_order() {
    let secret = json!({ "signature": "required", "secret": "0123456789abcdef0123456789abcdef",
        "signature_scheme": "hmac-body" });
    let app = App::with(&secret);
    let unsigned = |body: &'static str, merchant: &'static str| {
        let app = &app;
        async move { app.post_with(RESEND, body, &[("x-merchant-id", merchant)]).await }
    };
    assert_eq!(unsigned("{", "").await.text("error"), "INVALID_REQUEST_BODY", "parse");
    assert_eq!(unsigned(r#"{"phone":"x"}"#, "").await.text("field"), "X-Merchant-ID", "headers");
    assert_eq!(unsigned(r#"{"phone":"x"}"#, "x").await.text("error"), "INVALID_SIGNATURE", "merchant");
    assert_eq!(unsigned(r#"{"phone":"x"}"#, MERCHANT).await.text("error"), "INVALID_SIGNATURE", "signature");
}

fn read(merchant: &Value) -> Result<Config, String> {
    let mut section = json!({ "merchants": [{ "id": MERCHANT, "tenant": "acme", "signature": "off" }] });
    for (name, value) in merchant.as_object().unwrap() {
        section["merchants"][0][name] = value.clone();
    }
    serde_json::from_value(section).map_err(|error| error.to_string())
}

#[test]
fn settings_have_their_documented_values_only() {
    for good in [
        json!({ "signature": "if-present" }),
        json!({ "code_life_seconds": 600 }),
        json!({ "calls": ["password-reset"] }),
    ] {
        assert!(read(&good).is_ok(), "{good}");
    }
    for bad in [
        json!({ "signature": "on" }),
        json!({ "code_life_seconds": 601 }),
        json!({ "code_life_seconds": 0 }),
        json!({ "calls": ["signin"] }),
        json!({ "sekret": "x" }),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_section_that_names_what_does_not_exist_or_could_be_guessed_is_refused() {
    let hook = json!({ "url": "http://app.example", "signing_keys": ["k"] });
    for (merchant, why) in [
        (json!({ "tenant": "acne" }), "there is no tenant \"acne\"".to_owned()),
        (json!({ "id": "acme" }), "merchant \"acme\": the id must be a UUID".to_owned()),
        (json!({ "forward_hook": hook }), format!("forward_hook of merchant {MERCHANT}: not https")),
        (
            json!({ "client_country_header": "CF IPCountry" }),
            format!("merchant {MERCHANT}: client_country_header is no name of a header"),
        ),
        (
            json!({ "signature": "required" }),
            format!("merchant {MERCHANT}: needs a secret; signature = \"off\" lets unsigned calls in"),
        ),
        (
            json!({ "secret": "0123456789abcdef0123456789abcdef", "seed_string": "abcdefghijkl" }),
            format!(
                "merchant {MERCHANT}: seed_string has less than 9 + seed_length characters, or seed_length is 0"
            ),
        ),
    ] {
        assert_eq!(App::open(read(&merchant).unwrap()).err().unwrap().to_string(), why);
    }
    let twice = json!({ "merchants": [
        { "id": MERCHANT, "tenant": "acme", "signature": "off" },
        { "id": MERCHANT.to_uppercase(), "tenant": "other", "signature": "off" },
    ] });
    let twice = App::open(serde_json::from_value(twice).unwrap()).err().unwrap();
    assert_eq!(twice.to_string(), format!("merchant {} stands twice", MERCHANT.to_uppercase()));
}

#[test]
fn no_secret_is_printed() {
    let config = read(&json!({ "secret": "the-secret", "seed_string": "the-seeds",
        "forward_hook": { "url": "https://app.example/the-path", "signing_keys": ["the-key"] } }));
    let printed = format!("{:?}", config.unwrap());
    for secret in ["the-secret", "the-seeds", "the-path", "the-key"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
