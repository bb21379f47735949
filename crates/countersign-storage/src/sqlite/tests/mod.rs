//! What only this engine can get wrong: files, locks, disks and threads. What every engine must do is
//! in the conformance suite.

mod copies;
mod directories;
mod erase;
mod faults;
mod figures;
mod files;
mod holds;
mod keys;
mod list;
mod log;
mod recipients;
mod rollback;
mod rows;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::engine::{Engine, StorageError};
use countersign_core::testkit::bench::{Bench, EngineFixture};
use countersign_core::testkit::{ManualClock, keys};
use tempfile::TempDir;

use super::failure::Failure;
use super::queue::Lane;
use super::session::Session;
use super::{SqliteEngine, SqliteOptions};

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine whose inside a test may reach into.
struct Store {
    engine: Option<Arc<SqliteEngine>>,
    options: SqliteOptions,
    folder: TempDir,
}

/// Options under which nothing happens by itself.
fn quiet() -> SqliteOptions {
    SqliteOptions {
        request_patience: PATIENCE,
        background_patience: PATIENCE,
        checkpoint_pages: u32::MAX,
        log_pages: u32::MAX,
        empty_log_every: Duration::from_secs(3600),
        ..SqliteOptions::default()
    }
}

fn open(path: &Path, options: &SqliteOptions) -> Result<SqliteEngine, super::OpenError> {
    SqliteEngine::open(path, Arc::new(keys()), options.clone(), ManualClock::START)
}

impl Store {
    fn new(options: SqliteOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Some(Arc::new(open(&folder.path().join("store.db"), &options).unwrap()));
        Self { engine, options, folder }
    }

    fn bench(options: SqliteOptions) -> Bench<Self> {
        Bench::over(Self::new(options))
    }

    /// A tenant at work on the store of another file.
    fn bench_at(path: &Path) -> Bench<Self> {
        let engine = Some(Arc::new(open(path, &quiet()).unwrap()));
        Bench::over(Self { engine, options: quiet(), folder: tempfile::tempdir().unwrap() })
    }

    fn sqlite(&self) -> &Arc<SqliteEngine> {
        self.engine.as_ref().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Does something on the writer's thread, as a command of its own.
    async fn on_writer<A: Send + 'static>(
        &self,
        act: impl FnMut(&mut Session) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        self.sqlite().writer.call(Lane::Normal, None, PATIENCE, act).await
    }

    /// The same, behind the other commands of its batch.
    async fn on_last<A: Send + 'static>(
        &self,
        act: impl FnMut(&mut Session) -> Result<A, Failure> + Send + 'static,
    ) -> Result<A, StorageError> {
        self.sqlite().writer.call(Lane::Last, None, PATIENCE, act).await
    }

    /// Runs statements on the write connection.
    async fn execute(&self, sql: &'static str) {
        self.on_writer(move |session| Ok(session.conn.execute_batch(sql)?)).await.unwrap();
    }

    /// Keeps the writer busy until the answer is dropped. Commands given meanwhile become one batch.
    async fn stall(&self) -> mpsc::Sender<()> {
        self.stall_after(|_| Ok(())).await
    }

    /// The same, in the middle of a transaction that has done something.
    async fn stall_after(
        &self,
        act: impl Fn(&mut Session) -> Result<(), Failure> + Send + 'static,
    ) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (tell, stalled) = tokio::sync::oneshot::channel();
        let (tell, engine) = (std::sync::Mutex::new(Some(tell)), self.sqlite().clone());
        tokio::spawn(async move {
            let wait = move |session: &mut Session| {
                act(session)?;
                if let Some(tell) = tell.lock().unwrap().take() {
                    tell.send(()).unwrap();
                }
                assert!(released.recv().is_err(), "the test drops its end");
                Ok(())
            };
            engine.writer.call(Lane::Urgent, None, PATIENCE, wait).await
        });
        stalled.await.unwrap();
        release
    }

    /// Waits until so many commands wait for the writer.
    async fn wait_for_queue(&self, depth: usize) {
        while self.sqlite().writer.depth() < depth {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The files as a kill would leave them, in another folder.
    fn as_after_a_kill(&self) -> (TempDir, PathBuf) {
        Self::as_after_a_kill_of(&self.path())
    }

    /// The same for a store that is elsewhere.
    fn as_after_a_kill_of(path: &Path) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        // Not read by this process: closing a file drops the locks that SQLite has on it.
        let copied =
            Command::new("cp").args([path, &super::files::beside(path, "-wal")]).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        let path = folder.path().join(path.file_name().unwrap());
        (folder, path)
    }
}

#[async_trait]
impl EngineFixture for Store {
    async fn fresh() -> Self {
        Self::new(quiet())
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.sqlite().clone()
    }

    async fn reopen(&mut self) {
        self.engine = None;
        self.engine = Some(Arc::new(open(&self.path(), &self.options).unwrap()));
    }
}

impl SqliteEngine {
    /// How many verifications there are.
    async fn verifications(&self) -> i64 {
        let count = |session: &mut Session| {
            let count = session.conn.query_row("SELECT count(*) FROM verifications", (), |row| row.get(0));
            Ok(count?)
        };
        self.writer.call(Lane::Normal, None, PATIENCE, count).await.unwrap()
    }
}

/// The `n`-th of many recipients.
fn recipient(n: u32) -> String {
    format!("user-{n}@example.com")
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StorageError>) -> bool {
    matches!(result.unwrap_err(), StorageError::Unavailable(_))
}
