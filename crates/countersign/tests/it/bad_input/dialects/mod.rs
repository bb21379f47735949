//! The same for the dialects whose callers are end users' devices, and for ZITADEL's: what cannot be read is
//! answered in each one's own words, and nobody is charged for it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::corpus::{ODD_DIGITS, ODD_MARKS, broken, misspelt_numbers, odd};
use crate::support::{Answer, Installation, Server, request, signed};

const JSON: &str = "Content-Type: application/json";
/// The time at which the service's clock stands.
const NOW: (&str, i64) = ("2030-01-01T00:00:00Z", 1_893_456_000_000);

/// A wire API with calls that take bodies.
struct Dialect {
    headers: &'static [&'static str],
    /// Method, path, a good body.
    calls: Vec<(&'static str, &'static str, Value)>,
    /// The words of a refusal; fails the test if it is none, or has another form than all refusals.
    words: fn(&Answer) -> String,
    /// What it says of a body that is no JSON object.
    malformed: &'static str,
    /// Whether a body of another media type is one it does not read.
    needs_json: bool,
}

fn crypterium() -> Dialect {
    let phone = "+12125550123";
    Dialect {
        headers: &["X-Merchant-ID: bece038f-2e46-49f4-b25e-89cd38d6dc16", "X-Fingerprint: 1234444"],
        calls: vec![
            ("POST", "/v2/mobile/signup", json!({"phone": phone, "password": "p"})),
            ("POST", "/v2/mobile/phone/confirm", json!({"phone": phone, "smsCode": "135790"})),
            ("POST", "/v2/mobile/phone/verify/resend", json!({ "phone": phone })),
            ("POST", "/v2/mobile/password/reset", json!({ "phone": phone })),
            ("POST", "/v2/mobile/password/reset/confirm/code", json!({"phone": phone, "code": "135790"})),
            (
                "POST",
                "/v2/mobile/password/reset/confirm",
                json!({"phone": phone, "code": "135790", "password": "p"}),
            ),
        ],
        words: |answer| {
            let body = answer.json();
            assert_eq!((answer.status, &body["systemId"]), (400, &json!("core")), "{answer:?}");
            assert!(body["errorId"].is_u64() && !answer.text("message").is_empty(), "{answer:?}");
            answer.text("error")
        },
        malformed: "INVALID_REQUEST_BODY",
        needs_json: true,
    }
}

/// Unsigned: whatever of these bodies can be read ends at the signature.
fn end_user() -> Dialect {
    let body = |name: &str, value: &str| {
        let mut body = signed("13800138000", name, value, 7, NOW.1);
        body["signature"] = "0".repeat(64).into();
        body
    };
    Dialect {
        headers: &[],
        calls: vec![
            ("POST", "/v2/sms/enduserapi/v2/sendPhoneSmsCode", body("codeType", "3")),
            ("POST", "/v2/sms/enduserapi/v2/validateSmsCode", body("smsCode", "135790")),
            ("POST", "/v2/enduser/enduserapi/phoneSmsCodeLogin", body("smsCode", "135790")),
        ],
        words: |answer| {
            let body = answer.json();
            let code = body["code"].as_i64().unwrap();
            assert_eq!((answer.status, &body["data"]), (200, &Value::Null), "{answer:?}");
            assert!((5000..6000).contains(&code) && !answer.text("msg").is_empty(), "{answer:?}");
            format!("{code} {}", body["extMsg"].as_str().unwrap_or(""))
        },
        malformed: "5059 malformed",
        needs_json: true,
    }
}

