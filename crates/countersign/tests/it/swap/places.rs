//! Where codes are asked for and presented.

use serde_json::{Value, json};

use super::enduserapi;
use crate::support::{Answer, TestApp};

/// A wire API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Api {
    Native,
    Zap,
    Enduserapi,
    Crypterium,
    Zitadel,
}

/// One tenant's way to prove one recipient for one purpose over one wire API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) api: Api,
    tenant: &'static str,
    /// As the wire API writes it; empty where it has one only.
    purpose: &'static str,
    pub(super) to: &'static str,
}

const TENANTS: [&str; 2] = ["acme", "other"];
/// Two numbers and two mailboxes.
const RECIPIENTS: [&str; 4] = ["+12125550101", "+12125550102", "a@example.com", "b@example.com"];

/// Purposes that no two wire APIs have in common: a recipient has one verification per purpose, so that of two
/// wire APIs with one purpose only the later one's code would be good. The two of zitadel are two users.
const EVERYWHERE: &[(Api, &str)] = &[
    (Api::Native, "payment"),
    (Api::Native, "order"),
    (Api::Zap, ""),
    (Api::Zitadel, "1"),
    (Api::Zitadel, "2"),
];
const BY_PHONE: &[(Api, &str)] =
    &[(Api::Enduserapi, "3"), (Api::Enduserapi, "4"), (Api::Crypterium, "signup")];
/// A guess does not say which type of mail it is for.
const BY_MAIL: &[(Api, &str)] = &[(Api::Enduserapi, "3")];

/// All of them.
pub(super) fn places() -> Vec<Place> {
    let mut all = Vec::new();
    for tenant in TENANTS {
        for to in RECIPIENTS {
            let of_recipient = |&(api, purpose)| Place { api, tenant, purpose, to };
            all.extend(EVERYWHERE.iter().map(of_recipient));
            all.extend(if to.contains('@') { BY_MAIL } else { BY_PHONE }.iter().map(of_recipient));
        }
    }
    all
}

/// Places of two wire APIs that have the same recipient and the same name for what the code is for, both ways
/// round.
pub(super) fn twins() -> Vec<(Place, Place)> {
    let place = |api, purpose| Place { api, tenant: TENANTS[0], purpose, to: RECIPIENTS[0] };
    let pairs = [
        (place(Api::Native, "signup"), place(Api::Crypterium, "signup")),
        (place(Api::Native, "user_verify"), place(Api::Zap, "")),
    ];
    pairs.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]).collect()
}

