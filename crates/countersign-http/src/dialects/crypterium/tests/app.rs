//! The dialect over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign_core::directory::{Directory, User, UserBy};
use countersign_core::names::{Channel, TenantId};
use countersign_core::recipient::Recipient;
use countersign_core::tenant::Tenant;
use countersign_core::testkit::{ManualClock, MemoryEngine, keys, tenant as plain_tenant};
use countersign_core::tokens::{TokenUse, Tokens};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::dialects::{Dialects, crypterium};
use crate::front::ClientAddr;
use crate::testing::{Ground, Outbox, TestHook, answer, whole};

/// The merchant of the tenant under test.
pub(super) const MERCHANT: &str = "bece038f-2e46-49f4-b25e-89cd38d6dc16";
/// The merchant of another tenant.
pub(super) const OTHER: &str = "0b6f2f0e-5f0a-4a53-9d0d-3a8f6f6f1c11";
/// The number of the source's sample.
pub(super) const PHONE: &str = "+447871234567";

pub(super) const SIGNUP: &str = "/v2/mobile/signup";
pub(super) const CONFIRM: &str = "/v2/mobile/phone/confirm";
pub(super) const RESEND: &str = "/v2/mobile/phone/verify/resend";
pub(super) const RESET: &str = "/v2/mobile/password/reset";
pub(super) const RESET_CODE: &str = "/v2/mobile/password/reset/confirm/code";
pub(super) const RESET_CONFIRM: &str = "/v2/mobile/password/reset/confirm";
pub(super) const EMAIL_ADD: &str = "/v2/mobile/email/add";
pub(super) const EMAIL_RESEND: &str = "/v2/mobile/email/verify/resend";

/// What every call that is accepted without tokens answers.
pub(super) const OK: &str = r#"{"result":"ok"}"#;

/// The dialect for one tenant, `acme`.
pub(super) struct App {
    router: Router,
    pub(super) clock: Arc<ManualClock>,
    pub(super) engine: Arc<MemoryEngine>,
    pub(super) hook: TestHook,
    outbox: Outbox,
    pub(super) directory: Directory,
    tokens: Tokens,
    /// Where requests come from.
    pub(super) client: Option<ClientAddr>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    /// Status and `errorId`; the status alone where there is none.
    pub(super) fn says(&self) -> (u16, Option<u64>) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        (self.status.as_u16(), body["errorId"].as_u64())
    }

    /// A member of the body that is a text.
    pub(super) fn text(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.body)).to_owned()
    }
}

/// A good answer.
pub(super) const GOOD: (u16, Option<u64>) = (200, None);

/// What `says` answers for an error.
pub(super) const fn error(id: u64) -> (u16, Option<u64>) {
    (400, Some(id))
}

impl App {
    /// The dialect with its defaults, unsigned.
    pub(super) fn new() -> Self {
        Self::with(&json!({}))
    }

    /// The dialect with these options of the merchant, unsigned if they do not say otherwise.
    pub(super) fn with(options: &Value) -> Self {
        Self::build(options, plain_tenant("acme"))
    }

    /// The same for this tenant.
    pub(super) fn build(options: &Value, acme: Tenant) -> Self {
        let mut merchant = json!({ "id": MERCHANT, "tenant": "acme", "signature": "off" });
        for (name, value) in options.as_object().unwrap() {
            merchant[name] = value.clone();
        }
        let section = json!({ "merchants": [
            merchant,
            { "id": OTHER, "tenant": "other", "signature": "off" },
        ] });
        Self::open_for(serde_json::from_value(section).unwrap(), acme, &Channel::ALL, false).unwrap()
    }

    /// The dialect with its defaults, without a provider for text messages.
    pub(super) fn without_texts() -> Self {
        Self::open_for(one_merchant(), plain_tenant("acme"), &[Channel::Email], false).unwrap()
    }

    /// The dialect with its defaults, in the whole service.
    pub(super) fn whole() -> Self {
        Self::open_for(one_merchant(), plain_tenant("acme"), &Channel::ALL, true).unwrap()
    }

    /// The dialect with exactly this section.
    pub(super) fn open(config: crypterium::Config) -> Result<Self, crypterium::InvalidConfig> {
        Self::open_for(config, plain_tenant("acme"), &Channel::ALL, false)
    }

