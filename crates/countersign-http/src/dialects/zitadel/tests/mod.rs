#![allow(clippy::unwrap_used, reason = "tests")]

mod app;
mod behaviour;
mod golden;
mod rpc;
mod settings;