/// About a user who does not exist: whatever of these bodies can be read ends there. Unknown members are
/// ignored, and any media type is taken for JSON.
fn zitadel_rest() -> Dialect {
    Dialect {
        headers: &["Authorization: Bearer zitadel-token"],
        calls: vec![
            ("POST", "/v2/users/nobody/phone", json!({"phone": "+12125550123", "returnCode": {}})),
            ("POST", "/v2/users/nobody/phone/verify", json!({"verificationCode": "ABC123"})),
            ("POST", "/v2beta/users/nobody/email/verify", json!({"verificationCode": "ABC123"})),
        ],
        words: |answer| {
            let code = answer.json()["code"].as_u64().unwrap();
            assert!([(400, 3), (404, 5)].contains(&(answer.status, code)), "{answer:?}");
            assert!(!answer.text("message").is_empty(), "{answer:?}");
            code.to_string()
        },
        malformed: "3",
        needs_json: false,
    }
}

fn zitadel_connect() -> Dialect {
    let service = "/zitadel.user.v2.UserService/";
    let call = |rpc: &str, body| ("POST", &*format!("{service}{rpc}").leak(), body);
    Dialect {
        headers: &["Authorization: Bearer zitadel-token"],
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

/// An installation that serves ZITADEL's calls to an organisation's owner.
fn with_zitadel() -> Installation {
    let installation = Installation::new("");
    installation.configure_more(
        "[[dialects.zitadel.tokens]]\ntenant = 'acme'\norganization = '69629023906488334'\n\
         user = 'service'\nrole = 'org_owner'\ntoken = 'zitadel-token'\n",
    );
    installation
}

fn open(folder: &tempfile::TempDir) -> Server {
    Server::dev(folder.path(), &["--fixed-clock", NOW.0])
}

/// Sends it; what came back is one of the API's own refusals, and shows nothing of the inside.
fn refused(server: &Server, dialect: &Dialect, call: (&str, &str), headers: &[&str], body: &[u8]) -> String {
    let headers = [dialect.headers, headers].concat();
    let answer = server.exchange(&request(call.0, call.1, &headers, body));
    let words = (dialect.words)(&answer);
    for inside in ["panick", ".rs:", "serde", "expected", "line 1", "column", "backtrace"] {
        assert!(!answer.body.contains(inside), "{}: {answer:?}", body.escape_ascii());
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    words
}

fn messages(server: &Server) -> usize {
    server.get("/dev/inbox?limit=1000").json()["messages"].as_array().unwrap().len()
}

fn says_what_it_cannot_read(server: &Server, dialect: &Dialect) {
    for (method, path, good) in &dialect.calls {
        for (why, body) in broken(good) {
            let words = refused(server, dialect, (method, path), &[JSON], &body);
            let unread = ["truncated", "no object", "not JSON", "a member twice", "17 deep"].contains(&why);
            let named = words == dialect.malformed || body.is_empty();
            assert!(!unread || named, "{path}: {why}: {}: {words}", body.escape_ascii());
        }
    }
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_dialect_says_in_its_own_words_what_it_cannot_read() {
    for dialect in [crypterium(), end_user()] {
        let folder = tempfile::tempdir().unwrap();
        let server = open(&folder);
        let before = messages(&server);
        says_what_it_cannot_read(&server, &dialect);
        assert_eq!(messages(&server), before);
        server.stop();
    }
}

#[test]
fn a_dialect_reads_no_body_of_another_media_type() {
    for dialect in [crypterium(), end_user()].iter().filter(|dialect| dialect.needs_json) {
        let folder = tempfile::tempdir().unwrap();
        let server = open(&folder);
        for (method, path, good) in &dialect.calls {
            for header in [
                &[][..],
                &["Content-Type: text/plain"],
                &["Content-Type: application/jsonx"],
                &["Content-Type: multipart/form-data; boundary=application/json"],
                &["Content-Type:"],
                &[JSON, JSON],
            ] {
                let body = good.to_string();
                let words = refused(&server, dialect, (method, path), header, body.as_bytes());
                assert_eq!(words, dialect.malformed, "{path}: {header:?}");
            }
        }
        server.stop();
    }
}

#[test]
fn odd_characters_in_a_code_of_crypterium_are_no_guess() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), crypterium());
    let server = open(&folder);
    let phone = "+12125550123";
    let call = |path: &str, body: Value| {
        server.send("POST", path, &[vault.headers, &[JSON]].concat(), &body.to_string())
    };
    assert_eq!(call("/v2/mobile/signup", json!({"phone": phone, "password": "p"})).status, 200);
    let code = server.code_for(phone);
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS) {
        let body = json!({"phone": phone, "smsCode": text}).to_string();
        let words = refused(&server, &vault, ("POST", "/v2/mobile/phone/confirm"), &[JSON], body.as_bytes());
        assert_eq!(words, "NOT_VALID_REQUEST_DATA", "{}", text.escape_unicode());
    }
    let confirmed = call("/v2/mobile/phone/confirm", json!({"phone": phone, "smsCode": code}));
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    server.stop();
}

