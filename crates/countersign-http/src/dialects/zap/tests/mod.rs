#![allow(clippy::unwrap_used, reason = "tests")]

mod app;
mod behaviour;
mod directory;
mod golden;
mod wire;
