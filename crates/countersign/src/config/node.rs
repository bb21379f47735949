//! `[server]`, `[storage]`, `[keys]` and `[log]`: this node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use countersign_http::front::{FrontOptions, Network, Reach, TrustedProxies};
use serde::Deserialize;
use toml::Spanned;

use super::fields::{Count, Parsed, Seconds};
use super::problem::Problem;
use super::source::Env;
use crate::keyfile;

/// Where to listen if nothing else is said: this machine only.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8025);

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerSection {
    listen: Option<Parsed<SocketAddr>>,
    metrics_listen: Option<Parsed<SocketAddr>>,
    metrics_beside_api: bool,
    trusted_proxies: Vec<Spanned<Parsed<Network>>>,
    trust_any_proxy: bool,
    drain_seconds: Option<Seconds<0, 60>>,
    max_connections: Option<Count<1, 1_000_000>>,
    idle_seconds: Option<Seconds<1, 3600>>,
}

/// How this node is reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to serve `/metrics` on a listener of its own.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether to serve it beside the API, to whoever reaches that.
    pub metrics_beside_api: bool,
    /// How long to answer "not ready" before the listener closes, so that a load balancer stops
    /// sending first.
    pub drain: Duration,
    /// How the listener behaves.
    pub front: FrontOptions,
}

impl ServerSection {
    pub(super) fn build(self, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) -> Server {
        let front = FrontOptions::default();
        self.judge_proxies(problems, warnings);
        let listen = self.listen.map_or(LISTEN, |a| a.0);
        let metrics_listen = self.metrics_listen.map(|a| a.0);
        for (setting, address) in [("listen", Some(listen)), ("metrics_listen", metrics_listen)] {
            let Some(address) = address.filter(|address| is_public(address.ip())) else { continue };
            warnings.push(format!(
                "server.{setting}: {address} can be reached from other machines, and what is sent there is not \
                 encrypted: nobody but a proxy that speaks TLS should reach it"
            ));
        }
        Server {
            listen,
            metrics_listen,
            metrics_beside_api: self.metrics_beside_api,
            drain: self.drain_seconds.map_or(Duration::from_secs(5), Seconds::get),
            front: FrontOptions {
                trusted_proxies: TrustedProxies::new(
                    self.trusted_proxies.into_iter().map(|n| n.into_inner().0),
                ),
                max_connections: self.max_connections.map_or(front.max_connections, Count::get),
                idle_timeout: self.idle_seconds.map_or(front.idle_timeout, Seconds::get),
                ..front
            },
        }
    }
}

impl ServerSection {
    /// A proxy is trusted with the word who the client is: whoever is trusted may claim to be anybody.
    fn judge_proxies(&self, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) {
        for (i, network) in self.trusted_proxies.iter().enumerate() {
            let setting = format!("server.trusted_proxies[{i}]");
            match network.get_ref().0.reach() {
                Reach::Own => {}
                Reach::Wide => warnings.push(format!(
                    "{setting}: a large part of the internet is believed who the client is: name the proxies alone"
                )),
                Reach::Anybody if self.trust_any_proxy => warnings.push(format!(
                    "{setting}: whoever reaches the listener is believed who the client is \
                     (server.trust_any_proxy): no limit per client holds"
                )),
                Reach::Anybody => problems.push(Problem::at(
                    setting,
                    network.span(),
                    "would believe nearly everybody who the client is, so that no limit per client holds: name the \
                     proxies alone; `server.trust_any_proxy = true` permits it all the same",
                )),
            }
        }
    }
}

/// Whether an address of ours may be known beyond this machine and the networks around it.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

/// `[storage]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StorageSection {
    url: Option<Parsed<StorageUrl>>,
}

impl StorageSection {
    pub(super) fn build(self, folder: &Path) -> StorageUrl {
        let StorageUrl::Sqlite(path) = self.url.map_or_else(StorageUrl::default, |url| url.0);
        StorageUrl::Sqlite(folder.join(path))
    }
}

/// Where state lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StorageUrl {
    /// In a database file.
    Sqlite(PathBuf),
}

impl Default for StorageUrl {
    fn default() -> Self {
        Self::Sqlite("countersign.db".into())
    }
}

impl FromStr for StorageUrl {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) if path.starts_with("//") => {
                Err("is written without slashes before the path: sqlite:countersign.db, or \
                     sqlite:/var/lib/countersign/countersign.db")
            }
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Err("PostgreSQL is not in this version; use sqlite:PATH"),
            _ => Err("must be sqlite:PATH, such as sqlite:/var/lib/countersign/countersign.db"),
        }
    }
}

impl std::fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Sqlite(path) = self;
        write!(f, "sqlite:{}", path.display())
    }
}

/// `[keys]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeysSection {
    file: Option<Spanned<PathBuf>>,
}

/// Where the installation's keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// A key file.
    File(PathBuf),
    /// A key file's text, from the environment.
    Environment(zeroize::Zeroizing<String>),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Environment(_) => f.write_str("Environment(…)"),
        }
    }
}

impl KeysSection {
    pub(super) fn build(self, folder: &Path, env: Env<'_>, problems: &mut Vec<Problem>) -> Option<KeySource> {
        let variable = keyfile::ENVIRONMENT;
        match (self.file, env(variable)) {
            (Some(file), None) => Some(KeySource::File(folder.join(file.get_ref()))),
            (None, Some(text)) => Some(KeySource::Environment(text.into())),
            (Some(file), Some(_)) => {
                let message =
                    format!("the environment variable {variable} is set too; keys come from one place");
                problems.push(Problem::at("keys.file", file.span(), message));
                None
            }
            (None, None) => {
                problems.push(Problem {
                    setting: "keys.file".into(),
                    span: None,
                    message: format!(
                        "is needed: a file made by `countersign keys generate --out FILE` (or the \
                         environment variable {variable} with the text of one)"
                    ),
                });
                None
            }
        }
    }
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogSection {
    filter: Option<Parsed<tracing_subscriber::EnvFilter>>,
    format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Default)]
pub struct Log {
    /// Which events; `None`: `info` and above.
    pub filter: Option<tracing_subscriber::EnvFilter>,
    /// How lines look.
    pub format: LogFormat,
}

impl LogSection {
    pub(super) fn build(self) -> Log {
        Log { filter: self.filter.map(|f| f.0), format: self.format.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_storage_url_is_sqlite_and_a_path() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(StorageUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:/a.db".parse(), Ok(StorageUrl::Sqlite("/a.db".into())));
        for bad in ["", "a.db", "sqlite:", "sqlite://a.db", "mysql:x"] {
            assert!(bad.parse::<StorageUrl>().is_err(), "{bad}");
        }
        let postgres = "postgres://db/countersign".parse::<StorageUrl>().unwrap_err();
        assert!(postgres.contains("not in this version"));
    }
}
