//! The configuration file: from TOML to domain types.
//!
//! Everything that can be judged without touching the outside is judged here; every problem names
//! its setting and its line ([`ConfigError`]). What a setting means is said in
//! `countersign.example.toml`, which holds them all.

mod fields;
mod node;
mod policy;
pub(crate) mod problem;
mod provider;
#[cfg(test)]
mod settings;
mod source;
mod template;
mod tenant;
#[cfg(test)]
mod tests;

use std::path::Path;

use countersign_core::names::{ProviderName, TenantId};
use countersign_core::nonces::NonceBudgets;
use countersign_core::template::Templates;
use countersign_core::tenant::Tenant;
use countersign_http::dialects::Dialects;
use countersign_http::native::ApiKey;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use fields::Count;
pub use node::{KeySource, LISTEN, Log, LogFormat, Server, StorageUrl};
pub use problem::{ConfigError, Problem};
pub use provider::{Provider, ProviderKind};
pub use source::Env;
pub use tenant::scope;

/// The file's sections as they are written; `[[providers]]` is read apart.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    server: node::ServerSection,
    storage: node::StorageSection,
    keys: node::KeysSection,
    log: node::LogSection,
    signed_requests: SignedRequestsSection,
    tenants: Vec<tenant::TenantSection>,
    templates: Vec<template::TemplateSection>,
    dialects: Dialects,
}

/// `[signed_requests]`: how many are remembered per tenant, so that none is taken twice.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SignedRequestsSection {
    /// Those that say when they were signed.
    remembered: Option<Count<1, 100_000_000>>,
    /// Those that do not.
    remembered_undated: Option<Count<1, 100_000_000>>,
}

impl SignedRequestsSection {
    fn build(&self) -> NonceBudgets {
        let default = NonceBudgets::default();
        NonceBudgets {
            dated: self.remembered.map_or(default.dated, Count::get),
            undated: self.remembered_undated.map_or(default.undated, Count::get),
        }
    }
}

/// A node's configuration: the whole file.
#[derive(Debug)]
pub struct Config {
    /// How this node is reached.
    pub server: Server,
    /// Where state lives.
    pub storage: StorageUrl,
    /// Where the keys come from.
    pub keys: KeySource,
    /// What is logged.
    pub log: Log,
    /// What is served, to whom, over which ways out.
    pub service: ServiceConfig,
    /// What works but is probably not meant.
    pub warnings: Vec<String>,
}

/// What is served, to whom, over which ways out: the part of the configuration that does not depend
/// on the machine.
#[derive(Debug)]
pub struct ServiceConfig {
    /// Who calls.
    pub tenants: Vec<Tenant>,
    /// Their keys for the native API.
    pub api_keys: Vec<ApiKey>,
    /// The ways out, best first.
    pub providers: Vec<Provider>,
    /// Tenants that do not take all ways in that order, with the names of theirs.
    pub routes: Vec<(TenantId, Vec<ProviderName>)>,
    /// All texts.
    pub templates: Templates,
    /// The wire APIs beside the native one.
    pub dialects: Dialects,
    /// How many signed requests are remembered.
    pub nonces: NonceBudgets,
}

impl Config {
    /// Reads a configuration file. Paths in it are relative to its own folder.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path, env: Env<'_>) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot be read: {error}");
            ConfigError::new(&file, "", vec![Problem { setting: String::new(), span: None, message }])
        })?;
        Self::parse(&file, &text, path.parent().unwrap_or(Path::new("")), env)
    }

    /// Reads a configuration's text; `file` names it in errors, `folder` is where its paths begin.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub fn parse(file: &str, text: &str, folder: &Path, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let config = Self::read(text, folder, env, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::new(file, text, problems)),
        }
    }

    fn read(text: &str, folder: &Path, env: Env<'_>, problems: &mut Vec<Problem>) -> Option<Self> {
        let (mut sections, providers) = sections(text, folder, env, problems)?;
        let keys = std::mem::take(&mut sections.keys).build(folder, env, problems);
        for (i, provider) in providers.iter().enumerate() {
            if matches!(provider.kind, ProviderKind::Inbox) {
                let message = "the inbox shows codes to everybody: it is for `countersign dev` only";
                let setting = format!("providers[{i}].kind");
                problems.push(Problem::at(setting, provider.span.clone(), message));
            }
        }
        let mut warnings = Vec::new();
        Some(Self {
            server: std::mem::take(&mut sections.server).build(problems, &mut warnings),
            storage: std::mem::take(&mut sections.storage).build(folder),
            keys: keys?,
            log: std::mem::take(&mut sections.log).build(),
            service: ServiceConfig::build(sections, providers, problems, &mut warnings),
            warnings,
        })
    }
}

impl ServiceConfig {
    /// Reads a text that is part of the program: without a node's sections, and without problems.
    pub(crate) fn builtin(text: &str) -> Self {
        let mut problems = Vec::new();
        let read = sections(text, Path::new(""), &|_| None, &mut problems);
        let config = read
            .map(|(sections, providers)| Self::build(sections, providers, &mut problems, &mut Vec::new()));
        assert!(problems.is_empty(), "{}", ConfigError::new("built-in configuration", text, problems));
        config.expect("a text without problems is a configuration")
    }

    fn build(
        sections: Sections,
        providers: Vec<Provider>,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let tenants = tenant::build(sections.tenants, problems, warnings);
        let mut routes = Vec::new();
        for route in tenants.routes {
            for name in &route.providers {
                if providers.iter().all(|p| p.name != *name.get_ref()) {
                    let message = format!("there is no provider {}", name.get_ref());
                    problems.push(Problem::at(&route.setting, name.span(), message));
                }
            }
            routes.push((route.tenant, route.providers.into_iter().map(Spanned::into_inner).collect()));
        }
        if providers.is_empty() {
            warnings.push("there are no [[providers]]: nothing can be sent".into());
        }
        let templates = template::build(sections.templates, &tenants.tenants, problems, warnings);
        Self {
            tenants: tenants.tenants,
            api_keys: tenants.api_keys,
            providers,
            routes,
            templates,
            dialects: sections.dialects,
            nonces: sections.signed_requests.build(),
        }
    }
}

/// From text to sections; `None` when there are problems that hide all others.
fn sections(
    text: &str,
    folder: &Path,
    env: Env<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(Sections, Vec<Provider>)> {
    let root = match source::document(text, folder, env) {
        Ok(root) => root,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let (span, mut root) = (root.span(), root.into_inner());
    let providers = provider::take(&mut root, problems);
    match source::section(Spanned::new(span, DeValue::Table(root)), "") {
        Ok(sections) => Some((sections, providers)),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}
