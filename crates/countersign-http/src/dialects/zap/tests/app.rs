//! The dialect over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign_core::directory::{Directory, User, UserBy};
use countersign_core::names::{Channel, TenantId};
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, tenant as plain_tenant};
use serde_json::{Value, json};

use crate::dialects::{Dialects, zap};
use crate::testing::{Ground, Outbox, TestHook, answer, whole};

/// The token of the tenant under test.
pub(super) const TOKEN: &str = "dev-zap-token";

/// The dialect for one tenant, `acme`.
pub(super) struct App {
    router: Router,
    pub(super) clock: Arc<ManualClock>,
    pub(super) engine: Arc<MemoryEngine>,
    pub(super) hook: TestHook,
    outbox: Outbox,
    directory: Directory,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    /// Status and `data`.
    pub(super) fn says(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["success"], json!(self.status == 200));
        (self.status.as_u16(), body["data"].as_str().unwrap().to_owned())
    }
}

/// What `says` is compared with.
pub(super) fn said(status: u16, data: &str) -> (u16, String) {
    (status, data.to_owned())
}

impl App {
    /// The dialect with its defaults.
    pub(super) fn new() -> Self {
        Self::with(&json!({}))
    }

    /// The dialect with these options of the tenant.
    pub(super) fn with(options: &Value) -> Self {
        Self::build(json!({ "tenants": { "acme": options } }), plain_tenant("acme"))
    }

    /// The dialect with this section beside the token, for this tenant.
    pub(super) fn build(mut section: Value, acme: Tenant) -> Self {
        let tokens = json!([
            { "tenant": "acme", "token": TOKEN },
            { "tenant": "acme", "token": "check-only", "scopes": ["check"] },
            { "tenant": "acme", "token": "start-only", "scopes": ["start"] },
            { "tenant": "other", "token": "other-token" },
        ]);
        section["tokens"] = tokens;
        Self::open_for(serde_json::from_value(section).unwrap(), acme, &Channel::ALL, false).unwrap()
    }

    /// The dialect with its defaults, without a provider for mail.
    pub(super) fn without_mail() -> Self {
        Self::open_for(one_token(), plain_tenant("acme"), &[Channel::Sms], false).unwrap()
    }

    /// The dialect with its defaults, in the whole service.
    pub(super) fn whole() -> Self {
        Self::open_for(one_token(), plain_tenant("acme"), &Channel::ALL, true).unwrap()
    }

    /// The dialect with exactly this section.
    pub(super) fn open(config: zap::Config) -> Result<Self, zap::InvalidConfig> {
        Self::open_for(config, plain_tenant("acme"), &Channel::ALL, false)
    }

    /// `beside_all`: beside everything else that is served.
    fn open_for(
        config: zap::Config,
        acme: Tenant,
        channels: &[Channel],
        beside_all: bool,
    ) -> Result<Self, zap::InvalidConfig> {
        let ground = Ground::new(ManualClock::default());
        let hook = TestHook::default();
        let (services, outbox) = ground.services(acme, channels, Arc::new(hook.clone()));
        let directory = services.directories.named("zap".parse().unwrap());
        let router = if beside_all {
            whole(Dialects { zap: Some(config), ..Dialects::default() }, services)
        } else {
            zap::routes(config, services)?
        };
        let Ground { clock, engine } = ground;
        Ok(Self { router, clock, engine, hook, outbox, directory })
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A well-formed call of the tenant under test.
    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_text(path, &body.to_string()).await
    }

    /// A call of the tenant under test with any body.
    pub(super) async fn post_text(&self, path: &str, body: &str) -> Reply {
        self.call(request(TOKEN, path, body)).await
    }

    /// A well-formed call with another token.
    pub(super) async fn post_as(&self, token: &str, path: &str, body: Value) -> Reply {
        self.call(request(token, path, &body.to_string())).await
    }

    /// Any call.
    pub(super) async fn call(&self, request: Request<Body>) -> Reply {
        let (status, headers, body) = answer(&self.router, request).await;
        Reply { status, headers, body }
    }

    /// What was sent since the last call of this, as `channel to address`.
    pub(super) async fn sent(&mut self) -> Vec<String> {
        self.outbox.sent().await
    }

    /// The latest code that an address got.
    pub(super) async fn code(&mut self, address: &str) -> String {
        self.outbox.code(address).await
    }

    /// The latest code of all.
    pub(super) async fn last_code(&mut self) -> String {
        self.outbox.last_code().await
    }

    /// The first code of all.
    pub(super) async fn first_code(&mut self) -> String {
        self.outbox.first_code().await
    }

    /// A code that is not the latest one.
    pub(super) async fn wrong_code(&mut self) -> String {
        self.outbox.wrong_code().await
    }

    /// Whether the directory knows a user's e-mail and phone as proven.
    pub(super) async fn proven(&self, user_id: &str) -> (bool, bool) {
        let user = self.user(user_id).await;
        (user.email_verified, user.phone_verified)
    }

    pub(super) async fn user(&self, user_id: &str) -> User {
        let tenant = TenantId::parse("acme").unwrap();
        self.directory.find(&tenant, UserBy::Id(user_id)).await.unwrap().unwrap()
    }
}

fn one_token() -> zap::Config {
    serde_json::from_value(json!({ "tokens": [{ "tenant": "acme", "token": TOKEN }] })).unwrap()
}

fn request(token: &str, path: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}
