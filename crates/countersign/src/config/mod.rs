//! The configuration file: from TOML to domain types.
//!
//! Everything that can be judged without touching the outside is judged here; every problem names
//! its setting and its line ([`ConfigError`]). What a setting means is said in
//! `countersign.example.toml`, which holds them all.

mod fields;
mod node;
mod policy;
mod problem;
mod source;
mod tenant;
#[cfg(test)]
mod tests;

use std::path::Path;

use countersign_core::tenant::Tenant;
use countersign_http::dialects::Dialects;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

pub use node::{KeySource, LISTEN, Log, LogFormat, Server, StorageUrl};
pub use problem::{ConfigError, Problem};
pub use source::Env;
pub use tenant::{ApiKey, Scope};

/// The file's sections as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    server: node::ServerSection,
    storage: node::StorageSection,
    keys: node::KeysSection,
    log: node::LogSection,
    tenants: Vec<tenant::TenantSection>,
    dialects: Dialects,
}

/// A configuration that can be used.
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
    /// Who calls.
    pub tenants: Vec<Tenant>,
    /// Their keys for the native API.
    pub api_keys: Vec<ApiKey>,
    /// The wire APIs beside the native one.
    pub dialects: Dialects,
    /// What works but is probably not meant.
    pub warnings: Vec<String>,
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
        Self::read(text, folder, env).map_err(|problems| ConfigError::new(file, text, problems))
    }

    fn read(text: &str, folder: &Path, env: Env<'_>) -> Result<Self, Vec<Problem>> {
        let root = source::document(text, folder, env)?;
        let (span, root) = (root.span(), root.into_inner());
        let root = Spanned::new(span, DeValue::Table(root));
        let sections: Sections = source::section(root, "").map_err(|problem| vec![problem])?;

        let mut problems = Vec::new();
        let tenants = tenant::build(sections.tenants, &mut problems);
        let keys = sections.keys.build(folder, env, &mut problems);
        match keys {
            Some(keys) if problems.is_empty() => Ok(Self {
                server: sections.server.build(),
                storage: sections.storage.build(folder),
                keys,
                log: sections.log.build(),
                tenants: tenants.tenants,
                api_keys: tenants.api_keys,
                dialects: sections.dialects,
                warnings: tenants.warnings,
            }),
            _ => Err(problems),
        }
    }
}
