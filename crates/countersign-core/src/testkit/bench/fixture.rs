//! Where engines under test come from.

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::Engine;
use crate::testkit::{MemoryEngine, keys};

/// How the suites get hold of an engine.
///
/// The engine must run under [`keys`] and start empty.
#[async_trait]
pub trait EngineFixture: Send + Sync + Sized + 'static {
    /// An engine over an empty store of its own.
    async fn fresh() -> Self;

    /// The same, where the model suite may trade durability for speed: it tests decisions, not the
    /// disk.
    async fn fresh_for_model() -> Self {
        Self::fresh().await
    }

    /// The engine.
    fn engine(&self) -> Arc<dyn Engine>;

    /// Closes the engine and opens it again over the same store.
    async fn reopen(&mut self);
}

/// The fixture of [`MemoryEngine`], which has nothing to reopen from: it does what opening does.
pub struct MemoryFixture(Arc<MemoryEngine>);

#[async_trait]
impl EngineFixture for MemoryFixture {
    async fn fresh() -> Self {
        Self(Arc::new(MemoryEngine::new(keys())))
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.0.clone()
    }

    async fn reopen(&mut self) {
        self.0.reopen();
    }
}
