//! ZAP one-time passwords.

use axum::Router;
use serde::Deserialize;

use crate::services::Services;

/// The dialect's section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The dialect's routes.
pub fn routes(config: Config, services: Services) -> Router {
    let _ = (config, services);
    Router::new()
}
