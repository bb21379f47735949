//! The wire APIs beside the native one.
//!
//! A dialect is a folder here with a `Config` (its part of the configuration file) and a
//! `routes(config, services)`. To add one: its folder, one line in [`Dialects`] and one in
//! [`Dialects::routers`], its page under `docs/dialects/`, its section in the example configuration.

pub mod crypterium;
mod directory;
pub mod enduserapi;
pub mod zap;
pub mod zitadel;

use axum::Router;
pub use directory::NamedDirectory;
use serde::Deserialize;

use crate::observe::Observe;
use crate::services::Services;

/// The `[dialects]` section of the configuration: a dialect without a section is not served.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialects {
    /// The Crypterium "Vault" mobile API.
    pub crypterium: Option<crypterium::Config>,
    /// Quectel's and Acceleronix's end-user API.
    pub enduserapi: Option<enduserapi::Config>,
    /// ZAP one-time passwords.
    pub zap: Option<zap::Config>,
    /// ZITADEL phone and e-mail verification.
    pub zitadel: Option<zitadel::Config>,
}

impl Dialects {
    /// One router per configured dialect, with its common headers and log lines.
    ///
    /// # Errors
    /// A section names something that does not exist.
    pub fn routers(self, services: &Services) -> Result<Vec<Router>, InvalidDialect> {
        let mut all = Vec::new();
        if let Some(config) = self.crypterium {
            let routes = crypterium::routes(config, services.clone())
                .map_err(|e| InvalidDialect::new(crypterium::NAME, e))?;
            all.push(routes.layer(Observe { dialect: crypterium::NAME, refusal: crypterium::refusal }));
        }
        if let Some(config) = self.enduserapi {
            let routes = enduserapi::routes(config, services.clone())
                .map_err(|e| InvalidDialect::new(enduserapi::NAME, e))?;
            all.push(routes.layer(Observe { dialect: enduserapi::NAME, refusal: enduserapi::refusal }));
        }
        if let Some(config) = self.zap {
            let routes =
                zap::routes(config, services.clone()).map_err(|e| InvalidDialect::new(zap::NAME, e))?;
            all.push(routes.layer(Observe { dialect: zap::NAME, refusal: zap::refusal }));
        }
        if let Some(config) = self.zitadel {
            let routes = zitadel::routes(config, services.clone())
                .map_err(|e| InvalidDialect::new(zitadel::NAME, e))?;
            all.push(routes.layer(Observe { dialect: zitadel::NAME, refusal: zitadel::refusal }));
        }
        Ok(all)
    }
}

/// A dialect's section of the configuration cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("[dialects.{dialect}]: {source}")]
pub struct InvalidDialect {
    dialect: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl InvalidDialect {
    fn new(dialect: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { dialect, source: source.into() }
    }
}
