//! The program: command line, configuration, wiring.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod keyfile;
