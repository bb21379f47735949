//! The wire APIs that carry secrets where the native one has none: a signature and a number in the query,
//! passwords, tokens, codes in answers.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::drive::{Driver, JSON};
use super::{MERCHANTS, USER_DOMAIN_SECRETS, ZITADEL_TOKENS};

impl Driver<'_> {
    /// A mailbox of its own, beside the address.
    fn mailbox(&self) -> String {
        format!("{}@mail.example", self.canary.note)
    }

    fn vault(&mut self, call: &str, body: &Value) -> Value {
        let merchant = format!("X-Merchant-ID: {}", MERCHANTS[self.canary.tenant()]);
        let headers = [&*merchant, "X-Fingerprint: 1234444", JSON];
        self.send("POST", &format!("/v2/mobile/{call}"), &headers, &body.to_string()).json()
    }

    fn zitadel(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let token = format!("Authorization: Bearer {}", ZITADEL_TOKENS[self.canary.tenant()]);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[&token, JSON], &body).json()
    }

    /// The same request twice, signed once, with everything in the query or in the body.
    fn signed(&mut self, path: &str, signed: &[(&str, &str)], unsigned: &[(&str, &str)]) -> Value {
        let tenant = self.canary.tenant();
        let random = HEXLOWER.encode(&Sha256::digest(format!("{path}{signed:?}{}", self.canary.number)));
        let random = &random[..16];
        #[expect(clippy::disallowed_methods, reason = "a caller's clock: that of the machine")]
        let now = jiff::Timestamp::now().as_millisecond().to_string();
        let ts = if path.ends_with("Login") { String::new() } else { now }; // a login has no time
        let values: String = signed.iter().map(|(_, value)| *value).collect();
        let preimage = format!("{values}{random}{ts}{}", USER_DOMAIN_SECRETS[tenant]);
        let signature = HEXLOWER.encode(&Sha256::digest(preimage));
        let domain = format!("domain-{tenant}");
        let own = [("random", random), ("ts", &*ts), ("signature", &*signature), ("userDomain", &*domain)];
        let all: Vec<(&str, &str)> = signed
            .iter()
            .chain(unsigned)
            .chain(&own)
            .copied()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let answers = [(); 2].map(|()| {
            if self.canary.number % 4 < 2 {
                let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
                self.send("POST", &format!("{path}?{}", pairs.join("&")), &[], "").json()
            } else {
                let body: Value =
                    all.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                self.send("POST", path, &[JSON], &body.to_string()).json()
            }
        });
        let [first, second] = &answers;
        assert!(first["code"] != 200 || second["extMsg"] == "replayed", "{first} {second}");
        self.handed_out(&signature);
        let [first, _] = answers;
        first
    }
}

/// Six digits that are another code.
fn other_than(code: &str) -> &'static str {
    if code == "135790" { "097531" } else { "135790" }
}

/// Sign-up, guesses, tokens, a mailbox, a new password. Its users have numbers: somebody with a mailbox has one
/// besides.
pub(super) fn crypterium(driver: &mut Driver<'_>) {
    let (phone, own, note) = (driver.canary.phone(), driver.canary.own.clone(), driver.canary.note.clone());
    assert_eq!(driver.vault("signup", &json!({"phone": phone, "password": note}))["result"], "ok");
    let code = driver.webhook.code_for(&phone, &[&own]);
    driver.vault("phone/verify/resend", &json!({ "phone": phone }));
    driver.vault("phone/confirm", &json!({"phone": phone, "smsCode": other_than(&code)}));
    driver.vault("phone/confirm", &json!({"phone": phone, "smsCode": own, "password": note}));
    let proven = driver.vault("phone/confirm", &json!({"phone": phone, "smsCode": code}));
    let token = proven["access_token"].as_str().unwrap_or_else(|| panic!("{proven}")).to_owned();
    driver.handed_out(&token);
    driver.vault("phone/confirm", &json!({"phone": phone, "smsCode": code}));

    let (mailbox, bearer) = (driver.mailbox(), format!("Authorization: Bearer {token}"));
    let added = json!({ "email": mailbox }).to_string();
    let answer = driver.send("PUT", "/v2/mobile/email/add", &[&bearer, JSON], &added);
    assert_eq!(answer.status, 200, "{answer:?}");
    let code = driver.webhook.code_for(&mailbox, &[]);
    for guess in [&*own, &*code] {
        let link = format!("/v2/mobile/email/confirm?email={mailbox}&token={guess}");
        driver.send("GET", &link, &[&bearer], "");
    }
    driver.send("GET", &format!("/v2/mobile/email/{mailbox}?token={token}"), &[], "");

    driver.vault("password/reset", &json!({ "phone": phone }));
    driver.vault("password/reset/confirm/code", &json!({"phone": phone, "code": own}));
    driver
        .vault("password/reset/confirm", &json!({"phone": phone, "code": other_than(""), "password": note}));
}

