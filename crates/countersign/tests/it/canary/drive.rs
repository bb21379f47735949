//! Every path of every wire API, for one canary.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::dialects;
use super::{Canary, KEYS, PURPOSE, ZAP_TOKEN};
use crate::support::{Answer, Webhook, call, call_over_http_2};

/// One answer.
pub(super) struct Said {
    pub(super) answer: Answer,
    /// A code or a token, where it was asked for.
    pub(super) returned: Option<String>,
}

impl Said {
    /// All of it.
    pub(super) fn text(&self) -> String {
        format!("{:?} {:?}", self.answer.headers, self.answer)
    }
}

pub(super) const JSON: &str = "Content-Type: application/json";

pub(super) struct Driver<'a> {
    address: SocketAddr,
    pub(super) webhook: &'a Webhook,
    pub(super) canary: &'a Canary,
    said: Vec<Said>,
}

/// The paths that all take, then one of the others in turn.
pub(super) fn drive(address: SocketAddr, webhook: &Webhook, canary: &Canary) -> Vec<Said> {
    let mut driver = Driver { address, webhook, canary, said: Vec::new() };
    driver.own_code();
    match canary.number / 2 % 13 {
        0 => driver.drawn_code(),
        1 | 2 if canary.tenant() == 0 => driver.zap(),
        1 => driver.returned_code(),
        2 => driver.exhausted(),
        3 => driver.malformed(),
        4 => driver.lost_paths(),
        5 => driver.strangers(),
        6 => driver.unread(),
        7 => driver.looked_after(),
        8 => driver.erased(),
        9 if canary.tenant() == 0 => driver.zap_refused(),
        9 | 10 => dialects::crypterium(&mut driver),
        11 => dialects::enduserapi(&mut driver),
        _ => dialects::zitadel(&mut driver),
    }
    driver.said
}