    /// `beside_all`: beside everything else that is served.
    fn open_for(
        config: crypterium::Config,
        acme: Tenant,
        channels: &[Channel],
        beside_all: bool,
    ) -> Result<Self, crypterium::InvalidConfig> {
        let ground = Ground::new(ManualClock::default());
        let hook = TestHook::default();
        let (services, outbox) = ground.services(acme, channels, Arc::new(hook.clone()));
        let tokens = services.tokens.clone();
        let directory = services.directories.named("crypterium".parse().unwrap());
        let router = if beside_all {
            whole(Dialects { crypterium: Some(config), ..Dialects::default() }, services)
        } else {
            crypterium::routes(config, services)?
        };
        let Ground { clock, engine } = ground;
        Ok(Self { router, clock, engine, hook, outbox, directory, tokens, client: None })
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A well-formed call of the merchant under test, without a signature.
    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_with(path, &body.to_string(), &[]).await
    }

    /// The same with any body and further headers, or others.
    pub(super) async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
        for (name, value) in
            [("content-type", "application/json"), ("x-merchant-id", MERCHANT), ("x-fingerprint", "1234444")]
                .iter()
                .chain(headers)
        {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.call(request).await
    }

    /// A call with a token.
    pub(super) async fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        self.call(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// What somebody gets who follows a link.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Any call.
    pub(super) async fn call(&self, mut request: Request<Body>) -> Reply {
        if let Some(client) = self.client {
            request.extensions_mut().insert(client);
        }
        let (status, headers, body) = answer(&self.router, request).await;
        Reply { status, headers, body }
    }

    /// Requests come from here, with nothing in between.
    pub(super) fn comes_directly_from(&mut self, ip: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        self.client = Some(ClientAddr { ip, through_proxy: false });
    }

    /// Requests come from here, through a trusted proxy.
    pub(super) fn comes_from(&mut self, ip: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        self.client = Some(ClientAddr { ip, through_proxy: true });
    }

    pub(super) async fn sign_up(&self, phone: &str) -> Reply {
        self.post(SIGNUP, json!({ "phone": phone, "password": "pw" })).await
    }

    pub(super) async fn resend(&self, phone: &str) -> Reply {
        self.post(RESEND, json!({ "phone": phone })).await
    }

    pub(super) async fn reset(&self, phone: &str) -> Reply {
        self.post(RESET, json!({ "phone": phone })).await
    }

    pub(super) async fn confirm(&self, phone: &str, code: &str) -> Reply {
        self.post(CONFIRM, json!({ "phone": phone, "smsCode": code })).await
    }

    /// Signs a number up and proves it; answers the access token.
    pub(super) async fn registered(&mut self, phone: &str) -> String {
        assert_eq!(self.sign_up(phone).await.says(), GOOD);
        let code = self.code(phone).await;
        let confirmed = self.confirm(phone, &code).await;
        assert_eq!(confirmed.says(), GOOD, "{}", confirmed.body);
        confirmed.text("access_token")
    }

    /// The token of the link in a mail with this code, to the user whose access token this is.
    pub(super) fn link_token(&self, access_token: &str, code: &str) -> String {
        let (merchant, token) = access_token.split_once('.').unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let mut head = HEXLOWER.decode(merchant.as_bytes()).unwrap();
        let access = TokenUse { tenant: &tenant, kind: "crypterium-access", audience: &head };
        let user = self.tokens.open(access, token).unwrap().subject;
        head.extend(keys().lookup_key(&tenant, "user", user.as_bytes()));
        head.push(1);
        BASE64URL_NOPAD.encode(&head) + code
    }

    /// What was sent since the last call of this, as `channel to address`.
    pub(super) async fn sent(&mut self) -> Vec<String> {
        self.outbox.sent().await
    }

    /// The latest code that an address got.
    pub(super) async fn code(&mut self, address: &str) -> String {
        self.outbox.code(address).await
    }

    /// The link in the latest message of all, which shows it on a line of its own.
    pub(super) async fn link(&mut self) -> Option<String> {
        let latest = self.outbox.latest().await;
        let link = latest.link.as_ref()?.expose();
        assert!(latest.text.lines().any(|line| line == link), "the text shows no link");
        Some(link.to_owned())
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

    /// The user of a number, if there is one.
    pub(super) async fn user(&self, phone: &str) -> Option<User> {
        let tenant = TenantId::parse("acme").unwrap();
        let number = Recipient::from_canonical(phone);
        self.directory.find(&tenant, UserBy::Address(&number)).await.unwrap()
    }
}

fn one_merchant() -> crypterium::Config {
    let merchant = json!({ "id": MERCHANT, "tenant": "acme", "signature": "off" });
    serde_json::from_value(json!({ "merchants": [merchant] })).unwrap()
}
