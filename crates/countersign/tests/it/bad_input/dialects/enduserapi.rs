//! The end-user API: parameters in the query, in a form and in JSON; the calls by e-mail, and those with
//! passwords, which are off until there is a hook for them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::super::corpus::{ODD_DIGITS, ODD_MARKS, misspelt_mailboxes, misspelt_numbers, odd, percent};
use super::{Dialect, JSON, NOW, messages, open, refused};
use crate::support::{Answer, signed};

const PHONE: &str = "13800138000";
const MAILBOX: &str = "victim@example.com";
const SEND: &str = "/v2/sms/enduserapi/v2/sendPhoneSmsCode";
const VALIDATE: &str = "/v2/sms/enduserapi/v2/validateSmsCode";
const SEND_MAIL: &str = "/v2/mail/enduserapi/v2/sendEmail";
const VALIDATE_MAIL: &str = "/v2/mail/enduserapi/v2/validateEmailCode";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn turn() -> u64 {
    static TURN: AtomicU64 = AtomicU64::new(1);
    TURN.fetch_add(1, Ordering::Relaxed)
}

/// Properly signed, and never sent before.
fn signed_sms(phone: &str, name: &str, value: &str) -> Value {
    signed(phone, name, value, turn(), NOW.1)
}

/// The same for a mailbox, which is signed in the phone's place.
fn signed_mail(email: &str, name: &str, value: &str) -> Value {
    let mut body = signed(email, name, value, turn(), NOW.1);
    let members = body.as_object_mut().unwrap();
    members.remove("internationalCode");
    let email = members.remove("phone").unwrap();
    members.insert("email".to_owned(), email);
    body
}

/// A body as name-value pairs.
fn pairs(body: &Value) -> String {
    let pair = |(name, value): (&String, &Value)| format!("{name}={}", percent(value.as_str().unwrap()));
    body.as_object().unwrap().iter().map(pair).collect::<Vec<_>>().join("&")
}

fn words(answer: &Answer) -> String {
    let body = answer.json();
    let code = body["code"].as_i64().unwrap();
    assert_eq!((answer.status, &body["data"]), (200, &Value::Null), "{answer:?}");
    assert!((5000..6000).contains(&code) && !answer.text("msg").is_empty(), "{answer:?}");
    format!("{code} {}", body["extMsg"].as_str().unwrap_or(""))
}

/// Unsigned: whatever of these bodies can be read ends at the signature.
pub(super) fn signed_calls() -> Dialect {
    let unsigned = |mut body: Value| {
        body["signature"] = "0".repeat(64).into();
        body
    };
    let phone = |name: &str, value: &str| unsigned(signed(PHONE, name, value, 7, NOW.1));
    let mail = |name: &str, value: &str| unsigned(signed_mail(MAILBOX, name, value));
    Dialect {
        headers: Vec::new(),
        calls: vec![
            ("POST", "/v2/sms/enduserapi/v2/sendPhoneSmsCode".to_owned(), phone("codeType", "3")),
            ("POST", "/v2/sms/enduserapi/v2/validateSmsCode".to_owned(), phone("smsCode", "135790")),
            ("POST", "/v2/enduser/enduserapi/phoneSmsCodeLogin".to_owned(), phone("smsCode", "135790")),
            ("POST", SEND_MAIL.to_owned(), mail("emailType", "1")),
            ("POST", VALIDATE_MAIL.to_owned(), mail("code", "135790")),
        ],
        words,
        malformed: "5059 malformed",
        needs_json: true,
    }
}

