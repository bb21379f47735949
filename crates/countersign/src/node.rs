//! A running node: from the first request to the last.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_core::audit::AuditEvent;
use countersign_core::dispatcher::Dispatcher;
use countersign_core::engine::Engine;
use countersign_core::time::Clock;
use countersign_http::front::{self, FrontOptions};
use countersign_http::ops;
use countersign_http::services::Services;
use countersign_storage::sqlite::Lost;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::ServiceClock;
use crate::tasks::{Stop, audit_head, dispatch, keep_running, sweep, usage};

/// How long the background tasks may take to finish what they are at: longer than any provider's own
/// time-out. What they cannot finish comes back when its lease runs out.
const TASKS_FINISH: Duration = Duration::from_secs(10);

/// How often the metrics' histograms are condensed.
const UPKEEP: Duration = Duration::from_secs(5);

/// The store was lost while serving: nothing that was not answered may be relied on.
#[derive(Debug, thiserror::Error)]
#[error("the store is lost: {0}")]
pub struct StoreLost(pub Lost);

/// Everything that a node does.
pub struct Node {
    /// Where state lives.
    pub engine: Arc<dyn Engine>,
    /// The service's clock.
    pub clock: Arc<dyn Clock>,
    /// Hands messages over.
    pub dispatcher: Arc<Dispatcher>,
    /// Whose counters are watched.
    pub services: Services,
    /// The API.
    pub api: Router,
    /// How the API's listener behaves.
    pub front: FrontOptions,
    /// What was counted.
    pub metrics: PrometheusHandle,
    /// `/metrics` on a listener of its own.
    pub metrics_listener: Option<TcpListener>,
    /// The clock whose distance from the machine's is shown; `None` for one that follows no machine.
    pub watched_clock: Option<Arc<ServiceClock>>,
    /// How long to be unready before the listener closes.
    pub drain: Duration,
    /// Told when the listener closes, for answers that would never end by themselves.
    pub closing: watch::Sender<bool>,
}

impl Node {
    /// Serves until `leave` completes or the store is `lost`; then, in this order: is unready, stops
    /// accepting, finishes requests, finishes deliveries.
    ///
    /// # Errors
    /// The store was lost.
    pub async fn run(
        mut self,
        listener: TcpListener,
        leave: impl Future<Output = &'static str>,
        lost: impl Future<Output = Lost>,
    ) -> Result<(), StoreLost> {
        let (raise, stop) = Stop::new();
        let mut tasks = self.start_tasks(&stop);
        write_audit(&*self.engine, &*self.clock, "service.started").await;
        let (engine, until) = (Arc::clone(&self.engine), stop.clone());
        tasks.spawn(keep_running("audit head", stop.clone(), move || {
            audit_head::run(Arc::clone(&engine), until.clone())
        }));

        let readiness = self.front.readiness.clone();
        let mut lost = std::pin::pin!(lost);
        let mut reason = None;
        let shutdown = async {
            tokio::select! {
                signal = leave => {
                    tracing::info!(signal, drain_seconds = self.drain.as_secs(), "leaving");
                    readiness.leave();
                    tokio::select! {
                        () = tokio::time::sleep(self.drain) => {}
                        why = &mut lost => reason = Some(why),
                    }
                }
                why = &mut lost => {
                    readiness.leave();
                    reason = Some(why);
                }
            }
            self.closing.send_replace(true);
        };
        let cut = front::serve(vec![listener], self.api, self.front, shutdown).await;
        if cut > 0 {
            tracing::warn!(connections = cut, "requests were cut off: they took too long to finish");
        }
        raise.send_replace(true);
        let finished = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(TASKS_FINISH, finished).await.is_err() {
            tracing::warn!("deliveries were left unfinished; the next start tries them again");
        }
        if let Some(reason) = reason {
            return Err(StoreLost(reason));
        }
        write_audit(&*self.engine, &*self.clock, "service.stopped").await;
        Ok(())
    }

    fn start_tasks(&mut self, stop: &Stop) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (dispatcher, until) = (Arc::clone(&self.dispatcher), stop.clone());
        tasks.spawn(keep_running("dispatch", stop.clone(), move || {
            dispatch::run(Arc::clone(&dispatcher), until.clone())
        }));
        let (engine, clock) = (Arc::clone(&self.engine), Arc::clone(&self.clock));
        let until = stop.clone();
        tasks.spawn(keep_running("sweep", stop.clone(), move || {
            sweep::run(Arc::clone(&engine), Arc::clone(&clock), until.clone())
        }));
        let (services, until) = (self.services.clone(), stop.clone());
        tasks.spawn(keep_running("usage", stop.clone(), move || usage::run(services.clone(), until.clone())));
        let (metrics, clock, mut until) = (self.metrics.clone(), self.watched_clock.take(), stop.clone());
        tasks.spawn(async move {
            loop {
                if let Some(clock) = &clock {
                    metrics::gauge!("countersign_clock_lag_seconds").set(clock.lag_seconds());
                }
                metrics.run_upkeep();
                if until.sleep(UPKEEP).await {
                    return;
                }
            }
        });
        if let Some(listener) = self.metrics_listener.take() {
            let (metrics, mut until) = (ops::metrics(self.metrics.clone()), stop.clone());
            let options = FrontOptions { drain_timeout: Duration::from_secs(1), ..FrontOptions::default() };
            tasks.spawn(async move {
                front::serve(vec![listener], metrics, options, async move { until.wait().await }).await;
            });
        }
        tasks
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

/// The service's own life belongs into the audit log; a store that cannot take the entry makes the
/// node unready by itself.
async fn write_audit(engine: &dyn Engine, clock: &dyn Clock, action: &str) {
    let event = AuditEvent {
        at: clock.now(),
        tenant: None,
        actor: "system".into(),
        action: action.into(),
        subject: concat!("countersign ", env!("CARGO_PKG_VERSION")).into(),
    };
    if let Err(error) = engine.append_audit(vec![event]).await {
        tracing::warn!(%error, action, "the audit log did not take an entry");
    }
}
