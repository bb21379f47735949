//! The embedded engine passes the suite that every engine must pass.

#![allow(clippy::unwrap_used, reason = "a fixture that unwraps says enough by failing")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::engine::Engine;
use countersign_core::testkit::bench::EngineFixture;
use countersign_core::testkit::{ManualClock, keys};
use countersign_storage::sqlite::{SqliteEngine, SqliteOptions};
use tempfile::TempDir;

/// An engine over a file in a folder of its own.
struct SqliteFixture {
    engine: Option<Arc<SqliteEngine>>,
    folder: TempDir,
}

impl SqliteFixture {
    fn within(folder: TempDir) -> Self {
        let engine = Some(Arc::new(open(&folder.path().join("store.db"))));
        Self { engine, folder }
    }
}

fn open(path: &Path) -> SqliteEngine {
    // Tests run beside each other on a busy machine: patience keeps them from failing for that.
    // A few changes make a round, so that every sequence meets recipients of whom some is news, some
    // not, and some both.
    let options = SqliteOptions {
        request_patience: Duration::from_secs(20),
        recipients_round: 3,
        ..SqliteOptions::default()
    };
    SqliteEngine::open(path, Arc::new(keys()), options, ManualClock::START).unwrap()
}

#[async_trait]
impl EngineFixture for SqliteFixture {
    async fn fresh() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    async fn fresh_for_model() -> Self {
        // A disk in memory, where there is one: an fsync costs nothing there.
        let memory = PathBuf::from("/dev/shm");
        Self::within(tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone().unwrap()
    }

    async fn reopen(&mut self) {
        self.engine = None; // the lock on the file ends with the engine
        self.engine = Some(Arc::new(open(&self.folder.path().join("store.db"))));
    }
}

countersign_core::storage_conformance!(SqliteFixture);

countersign_core::storage_model!(SqliteFixture);
