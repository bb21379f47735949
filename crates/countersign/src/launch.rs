//! From a configuration to a running node: the one way for `serve` and `dev`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use countersign_core::engine::Engine;
use countersign_core::entropy::Entropy;
use countersign_core::keys::KeyRing;
use countersign_core::recipient;
use countersign_core::time::Clock;
use countersign_http::front::FrontOptions;
use countersign_http::ops::{self, Readiness};
use countersign_http::services::Services;
use countersign_providers::inbox::Inbox;
use countersign_storage::sqlite::SqliteEngine;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::{PushableClock, ServiceClock};
use crate::commands::{Failure, say};
use crate::config::{Server, ServiceConfig};
use crate::entropy::OsEntropy;
use crate::node::Node;
use crate::service::{Parts, Service};
use crate::{dev, process, signals, ways};

/// What a node is made of.
pub struct Launch {
    /// How it is reached.
    pub server: Server,
    /// What is served, to whom.
    pub config: ServiceConfig,
    /// The installation's keys.
    pub keys: Arc<KeyRing>,
    /// Where state lives.
    pub store: Arc<SqliteEngine>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The clock beneath that follows the machine's, if there is one.
    pub watched_clock: Option<Arc<ServiceClock>>,
    /// What dev mode adds.
    pub dev: Option<DevMode>,
}

/// What dev mode adds.
pub struct DevMode {
    /// The service's clock.
    pub clock: Arc<PushableClock>,
    /// Where data is kept, to be told.
    pub folder: PathBuf,
}

/// Serves until the process is told to leave. The store is closed when this returns.
///
/// # Errors
/// The configuration cannot be served, the address cannot be listened on, or the store is lost.
pub fn launch(launch: Launch) -> Result<(), Failure> {
    process::room_for_connections();
    let store = Arc::clone(&launch.store);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(launch));
    // The store closes last, outside of the runtime, when nothing is left that could use it.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(store);
    result
}

async fn serve(launch: Launch) -> Result<(), Failure> {
    let Launch { server, mut config, keys, store, clock, watched_clock, dev } = launch;
    // From here on a signal is an orderly end.
    let leave = signals::leave()?;
    let metrics = ops::install_recorder().context("metrics cannot be counted").map_err(Failure::Runtime)?;

    // The numbering plans of the countries that tenants name are made ready now, beside all else: not while the
    // first caller from each of them waits, and not while everybody waits for the start either.
    let regions: Vec<String> =
        config.tenants.iter().flat_map(|tenant| tenant.policy.allowed_regions.clone()).collect();
    std::thread::Builder::new()
        .name("warm-up".into())
        .spawn(move || recipient::warm_up(&regions))
        .context("no thread can be started")
        .map_err(Failure::Runtime)?;

    let listener = bind(server.listen).await?;
    let address = listener.local_addr()?;
    if dev.is_some() {
        dev::lead_links_to(&mut config, address);
    }
    let ways = ways::build(&config)?;
    let engine: Arc<dyn Engine> = Arc::clone(&store) as _;
    let service = Service::assemble(Parts {
        engine: Arc::clone(&engine),
        keys,
        clock: Arc::clone(&clock),
        entropy: Arc::new(OsEntropy),
        routes: ways.routes,
        config,
    });
    let filed = store.file_users(|tenant, user| service.directory_before(tenant, user)).await;
    let filed = filed.context("users cannot be moved into directories").map_err(Failure::Runtime)?;
    if filed > 0 {
        tracing::info!(users = filed, "moved users into the directories of their dialects");
    }
    let metrics_listener = match server.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let (closing, closes) = watch::channel(false);
    let dev_routes = match (&dev, ways.inbox) {
        (Some(dev), Some(inbox)) => Some(dev_routes(&service, address, dev, inbox, closes).await?),
        _ => None,
    };
    let readiness = Readiness::default();
    let front = FrontOptions { readiness: readiness.clone(), ..server.front };
    let dispatcher = Arc::clone(&service.dispatcher);
    let beside = server.metrics_beside_api.then(|| metrics.clone());
    let services = service.services.clone();
    let api = service.router(readiness, beside, dev_routes)?;

    // Whoever started the program may have stopped reading: that is no reason to stop serving.
    let _nobody_reads = say(&format!("listening on http://{address}"));
    if let Some(listener) = &metrics_listener {
        let _nobody_reads = say(&format!("metrics on http://{}/metrics", listener.local_addr()?));
    }
    if let Some(dev) = &dev {
        let moment = dev::Moment { now: dev.clock.now(), seed: OsEntropy.seed() };
        let _nobody_reads = say(&dev::banner(address, &dev.folder, &moment));
    }
    let drain = server.drain;
    let node = Node {
        engine,
        clock,
        dispatcher,
        services,
        api,
        front,
        metrics,
        metrics_listener,
        watched_clock,
        drain,
        closing,
    };
    Ok(node.run(listener, leave, store.fatal()).await?)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}")).map_err(Failure::Runtime)
}

async fn dev_routes(
    service: &Service,
    address: SocketAddr,
    dev: &DevMode,
    inbox: Arc<Inbox>,
    closing: watch::Receiver<bool>,
) -> Result<Router, Failure> {
    let registered = dev::register_users(&service.services.directories).await;
    registered.context("the demo users cannot be registered").map_err(Failure::Runtime)?;
    let Services { verifications, tenants, .. } = &service.services;
    let opened = dev::open_sign_up(verifications, tenants).await;
    opened.context("the demo sign-up cannot be opened").map_err(Failure::Runtime)?;
    Ok(countersign_http::dev::routes(countersign_http::dev::Dev {
        inbox: Arc::new(dev::InboxView(inbox)),
        codes: Arc::new(dev::CodesView {
            verifications: verifications.clone(),
            tenants: Arc::clone(tenants),
            clock: Arc::clone(&dev.clock) as _,
        }),
        clock: Arc::clone(&dev.clock) as _,
        samples: Arc::new(dev::ShownSamples {
            address,
            clock: Arc::clone(&dev.clock) as _,
            entropy: Arc::new(OsEntropy),
        }),
        closing,
    }))
}
