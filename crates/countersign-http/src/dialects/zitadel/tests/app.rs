//! The dialect over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use countersign_core::directory::{Directories, Directory, User, UserBy};
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::keys::KeyRing;
use countersign_core::names::{Channel, TenantId};
use countersign_core::nonces::Nonces;
use countersign_core::template::Templates;
use countersign_core::tenant::{Tenant, Tenants};
use countersign_core::testkit::{
    ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, keys, tenant as plain_tenant,
};
use countersign_core::time::{Clock, Timestamp};
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::dialects::zitadel;
use crate::hooks::{ForwardHook, HookClient, HookTarget, InvalidHook};
use crate::observe::Observe;
use crate::services::Services;

/// The organisation of everybody but `stranger`.
pub(super) const ORGANIZATION: &str = "69629023906488334";
/// A person with an unproven phone and mailbox; codes are pending for both.
pub(super) const MINI: &str = "163840776835432705";
/// A person whose addresses are proven.
pub(super) const PROVEN: &str = "163840776835432706";
/// A person without a phone.
pub(super) const PHONELESS: &str = "163840776835432707";
/// A service.
pub(super) const SERVICE: &str = "163840776835432700";
pub(super) const PHONE: &str = "+41791234567";

/// The dialect for one tenant, `acme`.
pub(super) struct App {
    router: Router,
    pub(super) clock: Arc<TestClock>,
    pub(super) engine: Arc<MemoryEngine>,
    provider: Arc<RecordingProvider>,
    dispatcher: Dispatcher,
    directory: Directory,
    /// The latest code, sent or handed back.
    code: Mutex<Option<String>>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The status, and the id of the error; empty without one.
    pub(super) fn says(&self) -> (u16, String) {
        let id = self.json()["details"][0]["id"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), id)
    }
}

/// What `says` is compared with.
pub(super) fn said(status: u16, id: &str) -> (u16, String) {
    (status, id.to_owned())
}

impl App {
    /// The dialect with its defaults and three users.
    pub(super) async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// The dialect with these options of the tenant.
    pub(super) async fn with(options: &Value) -> Self {
        Self::build(options, |_| {}, &Channel::ALL).await
    }

    /// The dialect for a tenant that `change` made, with providers of these channels.
    pub(super) async fn build(options: &Value, change: impl Fn(&mut Tenant), channels: &[Channel]) -> Self {
        let token = |name: &str, user: &str, kind: &str, role: &str| {
            json!({ "tenant": "acme", "organization": ORGANIZATION, "user": user, "kind": kind, "role": role,
                "token": name })
        };
        let section = json!({
            "tenants": { "acme": options },
            "tokens": [
                token("PAT123", SERVICE, "machine", "org_owner"),
                token("VIEWER", "163840776835432701", "machine", "org_owner_viewer"),
                token("NOBODY", "163840776835432702", "machine", "none"),
                token("HUMAN456", MINI, "human", "none"),
                token("PROVEN", PROVEN, "human", "none"),
                token("PHONELESS", PHONELESS, "human", "none"),
                token("GONE", "163840776835432709", "human", "none"),
                { "tenant": "acme", "organization": "79629023906488334", "user": "163840776835432703",
                    "role": "org_owner", "token": "NEIGHBOUR" },
                { "tenant": "other", "organization": "89629023906488334", "user": "163840776835432704",
                    "role": "org_owner", "token": "STRANGER" },
            ],
        });
        // Users are added before anything about the tenant is special.
        let app = Self::open(section.clone(), plain_tenant("acme"), &Channel::ALL, None).unwrap();
        app.add_users().await;
        let mut acme = plain_tenant("acme");
        change(&mut acme);
        Self::open(section, acme, channels, Some(app)).unwrap()
    }

