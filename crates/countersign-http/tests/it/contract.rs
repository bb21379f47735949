//! What goes over the wire, held against the OpenAPI document: answers are what it says, and requests are taken
//! or refused as it says.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use countersign_http::native::openapi;
use serde_json::{Value, json};

use crate::support::{Answer, Call};

thread_local! {
    static DOCUMENT: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
}

/// Holds a call of the native API and its answer against the document. Other paths are none of its business.
pub(crate) fn assert_kept(call: &Call, answer: &Answer) {
    DOCUMENT.with(|document| {
        let Some((template, item)) = path_item(document, call.path()) else { return };
        let method = call.method().to_ascii_lowercase();
        let Some(operation) = item.get(&method) else {
            assert_eq!(answer.problem(), "method-not-allowed");
            return;
        };
        let place = format!("/paths/{}/{method}", escaped(template));
        assert_answer(document, &place, operation, answer);
        assert_request(document, &place, operation, call, answer);
    });
}

/// A fixed path stands before one with a parameter, as in the router.
fn path_item<'d>(document: &'d Value, path: &str) -> Option<(&'d str, &'d Value)> {
    let path = path.split('?').next().unwrap();
    let is = |template: &str| {
        let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let mut items: Vec<_> = document["paths"].as_object().unwrap().iter().collect();
    items.sort_by_key(|(template, _)| template.contains('{'));
    items.into_iter().find(|(template, _)| is(template)).map(|(template, item)| (template.as_str(), item))
}

/// Every answer is documented: its status, its problem by name, its media type, its members, its headers.
fn assert_answer(document: &Value, place: &str, operation: &Value, answer: &Answer) {
    let status = answer.status.as_u16().to_string();
    let documented = &operation["responses"][&status];
    assert!(documented.is_object(), "{place}: {status} is not documented");
    let media_type = answer.header("content-type").unwrap();
    assert!(
        documented["content"][media_type].is_object(),
        "{place}: {status} as {media_type} is not documented"
    );
    let place = format!("{place}/responses/{status}/content/{}/schema", escaped(media_type));
    let schema = json!({ "$ref": format!("{DOCUMENT_URL}#{place}"), "unevaluatedProperties": false });
    if let Err(why) = validate(document, &schema, &answer.json()) {
        panic!("{answer}\nis not what the document says: {why}");
    }
    let problem = answer.problem();
    let names_it = documented["description"].as_str().unwrap().contains(&format!("`{problem}`"));
    assert!(problem.is_empty() || names_it, "{place}: {problem} is not documented");
    for name in documented["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
        // Only what was opened just now has a place of its own.
        assert!(answer.header(name).is_some(), "{place}: no {name}");
    }
}

/// What was taken fits the schema of the call's body, and what was refused for a member does not.
fn assert_request(document: &Value, place: &str, operation: &Value, call: &Call, answer: &Answer) {
    let body = &operation["requestBody"];
    if !body.is_object() {
        return;
    }
    if call.body().is_empty() {
        let may_be_left_out = body["required"] != true;
        assert!(may_be_left_out || !answer.status.is_success(), "{place}: a body may be left out");
        return;
    }
    let Ok(given) = serde_json::from_slice::<Value>(call.body()) else { return };
    let schema =
        json!({ "$ref": format!("{DOCUMENT_URL}#{place}/requestBody/content/application~1json/schema") });
    let fits = validate(document, &schema, &given);
    if answer.status.is_success() {
        assert!(fits.is_ok(), "{place}: {given} was taken, and the document refuses it: {fits:?}");
    }
    if refuses_the_body(call, answer) {
        assert!(fits.is_err(), "{place}: {given} was refused, and the document takes it: {answer}");
    }
}

/// Whether the answer says that the body is not one of this call's, whoever asks and whatever is stored.
fn refuses_the_body(call: &Call, answer: &Answer) -> bool {
    if answer.problem() != "malformed-request" || call.path().contains('?') {
        return false;
    }
    let answer = answer.json();
    let detail = answer["detail"].as_str().unwrap();
    let of_the_tenant = detail.starts_with("a code of your own has") && detail.contains(" to 10 ");
    // Whether a channel reaches an address, and whether anybody carries it, no schema can say; nor that a member
    // stands twice.
    let of_the_address = answer["field"] == "channel" && !detail.starts_with("a channel must be");
    let twice = detail.contains("twice");
    !(of_the_tenant || of_the_address || twice || answer["field"] == "Idempotency-Key")
}

const DOCUMENT_URL: &str = "https://countersign.example/openapi.json";

/// Holds a value against a schema that may refer to the document.
fn validate(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource(DOCUMENT_URL, document.clone()).unwrap();
    let asked = "https://countersign.example/asked.json";
    compiler.add_resource(asked, schema.clone()).unwrap();
    let mut schemas = Schemas::new();
    let index: SchemaIndex =
        compiler.compile(asked, &mut schemas).unwrap_or_else(|why| panic!("{schema}: {why}"));
    schemas.validate(value, index).map_err(|error| error.to_string())
}

/// A name as a JSON pointer has it, within a URL's fragment.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D").replace('+', "%2B")
}

/// The checks above fail where they should: a schema that was read as "anything goes" would pass every test.
/// Shows: R12.
#[test]
fn what_the_document_does_not_say_is_found() {
    DOCUMENT.with(|document| {
        let said = |schema: &str, value: Value| {
            let schema = json!({ "$ref": format!("{DOCUMENT_URL}#/components/schemas/{schema}") });
            validate(document, &schema, &value).is_ok()
        };
        assert!(said("CheckRequest", json!({"code": "12 34-56", "context": {"amount": "10"}})));
        for looser in [
            json!(null),
            json!({}),
            json!({"code": ""}),
            json!({"code": " - "}),
            json!({"code": null}),
            json!({"code": "123456", "context": null}),
            json!({"code": "123456", "context": {"": "x"}}),
            json!({"code": "123456", "more": 1}),
            json!({"code": "1".repeat(33)}),
        ] {
            assert!(!said("CheckRequest", looser.clone()), "{looser}");
        }
        assert!(said("ResendRequest", json!({})) && !said("ResendRequest", json!(null)));
        assert!(!said("Verification", json!({"id": "ver_1"})));
        assert!(!said("Problem", json!({"type": "/problems/x", "title": "", "status": 400})));
    });
}
