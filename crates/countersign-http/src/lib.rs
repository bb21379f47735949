//! Countersign's wire: the native API, the dialects, the dev and operations endpoints.
//!
//! - [`front`]: the accept loop. Framing, time-outs, size limits, who the client is.
//! - [`app()`]: all routes, each wrapped so that answers have their common headers and their log line.
//! - [`native`], [`dialects`]: the wire APIs. A dialect is a folder and one line in the list. It maps
//!   shapes and errors; it never compares, counts or expires anything: that is
//!   `countersign_core::verifications`.
//! - [`problem`]: what the native API answers when it cannot.
//! - [`json`], [`query`], [`headers`]: strict readers that dialects share.
//! - [`ops`]: probes and metrics.

pub mod dev;
pub mod dialects;
pub mod front;
pub mod headers;
pub mod hooks;
pub mod json;
pub mod native;
pub mod observe;
pub mod ops;
mod outcome;
pub mod problem;
pub mod query;
pub mod services;
pub mod signature;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;

use dialects::{Dialects, InvalidDialect};
use native::ApiKeys;
use observe::Observe;
use ops::Readiness;
use problem::{Kind, Problem};
use services::Services;

/// What the service is made of.
#[derive(Debug)]
pub struct App {
    /// The verbs, the directory, the tenants.
    pub services: Services,
    /// Who may call the native API.
    pub keys: Arc<ApiKeys>,
    /// The dialects that are configured.
    pub dialects: Dialects,
    /// Whether the service is about to leave.
    pub readiness: Readiness,
    /// Serves `/metrics` here; `None` when it has a listener of its own ([`ops::metrics`]) or is off.
    pub metrics: Option<PrometheusHandle>,
    /// The dev endpoints, in dev mode.
    pub dev: Option<Router>,
}

/// All routes of the service, for [`front::serve`].
///
/// # Errors
/// A dialect's section of the configuration cannot be served.
pub fn app(app: App) -> Result<Router, InvalidDialect> {
    let App { services, keys, dialects, readiness, metrics, dev } = app;
    let mut router = Router::new()
        .fallback(async || Problem::new(Kind::NotFound, "there is nothing at this path"))
        .layer(Observe::plain("none"))
        .merge(problem::routes().layer(Observe::plain("problems")))
        .merge(ops::probes(services.verifications.clone(), readiness))
        .merge(native::routes(services.clone(), keys));
    for routes in dialects.routers(&services)? {
        router = router.merge(routes);
    }
    if let Some(handle) = metrics {
        router = router.merge(ops::metrics(handle));
    }
    if let Some(dev) = dev {
        router = router.merge(dev.layer(Observe::plain("dev")));
    }
    Ok(router)
}
