//! Countersign's ways out: one folder per provider.
//!
//! A provider is an adapter and nothing more: `config.rs` (its section of the configuration, secrets
//! wrapped), `mod.rs` (`new` and the [`Provider`](countersign_core::provider::Provider) trait),
//! `wire.rs` (the peer's bodies), `error.rs` (one `parse_error` with its tests). It never retries,
//! renders a text, or keeps state between messages.
//!
//! **Invariants: nothing here is sent twice by itself; a call that ended without an answer is
//! `Unknown`; no error's text holds a recipient, a code or a secret; every address that an operator or
//! a tenant configured is judged again, by [`egress`], at the moment of connecting to it.**

pub mod egress;
pub mod hook;
pub mod inbox;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod webhook;
