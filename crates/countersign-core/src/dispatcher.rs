//! Hands queued messages to providers: claim → render → deliver → record.
//!
//! One [`Dispatcher::step`] takes `now` and returns what it did; the binary's task only repeats it.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Engine, StorageError};
use crate::keys::KeyRing;
use crate::provider::Routes;
use crate::template::Templates;
use crate::tenant::Tenants;
use crate::time::Timestamp;

/// What one step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StepReport {
    /// Messages taken from the outbox.
    pub claimed: u32,
    /// Of these, taken by a provider.
    pub sent: u32,
    /// Of these, to be tried again.
    pub retrying: u32,
    /// Of these, given up.
    pub abandoned: u32,
}

/// How a dispatcher paces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Messages per step, all delivered at the same time.
    pub batch: u32,
    /// How long a claimed message is out of reach of other dispatchers. Longer than any provider's
    /// own time-out.
    pub lease: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: 64, lease: Duration::from_secs(30) }
    }
}

/// Hands queued messages to providers.
pub struct Dispatcher {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    routes: Arc<Routes>,
    templates: Arc<Templates>,
    tenants: Arc<Tenants>,
    pace: Pace,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher over an engine's outbox.
    pub fn new(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        routes: Arc<Routes>,
        templates: Arc<Templates>,
        tenants: Arc<Tenants>,
        pace: Pace,
    ) -> Self {
        Self { engine, keys, routes, templates, tenants, pace }
    }

    /// Takes one batch of due messages and hands each over.
    ///
    /// # Errors
    /// The store is unavailable. What was claimed comes back when its lease runs out.
    pub async fn step(&self, now: Timestamp) -> Result<StepReport, StorageError> {
        let _ = (&self.engine, &self.keys, &self.routes, &self.templates, &self.tenants, self.pace, now);
        todo!()
    }
}
