//! The service, assembled from its parts. What stands behind the parts (which engine, which clock,
//! which providers) is decided elsewhere; tests assemble the same service over other parts.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use countersign_core::directory::Directories;
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::engine::{Engine, StoredUser};
use countersign_core::entropy::Entropy;
use countersign_core::keys::KeyRing;
use countersign_core::names::{DirectoryName, TenantId};
use countersign_core::nonces::Nonces;
use countersign_core::provider::Routes;
use countersign_core::tenant::Tenants;
use countersign_core::time::Clock;
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;
use countersign_http::dialects::{Dialects, InvalidDialect};
use countersign_http::native::ApiKeys;
use countersign_http::ops::Readiness;
use countersign_http::services::Services;
use countersign_http::{App, app};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::ServiceConfig;
use crate::hooks::SignedHooks;

/// What a service is made of.
pub struct Parts {
    /// Where state lives.
    pub engine: Arc<dyn Engine>,
    /// The installation's keys.
    pub keys: Arc<KeyRing>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Which ways messages take.
    pub routes: Routes,
    /// What is served, and to whom. Its providers are not looked at: they have become `routes`.
    pub config: ServiceConfig,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// An assembled service.
#[derive(Debug)]
pub struct Service {
    /// The verbs, the directory, the tenants.
    pub services: Services,
    /// Hands queued messages over.
    pub dispatcher: Arc<Dispatcher>,
    keys: Arc<ApiKeys>,
    dialects: Dialects,
}

impl Service {
    /// Puts the parts together.
    pub fn assemble(parts: Parts) -> Self {
        let Parts { engine, keys, clock, entropy, routes, config } = parts;
        let (routes, templates) = (Arc::new(routes), Arc::new(config.templates));
        let tenants: Arc<Tenants> = Arc::new(config.tenants.into_iter().collect());
        let verifications = Verifications::new(
            Arc::clone(&engine),
            Arc::clone(&keys),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            Arc::clone(&routes),
            Arc::clone(&templates),
        );
        let directories = Directories::new(
            Arc::clone(&engine),
            Arc::clone(&keys),
            Arc::clone(&clock),
            Arc::clone(&entropy),
        );
        let tokens = Tokens::new(Arc::clone(&keys), Arc::clone(&clock), entropy);
        let nonces = Nonces::new(Arc::clone(&engine), Arc::clone(&keys), Arc::clone(&clock))
            .with_budgets(config.nonces);
        let hooks = Arc::new(SignedHooks::new(Arc::clone(&clock)));
        let dispatcher =
            Dispatcher::new(engine, keys, clock, routes, templates, Arc::clone(&tenants), Pace::default());
        Self {
            services: Services { verifications, directories, nonces, tokens, tenants, hooks },
            dispatcher: Arc::new(dispatcher),
            keys: Arc::new(config.api_keys.into_iter().collect()),
            dialects: config.dialects,
        }
    }

    /// The directory of a user that was written before there were several. One that cannot be read is kept
    /// where nobody finds it.
    pub fn directory_before(&self, tenant: &TenantId, stored: &StoredUser) -> DirectoryName {
        match self.services.directories.read(tenant, stored) {
            Ok(user) => self.dialects.directory_before(&user),
            Err(error) => {
                tracing::error!(%tenant, %error, "a user cannot be read; it is kept in the directory \"unreadable\"");
                DirectoryName::parse("unreadable").expect("a directory's name")
            }
        }
    }

    /// All routes. `metrics` and `dev` are served beside the API where they are given.
    ///
    /// # Errors
    /// A dialect's section names something that does not exist.
    pub fn router(
        self,
        readiness: Readiness,
        metrics: Option<PrometheusHandle>,
        dev: Option<Router>,
    ) -> Result<Router, InvalidDialect> {
        app(App {
            services: self.services,
            keys: self.keys,
            dialects: self.dialects,
            readiness,
            metrics,
            dev,
        })
    }
}
