#![allow(clippy::unwrap_used, reason = "tests")]

mod app;
mod behaviour;
mod fence;
mod golden;
mod replay;
mod sign;
mod wire;
