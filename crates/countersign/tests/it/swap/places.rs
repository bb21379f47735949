//! Where codes are asked for and presented.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

/// A wire API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Api {
    Native,
    Zap,
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

/// All of them.
pub(super) fn places() -> Vec<Place> {
    let mut all = Vec::new();
    for tenant in TENANTS {
        for to in RECIPIENTS {
            for (api, purpose) in [(Api::Native, "login"), (Api::Native, "payment"), (Api::Zap, "")] {
                all.push(Place { api, tenant, purpose, to });
            }
        }
    }
    all
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

    /// Presents a code; whether it is accepted. `id` names the verification where guesses do; without one it is one
    /// that does not exist.
    pub(super) async fn accepts(&self, app: &TestApp, id: Option<&str>, code: &str) -> bool {
        match self.api {
            Api::Native => {
                let id = id.unwrap_or("ver_00000000000000000000000000");
                let path = format!("/v1/verifications/{id}/check");
                let answer = app.post_as(self.key(), &path, json!({ "code": code })).await;
                assert!(answer.status == 200 || answer.status == 404, "{answer:?}");
                answer.status == 200 && answer.json()["valid"] == true
            }
            Api::Zap => {
                let answer = self.zap(app, "/v1/otp/verify", json!({"identity": self.to, "otp": code})).await;
                assert!(answer.status == 200 || answer.text("data") == "Invalid OTP", "{answer:?}");
                answer.status == 200
            }
        }
    }

    async fn zap(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        app.post_as(&format!("zap-{}", self.tenant), path, body).await
    }
}
