//! How fast messages leave, measured: a provider that hangs, one that is slow, and many messages at once.
//!
//! These take their time and are run by `cargo xtask test long`. Alone, with the figures:
//! `cargo nextest run -p countersign --run-ignored only --no-capture --test-threads 1 dispatch_load`

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::engine::Engine;
use countersign_core::ids::VerificationId;
use countersign_core::keys::KeyRing;
use countersign_core::names::{Channel, ProviderName, TenantId};
use countersign_core::provider::{
    DeliveryError, DeliveryErrorKind, Provider, RenderedMessage, Retry, Route, Routes, Submitted,
};
use countersign_core::template::Templates;
use countersign_core::tenant::Tenants;
use countersign_core::testkit::bench::{fresh, opened};
use countersign_core::testkit::{commands, keys, tenant};
use countersign_core::time::{Clock, Timestamp};
use countersign_storage::sqlite::{SqliteEngine, SqliteOptions};
use tokio::task::JoinHandle;

struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "it is measured in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }
}

/// Takes its time over each message, and remembers when it was given it. Over those of one tenant it hangs,
/// and is not waited for longer than five seconds.
struct Carrier {
    name: ProviderName,
    takes: Duration,
    hangs_over: Option<&'static str>,
    given: Mutex<HashMap<VerificationId, Instant>>,
}

impl Carrier {
    fn new(name: &str, takes: Duration) -> Arc<Self> {
        Self::hanging_over(name, takes, None)
    }

