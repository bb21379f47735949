//! Input with two readings, none, or too much of it: a documented refusal, no attempt charged, nothing
//! sent, never a 5xx.

use serde_json::json;

use crate::support::{ALICE, Answer, Call, TestApp};

struct Victim {
    app: TestApp,
    id: String,
    code: String,
}

impl Victim {
    /// A pending verification that bad input must not touch.
    async fn new() -> Self {
        let app = TestApp::with(|tenant| tenant.policy.allow_custom_codes = true);
        let id = app.start(ALICE).await;
        let code = app.code().await;
        Self { app, id, code }
    }

    /// Every call that takes a body.
    fn paths(&self) -> [String; 4] {
        let id = &self.id;
        [
            "/v1/verifications".into(),
            "/v1/verifications/check".into(),
            format!("/v1/verifications/{id}/check"),
            format!("/v1/verifications/{id}/resend"),
        ]
    }

    /// Nothing was charged, sent or ended by any of it.
    async fn assert_untouched(self) {
        assert!(self.app.sent().await.is_empty());
        assert_eq!(self.app.checks_used(&self.id).await, 0);
        let counted = self.app.get("/v1/recipients/+12125550101").await.json();
        assert_eq!(
            (&counted["starts"]["last_hour"], &counted["failed_checks"]["last_24h"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(self.app.check(&self.id, &self.code).await, (true, String::new()));
    }
}

fn assert_malformed(answer: &Answer, input: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.problem().as_str()),
        (400, "malformed-request"),
        "{input}: {answer}"
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed_everywhere() {
    let victim = Victim::new().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(5_000));
    for body in [
        "{",
        "[]",
        "null",
        "\"x\"",
        "1",
        "1e999",
        "nul",
        "{}x",
        "{} {}",
        "\u{feff}{}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"to\":\"\\ud800\"}",
        "{\"to\":\"a\u{0}\"}",
        "// x\n{}",
        "NaN",
        &deep,
    ] {
        for path in victim.paths() {
            assert_malformed(&victim.app.send(Call::post(&path).text(body)).await, body);
        }
    }
    for path in victim.paths() {
        let binary =
            Call::post(&path).bytes(b"{\"code\":\"\xff\xfe\"}").header("content-type", "application/json");
        assert_malformed(&victim.app.send(binary).await, "bytes that are no UTF-8");
    }
    victim.assert_untouched().await;
}

/// Shows: A11.
#[tokio::test]
async fn a_member_that_stands_twice_or_is_unknown_is_named() {
    let victim = Victim::new().await;
    let code = &victim.code;
    let [start, by_recipient, check, resend] = victim.paths();
    for (path, body, field) in [
        (&check, format!(r#"{{"code":"{code}","code":"{code}"}}"#), "code"),
        (&check, format!(r#"{{"code":"{code}","c\u006fde":"{code}"}}"#), "code"),
        (&check, format!(r#"{{"code":"{code}","context":{{"a":"1","a":"2"}}}}"#), "context.a"),
        (&check, format!(r#"{{"code":"{code}","Code":"{code}"}}"#), "Code"),
        (&check, format!(r#"{{"code":"{code}","x":{{"y":[]}}}}"#), "x"),
        (&by_recipient, format!(r#"{{"to":"{ALICE}","to":"{ALICE}","code":"{code}"}}"#), "to"),
        (&by_recipient, format!(r#"{{"to":"{ALICE}","purpose":"login","code":"{code}","id":"x"}}"#), "id"),
        (&start, format!(r#"{{"to":"{ALICE}","metadata":{{"a":"1","\u0061":"2"}}}}"#), "metadata.a"),
        (&start, format!(r#"{{"to":"{ALICE}","client":{{"ip":"::1","ip":"::1"}}}}"#), "client.ip"),
        (&start, format!(r#"{{"to":"{ALICE}","client":{{"mac":"x"}}}}"#), "client.mac"),
        (&resend, r#"{"channel":"sms","channel":"sms"}"#.into(), "channel"),
        (&resend, r#"{"code":"123456"}"#.into(), "code"),
    ] {
        let answer = victim.app.send(Call::post(path).text(&body)).await;
        assert_eq!(answer.fault(), ("malformed-request".into(), field.into()), "{body}");
    }
    victim.assert_untouched().await;
}

#[tokio::test]
async fn a_member_of_the_wrong_kind_is_named_and_its_value_is_not_repeated() {
    let victim = Victim::new().await;
    let [start, by_recipient, check, resend] = victim.paths();
    for (path, body, field) in [
        (&check, json!({"code": 123_456}), "code"),
        (&check, json!({"code": null}), "code"),
        (&check, json!({"code": ["123456"]}), "code"),
        (&check, json!({"context": {}}), "code"),
        (&check, json!({"code": "123456", "context": {"a": 1}}), "context.a"),
        (&check, json!({"code": "123456", "context": []}), "context"),
        (&by_recipient, json!({"code": "123456"}), "to"),
        (&by_recipient, json!({"to": 123_456, "code": "123456"}), "to"),
        (&by_recipient, json!({"to": ALICE, "purpose": "Log In", "code": "123456"}), "purpose"),
        (&start, json!({}), "to"),
        (&start, json!({"to": {"number": ALICE}}), "to"),
        (&start, json!({"to": ALICE, "purpose": ""}), "purpose"),
        (&start, json!({"to": ALICE, "purpose": "x".repeat(65)}), "purpose"),
        (&start, json!({"to": ALICE, "channel": "SMS"}), "channel"),
        (&start, json!({"to": ALICE, "locale": "english please"}), "locale"),
        (&start, json!({"to": ALICE, "delivery": "post"}), "delivery"),
        (&start, json!({"to": ALICE, "delivery": {"send": null}}), "delivery"),
        (&start, json!({"to": ALICE, "client": ["::1", null, null, null]}), "client"),
        (&start, json!({"to": ALICE, "client": {"ip": "123456"}}), "client.ip"),
        (&start, json!({"to": ALICE, "client": {"ip": "0127.0.0.1"}}), "client.ip"),
        (&start, json!({"to": ALICE, "client": {"device_id": "x".repeat(256)}}), "client.device_id"),
        (&start, json!({"to": ALICE, "client": {"returning": "yes"}}), "client.returning"),
        (&start, json!({"to": ALICE, "metadata": {"a": "x".repeat(1025)}}), "metadata"),
        (&start, json!({"to": ALICE, "context": {"": "x"}}), "context"),
        (&resend, json!({"channel": 5}), "channel"),
        (&resend, json!({"channel": "pigeon"}), "channel"),
    ] {
        let answer = victim.app.post(path, body.clone()).await;
        assert_eq!(answer.fault(), ("malformed-request".into(), field.into()), "{body}");
        assert!(!answer.body.contains("123456"), "{answer}");
    }
    victim.assert_untouched().await;
}

/// Shows: A12.
#[tokio::test]
async fn odd_characters_in_a_code_cost_nothing() {
    let victim = Victim::new().await;
    let [_, by_recipient, check, _] = victim.paths();
    let fullwidth: String = victim.code.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
    let arabic: String = victim.code.chars().map(|c| char::from_u32(c as u32 + 0x630).unwrap()).collect();
    let code = &victim.code;
    let mut odd =
        vec![fullwidth, arabic, String::new(), " ".into(), "-".into(), "1".repeat(129), "1".repeat(33)];
    for c in [
        "\u{200d}", "\u{202e}", "\u{feff}", "\0", "\n", "\r\n", "\t", "\u{a0}", "\u{2011}", ".", "_", "é",
        "%",
    ] {
        odd.extend([format!("{code}{c}"), format!("{c}{code}"), format!("{}{c}{}", &code[..3], &code[3..])]);
    }
    for code in odd {
        for (path, body) in [
            (&check, json!({"code": code})),
            (&by_recipient, json!({"to": ALICE, "purpose": "login", "code": code})),
        ] {
            let answer = victim.app.post(path, body).await;
            assert_eq!(answer.fault(), ("malformed-request".into(), "code".into()), "{code:?}");
        }
    }
    victim.assert_untouched().await;
}

/// Shows: A12.
#[tokio::test]
async fn odd_characters_in_an_address_make_it_no_address() {
    let victim = Victim::new().await;
    let [start, by_recipient, ..] = victim.paths();
    for to in [
        "",
        " ",
        "+",
        "+1",
        "12125550101",
        "0012125550101",
        "+1 212 555 0101",
        "+1-212-555-0101",
        "+12125550101\n",
        "+12125550101\0",
        "+1212555010１",
        "+\u{661}2125550101",
        "\u{202e}+12125550101",
        "+12125550101;ext=5",
        "tel:+12125550101",
        "+012125550101",
        "+1212555010199999",
        "＋12125550101",
        "a@",
        "@example.com",
        "a@b\r\nBcc: c@example.com",
        "a b@example.com",
        "a@example.com\n",
        "a@@example.com",
        "<a@example.com>",
        "\"a\nb\"@example.com",
        "a@exa\u{200d}mple.com",
        "a@-example.com",
        "not an address",
    ] {
        for (path, body) in
            [(&start, json!({"to": to})), (&by_recipient, json!({"to": to, "code": "123456"}))]
        {
            let answer = victim.app.post(path, body).await;
            assert_eq!(answer.fault(), ("invalid-recipient".into(), "to".into()), "{to:?}: {answer}");
            assert_eq!(answer.status, 422);
        }
    }
    victim.assert_untouched().await;
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_not_read() {
    let victim = Victim::new().await;
    for path in victim.paths() {
        let call = Call::post(&path).bytes(json!({"code": victim.code}).to_string().as_bytes());
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "*/*", ""]
        {
            let answer = victim.app.send(call.clone().header("content-type", media_type)).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (415, "unsupported-media-type"));
        }
        assert_eq!(victim.app.send(call.clone()).await.status, 415);
        let two = call.header("content-type", "application/json").header("content-type", "application/json");
        assert_eq!(victim.app.send(two).await.status, 415);
    }
    victim.assert_untouched().await;
}

#[tokio::test]
async fn a_body_over_16_kib_is_too_large() {
    let victim = Victim::new().await;
    let padded = |size: usize| {
        let body = json!({"code": "nocode"}).to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    for path in victim.paths() {
        let answer = victim.app.send(Call::post(&path).text(&padded(16 * 1024 + 1))).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "body-too-large"));
        let answer = victim.app.send(Call::post(&path).text(&padded(16 * 1024))).await;
        assert_ne!(answer.status, 413);
    }
}

#[tokio::test]
async fn a_query_where_there_is_none_is_refused() {
    let victim = Victim::new().await;
    let id = &victim.id;
    for call in [
        Call::post("/v1/verifications?to=x").json(&json!({"to": ALICE})),
        Call::new("GET", &format!("/v1/verifications/{id}?x=1")),
        Call::post(&format!("/v1/verifications/{id}/cancel?x=1")),
        Call::new("DELETE", "/v1/recipients/+12125550101?x=1"),
    ] {
        assert_malformed(&victim.app.send(call).await, "?x=1");
    }
    victim.assert_untouched().await;
}
