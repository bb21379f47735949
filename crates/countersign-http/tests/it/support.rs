//! The whole service without network, disk, wall clock or chance.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign_core::code::Code;
use countersign_core::directory::Directories;
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::nonces::Nonces;
use countersign_core::provider::Routes;
use countersign_core::template::Templates;
use countersign_core::tenant::{Tenant, Tenants};
use countersign_core::testkit::{ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, keys, tenant};
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;
use countersign_http::dialects::Dialects;
use countersign_http::hooks::NoHooks;
use countersign_http::native::{ApiKey, ApiKeys, Scope};
use countersign_http::ops::Readiness;
use countersign_http::services::Services;
use countersign_http::{App, app};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::contract::assert_kept;

/// A fictional number (+1 212 555 01xx is reserved for fiction).
pub(crate) const ALICE: &str = "+12125550101";
pub(crate) const BOB: &str = "+12125550102";

/// The key of tenant `demo` with every scope.
pub(crate) const KEY: &str = "key-of-demo";

/// The service, with tenants `demo` and `other`.
pub(crate) struct TestApp {
    router: Router,
    pub(crate) engine: Arc<MemoryEngine>,
    pub(crate) readiness: Readiness,
    clock: Arc<ManualClock>,
    provider: Arc<RecordingProvider>,
    dispatcher: Dispatcher,
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With another policy than the default for tenant `demo`.
    pub(crate) fn with(change: impl FnOnce(&mut Tenant)) -> Self {
        let provider = RecordingProvider::new("carrier");
        let routes = provider.routes();
        Self::over(provider, routes, change)
    }

    /// With other routes than one provider for every channel.
    pub(crate) fn over(
        provider: Arc<RecordingProvider>,
        routes: Routes,
        change: impl FnOnce(&mut Tenant),
    ) -> Self {
        let (clock, entropy) = (Arc::new(ManualClock::default()), Arc::new(SeededEntropy::default()));
        let (engine, keys) = (Arc::new(MemoryEngine::new(keys())), Arc::new(keys()));
        let (routes, templates) = (Arc::new(routes), Arc::new(Templates::builtin()));
        let mut demo = tenant("demo");
        change(&mut demo);
        let disabled = Tenant { disabled: true, ..tenant("disabled") };
        let tenants: Arc<Tenants> = Arc::new([demo, tenant("other"), disabled].into_iter().collect());
        let verifications = Verifications::new(
            engine.clone(),
            keys.clone(),
            clock.clone(),
            entropy.clone(),
            routes.clone(),
            templates.clone(),
        );
        let directories = Directories::new(engine.clone(), keys.clone(), clock.clone(), entropy.clone());
        let tokens = Tokens::new(keys.clone(), clock.clone(), entropy);
        let nonces = Nonces::new(engine.clone(), keys.clone(), clock.clone());
        let dispatcher = Dispatcher::new(
            engine.clone(),
            keys,
            clock.clone(),
            routes,
            templates,
            tenants.clone(),
            Pace::default(),
        );
        let services =
            Services { verifications, directories, nonces, tokens, tenants, hooks: Arc::new(NoHooks) };
        let readiness = Readiness::default();
        let service = app(App {
            services,
            keys: Arc::new(api_keys()),
            dialects: Dialects::default(),
            readiness: readiness.clone(),
            metrics: None,
            dev: None,
        });
        Self { router: service.unwrap(), engine, readiness, clock, provider, dispatcher }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A call of tenant `demo`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Call::post(path).json(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Call::new("GET", path)).await
    }