/// Codes for a number and a mailbox, guesses, a login, replays.
pub(super) fn enduserapi(driver: &mut Driver<'_>) {
    let (to, own) = (driver.canary.to.clone(), driver.canary.own.clone());
    if to.contains('@') {
        let mail = "/v2/mail/enduserapi/v2";
        let sent = driver.signed(&format!("{mail}/sendEmail"), &[("email", &to), ("emailType", "3")], &[]);
        assert_eq!(sent["code"], 200, "{sent}");
        let code = driver.webhook.code_for(&to, &[&own]);
        for guess in [&*own, other_than(&code), &code] {
            driver.signed(&format!("{mail}/validateEmailCode"), &[("email", &to), ("code", guess)], &[]);
        }
        return;
    }
    let (sms, country) = ("/v2/sms/enduserapi/v2", ("internationalCode", "44"));
    let phone = to.strip_prefix("+44").unwrap();
    let mut before = vec![own.clone()];
    for code_type in ["3", "2"] {
        let signed = [("phone", phone), ("codeType", code_type)];
        let sent = driver.signed(&format!("{sms}/sendPhoneSmsCode"), &signed, &[country]);
        assert_eq!(sent["code"], 200, "{sent}");
        let but: Vec<&str> = before.iter().map(String::as_str).collect();
        let code = driver.webhook.code_for(&to, &but);
        for guess in [&*own, other_than(&code)] {
            let signed = [("phone", phone), ("smsCode", guess)];
            let unsigned = [country, ("codeType", code_type)];
            driver.signed(&format!("{sms}/validateSmsCode"), &signed, &unsigned);
        }
        before.push(code);
    }
    let [_, registration, login]: [String; 3] = before.try_into().unwrap();
    let signed = [("phone", phone), ("smsCode", &*registration)];
    let right = driver.signed(&format!("{sms}/validateSmsCode"), &signed, &[country, ("codeType", "3")]);
    assert_eq!(right["code"], 200, "{right}");
    let signed = [country, ("phone", phone), ("smsCode", &*login)];
    let right = driver.signed("/v2/enduser/enduserapi/phoneSmsCodeLogin", &signed, &[]);
    assert_eq!(right["code"], 200, "{right}");
}

/// A person with a name and an address: codes that are sent, codes that are handed back, guesses.
pub(super) fn zitadel(driver: &mut Driver<'_>) {
    let (to, own, note) = (driver.canary.to.clone(), driver.canary.own.clone(), driver.canary.note.clone());
    let (user, mailbox) = (format!("5{:017}", driver.canary.number), driver.mailbox());
    let mut body = json!({"userId": user, "profile": {"givenName": note, "familyName": "B"},
        "email": {"email": mailbox, "isVerified": true}});
    let kind = if to.contains('@') { "email" } else { "phone" };
    body[kind] = json!({ kind: to, "sendCode": {} });
    let added = driver.zitadel("POST", "/v2/users/human", &body);
    assert!(added["userId"].is_string(), "{added}");
    let sent = driver.webhook.code_for(&to, &[&own]);
    let path = format!("/v2/users/{user}/{kind}");
    for guess in [&*own, other_than(&sent)] {
        driver.zitadel("POST", &format!("{path}/verify"), &json!({ "verificationCode": guess }));
    }
    let resent = driver.zitadel("POST", &format!("{path}/resend"), &json!({"returnCode": {}}));
    let code = resent["verificationCode"].as_str().unwrap_or_else(|| panic!("{resent}")).to_owned();
    driver.handed_out(&code);
    let connect = if kind == "phone" { "VerifyPhone" } else { "VerifyEmail" };
    let connect = format!("/zitadel.user.v2.UserService/{connect}");
    driver.zitadel("POST", &connect, &json!({"userId": user, "verificationCode": sent}));
    let right = driver.zitadel("POST", &format!("{path}/verify"), &json!({ "verificationCode": code }));
    assert!(right["details"].is_object(), "{right}");
    driver.zitadel("GET", &format!("/v2/users/{user}"), &Value::Null);
    let changed = driver.zitadel("POST", &path, &json!({ kind: format!("x{to}"), "returnCode": {} }));
    if let Some(code) = changed["verificationCode"].as_str() {
        driver.handed_out(code);
    }
    driver.zitadel("GET", &format!("/v2/users/{to}/{own}"), &Value::Null);
}