/// Properly signed, each of them.
#[test]
fn odd_characters_in_a_code_of_enduserapi_are_no_guess() {
    static TURN: AtomicU64 = AtomicU64::new(1);
    let (folder, api) = (tempfile::tempdir().unwrap(), end_user());
    let server = open(&folder);
    let body = |name: &str, value: &str| {
        signed("13800138000", name, value, TURN.fetch_add(1, Ordering::Relaxed), NOW.1).to_string()
    };
    let validate = "/v2/sms/enduserapi/v2/validateSmsCode";
    let sent = server.send("POST", "/v2/sms/enduserapi/v2/sendPhoneSmsCode", &[JSON], &body("codeType", "3"));
    assert_eq!(sent.json()["code"], 200, "{sent:?}");
    let code = server.code_for("+8613800138000");
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS) {
        let words = refused(&server, &api, ("POST", validate), &[JSON], body("smsCode", &text).as_bytes());
        assert!(words.starts_with("5037") || words.starts_with("5420"), "{}: {words}", text.escape_unicode());
    }
    let right = server.send("POST", validate, &[JSON], &body("smsCode", &code));
    assert_eq!(right.json()["code"], 200, "{right:?}");
    server.stop();
}

#[test]
fn another_spelling_of_a_number_is_none_to_crypterium() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), crypterium());
    let server = open(&folder);
    let before = messages(&server);
    for text in misspelt_numbers("+12125550123") {
        let body = json!({ "phone": text, "password": "p" }).to_string();
        let words = refused(&server, &vault, ("POST", "/v2/mobile/signup"), &[JSON], body.as_bytes());
        assert_eq!(words, "NOT_VALID_REQUEST_DATA", "{}", text.escape_unicode());
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn zitadels_calls_say_in_their_own_words_what_they_cannot_read() {
    let installation = with_zitadel();
    let server = installation.serve();
    for dialect in [zitadel_rest(), zitadel_connect()] {
        says_what_it_cannot_read(&server, &dialect);
    }
    server.stop();
}

#[test]
fn odd_characters_in_a_code_of_zitadels_are_no_guess() {
    let installation = with_zitadel();
    let (server, rest) = (installation.serve(), zitadel_rest());
    let call = |path: &str, body: Value| {
        server.send("POST", path, &[rest.headers, &[JSON]].concat(), &body.to_string())
    };
    let user = json!({"userId": "163840776835432705", "profile": {"givenName": "A", "familyName": "B"},
        "email": {"email": "a@example.com", "returnCode": {}},
        "phone": {"phone": "+12125550123", "returnCode": {}}});
    let created = call("/v2/users/human", user);
    let code = created.text("phoneCode");
    let verify = "/v2/users/163840776835432705/phone/verify";
    // A code without digits has no other spelling in other scripts.
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS).into_iter().filter(|text| *text != code) {
        let body = json!({ "verificationCode": text }).to_string();
        refused(&server, &rest, ("POST", verify), &[JSON], body.as_bytes());
    }
    let verified = call(verify, json!({ "verificationCode": code }));
    assert_eq!(verified.status, 200, "{verified:?}");
    server.stop();
}
