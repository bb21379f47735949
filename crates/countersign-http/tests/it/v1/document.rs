//! `/v1/openapi.json`.

use std::path::Path;

use countersign_http::native::openapi;
use serde_json::Value;

use crate::support::{Call, TestApp};

#[test]
fn the_checked_in_document_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/native.openapi.json");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let generated = openapi().to_pretty_json().unwrap() + "\n";
    assert!(
        checked_in == generated,
        "docs/api/native.openapi.json is out of date; renew it with\n\
         cargo run -p countersign -- openapi > docs/api/native.openapi.json"
    );
}

#[tokio::test]
async fn it_is_served_to_anybody() {
    let app = TestApp::new();
    let answer = app.send(Call::new("GET", "/v1/openapi.json").without("authorization")).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["openapi"].as_str().unwrap().split('.').next(), Some("3"));
}

/// Every `$ref` leads somewhere, every operation has an id, a summary and a success.
#[test]
fn it_is_complete() {
    let document: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
    let mut refs = Vec::new();
    collect_refs(&document, &mut refs);
    assert!(refs.len() > 20);
    for reference in refs {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<&Value> =
        paths.values().flat_map(|item| item.as_object().unwrap().values()).collect();
    assert_eq!(operations.len(), 11);
    for operation in operations {
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{operation}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.contains_key("200") && responses.contains_key("401") && responses.contains_key("503")
        );
    }
}

/// Two types of one name would silently share one description.
#[test]
fn a_delivery_and_a_way_of_delivery_are_described_apart() {
    let document: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
    let schemas = &document["components"]["schemas"];
    assert!(schemas["MessageDelivery"]["properties"]["provider"].is_object());
    assert_eq!(schemas["DeliveryMode"]["enum"], serde_json::json!(["send", "return"]));
}

fn collect_refs(value: &Value, refs: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(reference) if name == "$ref" => refs.push(reference.clone()),
                    value => collect_refs(value, refs),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_refs(item, refs)),
        _ => {}
    }
}
