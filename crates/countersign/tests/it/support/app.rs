//! The service in process: the demo tenants over an engine, a clock that tests push, chance that
//! repeats, and a provider that records.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use countersign::config::ServiceConfig;
use countersign::dev;
use countersign::service::{Parts, Service};
use countersign_core::dispatcher::Dispatcher;
use countersign_core::engine::{Engine, StorageError};
use countersign_core::keys::KeyRing;
use countersign_core::outbox::Slots;
use countersign_core::provider::{RenderedMessage, Routes};
use countersign_core::testkit::{
    ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, commands, keys,
};
use countersign_core::time::{Clock, Timestamp};
use countersign_http::front::{self, ClientAddr, FrontOptions, TrustedProxies};
use countersign_http::ops::Readiness;
use countersign_storage::sqlite::{SqliteEngine, SqliteOptions};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::Answer;
use super::down::Down;

/// The demo tenant's API key.
pub(crate) const DEMO: &str = "csk_dev_demo_000000000000000000000000000000";

/// The service in process. Dropping it with messages that nobody looked at fails the test.
pub(crate) struct TestApp {
    api: Router,
    dispatcher: Arc<Dispatcher>,
    provider: Arc<RecordingProvider>,
    clock: Arc<ManualClock>,
    /// Whether anything may have been queued since the last look.
    unlooked: AtomicBool,
    engine: Arc<dyn Engine>,
    has_store: bool,
    /// Holds the store of an engine that has one.
    _folder: Option<tempfile::TempDir>,
}

