//! The section of the configuration: what it takes and what it refuses.

use countersign_core::names::Channel;
use countersign_core::testkit::tenant;
use serde_json::{Value, json};

use super::app::App;
use crate::dialects::zitadel::{Config, Role};

fn read(section: Value) -> Result<Config, String> {
    serde_json::from_value(section).map_err(|error| error.to_string())
}

/// A section of one token with these members besides.
fn token(more: &Value) -> Value {
    let mut token = json!({ "tenant": "acme", "organization": "1", "user": "2" });
    token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "tokens": [token] })
}

#[test]
fn a_token_is_given_as_its_hash_or_in_clear_but_not_both() {
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for good in [json!({ "token_sha256": hash }), json!({ "token": "t", "role": "org_owner" })] {
        assert!(read(token(&good)).is_ok(), "{good}");
    }
    for bad in [
        json!({}),
        json!({ "token": "" }),
        json!({ "token": "t", "token_sha256": hash }),
        json!({ "token_sha256": "e3b0" }),
        json!({ "token": "t", "role": "admin" }),
        json!({ "token": "t", "kind": "robot" }),
        json!({ "token": "t", "user": "" }),
        json!({ "token": "t", "organisation": "1" }),
    ] {
        assert!(read(token(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn only_a_service_that_owns_its_organisation_reads_codes_unless_it_is_said() {
    let reads = |more: Value| read(token(&more)).unwrap().tokens[0].return_code;
    assert!(reads(json!({ "token": "t", "role": "org_owner" })));
    assert!(!reads(json!({ "token": "t", "role": "org_owner_viewer" })));
    assert!(!reads(json!({ "token": "t", "role": "org_owner", "kind": "human" })));
    assert!(reads(json!({ "token": "t", "kind": "human", "return_code": true })));
    assert_eq!(read(token(&json!({ "token": "t" }))).unwrap().tokens[0].role, Role::None);
}

#[test]
fn settings_have_their_documented_values_only() {
    for good in [
        json!({ "code_length": 8, "code_alphabet": "digits" }),
        json!({ "phone_code_life": 600, "email_code_life": 86_400 }),
    ] {
        assert!(read(json!({ "tenants": { "acme": good } })).is_ok(), "{good}");
    }
    for bad in [
        json!({ "code_length": 5 }),
        json!({ "code_length": 11 }),
        json!({ "code_alphabet": "lower" }),
        json!({ "phone_code_life": 601 }),
        json!({ "email_code_life": 86_401 }),
        json!({ "verify_any": true }),
    ] {
        assert!(read(json!({ "tenants": { "acme": bad } })).is_err(), "{bad}");
    }
}

#[test]
fn a_section_that_names_what_does_not_exist_is_refused() {
    let one = json!({ "tenant": "acme", "organization": "1", "user": "2", "token": "t" });
    for (section, why) in [
        (token(&json!({ "token": "t", "tenant": "acne" })), "there is no tenant \"acne\""),
        (json!({ "tenants": { "acne": {} } }), "there is no tenant \"acne\""),
        (json!({ "tokens": [one, one] }), "one token stands twice"),
        (
            json!({ "tenants": { "acme": { "default_region": "XX" } } }),
            "default_region of tenant \"acme\": there is no region \"XX\"",
        ),
    ] {
        let opened = App::open(section, tenant("acme"), &Channel::ALL, None);
        assert_eq!(opened.err().unwrap().to_string(), why);
    }
}

/// Shows: A18.
#[test]
fn no_token_is_printed() {
    let printed = format!("{:?}", read(token(&json!({ "token": "the-token" }))).unwrap());
    assert!(!printed.contains("the-token") && !printed.contains("digest"), "{printed}");
}