/// Not signed upstream either.
pub(super) fn password_calls() -> Dialect {
    let agreements = json!([{"protocolType": "1", "privacyVersion": "1"}]);
    let base = json!({"userDomain": "C.DM.10271.5", "phone": PHONE, "pwd": "p"});
    let with = |name: &str, more: &Value| {
        let mut body = base.clone();
        body[name] = "135790".into();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    Dialect {
        calls: vec![
            (
                "POST",
                "/v2/enduser/enduserapi/v2/phonePwdRegister".to_owned(),
                with("smsCode", &json!({ "agreementList": agreements })),
            ),
            ("PUT", "/v2/enduser/enduserapi/userPwdReset".to_owned(), with("code", &json!({}))),
        ],
        ..signed_calls()
    }
}

#[test]
fn a_password_call_without_a_hook_is_refused_whatever_the_code() {
    let (folder, api) = (tempfile::tempdir().unwrap(), password_calls());
    let server = open(&folder);
    let sent = server.send("POST", SEND, &[JSON], &signed_sms(PHONE, "codeType", "3").to_string());
    assert_eq!(sent.json()["code"], 200, "{sent:?}");
    let code = server.code_for("+8613800138000");
    for (method, path, good) in &api.calls {
        let own = if *method == "PUT" { "code" } else { "smsCode" };
        for code in ["135790", &code] {
            let mut body = good.clone();
            body[own] = code.into();
            let words = refused(&server, &api, (method, path), &[JSON], body.to_string().as_bytes());
            assert_eq!(words, "5059 not_permitted", "{path}");
        }
    }
    let right = server.send("POST", VALIDATE, &[JSON], &signed_sms(PHONE, "smsCode", &code).to_string());
    assert_eq!(right.json()["code"], 200, "{right:?}");
    server.stop();
}

#[test]
fn pairs_that_have_two_readings_are_malformed_in_a_query_and_in_a_form() {
    let (folder, api) = (tempfile::tempdir().unwrap(), signed_calls());
    let server = open(&folder);
    let before = messages(&server);
    for (method, path, good) in &api.calls {
        let good = pairs(good);
        for more in [
            "userDomain=x",
            "user%44omain=x",
            "phone=1&phone=2",
            "x&x",
            "code_type=1&codeType=1",
            "=&=",
            "x=%",
            "x=%2",
            "x=%zz",
            "%zz=x",
            "x=%ff",
            "%ff=x",
            "x=%c0%af",
            "x=%ed%a0%80",
        ] {
            let text = format!("{good}&{more}");
            let query = format!("{path}?{text}");
            for (call, headers, body) in [(&*query, &[][..], &[][..]), (path, &[FORM], text.as_bytes())] {
                let words = refused(&server, &api, (method, call), headers, body);
                assert_eq!(words, "5059 malformed", "{call}: {more}");
            }
        }
        let raw = [good.as_bytes(), b"&x=\xff"].concat();
        assert_eq!(refused(&server, &api, (method, path), &[FORM], &raw), "5059 malformed", "{path}");
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn a_parameter_that_says_two_things_in_two_places_is_malformed() {
    let (folder, api) = (tempfile::tempdir().unwrap(), signed_calls());
    let server = open(&folder);
    for (method, path, good) in &api.calls {
        for name in good.as_object().unwrap().keys() {
            let call = format!("{path}?{name}=other");
            for (header, body) in [(JSON, good.to_string()), (FORM, pairs(good))] {
                let words = refused(&server, &api, (method, &call), &[header], body.as_bytes());
                assert_eq!(words, "5059 malformed", "{call}: {header}");
            }
        }
    }
    server.stop();
}

/// A value too long for its parameter gets the words of the parameter; one too long for a head, none.
#[test]
fn oversized_values_are_refused_wherever_they_stand() {
    let (folder, api) = (tempfile::tempdir().unwrap(), signed_calls());
    let server = open(&folder);
    for (method, path, good) in &api.calls {
        for name in good.as_object().unwrap().keys() {
            let mut body = good.clone();
            body[name] = "1".repeat(4000).into();
            let (query, form) = (format!("{path}?{}", pairs(&body)), pairs(&body));
            refused(&server, &api, (method, &query), &[], b"");
            refused(&server, &api, (method, path), &[FORM], form.as_bytes());
            refused(&server, &api, (method, path), &[JSON], body.to_string().as_bytes());
        }
        let answer = api.send(&server, (method, &format!("{path}?x={}", "1".repeat(16 * 1024))), &[], b"");
        assert_eq!((answer.status, &*answer.body), (431, ""), "{path}");
    }
    server.stop();
}

/// In each place, properly signed.
/// Shows: A12.
#[test]
fn odd_characters_in_a_code_of_enduserapi_are_no_guess() {
    let (folder, api) = (tempfile::tempdir().unwrap(), signed_calls());
    let server = open(&folder);
    let sign_sms: fn(&str, &str, &str) -> Value = signed_sms;
    for (sign, address, [send, validate], [kind, member], to) in [
        (sign_sms, PHONE, [SEND, VALIDATE], ["codeType", "smsCode"], "+8613800138000"),
        (signed_mail, MAILBOX, [SEND_MAIL, VALIDATE_MAIL], ["emailType", "code"], MAILBOX),
    ] {
        let body = |name: &str, value: &str| sign(address, name, value);
        let sent = server.send("POST", send, &[JSON], &body(kind, "3").to_string());
        assert_eq!(sent.json()["code"], 200, "{sent:?}");
        let code = server.code_for(to);
        for (n, text) in odd(&code, &ODD_DIGITS, &ODD_MARKS).iter().enumerate() {
            let body = body(member, text);
            let words = match n % 3 {
                0 => refused(&server, &api, ("POST", validate), &[JSON], body.to_string().as_bytes()),
                1 => refused(&server, &api, ("POST", validate), &[FORM], pairs(&body).as_bytes()),
                _ => refused(&server, &api, ("POST", &format!("{validate}?{}", pairs(&body))), &[], b""),
            };
            assert!(words.starts_with("5037"), "{}: {words}", text.escape_unicode());
        }
        let right = server.send("POST", validate, &[JSON], &body(member, &code).to_string());
        assert_eq!(right.json()["code"], 200, "{right:?}");
    }
    server.stop();
}

#[test]
fn another_spelling_of_an_address_is_the_same_or_none_to_enduserapi() {
    let (folder, api) = (tempfile::tempdir().unwrap(), signed_calls());
    let server = open(&folder);
    for (path, body, to) in [
        (SEND, signed_sms("+8613800138000", "codeType", "3"), "+8613800138000"),
        (SEND_MAIL, signed_mail(MAILBOX, "emailType", "1"), MAILBOX),
    ] {
        let sent = server.send("POST", path, &[JSON], &body.to_string());
        assert_eq!(sent.json()["code"], 200, "{sent:?}");
        server.code_for(to);
    }
    let before = messages(&server);
    let numbers =
        misspelt_numbers("+8613800138000").into_iter().map(|text| (SEND, signed_sms(&text, "codeType", "3")));
    let mailboxes =
        misspelt_mailboxes(MAILBOX).into_iter().map(|text| (SEND_MAIL, signed_mail(&text, "emailType", "1")));
    for (path, body) in numbers.chain(mailboxes) {
        let words = refused(&server, &api, ("POST", path), &[JSON], body.to_string().as_bytes());
        // The same address was written to a moment ago.
        assert!(["5019 ", "5040 ", "5058 retry_after=60"].contains(&&*words), "{body}: {words}");
    }
    assert_eq!(messages(&server), before);
    server.stop();
}
