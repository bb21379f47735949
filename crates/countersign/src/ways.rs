//! The ways out: from configured providers to routes.

use std::sync::Arc;

use countersign_core::provider::{Route, Routes};
use countersign_providers::hook::HookError;
use countersign_providers::inbox::Inbox;
use countersign_providers::webhook::Webhook;

use crate::config::{ProviderKind, ServiceConfig};

/// A provider cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("providers: {name}: {error}")]
pub struct InvalidProvider {
    name: String,
    error: HookError,
}

/// The routes of every tenant.
#[derive(Debug, Default)]
pub struct Ways {
    /// Which way a message takes.
    pub routes: Routes,
    /// Where messages are shown, in dev mode.
    pub inbox: Option<Arc<Inbox>>,
}

/// Makes the configured providers ready. Nothing is resolved or connected yet.
///
/// # Errors
/// A provider's settings cannot be used.
pub fn build(config: &ServiceConfig) -> Result<Ways, InvalidProvider> {
    let mut inbox = None;
    let mut all = Vec::new();
    for provider in &config.providers {
        let name = provider.name.clone();
        let provider: Route = match &provider.kind {
            ProviderKind::Inbox => {
                let shown = Arc::new(Inbox::new(name));
                inbox = Some(Arc::clone(&shown));
                Route { provider: shown, price_micros: provider.price_micros }
            }
            ProviderKind::Webhook(config) => {
                let wrong = |error| InvalidProvider { name: provider.name.to_string(), error };
                let webhook = Webhook::new(name, config.clone()).map_err(wrong)?;
                Route { provider: Arc::new(webhook), price_micros: provider.price_micros }
            }
        };
        all.push(provider);
    }
    let mut routes = Routes::shared(all.clone());
    for (tenant, names) in &config.routes {
        // Every name was found when the configuration was read.
        let own = names.iter().filter_map(|name| all.iter().find(|route| route.provider.name() == name));
        routes.set_own(tenant.clone(), own.cloned().collect());
    }
    if let Some(inbox) = &inbox {
        routes.set_test(Route { provider: Arc::clone(inbox) as _, price_micros: 0 });
    }
    Ok(Ways { routes, inbox })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use countersign_core::names::{Channel, TenantId};

    use super::*;
    use crate::config::Config;

    fn webhook(name: &str, url: &str) -> String {
        format!(
            "[[providers]]\nkind = 'webhook'\nname = '{name}'\nurl = '{url}'\nsigning_keys = ['0123456789abcdef']\n"
        )
    }

    fn ways(text: &str) -> Result<Ways, InvalidProvider> {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let text = format!("keys.file = 'k'\n{text}");
        let config =
            Config::parse("c.toml", &text, Path::new(""), &|_| None).unwrap_or_else(|e| panic!("{e}"));
        build(&config.service)
    }

    fn names(ways: &Ways, tenant: &str) -> Vec<String> {
        let tenant = TenantId::parse(tenant).unwrap();
        ways.routes.candidates(&tenant, Channel::Sms).map(|r| r.provider.name().to_string()).collect()
    }

    #[test]
    fn a_tenant_takes_all_ways_in_order_unless_it_names_its_own() {
        let tenants = "[[tenants]]\nid = 'a'\nbrand = 'A'\n[[tenants]]\nid = 'b'\nbrand = 'B'\nroutes = ['two', 'one']\n";
        let text = [&webhook("one", "https://a.example"), &webhook("two", "https://b.example"), tenants];
        let ways = ways(&text.map(String::from).concat()).unwrap();
        assert_eq!(names(&ways, "a"), ["one", "two"]);
        assert_eq!(names(&ways, "b"), ["two", "one"]);
        assert!(ways.inbox.is_none() && ways.routes.test().is_none());
    }

    #[test]
    fn a_url_that_cannot_be_called_is_named_by_its_provider() {
        let error = ways(&webhook("one", "ftp://a.example")).unwrap_err().to_string();
        assert!(error.starts_with("providers: one: "), "{error}");
    }
}
