//! For tests: an in-memory engine, doubles of the ports, the conformance and model suites.

pub mod bench;
pub mod commands;
pub mod conformance;
mod doubles;
mod memory;
pub mod model;

use std::collections::BTreeMap;

pub use commands::tenant;
pub use doubles::{ManualClock, RecordingProvider, SeededEntropy};
pub use memory::MemoryEngine;

use crate::keys::{KeyMaterial, KeyRing, SecretKey};

/// Keys that are good for nothing but tests.
pub fn keys() -> KeyRing {
    let key = |n: u8| SecretKey::new([n; 32]);
    KeyRing::new(KeyMaterial {
        pepper: BTreeMap::from([(1, key(1))]),
        seal: BTreeMap::from([(1, key(2))]),
        index: key(3),
        audit: key(4),
    })
    .expect("four different keys")
}
