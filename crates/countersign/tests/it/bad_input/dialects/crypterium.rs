//! Crypterium: the calls about phones, and those about a mailbox.

use serde_json::{Value, json};

use super::super::corpus::{
    ODD_DIGITS, ODD_MARKS, broken, misspelt_mailboxes, misspelt_numbers, odd, percent,
};
use super::{Dialect, JSON, messages, open, refused};
use crate::support::{Answer, Server};

const PHONE: &str = "+12125550123";
const MAILBOX: &str = "victim@example.com";
const MERCHANT: [&str; 2] = ["X-Merchant-ID: bece038f-2e46-49f4-b25e-89cd38d6dc16", "X-Fingerprint: 1234444"];
/// What that merchant's links begin with.
const LINK: &str = "vs4Djy5GSfSyXonNONbcFgAA";

pub(super) fn phones() -> Dialect {
    Dialect {
        headers: MERCHANT.map(str::to_owned).to_vec(),
        calls: vec![
            ("POST", "/v2/mobile/signup".to_owned(), json!({"phone": PHONE, "password": "p"})),
            ("POST", "/v2/mobile/phone/confirm".to_owned(), json!({"phone": PHONE, "smsCode": "135790"})),
            ("POST", "/v2/mobile/phone/verify/resend".to_owned(), json!({ "phone": PHONE })),
            ("POST", "/v2/mobile/password/reset".to_owned(), json!({ "phone": PHONE })),
            (
                "POST",
                "/v2/mobile/password/reset/confirm/code".to_owned(),
                json!({"phone": PHONE, "code": "135790"}),
            ),
            (
                "POST",
                "/v2/mobile/password/reset/confirm".to_owned(),
                json!({"phone": PHONE, "code": "135790", "password": "p"}),
            ),
        ],
        words,
        malformed: "INVALID_REQUEST_BODY",
        needs_json: true,
    }
}

fn words(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!((answer.status, &body["systemId"]), (400, &json!("core")), "{answer:?}");
    assert!(body["errorId"].is_u64() && !answer.text("message").is_empty(), "{answer:?}");
    answer.text("error")
}

/// The calls of somebody who has signed up just now.
fn mail(server: &Server) -> Dialect {
    let phones = phones();
    phones.served(server, ("POST", "/v2/mobile/signup"), &json!({"phone": PHONE, "password": "p"}));
    let code = server.code_for(PHONE);
    let confirmed = phones.served(
        server,
        ("POST", "/v2/mobile/phone/confirm"),
        &json!({"phone": PHONE, "smsCode": code}),
    );
    Dialect {
        headers: vec![format!("Authorization: Bearer {}", confirmed.text("access_token"))],
        calls: vec![
            ("PUT", "/v2/mobile/email/add".to_owned(), json!({ "email": MAILBOX })),
            ("POST", "/v2/mobile/email/verify/resend".to_owned(), json!({"nothing": "is taken"})),
        ],
        ..phones
    }
}

/// Shows: A12.
#[test]
fn odd_characters_in_a_code_of_crypterium_are_no_guess() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), phones());
    let server = open(&folder);
    vault.served(&server, ("POST", "/v2/mobile/signup"), &json!({"phone": PHONE, "password": "p"}));
    let (code, confirm) = (server.code_for(PHONE), ("POST", "/v2/mobile/phone/confirm"));
    for text in odd(&code, &ODD_DIGITS, &ODD_MARKS) {
        let body = json!({"phone": PHONE, "smsCode": text}).to_string();
        let words = refused(&server, &vault, confirm, &[JSON], body.as_bytes());
        assert_eq!(words, "NOT_VALID_REQUEST_DATA", "{}", text.escape_unicode());
    }
    vault.served(&server, confirm, &json!({"phone": PHONE, "smsCode": code}));
    server.stop();
}

#[test]
fn another_spelling_of_a_number_is_none_to_crypterium() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), phones());
    let server = open(&folder);
    let before = messages(&server);
    for text in misspelt_numbers(PHONE) {
        let body = json!({ "phone": text, "password": "p" }).to_string();
        let words = refused(&server, &vault, ("POST", "/v2/mobile/signup"), &[JSON], body.as_bytes());
        assert_eq!(words, "NOT_VALID_REQUEST_DATA", "{}", text.escape_unicode());
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn what_crypterium_cannot_read_of_a_mailbox_is_said_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let vault = mail(&server);
    let before = messages(&server);
    for (method, path, good) in &vault.calls {
        // To send a link again takes no body.
        for (why, body) in broken(good).into_iter().filter(|(_, body)| *method == "PUT" || !body.is_empty()) {
            let words = refused(&server, &vault, (method, path), &[JSON], &body);
            let own = ["INVALID_REQUEST_BODY", "NOT_VALID_REQUEST_DATA"];
            assert!(own.contains(&&*words), "{path}: {why}: {}: {words}", body.escape_ascii());
        }
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn another_spelling_of_a_mailbox_is_the_same_or_none_to_crypterium() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let vault = mail(&server);
    let add = ("PUT", "/v2/mobile/email/add");
    vault.served(&server, add, &json!({ "email": MAILBOX }));
    server.code_for(MAILBOX);
    let before = messages(&server);
    for text in misspelt_mailboxes(MAILBOX) {
        let body = json!({ "email": text }).to_string();
        let words = refused(&server, &vault, add, &[JSON], body.as_bytes());
        // The same mailbox was written to a moment ago.
        let same = words == "SMS_CODE_DELAY_NOT_REACHED" && text.eq_ignore_ascii_case(MAILBOX);
        assert!(same || words == "NOT_VALID_REQUEST_DATA", "{}: {words}", text.escape_unicode());
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn a_link_that_cannot_be_read_is_no_guess() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let vault = mail(&server);
    vault.served(&server, ("PUT", "/v2/mobile/email/add"), &json!({ "email": MAILBOX }));
    let code = server.code_for(MAILBOX);
    let link = |token: &str| format!("/v2/mobile/email/confirm?email={MAILBOX}&token={token}");
    let token = format!("{LINK}{code}");
    let mut links: Vec<String> = odd(&code, &ODD_DIGITS, &ODD_MARKS)
        .iter()
        .map(|code| link(&format!("{LINK}{}", percent(code))))
        .collect();
    links.extend(
        ["", LINK, &code, &token[1..], &format!("A{token}"), "%ff", "%zz", "%", &"A".repeat(4000)].map(link),
    );
    for more in ["&token=x", "&email=x", "&unknown=x", "&%74oken=x"] {
        links.push(link(&token) + more);
    }
    links.extend(
        misspelt_mailboxes(MAILBOX)
            .iter()
            .filter(|text| !text.eq_ignore_ascii_case(MAILBOX))
            .map(|text| format!("/v2/mobile/email/confirm?email={}&token={token}", percent(text))),
    );
    for link in links {
        let words = refused(&server, &vault, ("GET", &link), &[], b"");
        // A space in a query is a plus sign, which makes another mailbox.
        let other = words == "CUSTOMER_VERIFICATION_CODE_INCORRECT" && link.contains("%20");
        let unread = ["INVALID_REQUEST_BODY", "NOT_VALID_REQUEST_DATA"].contains(&&*words);
        assert!(other || unread, "{link}: {words}");
    }
    vault.served(&server, ("GET", &link(&token)), &Value::Null);
    server.stop();
}
