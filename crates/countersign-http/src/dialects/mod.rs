//! The wire APIs beside the native one.
//!
//! A dialect is a folder here with a `Config` (its part of the configuration file) and a
//! `routes(config, services)`. To add one: its folder, one line in [`Dialects`] and one in
//! [`Dialects::routers`], its page under `docs/dialects/`, its section in the example configuration.

pub mod zap;

use axum::Router;
use serde::Deserialize;

use crate::services::Services;

/// The `[dialects]` section of the configuration: a dialect without a section is not served.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialects {
    /// ZAP one-time passwords.
    pub zap: Option<zap::Config>,
}

impl Dialects {
    /// One router per configured dialect, by name.
    pub fn routers(self, services: &Services) -> Vec<(&'static str, Router)> {
        let mut routers = Vec::new();
        routers.extend(self.zap.map(|config| ("zap", zap::routes(config, services.clone()))));
        routers
    }
}