impl Driver<'_> {
    /// Whether its calls go over HTTP/2: some of each kind, but not what only HTTP/1 can say.
    fn over_http_2(&self) -> bool {
        self.canary.number / 2 % 32 == 7 && self.canary.number / 2 % 13 != 6
    }

    pub(super) fn send(&mut self, method: &str, path: &str, headers: &[&str], body: &str) -> &Answer {
        let call = if self.over_http_2() { call_over_http_2 } else { call };
        let answer = call(self.address, method, path, headers, body).unwrap();
        assert!(answer.status < 500, "{method} {path}: {answer:?}");
        self.said.push(Said { answer, returned: None });
        &self.said.last().unwrap().answer
    }

    /// Notes what the latest answer handed out: it must be found nowhere else.
    pub(super) fn handed_out(&mut self, secret: &str) {
        self.said.last_mut().unwrap().returned = Some(secret.to_owned());
    }

    fn authorization(&self) -> String {
        format!("Authorization: Bearer {}", KEYS[self.canary.tenant()])
    }

    fn post(&mut self, path: &str, body: &Value) -> &Answer {
        let own = self.authorization();
        self.send("POST", path, &[&own, JSON], &body.to_string())
    }

    fn get(&mut self, path: &str) -> &Answer {
        let own = self.authorization();
        self.send("GET", path, &[&own], "")
    }

    fn start(&mut self, purpose: &str) -> String {
        let to = self.canary.to.clone();
        let started = self.post("/v1/verifications", &json!({"to": to, "purpose": purpose}));
        assert_eq!(started.status, 201, "{started:?}");
        started.text("id")
    }

    fn check(&mut self, id: &str, code: &str) -> Value {
        self.post(&format!("/v1/verifications/{id}/check"), &json!({ "code": code })).json()
    }

    fn zap_call(&mut self, call: &str, body: &Value) -> &Answer {
        let token = format!("Authorization: Bearer {ZAP_TOKEN}");
        self.send("POST", &format!("/v1/otp{call}"), &[&token, JSON], &body.to_string())
    }

    /// The tenant's own code: start, replay, double start, wrong and right guesses, replay.
    fn own_code(&mut self) {
        let Canary { number, to, own, guess, note, .. } = self.canary;
        let (authorization, key) = (self.authorization(), format!("Idempotency-Key: start-{number}"));
        let context = json!({ "payee": note });
        let body = json!({"to": to, "purpose": PURPOSE, "code": own, "context": context,
            "metadata": {"note": note}, "client": {"user_agent": note}})
        .to_string();
        let mut id = String::new();
        for _ in 0..2 {
            let started = self.send("POST", "/v1/verifications", &[&authorization, JSON, &key], &body);
            assert_eq!(started.status, 201, "{started:?}");
            id = started.text("id");
        }
        self.post("/v1/verifications", &json!({"to": to, "purpose": PURPOSE, "context": context}));
        let by_address = |code: &str| json!({"to": to, "purpose": PURPOSE, "code": code, "context": context});
        self.post("/v1/verifications/check", &by_address(guess));
        self.check(&id, own); // without its context
        let key = format!("Idempotency-Key: check-{number}");
        for _ in 0..2 {
            let body = by_address(own).to_string();
            let right =
                self.send("POST", "/v1/verifications/check", &[&authorization, JSON, &key], &body).json();
            assert_eq!(right["valid"], true, "{right}");
        }
        let again = self.send(
            "POST",
            "/v1/verifications/check",
            &[&authorization, JSON, &key],
            &by_address(guess).to_string(),
        );
        assert_eq!(again.status, 422, "another request under the same key");
        self.post("/v1/verifications/check", &by_address(own));
    }

    fn drawn_code(&mut self) {
        let id = self.start("login");
        let code = self.webhook.code_for(&self.canary.to, &[&self.canary.own]);
        self.post(&format!("/v1/verifications/{id}/resend"), &json!({}));
        self.check(&id, &self.canary.guess);
        let right = self.check(&id, &code);
        assert_eq!(right["valid"], true, "{right}");
        self.post(&format!("/v1/verifications/{id}/resend"), &Value::Null);
        self.get(&format!("/v1/verifications/{id}"));
    }

    fn returned_code(&mut self) {
        let to = self.canary.to.clone();
        let body = json!({"to": to, "purpose": "return", "delivery": "return"});
        let started = self.post("/v1/verifications", &body);
        let (id, code) = (started.text("id"), started.text("code"));
        self.handed_out(&code);
        assert_eq!(self.check(&id, &code)["valid"], true);
    }

    fn exhausted(&mut self) {
        let id = self.start("exhausted");
        let code = self.webhook.code_for(&self.canary.to, &[&self.canary.own]);
        for _ in 0..6 {
            self.check(&id, &self.canary.guess);
        }
        assert_eq!(self.check(&id, &code)["reason"], "exhausted");
        self.post(&format!("/v1/verifications/{id}/resend"), &json!({"channel": "voice"}));
    }

    /// Requests that cannot be read, with the code in them.
    fn malformed(&mut self) {
        let Canary { to, own, .. } = self.canary;
        let id = self.start("malformed");
        let authorization = self.authorization();
        for body in [
            format!(r#"{{"code":"{own}\u200d"}}"#),
            format!(r#"{{"code":"{own}"#),
            format!(r#"{{"code":"{own}","code":"{own}"}}"#),
            format!(r#"{{"code":["{own}","{to}"]}}"#),
            format!(r#"{{"code":"{own}","to":"{to}","tenant":"{to}"}}"#),
            format!(r#"{{"code":"{own}","context":{{"payee":7,"to":"{to}"}}}}"#),
            format!(r#""{own} {to}""#),
            format!("code={own}&to={to}"),
        ] {
            for path in [
                &*format!("/v1/verifications/{id}/check"),
                "/v1/verifications/check",
                "/v1/verifications",
                &*format!("/v1/verifications/{id}/cancel"),
            ] {
                let answer = self.send("POST", path, &[&authorization, JSON], &body);
                assert_eq!(answer.status, 400, "{answer:?}");
            }
        }
        for (channel, locale) in [(&**own, "en"), ("email", to), ("sms", own)] {
            let body = json!({"to": to, "purpose": "m", "channel": channel, "locale": locale});
            self.post("/v1/verifications", &body);
        }
        for spelling in [format!(" {to}"), format!("{to};ext=7"), to.replace('+', "00"), format!("{to}\0")] {
            self.post("/v1/verifications", &json!({ "to": spelling }));
        }
    }

    /// Paths and queries that lead nowhere, with the recipient and the code in them.
    fn lost_paths(&mut self) {
        let Canary { to, own, .. } = self.canary;
        let coded = to.replace('+', "%2B");
        for path in [
            format!("/v1/nothing/{coded}?to={coded}&code={own}"),
            format!("/{to}/{own}"),
            format!("/problems/{coded}"),
            format!("/v1/verifications/{coded}"),
            format!("/v1/verifications?to={coded}&nonsense={own}"),
            format!("/v1/verifications?status={own}&to={coded}"),
            format!("/v1/verifications?cursor={own}"),
            format!("/v1/recipients/{coded}/{own}"),
            format!("/v1/recipients/00{coded}%00"),
            format!("/v1/otp/{coded}"),
            format!("/api/v1/{own}?{coded}"),
            format!("/metrics/{own}"),
            format!("/dev/inbox?to={coded}"),
        ] {
            let answer = self.get(&path);
            assert!(answer.status >= 400, "{path}: {answer:?}");
        }
        let authorization = self.authorization();
        for method in ["PUT", "PATCH", "TRACE", "OPTIONS"] {
            self.send(method, &format!("/v1/recipients/{coded}"), &[&authorization], "");
        }
        self.post(&format!("/v1/verifications/{coded}/check"), &json!({ "code": own }));
        self.post(&format!("/v1/verifications/check?code={own}"), &json!({"to": to, "code": own}));
    }

    /// Callers without a good key, and keys where none belongs.
    fn strangers(&mut self) {
        let Canary { to, own, .. } = self.canary;
        let key = KEYS[self.canary.tenant()];
        let body = json!({"to": to, "code": own}).to_string();
        for header in [
            format!("Authorization: Bearer {own}"),
            format!("Authorization: Bearer {key}x"),
            format!("Authorization: Basic {key}"),
            format!("X-Api-Key: {key}"),
            format!("Cookie: key={key}; to={to}"),
        ] {
            for path in ["/v1/verifications", "/v1/verifications/check", "/v1/otp/verify"] {
                assert_eq!(self.send("POST", path, &[&header, JSON], &body).status, 401);
            }
        }
        let query = format!("/v1/verifications?access_token={key}");
        assert_eq!(self.send("POST", &query, &[JSON], &body).status, 401);
        assert_eq!(self.post(&query, &json!({ "to": to })).status, 400);
        let forwarded = [format!("X-Forwarded-For: {to}"), format!("X-Request-Id: {own}")];
        self.send("GET", "/livez", &[&forwarded[0], &forwarded[1], &format!("User-Agent: {own}")], "");
    }

    /// What is refused before it is read.
    fn unread(&mut self) {
        let Canary { to, own, .. } = self.canary;
        let authorization = self.authorization();
        let body = json!({"to": to, "code": own}).to_string();
        let huge = format!("{body}{}", " ".repeat(16 * 1024));
        let fields = format!("X-To: {to}\r\n").repeat(64);
        let long = format!("X-Code: {}", own.repeat(2000));
        for (status, headers, body) in [
            (413, JSON, &huge),
            (415, "Content-Type: application/json\r\nContent-Encoding: gzip", &body),
            (415, "Content-Type: text/plain", &body),
            (400, "Content-Type: application/json\r\nContent-Length: 7", &body),
            (431, fields.trim_end(), &body),
            (431, &long, &body),
        ] {
            for path in ["/v1/verifications", "/v1/verifications/check"] {
                let answer = self.send("POST", path, &[&authorization, headers], body);
                assert_eq!(answer.status, status, "{answer:?}");
            }
        }
    }

    /// What the support desk does.
    fn looked_after(&mut self) {
        let coded = self.canary.to.replace('+', "%2B");
        let id = self.start("support");
        self.get(&format!("/v1/verifications?to={coded}"));
        self.get("/v1/verifications?limit=3");
        self.post(&format!("/v1/verifications/{id}/cancel"), &Value::Null);
        self.post(&format!("/v1/verifications/{id}/cancel"), &json!({}));
        self.post(&format!("/v1/verifications/{id}/resend"), &Value::Null);
        self.check(&id, &self.canary.own);
        self.get(&format!("/v1/recipients/{coded}"));
        self.get("/v1/recipients/held");
        self.post(&format!("/v1/recipients/{coded}/release"), &Value::Null);
    }

    fn erased(&mut self) {
        self.start("erased");
        let authorization = self.authorization();
        let path = format!("/v1/recipients/{}", self.canary.to.replace('+', "%2B"));
        let erased = self.send("DELETE", &path, &[&authorization], "");
        assert_eq!((erased.status, erased.json()["erased_verifications"].as_u64()), (200, Some(2)));
        self.get("/v1/verifications?status=canceled");
        self.get(&path);
    }

    /// The other wire API, by address and by name.
    fn zap(&mut self) {
        let Canary { to, own, guess, number, .. } = self.canary;
        let field = if to.contains('@') { "email" } else { "phoneNumber" };
        let name = format!("canary_{number}");
        let body = json!({"userId": format!("u{number}"), "username": name, field: to});
        assert_eq!(self.zap_call("/", &body).status, 200);
        let first = self.webhook.code_for(to, &[own]);
        assert_eq!(self.zap_call("/resend", &json!({ "username": name })).status, 200);
        let second = self.webhook.code_for(to, &[own, &first]);
        self.zap_call("/verify", &json!({"identity": to, "otp": guess}));
        self.zap_call("/verify", &json!({"identity": to, "otp": first}));
        self.zap_call("/verify", &json!({"identity": name, "otp": guess}));
        assert_eq!(self.zap_call("/verify", &json!({"identity": to, "otp": second})).status, 200);
        self.zap_call("/verify", &json!({"identity": to, "otp": second}));
        self.zap_call("/forgotPassword", &json!({ "identity": name }));
    }

    fn zap_refused(&mut self) {
        let Canary { to, own, .. } = self.canary;
        for (call, body) in [
            ("/verify", json!({"identity": to, "otp": own})),
            ("/verify", json!({"identity": to, "otp": format!("{own}\u{200d}")})),
            ("/verify", json!({"identity": to, "otp": [own]})),
            ("/verify", json!({"identity": format!("{to} "), "otp": own, to: own})),
            ("/resend", json!({"email": format!("{to}@"), "phoneNumber": to})),
            ("/resend", json!({"phoneNumber": to.replace('+', "00")})),
            ("/resend", json!({"username": format!("{to}{own}")})),
            ("/", json!({"userId": to.repeat(20), "email": to})),
            ("/forgotPassword", json!({"identity": to.replace('@', " ")})),
            (&*format!("/{own}"), json!({ "identity": to })),
        ] {
            let answer = self.zap_call(call, &body);
            assert!(answer.status >= 400, "{call} {body}: {answer:?}");
        }
        let token = format!("Authorization: Bearer {own}");
        let body = format!(r#"{{"identity":"{to}","otp":"{own}"#);
        self.send("POST", "/api/v1/otp/verify", &[&token, JSON], &body);
        let token = format!("Authorization: Bearer {ZAP_TOKEN}");
        self.send("POST", "/api/v1/otp/verify", &[&token, JSON], &body);
        self.send("POST", "/v1/forgotPassword", &[&token, JSON], &body);
    }
}
