//! The native API's contract, call by call, over the in-memory engine.

#![allow(clippy::unwrap_used, reason = "tests")]

mod contract;
mod ops;
mod privacy;
mod problems;
mod support;
mod v1;
