//! The dialect over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use countersign_core::directory::{Directory, User, UserBy};
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::keys::KeyRing;
use countersign_core::names::{Channel, TenantId};
use countersign_core::nonces::Nonces;
use countersign_core::provider::RenderedMessage;
use countersign_core::template::Templates;
use countersign_core::tenant::{Tenant, Tenants};
use countersign_core::testkit::{
    ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, keys, tenant as plain_tenant,
};
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;
use serde_json::{Value, json};
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::dialects::{Dialects, zap};
use crate::hooks::{ForwardHook, HookClient, HookError, HookTarget, InvalidHook, LookupHook, NoAnswer};
use crate::ops::Readiness;
use crate::services::Services;

/// The token of the tenant under test.
pub(super) const TOKEN: &str = "dev-zap-token";

/// The dialect for one tenant, `acme`.
pub(super) struct App {
    router: Router,
    pub(super) clock: Arc<ManualClock>,
    pub(super) engine: Arc<MemoryEngine>,
    pub(super) hook: TestHook,
    provider: Arc<RecordingProvider>,
    dispatcher: Dispatcher,
    directory: Directory,
    /// Every message so far, oldest first.
    seen: Vec<RenderedMessage>,
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

    /// `whole`: beside everything else that is served.
    fn open_for(
        config: zap::Config,
        acme: Tenant,
        channels: &[Channel],
        whole: bool,
    ) -> Result<Self, zap::InvalidConfig> {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::default());
        let ring: Arc<KeyRing> = Arc::new(keys());
        let engine = Arc::new(MemoryEngine::new(keys()));
        let provider = RecordingProvider::carrying("recorder", channels);
        let mut routes = provider.routes();
        routes.set_test(provider.route(0));
        let (routes, templates) = (Arc::new(routes), Arc::new(Templates::builtin()));
        let tenants: Arc<Tenants> = Arc::new([acme, plain_tenant("other")].into_iter().collect());
        let directory = Directory::new(engine.clone(), ring.clone(), clock.clone(), entropy.clone());
        let hook = TestHook::default();
        let services = Services {
            verifications: Verifications::new(
                engine.clone(),
                ring.clone(),
                clock.clone(),
                entropy.clone(),
                routes.clone(),
                templates.clone(),
            ),
            directory: directory.clone(),
            tokens: Tokens::new(ring.clone(), clock.clone(), entropy),
            nonces: Nonces::new(engine.clone(), ring.clone(), clock.clone()),
            tenants: tenants.clone(),
            hooks: Arc::new(hook.clone()),
        };
        let dispatcher =
            Dispatcher::new(engine.clone(), ring, clock.clone(), routes, templates, tenants, Pace::default());
        let served = if whole {
            let dialects = Dialects { zap: Some(config), ..Dialects::default() };
            let (keys, readiness) = (Arc::default(), Readiness::default());
            crate::app(crate::App { services, keys, dialects, readiness, metrics: None, dev: None }).unwrap()
        } else {
            zap::routes(config, services)?
        };
        Ok(Self { router: served, clock, engine, hook, provider, dispatcher, directory, seen: Vec::new() })
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
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Reply { status: head.status, headers: head.headers, body }
    }

    /// What was sent since the last call of this, as `channel to address`.
    pub(super) async fn sent(&mut self) -> Vec<String> {
        while self.dispatcher.step().await.is_ok_and(|step| step.claimed > 0) {}
        let new = self.provider.take_sent();
        self.seen.extend(new.iter().cloned());
        new.iter().map(|message| format!("{} to {}", message.channel, message.recipient.expose())).collect()
    }

    /// The latest code that an address got.
    pub(super) async fn code(&mut self, address: &str) -> String {
        self.sent().await;
        let to = self.seen.iter().rfind(|message| message.recipient.expose() == address);
        to.unwrap_or_else(|| panic!("{address} got nothing")).code.expose().to_owned()
    }

    /// The latest code of all.
    pub(super) async fn last_code(&mut self) -> String {
        self.sent().await;
        self.seen.last().unwrap().code.expose().to_owned()
    }

    /// The first code of all.
    pub(super) async fn first_code(&mut self) -> String {
        self.sent().await;
        self.seen.first().unwrap().code.expose().to_owned()
    }

    /// A code that is not the latest one.
    pub(super) async fn wrong_code(&mut self) -> String {
        let right: u32 = self.last_code().await.parse().unwrap();
        format!("{:06}", (right + 1) % 1_000_000)
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

/// Both hooks: it remembers what it was given and asked, and answers what the test told it to.
#[derive(Clone, Default)]
pub(super) struct TestHook(Arc<Mutex<HookState>>);

#[derive(Default)]
struct HookState {
    bodies: Vec<String>,
    answers: VecDeque<HookError>,
    /// The directory's answer to each question it has one for; others get `{}`.
    directory: BTreeMap<String, String>,
    directory_down: bool,
    questions: Vec<String>,
}

impl TestHook {
    /// Fails the next call.
    pub(super) fn fail_next(&self, error: HookError) {
        self.0.lock().unwrap().answers.push_back(error);
    }

    /// Answers this, whenever the directory is asked for the username.
    pub(super) fn knows(&self, username: &str, answer: &str) {
        let question = json!({ "username": username }).to_string();
        self.0.lock().unwrap().directory.insert(question, answer.to_owned());
    }

    /// Whether the directory gives no answers from now on.
    pub(super) fn set_directory_down(&self, down: bool) {
        self.0.lock().unwrap().directory_down = down;
    }

    /// What the directory was asked so far.
    pub(super) fn questions(&self) -> Vec<String> {
        self.0.lock().unwrap().questions.clone()
    }

    /// What it was given so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().bodies.clone()
    }
}

impl std::fmt::Debug for TestHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestHook")
    }
}

impl HookClient for TestHook {
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        if !target.url.starts_with("https://") {
            return Err(InvalidHook("not https".into()));
        }
        Ok(Arc::new(self.clone()))
    }

    fn connect_lookup(&self, target: &HookTarget) -> Result<Arc<dyn LookupHook>, InvalidHook> {
        self.connect(target)?;
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl LookupHook for TestHook {
    async fn ask(&self, question: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        let mut state = self.0.lock().unwrap();
        let question = String::from_utf8(question.to_vec()).unwrap();
        let answer = state.directory.get(&question).map_or("{}", String::as_str).as_bytes().to_vec();
        state.questions.push(question);
        if state.directory_down { Err(NoAnswer) } else { Ok(answer.into()) }
    }
}

#[async_trait]
impl ForwardHook for TestHook {
    async fn forward(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<(), HookError> {
        assert!(id.starts_with("ver_"), "{id}");
        let mut state = self.0.lock().unwrap();
        state.bodies.push(String::from_utf8(body.to_vec()).unwrap());
        state.answers.pop_front().map_or(Ok(()), Err)
    }
}