    fn hanging_over(name: &str, takes: Duration, hangs_over: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { name: name.parse().unwrap(), takes, hangs_over, given: Mutex::default() })
    }

    fn given(&self, id: VerificationId) -> Option<Instant> {
        self.given.lock().unwrap().get(&id).copied()
    }

    fn count(&self) -> usize {
        self.given.lock().unwrap().len()
    }

    async fn until(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[async_trait]
impl Provider for Carrier {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn channels(&self) -> &[Channel] {
        &Channel::ALL
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        if self.hangs_over != Some(message.tenant.as_str()) {
            self.given.lock().unwrap().insert(message.verification, Instant::now());
            tokio::time::sleep(self.takes).await;
            return Ok(Submitted::default());
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        Err(DeliveryError::new(DeliveryErrorKind::Unknown, Retry::Never, "none within 5 s"))
    }
}

/// A store on this machine's disk and a dispatcher over it; each tenant has a route of its own.
struct Service {
    engine: Arc<SqliteEngine>,
    task: Option<JoinHandle<()>>,
    next: std::sync::atomic::AtomicU32,
    _folder: tempfile::TempDir,
}

impl Service {
    fn over(routes: &[(&str, &Arc<Carrier>)]) -> Arc<Self> {
        let (folder, keys): (_, Arc<KeyRing>) = (tempfile::tempdir().unwrap(), Arc::new(keys()));
        let (path, options) = (folder.path().join("store.db"), SqliteOptions::default());
        let engine = Arc::new(SqliteEngine::open(&path, keys.clone(), options, MachineClock.now()).unwrap());
        let mut own = Routes::default();
        for (id, carrier) in routes {
            let route = Route { provider: Arc::clone(carrier) as _, price_micros: 0 };
            own.set_own(id.parse().unwrap(), vec![route]);
        }
        let tenants: Tenants = routes.iter().map(|(id, _)| tenant(id)).collect();
        let dispatcher = Dispatcher::new(
            engine.clone(),
            keys,
            Arc::new(MachineClock),
            Arc::new(own),
            Arc::new(Templates::builtin()),
            Arc::new(tenants),
            Pace::default(),
        );
        let task = Some(tokio::spawn(async move { dispatcher.run(std::future::pending()).await }));
        Arc::new(Self { engine, task, next: 0.into(), _folder: folder })
    }

    async fn start(&self, id: &str) -> VerificationId {
        let n = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let seed = std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(3));
        let tenant: TenantId = id.parse().unwrap();
        let command = commands::start(&tenant, &format!("user-{n}@example.com"), MachineClock.now(), seed);
        opened(fresh(self.engine.start(command).await.unwrap())).id
    }

    /// Starts this many in a second, for so many seconds.
    fn flood(self: &Arc<Self>, id: &'static str, per_second: u32, seconds: u32) -> JoinHandle<()> {
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
            for _ in 0..per_second * seconds {
                ticks.tick().await;
                service.start(id).await;
            }
        })
    }

    /// The time from the answer to the start until the provider is given the message: the 99th percentile of
    /// 20 a second for 10 seconds.
    async fn p99(&self, id: &str, carrier: &Carrier) -> Duration {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let (mut answered, before) = (Vec::new(), carrier.count());
        for _ in 0..200 {
            ticks.tick().await;
            let id = self.start(id).await;
            answered.push((id, Instant::now()));
        }
        carrier.until(before + 200).await;
        let took = |(id, at): &(_, Instant)| carrier.given(*id).unwrap().saturating_duration_since(*at);
        let mut all: Vec<Duration> = answered.iter().map(took).collect();
        all.sort_unstable();
        all[all.len() * 99 / 100]
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Shows: F7, E1.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute; run by `cargo xtask test long`"]
async fn f7_dispatch_load_beside_a_receiver_that_hangs_at_50_messages_a_second() {
    let (hanging, healthy) = (
        Carrier::hanging_over("hanging", Duration::ZERO, Some("unlucky")),
        Carrier::new("healthy", Duration::ZERO),
    );
    let service = Service::over(&[("unlucky", &hanging), ("other", &healthy)]);
    service.p99("other", &healthy).await; // whatever happens only once
    let without = service.p99("other", &healthy).await;
    let flood = service.flood("unlucky", 50, 20);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let with = service.p99("other", &healthy).await;
    println!(
        "p99 until the provider has a message: {without:?} without, {with:?} beside a receiver that hangs"
    );
    assert!(with <= without + Duration::from_millis(100), "{with:?} after {without:?}");
    flood.abort();
}

/// Shows: F7, E1.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes seconds; run by `cargo xtask test long`"]
async fn f7_dispatch_load_of_2000_messages_at_once_beside_a_receiver_that_hangs() {
    let (hanging, healthy) = (
        Carrier::hanging_over("hanging", Duration::ZERO, Some("unlucky")),
        Carrier::new("healthy", Duration::ZERO),
    );
    let service = Service::over(&[("unlucky", &hanging), ("other", &healthy)]);
    let flood = service.flood("unlucky", 50, 20);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut starts = tokio::task::JoinSet::new();
    let began = Instant::now();
    for _ in 0..2_000 {
        let service = service.clone();
        starts.spawn(async move { service.start("other").await });
    }
    starts.join_all().await;
    let started = began.elapsed();
    healthy.until(2_000).await;
    println!(
        "2,000 messages: started within {started:?}, all with their provider after {:?}",
        began.elapsed()
    );
    assert!(began.elapsed() <= started + Duration::from_secs(2), "{:?}", began.elapsed());
    flood.abort();
}

/// Shows: E1.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes seconds; run by `cargo xtask test long`"]
async fn e1_dispatch_load_over_a_provider_that_takes_a_second() {
    let slow = Carrier::new("slow", Duration::from_secs(1));
    let service = Service::over(&[("t", &slow)]);
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..1_536 {
        let service = service.clone();
        starts.spawn(async move { service.start("t").await });
    }
    starts.join_all().await;
    slow.until(256).await;
    let began = Instant::now();
    slow.until(1_536).await;
    let rate = 1_280.0 / began.elapsed().as_secs_f64();
    println!("{rate:.0} messages a second over a provider that takes one, 256 at a time");
    assert!((200.0..=270.0).contains(&rate), "{rate}");
}

/// Shows: E1.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute; run by `cargo xtask test long`"]
async fn e1_dispatch_load_of_100_a_second_beside_one_that_hangs_every_second() {
    let healthy = Carrier::hanging_over("both", Duration::ZERO, Some("unlucky"));
    let service = Service::over(&[("unlucky", &healthy), ("other", &healthy)]);
    let (bad, good) = (service.flood("unlucky", 1, 20), service.flood("other", 100, 20));
    good.await.unwrap();
    let ended = Instant::now();
    healthy.until(2_000).await;
    println!("the last of 2,000 messages left {:?} after its start", ended.elapsed());
    assert!(ended.elapsed() < Duration::from_secs(1), "a backlog: {:?}", ended.elapsed());
    bad.await.unwrap();
}
