//! `[[tenants]]`: who calls.

use std::collections::BTreeSet;

use countersign_core::names::{Locale, ProviderName, TenantId};
use countersign_core::rate::Rate;
use countersign_core::template::check_brand;
use countersign_core::tenant::Tenant;
use countersign_http::native::{ApiKey, Scope};
use serde::Deserialize;
use toml::Spanned;

use super::fields::{Parsed, Sha256Hex};
use super::policy::PolicySection;
use super::problem::Problem;

/// How many keys a tenant needs at most: the one in use and the one that replaces it.
const USUAL_KEYS: usize = 2;

/// The highest rate: with microseconds between two requests there are no faster ones.
const RATE_MAX: u32 = 1_000_000;

/// One tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantSection {
    /// Its id.
    id: Spanned<Parsed<TenantId>>,
    /// How it calls itself in texts.
    brand: Spanned<String>,
    /// The language of texts when a call names none we have.
    locale: Option<Parsed<Locale>>,
    /// Whether its calls are refused.
    #[serde(default)]
    disabled: bool,
    /// How many requests a second it may make.
    requests_per_second: Option<Spanned<u32>>,
    /// How many it may make at once after a pause.
    requests_burst: Option<Spanned<u32>>,
    /// Names of providers, best first.
    routes: Option<Vec<Spanned<Parsed<ProviderName>>>>,
    /// What it allows.
    #[serde(default)]
    policy: PolicySection,
    /// Its keys for the native API.
    #[serde(default)]
    api_keys: Vec<ApiKeySection>,
}

/// One key of a tenant for the native API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeySection {
    /// What it is called in the audit log.
    name: Spanned<String>,
    /// The key's SHA-256.
    sha256: Spanned<Parsed<Sha256Hex>>,
    /// What it may do.
    scopes: Vec<Spanned<String>>,
}

/// What the tenants' sections come to.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) tenants: Vec<Tenant>,
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) routes: Vec<OwnRoutes>,
}

/// The ways out that a tenant names, with their places in the file.
#[derive(Debug)]
pub(super) struct OwnRoutes {
    pub(super) tenant: TenantId,
    pub(super) setting: String,
    pub(super) providers: Vec<Spanned<ProviderName>>,
}

/// Reads all tenants.
pub(super) fn build(
    sections: Vec<TenantSection>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Built {
    let mut built = Built::default();
    let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for (i, section) in sections.into_iter().enumerate() {
        let path = format!("tenants[{i}]");
        let id = section.id.get_ref().0.clone();
        if !ids.insert(id.clone()) {
            let message = format!("there is another tenant {id}");
            problems.push(Problem::at(format!("{path}.id"), section.id.span(), message));
        }
        if let Err(error) = check_brand(section.brand.get_ref()) {
            let setting = format!("{path}.brand");
            problems.push(Problem::at(setting, section.brand.span(), error.to_string()));
        }
        if section.api_keys.len() > USUAL_KEYS {
            warnings.push(format!(
                "tenant {id} has {} API keys; two are enough to replace one while the other works",
                section.api_keys.len()
            ));
        }
        for (k, key) in section.api_keys.into_iter().enumerate() {
            let place = |field| format!("{path}.api_keys[{k}].{field}");
            let hash = key.sha256.get_ref().0.0;
            if !hashes.insert(hash) {
                let message = "another key has the same hash: a key belongs to one tenant, once";
                problems.push(Problem::at(place("sha256"), key.sha256.span(), message));
            }
            if key.name.get_ref().is_empty() || key.name.get_ref().len() > 64 {
                problems.push(Problem::at(place("name"), key.name.span(), "must be 1 to 64 characters"));
            }
            let mut scopes = Vec::with_capacity(key.scopes.len());
            for name in &key.scopes {
                match scope(name.get_ref()) {
                    Ok(scope) => scopes.push(scope),
                    Err(message) => problems.push(Problem::at(place("scopes"), name.span(), message)),
                }
            }
            if key.scopes.is_empty() {
                warnings.push(format!(
                    "the key {} of tenant {id} may do nothing: it has no scopes",
                    key.name.get_ref()
                ));
            }
            built.api_keys.push(ApiKey {
                tenant: id.clone(),
                name: key.name.into_inner(),
                sha256: hash,
                scopes,
            });
        }
        if let Some(routes) = section.routes {
            let providers = routes.into_iter().map(|r| Spanned::new(r.span(), r.into_inner().0)).collect();
            let setting = format!("{path}.routes");
            built.routes.push(OwnRoutes { tenant: id.clone(), setting, providers });
        }
        let rate =
            rate(section.requests_per_second.as_ref(), section.requests_burst.as_ref(), &path, problems);
        let policy = section.policy.build(&format!("{path}.policy"), problems);
        if policy.test_numbers.code.is_some() && !policy.test_numbers.ranges.is_empty() {
            warnings.push(format!(
                "tenant {id}: its test numbers have a fixed code: whoever knows it passes for any of them, and it is \
                 for tests only"
            ));
        }
        built.tenants.push(Tenant {
            id,
            brand: section.brand.into_inner(),
            locale: section.locale.map_or_else(english, |l| l.0),
            policy,
            disabled: section.disabled,
            rate,
        });
    }
    built
}

/// A tenant's rate: without a burst of its own, the requests of a second may come at once.
fn rate(
    per_second: Option<&Spanned<u32>>,
    burst: Option<&Spanned<u32>>,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Rate> {
    let mut bounded = |setting: &str, value: &Spanned<u32>| {
        if !(1..=RATE_MAX).contains(value.get_ref()) {
            let message = format!("must be from 1 to {RATE_MAX}");
            problems.push(Problem::at(format!("{path}.{setting}"), value.span(), message));
        }
        *value.get_ref()
    };
    let per_second = per_second.map(|value| bounded("requests_per_second", value));
    let at_once = burst.map(|value| bounded("requests_burst", value));
    if let (None, Some(burst)) = (per_second, burst) {
        let message = "makes sense beside requests_per_second only";
        problems.push(Problem::at(format!("{path}.requests_burst"), burst.span(), message));
    }
    per_second.map(|per_second| Rate { per_second, burst: at_once.unwrap_or(per_second) })
}

/// The scope of that name.
///
/// # Errors
/// There is none.
pub fn scope(name: &str) -> Result<Scope, &'static str> {
    let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
    found.ok_or("a scope is one of verify, read-code, admin")
}

fn english() -> Locale {
    Locale::parse("en").expect("en is a language")
}
