//! The program: command line, configuration, wiring.
//!
//! - [`commands`]: what the command line offers.
//! - [`config`]: the configuration file, with every problem named by setting and line.
//! - [`keyfile`]: the installation's secrets; [`environment`]: those that come by the environment.
//! - [`clock`], [`entropy`]: the machine behind core's ports.
//! - [`tasks`]: what happens besides answering requests.

pub mod clock;
pub mod commands;
pub mod config;
pub mod dev;
pub mod entropy;
pub mod environment;
pub mod hooks;
pub mod keyfile;
pub mod launch;
pub mod logging;
pub mod node;
pub mod process;
pub mod service;
pub mod signals;
pub mod store;
pub mod tasks;
pub mod ways;
