//! ZITADEL's calls over the REST gateway and Connect.

use serde_json::{Value, json};

use super::super::corpus::{ODD_DIGITS, ODD_MARKS, misspelt_numbers, odd};
use super::{Dialect, JSON, messages, open, refused};
use crate::support::Server;

/// Of a service that owns the organisation of dev mode.
pub(super) const SERVICE: &str = "Authorization: Bearer dev-zitadel-service-token";
/// Of somebody in it whose phone and mailbox wait for a code.
const PERSON: &str = "Authorization: Bearer dev-zitadel-human-token";
/// Somebody who is created for a test.
const USER: &str = "163840776835432705";

/// About a user who does not exist: whatever of these bodies can be read ends there. Unknown members are
/// ignored, and any media type is taken for JSON.
pub(super) fn rest() -> Dialect {
    Dialect {
        headers: vec![SERVICE.to_owned()],
        calls: vec![
            ("POST", "/v2/users/nobody/phone".to_owned(), json!({"phone": "+12125550123", "returnCode": {}})),
            ("POST", "/v2/users/nobody/phone/verify".to_owned(), json!({"verificationCode": "ABC123"})),
            ("POST", "/v2beta/users/nobody/email/verify".to_owned(), json!({"verificationCode": "ABC123"})),
            (
                "POST",
                "/v2/users/nobody/email".to_owned(),
                json!({"email": "a@example.com", "returnCode": {}}),
            ),
            ("POST", "/v2/users/nobody/phone/resend".to_owned(), json!({"returnCode": {}, "userId": "x"})),
            ("PUT", "/auth/v1/users/me/phone".to_owned(), json!({"phone": "+12125550123"})),
            ("POST", "/auth/v1/users/me/phone/_verify".to_owned(), json!({"code": "ABC123"})),
            ("POST", "/auth/v1/users/me/phone/_resend_verification".to_owned(), json!({"unknown": "x"})),
            ("PUT", "/auth/v1/users/me/email".to_owned(), json!({"email": "a@example.com"})),
            ("POST", "/auth/v1/users/me/email/_verify".to_owned(), json!({"code": "ABC123"})),
            ("PUT", "/management/v1/users/nobody/phone".to_owned(), json!({"phone": "+12125550123"})),
            ("PUT", "/management/v1/users/nobody/email".to_owned(), json!({"email": "a@example.com"})),
        ],
        words: |answer| {
            let code = answer.json()["code"].as_u64().unwrap();
            assert!([(400, 3), (404, 5), (400, 9)].contains(&(answer.status, code)), "{answer:?}");
            assert!(!answer.text("message").is_empty(), "{answer:?}");
            code.to_string()
        },
        malformed: "3",
        needs_json: false,
    }
}

pub(super) fn connect() -> Dialect {
    let service = "/zitadel.user.v2.UserService/";
    let call = |rpc: &str, body| ("POST", format!("{service}{rpc}"), body);
    Dialect {
        headers: vec![SERVICE.to_owned()],
        calls: vec![
            call("SetPhone", json!({"userId": "nobody", "phone": "+12125550123", "returnCode": {}})),
            call("ResendPhoneCode", json!({"userId": "nobody", "returnCode": {}})),
            call("VerifyPhone", json!({"userId": "nobody", "verificationCode": "ABC123"})),
        ],
        words: |answer| {
            let code = answer.text("code");
            let own = [(400, "invalid_argument"), (404, "not_found")];
            assert!(own.contains(&(answer.status, &*code)), "{answer:?}");
            code
        },
        malformed: "invalid_argument",
        needs_json: false,
    }
}

/// How many guesses were charged to anybody's verification.
fn guesses_taken(server: &Server) -> u64 {
    let all = server.get("/v1/verifications?limit=100").json();
    all["data"].as_array().unwrap().iter().map(|one| one["checks"]["used"].as_u64().unwrap()).sum()
}

/// Creates the user; the code of the phone.
fn with_user(server: &Server, phone: &str) -> String {
    let user = json!({"userId": USER, "profile": {"givenName": "A", "familyName": "B"},
        "email": {"email": "a@example.com", "returnCode": {}}, "phone": {"phone": phone, "returnCode": {}}});
    rest().served(server, ("POST", "/v2/users/human"), &user).text("phoneCode")
}