    /// The dialect with exactly this section; over the store and the clock of `before`.
    pub(super) fn open(
        section: Value,
        acme: Tenant,
        channels: &[Channel],
        before: Option<Self>,
    ) -> Result<Self, zitadel::InvalidConfig> {
        let config = serde_json::from_value(section).unwrap();
        // Other draws than before: ids and codes must not come again.
        let entropy = Arc::new(SeededEntropy::new(before.is_some().into()));
        let (clock, engine, code) = match before {
            Some(app) => (app.clock, app.engine, app.code),
            None => (Arc::new(TestClock::default()), Arc::new(MemoryEngine::new(keys())), Mutex::default()),
        };
        let ring: Arc<KeyRing> = Arc::new(keys());
        let provider = RecordingProvider::carrying("recorder", channels);
        let mut routes = provider.routes();
        routes.set_test(provider.route(0));
        let (routes, templates) = (Arc::new(routes), Arc::new(Templates::builtin()));
        let tenants: Arc<Tenants> = Arc::new([acme, plain_tenant("other")].into_iter().collect());
        let directories = Directories::new(engine.clone(), ring.clone(), clock.clone(), entropy.clone());
        let directory = directories.named("zitadel".parse().unwrap());
        let services = Services {
            verifications: Verifications::new(
                engine.clone(),
                ring.clone(),
                clock.clone(),
                entropy.clone(),
                routes.clone(),
                templates.clone(),
            ),
            directories,
            tokens: Tokens::new(ring.clone(), clock.clone(), entropy),
            nonces: Nonces::new(engine.clone(), ring.clone(), clock.clone()),
            tenants: tenants.clone(),
            hooks: Arc::new(NoHooks),
        };
        let dispatcher =
            Dispatcher::new(engine.clone(), ring, clock.clone(), routes, templates, tenants, Pace::default());
        // As it is served: a panic ends one request.
        let observe = Observe { dialect: zitadel::NAME, refusal: zitadel::refusal };
        let served = zitadel::routes(config, services)?.layer(observe);
        Ok(Self { router: served, clock, engine, provider, dispatcher, directory, code })
    }

    async fn add_users(&self) {
        for (id, name, phone, choice) in [
            (MINI, "mini", PHONE, json!({ "returnCode": {} })),
            (PROVEN, "proven", "+41791234568", json!({ "isVerified": true })),
            (PHONELESS, "phoneless", "", json!({ "isVerified": true })),
        ] {
            let with = |name: &str, value: &str| {
                let mut address = choice.clone();
                address[name] = json!(value);
                address
            };
            let body = json!({
                "userId": id,
                "profile": { "givenName": "Mini", "familyName": "Mouse" },
                "email": with("email", &format!("{name}@mouse.com")),
                "phone": if phone.is_empty() { Value::Null } else { with("phone", phone) },
            });
            let reply = self.call("PAT123", "POST", "/v2/users/human", &body.to_string()).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }

    pub(super) fn wait(&self, seconds: u64) {
        self.clock.pushed.advance(Duration::from_secs(seconds));
    }

    /// A call of the service that may do everything.
    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("PAT123", "POST", path, &body.to_string()).await
    }

    /// A call with any token.
    pub(super) async fn call(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    /// Any call.
    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let body = body.to_bytes();
        if let Ok(answer) = serde_json::from_slice::<Value>(&body) {
            let codes =
                ["verificationCode", "phoneCode"].map(|name| answer[name].as_str().map(str::to_owned));
            if let Some(code) = codes.into_iter().flatten().next() {
                *self.code.lock().unwrap() = Some(code);
            }
        }
        let mut headers = head.headers;
        headers.remove("x-request-id"); // another one each time
        Reply { status: head.status, headers, body, trailers }
    }

    /// What was sent since the last call of this, as `channel to address`.
    pub(super) async fn sent(&self) -> Vec<String> {
        while self.dispatcher.step().await.is_ok_and(|step| step.claimed > 0) {}
        let mut new = self.provider.take_sent();
        new.sort_by_key(|message| (message.expires_at, message.channel.as_str()));
        if let Some(last) = new.last() {
            *self.code.lock().unwrap() = Some(last.code.expose().to_owned());
        }
        new.iter().map(|message| format!("{} to {}", message.channel, message.recipient.expose())).collect()
    }

    /// The links of what was sent since the last call of this or of `sent`, and the latest code.
    pub(super) async fn links(&self) -> (Vec<Option<String>>, String) {
        while self.dispatcher.step().await.is_ok_and(|step| step.claimed > 0) {}
        let new = self.provider.take_sent();
        let code = new.last().map(|message| message.code.expose().to_owned()).unwrap_or_default();
        (new.into_iter().map(|message| message.link.map(|link| link.expose().to_owned())).collect(), code)
    }

    /// The latest code, sent or handed back.
    pub(super) async fn code(&self) -> String {
        self.sent().await;
        self.code.lock().unwrap().clone().unwrap()
    }

    pub(super) async fn user(&self, id: &str) -> User {
        let tenant = TenantId::parse("acme").unwrap();
        self.directory.find(&tenant, UserBy::Id(id)).await.unwrap().unwrap()
    }
}

/// A clock that tests push, and that can break: whoever looks at it then panics.
#[derive(Default)]
pub(super) struct TestClock {
    pushed: ManualClock,
    pub(super) broken: AtomicBool,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        assert!(!self.broken.load(Ordering::Relaxed), "the clock is broken");
        self.pushed.now()
    }
}

/// No call of this dialect goes to a hook.
#[derive(Debug)]
struct NoHooks;

impl HookClient for NoHooks {
    fn connect(&self, _: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        Err(InvalidHook("there are none".into()))
    }
}
