#![allow(clippy::unwrap_used, reason = "tests")]

mod app;
mod behaviour;
mod email;
mod golden;
mod silence;
mod wire;