    /// Sends a call, and holds it and the answer against the OpenAPI document.
    pub(crate) async fn send(&self, call: Call) -> Answer {
        let request: Request<Body> = call.clone().into();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("x-request-id").is_some());
        assert_kept(&call, &answer);
        answer
    }

    /// Starts a verification of a number for `login`; answers its id.
    pub(crate) async fn start(&self, to: &str) -> String {
        let answer = self.post("/v1/verifications", json!({"to": to, "purpose": "login"})).await;
        assert_eq!(answer.status, 201, "{answer}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// What the provider got since the last look: recipient and code.
    pub(crate) async fn sent(&self) -> Vec<(String, Code)> {
        self.dispatcher.step().await.unwrap();
        let sent = self.provider.take_sent();
        sent.into_iter().map(|m| (m.recipient.expose().to_owned(), m.code)).collect()
    }

    /// The code of the one message that the provider got since the last look.
    pub(crate) async fn code(&self) -> String {
        let sent = self.sent().await;
        assert_eq!(sent.len(), 1);
        sent[0].1.expose().to_owned()
    }

    /// Checks a code of tenant `demo`; answers `valid` and the reason.
    pub(crate) async fn check(&self, id: &str, code: &str) -> (bool, String) {
        let answer = self.post(&format!("/v1/verifications/{id}/check"), json!({"code": code})).await;
        assert_eq!(answer.status, 200, "{answer}");
        let body = answer.json();
        (body["valid"].as_bool().unwrap(), body["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// How many checks a verification has taken.
    pub(crate) async fn checks_used(&self, id: &str) -> u64 {
        self.get(&format!("/v1/verifications/{id}")).await.json()["checks"]["used"].as_u64().unwrap()
    }
}

fn api_keys() -> ApiKeys {
    let key = |text: &str, tenant: &str, scopes: &[Scope]| ApiKey {
        name: text.to_owned(),
        tenant: tenant.parse().unwrap(),
        sha256: Sha256::digest(text.as_bytes()).into(),
        scopes: scopes.to_vec(),
    };
    [
        key(KEY, "demo", &Scope::ALL),
        key("verify-of-demo", "demo", &[Scope::Verify]),
        key("admin-of-demo", "demo", &[Scope::Admin]),
        key("key-of-other", "other", &Scope::ALL),
        key("key-of-disabled", "disabled", &Scope::ALL),
        key("key-of-nobody", "nobody", &Scope::ALL),
    ]
    .into_iter()
    .collect()
}

/// A request.
#[derive(Clone)]
pub(crate) struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// With the key of tenant `demo`.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let headers = vec![("authorization".into(), format!("Bearer {KEY}"))];
        Self { method: method.into(), path: path.into(), headers, body: Vec::new() }
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// With another key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.without("authorization").header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body that says it is JSON.
    pub(crate) fn text(self, body: &str) -> Self {
        self.bytes(body.as_bytes()).header("content-type", "application/json")
    }

    pub(crate) fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }
}

impl From<Call> for Request<Body> {
    fn from(call: Call) -> Self {
        let mut request = Request::builder().method(call.method.as_str()).uri(call.path);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        request.body(call.body.into()).unwrap()
    }
}

/// An answer. It prints as the parts that the contract is about.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The name of the problem; empty when it is none.
    pub(crate) fn problem(&self) -> String {
        if self.header("content-type") != Some("application/problem+json") {
            return String::new();
        }
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
    }

    /// The problem, and the field it names.
    pub(crate) fn fault(&self) -> (String, String) {
        (self.problem(), self.json()["field"].as_str().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status.as_u16())?;
        for name in
            ["allow", "content-type", "idempotency-replayed", "location", "retry-after", "www-authenticate"]
        {
            if let Some(value) = self.header(name) {
                writeln!(f, "{name}: {value}")?;
            }
        }
        // One member of the outermost object per line, in the order of the wire.
        let mut depth = 0;
        let mut in_string = false;
        for (i, c) in self.body.char_indices() {
            match c {
                '"' if !self.body[..i].ends_with('\\') => in_string = !in_string,
                '{' | '[' if !in_string => depth += 1,
                '}' | ']' if !in_string => depth -= 1,
                _ => {}
            }
            f.write_char(c)?;
            if c == ',' && depth == 1 && !in_string {
                f.write_str("\n ")?;
            }
        }
        Ok(())
    }
}
