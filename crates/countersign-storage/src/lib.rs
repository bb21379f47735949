//! Countersign's engines: where state lives.
//!
//! One folder per engine, each of the same shape, each passing the conformance suite of
//! `countersign_core::testkit`. An engine decides nothing: it loads the state, calls core's rule and
//! commits what the rule decided.

pub mod sqlite;
