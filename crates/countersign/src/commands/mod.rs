//! What the command line offers.

mod api_key;
mod check_config;
mod keys;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::keyfile::KeyFileError;

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
    /// Checks a configuration file without starting anything
    CheckConfig(ConfigArgs),
    /// Makes the installation's keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Makes a tenant's key for the native API
    #[command(subcommand)]
    ApiKey(api_key::Command),
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
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// What it was told to do cannot be done: exit code 2.
    Configuration(anyhow::Error),
    /// Something went wrong while doing it: exit code 1.
    Runtime(anyhow::Error),
}

impl Failure {
    /// A failure that a change of the command line or the configuration mends.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration(anyhow::Error::msg(message.into()))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.into())
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        Self::Configuration(error.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Runtime(error.into())
    }
}

/// Runs the command that `arguments` name; the exit code is 0, 1 (failed while running) or 2 (cannot
/// be run like this).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::ApiKey(command) => api_key::run(&command),
    };
    let (error, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Configuration(error)) => (error, 2),
        Err(Failure::Runtime(error)) => (error, 1),
    };
    let _nobody_reads = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}

/// Writes a line for the person or script that ran the command.
fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