impl Place {
    /// Whether it is about the same recipient of the same tenant.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.tenant, self.to) == (other.tenant, other.to)
    }

    /// Whether a guess names a verification's id.
    pub(super) fn has_ids(&self) -> bool {
        self.api == Api::Native
    }

    /// The tenant's key for the native API.
    pub(super) fn key(&self) -> &'static str {
        if self.tenant == TENANTS[0] { "csk_acme" } else { "csk_other" }
    }

    fn is_mail(&self) -> bool {
        self.to.contains('@')
    }

    /// Asks for a code.
    pub(super) async fn ask(&self, app: &TestApp) -> Answer {
        match self.api {
            Api::Native => {
                app.post_as(self.key(), "/v1/verifications", json!({"to": self.to, "purpose": self.purpose}))
                    .await
            }
            Api::Zap => {
                let member = if self.is_mail() { "email" } else { "phoneNumber" };
                self.zap(app, "/v1/otp/resend", json!({ member: self.to })).await
            }
            Api::Crypterium => {
                self.crypterium(app, "/v2/mobile/signup", json!({"phone": self.to, "password": "secret"}))
                    .await
            }
            Api::Zitadel => {
                let mut user = json!({
                    "userId": self.user(),
                    "organization": {"orgId": self.organization()},
                    "profile": {"givenName": "Mickey", "familyName": "Mouse"},
                    "email": {"email": format!("{}@example.net", self.user()), "isVerified": true},
                });
                if self.is_mail() {
                    user["username"] = json!(self.user());
                    user["email"] = json!({"email": self.to, "sendCode": {}});
                } else {
                    user["phone"] = json!({"phone": self.to, "sendCode": {}});
                }
                self.zitadel(app, "/v2/users/human", user).await
            }
            Api::Enduserapi if self.is_mail() => {
                let path = "/v2/mail/enduserapi/v2/sendEmail";
                let signed = [("email", self.to), ("emailType", self.purpose)];
                enduserapi::call(app, self.tenant, path, &signed, &[]).await
            }
            Api::Enduserapi => {
                let path = "/v2/sms/enduserapi/v2/sendPhoneSmsCode";
                let signed = [("phone", self.national()), ("codeType", self.purpose)];
                enduserapi::call(app, self.tenant, path, &signed, &[("internationalCode", "1")]).await
            }
        }
    }

    /// Asks for a code and reads the message; answers the verification's id, where the wire API tells it, and the code.
    pub(super) async fn issue(&self, app: &TestApp) -> (Option<String>, String) {
        let answer = self.ask(app).await;
        let sent = app.sent().await;
        assert_eq!(sent.len(), 1, "{self:?}: {answer:?}");
        let id = self.has_ids().then(|| answer.text("id"));
        (id, sent[0].code.expose().to_owned())
    }

    /// Presents a code; whether it is accepted. `id` names the verification where guesses do; without one the
    /// recipient and the purpose do.
    pub(super) async fn accepts(&self, app: &TestApp, id: Option<&str>, code: &str) -> bool {
        match self.api {
            Api::Native => {
                let (path, body) = id.map_or_else(
                    || {
                        let body = json!({"to": self.to, "purpose": self.purpose, "code": code});
                        ("/v1/verifications/check".to_owned(), body)
                    },
                    |id| (format!("/v1/verifications/{id}/check"), json!({ "code": code })),
                );
                let answer = app.post_as(self.key(), &path, body).await;
                assert!(answer.status == 200 || answer.status == 404, "{answer:?}");
                answer.status == 200 && answer.json()["valid"] == true
            }
            Api::Zap => {
                let answer = self.zap(app, "/v1/otp/verify", json!({"identity": self.to, "otp": code})).await;
                let refused = || ["Invalid OTP", "Too many attempts"].contains(&&*answer.text("data"));
                assert!(answer.status == 200 || refused(), "{answer:?}");
                answer.status == 200
            }
            Api::Crypterium => {
                let body = json!({"phone": self.to, "smsCode": code});
                let answer = self.crypterium(app, "/v2/mobile/phone/confirm", body).await;
                let refused = || [json!(117), json!(53)].contains(&answer.json()["errorId"]);
                assert!(answer.status == 200 || refused(), "{answer:?}");
                answer.status == 200
            }
            Api::Zitadel => {
                let kind = if self.is_mail() { "email" } else { "phone" };
                let path = format!("/v2/users/{}/{kind}/verify", self.user());
                let answer = self.zitadel(app, &path, json!({ "verificationCode": code })).await;
                assert!([200, 400, 404, 429].contains(&answer.status), "{answer:?}");
                answer.status == 200
            }
            Api::Enduserapi => {
                let answer = self.enduserapi_check(app, code).await;
                let said = &answer.json()["code"];
                assert!(*said == 200 || *said == 5037, "{answer:?}");
                *said == 200
            }
        }
    }

    /// The number without its country code.
    fn national(&self) -> &'static str {
        self.to.strip_prefix("+1").expect("a number of country 1")
    }

    async fn enduserapi_check(&self, app: &TestApp, code: &str) -> Answer {
        if self.is_mail() {
            let path = "/v2/mail/enduserapi/v2/validateEmailCode";
            return enduserapi::call(app, self.tenant, path, &[("email", self.to), ("code", code)], &[])
                .await;
        }
        let path = "/v2/sms/enduserapi/v2/validateSmsCode";
        let signed = [("phone", self.national()), ("smsCode", code)];
        let unsigned = [("internationalCode", "1"), ("codeType", self.purpose)];
        enduserapi::call(app, self.tenant, path, &signed, &unsigned).await
    }

    async fn crypterium(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        let merchant = if self.tenant == TENANTS[0] {
            "00000000-0000-0000-0000-000000000001"
        } else {
            "00000000-0000-0000-0000-000000000002"
        };
        app.call("POST", path, &[("x-merchant-id", merchant)], Some(body)).await
    }

    /// The user's id; each recipient has users of its own.
    fn user(&self) -> String {
        let recipient = RECIPIENTS.iter().position(|to| *to == self.to).expect("one of them");
        format!("{recipient}{}", self.purpose)
    }

    fn organization(&self) -> &'static str {
        if self.tenant == TENANTS[0] { "100" } else { "200" }
    }

    async fn zitadel(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        app.post_as(&format!("zitadel-{}", self.tenant), path, body).await
    }

    async fn zap(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        app.post_as(&format!("zap-{}", self.tenant), path, body).await
    }
}
