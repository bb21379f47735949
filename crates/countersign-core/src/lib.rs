//! The domain of Countersign: types, rules and ports.
//!
//! **Invariant: this crate does no input or output, reads no clock and draws no randomness of its
//! own.** Whatever decides is a pure function over small aggregates; engines, providers and dialects
//! stand around it.
//!
//! Where to find what:
//! - the rules of a verification and its ledgers: [`verification`]
//! - the rules of a message on its way out: [`outbox`] and [`breaker`], driven by [`dispatcher`]
//! - the verbs that dialects call: [`verifications`]
//! - the ports: [`engine::Engine`], [`provider::Provider`], [`time::Clock`], [`entropy::Entropy`]

pub mod audit;
pub mod breaker;
pub mod code;
pub mod codec;
pub mod directory;
pub mod dispatcher;
pub mod engine;
pub mod entropy;
pub mod freshness;
pub mod ids;
pub mod keys;
pub mod link;
pub mod names;
pub mod nonces;
pub mod outbox;
pub mod pairs;
pub mod policy;
pub mod provider;
pub mod rate;
pub mod recipient;
pub mod template;
pub mod tenant;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time;
pub mod tokens;
pub mod verification;
pub mod verifications;