/// Shows: A12.
#[test]
fn odd_characters_in_a_code_of_zitadels_are_no_guess() {
    let (folder, rest) = (tempfile::tempdir().unwrap(), rest());
    let server = open(&folder);
    let code = with_user(&server, "+12125550123");
    let verify = format!("/v2/users/{USER}/phone/verify");
    // With one guess left, a single text that is charged makes the right code too late.
    let wrong = json!({ "verificationCode": code.chars().rev().collect::<String>() + "X" }).to_string();
    for _ in 0..4 {
        refused(&server, &rest, ("POST", &verify), &[JSON], wrong.as_bytes());
    }
    // A code without digits has no other spelling in other scripts.
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS).into_iter().filter(|text| *text != code) {
        let body = json!({ "verificationCode": text }).to_string();
        refused(&server, &rest, ("POST", &verify), &[JSON], body.as_bytes());
    }
    assert_eq!(guesses_taken(&server), 4, "the wrong ones, and no others");
    rest.served(&server, ("POST", &verify), &json!({ "verificationCode": code }));
    server.stop();
}

#[test]
fn odd_characters_in_a_code_of_zitadels_v1_are_no_guess() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let person = Dialect { headers: vec![PERSON.to_owned()], ..rest() };
    let me = "/auth/v1/users/me/phone";
    person.served(&server, ("POST", &format!("{me}/_resend_verification")), &json!({}));
    let (code, verify) = (server.code_for("+41791234567"), format!("{me}/_verify"));
    let wrong = json!({ "code": code.chars().rev().collect::<String>() + "X" }).to_string();
    for _ in 0..4 {
        refused(&server, &person, ("POST", &verify), &[JSON], wrong.as_bytes());
    }
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS).into_iter().filter(|text| *text != code) {
        let body = json!({ "code": text }).to_string();
        let words = refused(&server, &person, ("POST", &verify), &[JSON], body.as_bytes());
        assert_eq!(words, "3", "{}", text.escape_unicode());
    }
    assert_eq!(guesses_taken(&server), 4, "the wrong ones, and no others");
    person.served(&server, ("POST", &verify), &json!({ "code": code }));
    server.stop();
}

/// These calls take numbers as people write them: what is understood is the number that is there already.
#[test]
fn another_spelling_of_a_number_is_the_same_or_none_to_zitadel() {
    let (folder, rest) = (tempfile::tempdir().unwrap(), rest());
    let server = open(&folder);
    let phone = "+12125550123";
    with_user(&server, phone);
    let before = messages(&server);
    let (set, update) = (format!("/v2/users/{USER}/phone"), format!("/management/v1/users/{USER}/phone"));
    for text in misspelt_numbers(phone) {
        for (method, path) in [("POST", &set), ("PUT", &update)] {
            let body = json!({ "phone": text }).to_string();
            let words = refused(&server, &rest, (method, path), &[JSON], body.as_bytes());
            assert!(["3", "9"].contains(&&*words), "{path}: {}: {words}", text.escape_unicode());
        }
    }
    let user = rest.served(&server, ("GET", &format!("/v2/users/{USER}")), &Value::Null).json();
    assert_eq!(user["user"]["human"]["phone"]["phone"], phone, "{user}");
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn a_user_that_no_path_can_name_is_refused_in_the_gateways_words() {
    let (folder, rest) = (tempfile::tempdir().unwrap(), rest());
    let server = open(&folder);
    for id in ["%ff", "%c0%af", "%ed%a0%80", "%00", "%0d%0a", "%e2%80%ae", "%2e%2e", &"1".repeat(4000)] {
        for (method, path) in [
            ("GET", format!("/v2/users/{id}")),
            ("POST", format!("/v2/users/{id}/phone/resend")),
            ("DELETE", format!("/v2beta/users/{id}/phone")),
            ("GET", format!("/management/v1/users/{id}/phone")),
        ] {
            refused(&server, &rest, (method, &path), &[], b"");
        }
    }
    server.stop();
}
