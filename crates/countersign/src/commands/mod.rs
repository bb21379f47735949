//! What the command line offers.

mod api_key;
mod audit;
mod backup;
mod check_config;
mod dev;
mod keys;
mod openapi;
mod restore;
mod serve;
mod unopened;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use countersign_core::engine::Engine;
use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use countersign_http::dialects::InvalidDialect;
use countersign_storage::sqlite::{BackupError, InstallError, Lost, OpenError};

use crate::config::{Config, ConfigError, KeySource};
use crate::dev::PlaceError;
use crate::environment::Environment;
use crate::keyfile::{self, KeyFileError};
use crate::node::StoreLost;
use crate::process;
use crate::ways::InvalidProvider;

/// Proves that a person holds a phone number or a mailbox: sends a one-time code, sends it again,
/// checks it.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs on this machine only, with demo tenants, an inbox that shows every code, and a clock that
    /// can be pushed forward
    Dev(dev::Options),
    /// Runs the service
    Serve(serve::Options),
    /// Checks a configuration file without starting anything
    CheckConfig(ConfigArgs),
    /// Makes the installation's keys, and counts what needs them
    #[command(subcommand)]
    Keys(keys::Command),
    /// Makes a tenant's key for the native API
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Copies the store to a new file, also while the service runs
    Backup {
        #[command(flatten)]
        config: ConfigArgs,
        /// The new file; without the key file it cannot be read
        to: PathBuf,
    },
    /// Puts a backup in the place of the store, which has to be closed: checks it, moves the store's files
    /// aside, and cancels the codes that are live in it
    Restore {
        #[command(flatten)]
        config: ConfigArgs,
        /// The backup; it stays as it is
        backup: PathBuf,
    },
    /// Looks after the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Prints the native API's OpenAPI document
    Openapi,
}

/// A command that works on an installation.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, &|name| std::env::var(name).ok())
    }

    /// The same for a process that lives long: what it takes from the environment does not stay there.
    fn load_secretly(&self) -> Result<Config, Failure> {
        let environment = Environment::received().map_err(|error| Failure::Runtime(error.into()))?;
        let config = Config::load(&self.config, &|name| environment.get(name))?;
        environment.leave_behind().map_err(|error| Failure::Runtime(error.into()))?;
        Ok(config)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// What it was told to do cannot be done: exit code 2.
    Configuration(anyhow::Error),
    /// Something went wrong while doing it: exit code 1.
    Runtime(anyhow::Error),
    /// The store is damaged, and trying again would not help: exit code 3.
    Damaged(anyhow::Error),
}

impl Failure {
    /// A failure that a change of the command line or the configuration mends.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration(anyhow::Error::msg(message.into()))
    }
}

/// Errors that a change of the command line, the configuration or a file mends.
macro_rules! configuration {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Configuration(error.into())
            }
        }
    )*};
}

configuration!(ConfigError, KeyFileError, PlaceError, InvalidProvider, InvalidDialect);

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::WrongKey { .. }
            | OpenError::MissingKey { .. }
            | OpenError::NeededKey { .. }
            | OpenError::Foreign { .. }
            | OpenError::NewerSchema { .. }
            | OpenError::ManyNames { .. }
            | OpenError::LeftoverLog { .. }
            | OpenError::LogAlone { .. }
            | OpenError::ClockJump { .. } => Self::Configuration(error.into()),
            OpenError::Damaged(_) => Self::Damaged(error.into()),
            OpenError::InUse { .. }
            | OpenError::File { .. }
            | OpenError::OldSqlite { .. }
            | OpenError::NoLog { .. }
            | OpenError::Sqlite(_) => Self::Runtime(error.into()),
        }
    }
}

impl From<StoreLost> for Failure {
    fn from(error: StoreLost) -> Self {
        match &error.0 {
            Lost::Damage(_) => {
                Self::Damaged(anyhow::Error::new(error).context("restore a backup; keep the damaged files"))
            }
            Lost::Write(_) | Lost::Defect(_) => Self::Runtime(error.into()),
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::Open(error) => error.into(),
            InstallError::Damaged(_) | InstallError::Audit(_) => Self::Damaged(error.into()),
            InstallError::HasLog(_) => Self::Configuration(error.into()),
            InstallError::File { .. } => Self::Runtime(error.into()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Runtime(error.into())
    }
}

/// Runs the command that `arguments` name; the exit code is 0, 1 (failed while running), 2 (cannot be
/// run like this) or 3 (the store is damaged).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Before there is any secret in memory.
    process::no_core_dumps();
    process::nobody_looks_in();
    // The crypto provider of every TLS connection. Nothing else in the process installs one.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            let _nobody_reads = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match cli.command {
        Command::Dev(options) => dev::run(options),
        Command::Serve(options) => serve::run(&options),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::ApiKey(command) => api_key::run(&command),
        Command::Backup { config, to } => backup::run(&config, &to),
        Command::Restore { config, backup } => restore::run(&config, &backup),
        Command::Audit(command) => audit::run(&command),
        Command::Openapi => openapi::run(),
    };
    let (error, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Configuration(error)) => (error, 2),
        Err(Failure::Runtime(error)) => (error, 1),
        Err(Failure::Damaged(error)) => (error, 3),
    };
    let _nobody_reads = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}

/// The keys from where the configuration says.
fn keys_of(source: &KeySource) -> Result<KeyRing, KeyFileError> {
    match source {
        KeySource::File(path) => keyfile::read(path),
        KeySource::Environment(text) => {
            keyfile::parse(text, &format!("the environment variable {}", keyfile::ENVIRONMENT))
        }
    }
}

/// The latest instant that a store has seen.
fn high_water(engine: &dyn Engine) -> Result<Option<Timestamp>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(engine.high_water()).map_err(|error| Failure::Runtime(error.into()))
}

/// Writes a line for the person or script that ran the command.
pub(crate) fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
