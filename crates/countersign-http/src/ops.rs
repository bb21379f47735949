//! For operators: is it alive, is it ready, how does it do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_core::time::CLOCKS_APART;
use countersign_core::verifications::Verifications;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::observe::{Observe, with_cause};

/// How long the store may take over a write before the node calls itself unready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the service is about to leave. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that the service leaves: from now on it is not ready, whatever the store says.
    pub fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn is_leaving(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `GET /livez` and `GET /readyz`.
pub(crate) fn probes(verifications: Verifications, readiness: Readiness) -> Router {
    Router::new()
        // The process answers: that is all it says. A store that is down is no reason to restart it.
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state((verifications, readiness))
        .layer(Observe::plain("operations"))
}

async fn ready(State((verifications, readiness)): State<(Verifications, Readiness)>) -> Response {
    let unready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, why.to_owned()).into_response();
    if readiness.is_leaving() {
        return unready("leaving\n");
    }
    let (now, wall) = (verifications.now(), verifications.wall());
    if now.apart(wall) > CLOCKS_APART {
        return unready(&format!(
            "the clocks differ: the store's time is {now}, the machine's clock shows {wall}\n"
        ));
    }
    let probe = verifications.engine().probe(now);
    match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => with_cause(unready("the store does not take writes\n"), &error),
        Err(_) => unready("the store stalls\n"),
    }
}

/// `GET /metrics`, on the main listener or on one of its own.
pub fn metrics(handle: PrometheusHandle) -> Router {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Router::new()
        .route("/metrics", get(move || std::future::ready(([(CONTENT_TYPE, TEXT)], handle.render()))))
        .layer(Observe::plain("operations"))
}

/// Installs the process' recorder, before the first request. The handle goes to [`metrics()`], and its
/// [`PrometheusHandle::run_upkeep`] wants to be called every few seconds.
///
/// # Errors
/// The process has a recorder already.
pub fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .install_recorder()
}

/// Counts one answered request. The labels are bounded: `route` is a route as configured.
pub(crate) fn count_request(dialect: &'static str, route: &str, status: StatusCode, took: Duration) {
    let class = match status.as_u16() {
        0..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    let route = route.to_owned();
    metrics::counter!("countersign_http_requests_total", "dialect" => dialect, "route" => route.clone(), "class" => class)
        .increment(1);
    metrics::histogram!("countersign_http_request_duration_seconds", "dialect" => dialect, "route" => route)
        .record(took);
}
