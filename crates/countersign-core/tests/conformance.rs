//! The reference engine passes the suite that every engine must pass.

use countersign_core::testkit::bench::MemoryFixture;

countersign_core::storage_conformance!(MemoryFixture);
