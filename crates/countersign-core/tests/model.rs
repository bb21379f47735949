//! The reference engine agrees with the model of the rules.

use countersign_core::testkit::bench::MemoryFixture;

countersign_core::storage_model!(MemoryFixture);
