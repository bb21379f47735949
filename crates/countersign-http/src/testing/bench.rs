//! The services over an engine in memory, with a clock that is pushed and a provider that remembers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use countersign_core::directory::Directories;
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::keys::KeyRing;
use countersign_core::names::Channel;
use countersign_core::nonces::Nonces;
use countersign_core::provider::RenderedMessage;
use countersign_core::template::Templates;
use countersign_core::tenant::{Tenant, Tenants};
use countersign_core::testkit::{ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, keys, tenant};
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;
use tower::ServiceExt;

use crate::dialects::Dialects;
use crate::hooks::HookClient;
use crate::ops::Readiness;
use crate::services::Services;

/// What the services stand on.
pub(crate) struct Ground {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) engine: Arc<MemoryEngine>,
}

impl Ground {
    /// Nothing has happened yet.
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self { clock: Arc::new(clock), engine: Arc::new(MemoryEngine::new(keys())) }
    }

    /// The services for the tenants `acme` and `other`, and what they send over these channels.
    pub(crate) fn services(
        &self,
        acme: Tenant,
        channels: &[Channel],
        hooks: Arc<dyn HookClient>,
    ) -> (Services, Outbox) {
        let (clock, engine) = (self.clock.clone(), self.engine.clone());
        let entropy = Arc::new(SeededEntropy::default());
        let ring: Arc<KeyRing> = Arc::new(keys());
        let provider = RecordingProvider::carrying("recorder", channels);
        let mut routes = provider.routes();
        routes.set_test(provider.route(0));
        let (routes, templates) = (Arc::new(routes), Arc::new(Templates::builtin()));
        let tenants: Arc<Tenants> = Arc::new([acme, tenant("other")].into_iter().collect());
        let services = Services {
            verifications: Verifications::new(
                engine.clone(),
                ring.clone(),
                clock.clone(),
                entropy.clone(),
                routes.clone(),
                templates.clone(),
            ),
            directories: Directories::new(engine.clone(), ring.clone(), clock.clone(), entropy.clone()),
            tokens: Tokens::new(ring.clone(), clock.clone(), entropy),
            nonces: Nonces::new(engine.clone(), ring.clone(), clock.clone()),
            tenants: tenants.clone(),
            hooks,
        };
        let dispatcher = Dispatcher::new(engine, ring, clock, routes, templates, tenants, Pace::default());
        (services, Outbox { provider, dispatcher, seen: Vec::new() })
    }
}

/// These dialects beside everything else that is served.
pub(crate) fn whole(dialects: Dialects, services: Services) -> Router {
    let (keys, readiness) = (Arc::default(), Readiness::default());
    crate::app(crate::App { services, keys, dialects, readiness, metrics: None, dev: None }).unwrap()
}

/// An answer, read to its end.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// The way out, and what went there.
pub(crate) struct Outbox {
    provider: Arc<RecordingProvider>,
    dispatcher: Dispatcher,
    /// Every message so far, oldest first.
    seen: Vec<RenderedMessage>,
}

impl Outbox {
    /// What was sent since the last call of this, as `channel to address`.
    pub(crate) async fn sent(&mut self) -> Vec<String> {
        while self.dispatcher.step().await.is_ok_and(|step| step.claimed > 0) {}
        let mut new = self.provider.take_sent();
        // Messages of one moment leave by several channels at once, in no order that means anything.
        new.sort_by_key(|message| (message.expires_at, message.channel.as_str()));
        self.seen.extend(new.iter().cloned());
        new.iter().map(|message| format!("{} to {}", message.channel, message.recipient.expose())).collect()
    }

    /// The latest code that an address got.
    pub(crate) async fn code(&mut self, address: &str) -> String {
        self.sent().await;
        let to = self.seen.iter().rfind(|message| message.recipient.expose() == address);
        to.unwrap_or_else(|| panic!("{address} got nothing")).code.expose().to_owned()
    }

    /// The latest message of all.
    pub(crate) async fn latest(&mut self) -> &RenderedMessage {
        self.sent().await;
        self.seen.last().unwrap()
    }

    /// The latest code of all.
    pub(crate) async fn last_code(&mut self) -> String {
        self.latest().await.code.expose().to_owned()
    }

    /// The first code of all.
    pub(crate) async fn first_code(&mut self) -> String {
        self.sent().await;
        self.seen.first().unwrap().code.expose().to_owned()
    }

    /// A code that is not the latest one.
    pub(crate) async fn wrong_code(&mut self) -> String {
        let right: u32 = self.last_code().await.parse().unwrap();
        format!("{:06}", (right + 1) % 1_000_000)
    }
}