impl TestApp {
    /// Over the reference engine.
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new(keys())), Arc::new(keys()), None)
    }

    /// Over the embedded engine.
    pub(crate) fn on_sqlite() -> Self {
        let (folder, keys) = (tempfile::tempdir().unwrap(), Arc::new(keys()));
        let path = folder.path().join("store.db");
        let sealing = Arc::clone(&keys);
        // Outside the test's runtime, which could not hand answers out while the test is dropped.
        let open = move || SqliteEngine::open(&path, sealing, SqliteOptions::default(), ManualClock::START);
        let engine = std::thread::spawn(open).join().unwrap().unwrap();
        Self::over(Arc::new(engine), keys, Some(folder))
    }

    /// Refuses clients that start too much, which is told only and refused by nobody unless it is asked for.
    pub(crate) fn enforcing_client_limits() -> Self {
        let mut config = dev::config();
        for tenant in &mut config.tenants {
            tenant.policy.caps.client_limit_refuses = true;
        }
        Self::serving(config)
    }

    /// Over a store that does not answer.
    pub(crate) fn without_store() -> Self {
        Self::failing(&StorageError::Unavailable("the test took the store away".to_owned()))
    }

    /// Over a store that answers nothing but this.
    pub(crate) fn failing(error: &StorageError) -> Self {
        let mut app = Self::over(Arc::new(Down(error.clone())), Arc::new(keys()), None);
        app.has_store = false;
        app
    }

    /// Over the reference engine, with a configuration of the test's own.
    pub(crate) fn serving(config: ServiceConfig) -> Self {
        Self::charging(0, config)
    }

    /// The same, where each message costs so many millionths.
    pub(crate) fn charging(price_micros: u64, config: ServiceConfig) -> Self {
        Self::assemble(Arc::new(MemoryEngine::new(keys())), Arc::new(keys()), None, config, price_micros)
    }

    /// The same store and the same instant under another configuration.
    pub(crate) fn reconfigured(self, config: ServiceConfig) -> Self {
        self.unlooked.store(false, Ordering::Relaxed);
        let again = Self::assemble(Arc::clone(&self.engine), Arc::new(keys()), None, config, 0);
        again.clock.advance(self.clock.now().since(again.clock.now()));
        again
    }

    fn over(engine: Arc<dyn Engine>, keys: Arc<KeyRing>, folder: Option<tempfile::TempDir>) -> Self {
        Self::assemble(engine, keys, folder, dev::config(), 0)
    }

    fn assemble(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        folder: Option<tempfile::TempDir>,
        config: ServiceConfig,
        price_micros: u64,
    ) -> Self {
        // The hooks' client wants one, even if no hook is configured.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let (clock, provider) = (Arc::new(ManualClock::default()), RecordingProvider::new("recorder"));
        let mut routes = Routes::shared(vec![provider.route(price_micros)]);
        routes.set_test(provider.route(0));
        let service = Service::assemble(Parts {
            engine: Arc::clone(&engine),
            keys,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SeededEntropy::default()),
            routes,
            config,
        });
        let dispatcher = Arc::clone(&service.dispatcher);
        let api = service.router(Readiness::default(), None, None).unwrap();
        Self {
            api,
            dispatcher,
            provider,
            clock,
            unlooked: AtomicBool::new(false),
            engine,
            has_store: true,
            _folder: folder,
        }
    }

    /// A call with the demo key.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[("authorization", &format!("Bearer {DEMO}"))], Some(body)).await
    }

    /// A call with another bearer token.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[("authorization", &format!("Bearer {token}"))], Some(body)).await
    }

    /// A look with the demo key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[("authorization", &format!("Bearer {DEMO}"))], None).await
    }

    /// A call with exactly these headers, and the content type if there is a body.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let client = ClientAddr { ip: [127, 0, 0, 1].into(), through_proxy: false };
        let mut request = Request::builder().method(method).uri(path).extension(client);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.unlooked.store(true, Ordering::Relaxed);
        let response = self.api.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    /// Serves it over the real front, to proxies that are believed; answers where. Ends with the test.
    pub(crate) async fn behind_the_front(&self, trusted: &[&str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let trusted_proxies = TrustedProxies::new(trusted.iter().map(|network| network.parse().unwrap()));
        let options = FrontOptions { trusted_proxies, ..FrontOptions::default() };
        self.unlooked.store(true, Ordering::Relaxed);
        tokio::spawn(front::serve(vec![listener], self.api.clone(), options, std::future::pending()));
        address
    }

    /// What was sent since the last look. Delivers what is queued first.
    pub(crate) async fn sent(&self) -> Vec<RenderedMessage> {
        while self.dispatcher.step().await.unwrap().claimed > 0 {}
        self.unlooked.store(false, Ordering::Relaxed);
        self.provider.take_sent()
    }

    /// The code of the one message that was sent since the last look.
    pub(crate) async fn code(&self) -> String {
        let sent = self.sent().await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].code.expose().to_owned()
    }

    /// Starts a login of this recipient and looks at the message; answers the verification's id and code.
    pub(crate) async fn started(&self, to: &str) -> (String, String) {
        let answer = self.post("/v1/verifications", serde_json::json!({"to": to, "purpose": "login"})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        (answer.text("id"), self.code().await)
    }

    /// What takes the messages, to tell it what to answer.
    pub(crate) fn provider(&self) -> &RecordingProvider {
        &self.provider
    }

    /// What hands the messages over.
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Pushes the clock forward.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.has_store || !self.unlooked.load(Ordering::Relaxed) {
            return;
        }
        let (engine, now) = (Arc::clone(&self.engine), self.clock.now());
        // A thread of its own: this one may be inside a runtime.
        let claimed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let claim = commands::claim_into(Slots::in_all(1), now);
            runtime.block_on(engine.claim_messages(claim)).map(|messages| messages.len())
        });
        assert_eq!(claimed.join().unwrap(), Ok(0), "the test did not look at a message that was queued");
    }
}

/// The guard of the tests sees what it is there for, over either engine.
mod guard {
    use super::TestApp;

    async fn starts_and_does_not_look(app: TestApp) {
        let started = app.post("/v1/verifications", serde_json::json!({"to": "+12125550123"})).await;
        assert_eq!(started.status, 201);
    }

    #[tokio::test]
    #[should_panic(expected = "did not look at a message")]
    async fn a_message_that_nobody_looks_at_fails_the_test() {
        starts_and_does_not_look(TestApp::new()).await;
    }

    #[tokio::test]
    #[should_panic(expected = "did not look at a message")]
    async fn a_message_that_nobody_looks_at_fails_the_test_on_disk_too() {
        starts_and_does_not_look(TestApp::on_sqlite()).await;
    }
}
