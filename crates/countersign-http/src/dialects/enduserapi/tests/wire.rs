//! Configuration, the place beside other wire APIs, and what must not be printed.

use axum::body::HttpBody;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::app::{App, OTHER_SECRET, SECRET, Setup};
use crate::dialects::enduserapi::Config;

#[tokio::test]
async fn the_dialect_stands_beside_the_native_api() {
    let app = App::build(Setup { whole: true, ..Setup::default() });
    let sent = app.make("sendPhoneSmsCode", "codeType=3&internationalCode=86&phone=13800138000").await;
    assert_eq!((sent.code(), &sent.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    assert_eq!(sent.headers["cache-control"], "no-store");
    assert!(!sent.headers.contains_key("countersign-reason"));
}

#[test]
fn what_is_refused_unread_has_no_body_and_a_panic_has_the_usual_one() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]
    {
        let refusal = crate::dialects::enduserapi::refusal(status);
        assert_eq!((refusal.status(), refusal.body().size_hint().exact()), (status, Some(0)));
    }
    let panicked = crate::dialects::enduserapi::refusal(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        (panicked.status().as_u16(), &panicked.headers()["content-length"]),
        (500, &"69".parse().unwrap())
    );
}

fn read(section: Value) -> Result<Config, String> {
    serde_json::from_value(section).map_err(|error| error.to_string())
}

fn domain(more: &Value) -> Value {
    let mut domain = json!({ "user_domain": "C.1", "tenant": "acme", "secret": SECRET });
    for (name, value) in more.as_object().unwrap() {
        domain[name] = value.clone();
    }
    domain
}

#[test]
fn settings_have_their_documented_values_only() {
    for good in [
        json!({ "signature_scheme": "hmac-fields" }),
        json!({ "countries": ["1", "44", "234"] }),
        json!({ "code_types": [1, 5] }),
        json!({ "calls": ["sendPhoneSmsCode", "userPwdReset"] }),
        json!({ "sender": { "templates": { "1": "T" } } }),
        json!({ "secret": "x".repeat(32) }),
    ] {
        assert!(read(json!({ "user_domains": [domain(&good)] })).is_ok(), "{good}");
    }
    for bad in [
        json!({ "user_domain": "" }),
        json!({ "user_domain": "C DM" }),
        json!({ "user_domain": "a".repeat(65) }),
        json!({ "secret": "x".repeat(31) }),
        json!({ "countries": [] }),
        json!({ "countries": ["+86"] }),
        json!({ "countries": ["086"] }),
        json!({ "code_types": [6] }),
        json!({ "calls": ["login"] }),
        json!({ "signature_scheme": "md5" }),
        json!({ "sender": { "templates": { "6": "T" } } }),
        json!({ "sing_email": true }),
    ] {
        assert!(read(json!({ "user_domains": [domain(&bad)] })).is_err(), "{bad}");
    }
}

#[test]
fn a_section_that_names_what_cannot_be_is_refused() {
    let other = json!({ "user_domain": "C.2", "tenant": "other", "secret": OTHER_SECRET });
    let with = |more: Value| {
        let mut other = other.clone();
        for (name, value) in more.as_object().unwrap() {
            other[name] = value.clone();
        }
        json!({ "user_domains": [domain(&json!({})), other] })
    };
    let hook = json!({ "url": "http://app.example", "signing_keys": ["k"] });
    let account = json!({ "id": "A" });
    for (section, why) in [
        (with(json!({ "tenant": "acne" })), "there is no tenant \"acne\""),
        (with(json!({ "user_domain": "C.1" })), "the user domain \"C.1\" stands twice"),
        (
            with(json!({ "tenant": "acme" })),
            "the tenant \"acme\" has two user domains; give each a tenant of its own",
        ),
        (with(json!({ "secret": SECRET })), "the user domains \"C.1\" and \"C.2\" have one secret"),
        (with(json!({ "register_hook": hook })), "register_hook of user domain \"C.2\": not https"),
        (json!({ "sms_accounts": [account, account] }), "the id \"A\" stands twice"),
    ] {
        let opened = App::open(read(section).unwrap(), Setup::default());
        assert_eq!(opened.err().unwrap().to_string(), why);
    }
}

/// Shows: A18.
#[test]
fn no_secret_is_printed() {
    let hook = json!({ "url": "https://app.example/the-path", "signing_keys": ["the-key"] });
    let config = read(json!({ "user_domains": [domain(&json!({ "register_hook": hook }))] })).unwrap();
    let printed = format!("{config:?}");
    for secret in [SECRET, "the-path", "the-key"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
