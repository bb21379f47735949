#![allow(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod app;
mod behaviour;
mod golden;
mod links;
mod organizations;
mod rpc;
mod settings;
