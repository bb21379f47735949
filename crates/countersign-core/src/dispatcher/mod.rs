//! Hands queued messages to providers: claim → render → deliver → record.
//!
//! There are no batches: each message has a slot of its own, which is free for the next one as soon as it
//! has ended. How many are under way is bounded in all, per route and per tenant, and tenants take turns,
//! so that a provider that hangs holds up its own messages and nobody else's. A route that does not answer
//! is left alone for a while ([`breaker`](crate::breaker)): its messages take others, or wait untouched.
//!
//! [`Dispatcher::run`] works until it is told to stop; [`Dispatcher::step`] does one round and ends, so that
//! a test can push the clock in between. Any number of dispatchers may work on one outbox: a claim is a
//! lease.

mod delivery;
mod traffic;
mod work;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use self::traffic::{Shared, Traffic};
use self::work::Work;
use crate::engine::{Engine, StorageError};
use crate::keys::KeyRing;
use crate::provider::Routes;
use crate::template::Templates;
use crate::tenant::Tenants;
use crate::time::Clock;

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

/// How much a dispatcher does at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Messages per claim: a claim is one command, and others wait for the store meanwhile.
    pub batch: u32,
    /// How long a claimed message is out of reach of other dispatchers. Longer than any provider's
    /// own time-out.
    pub lease: Duration,
    /// Messages under way in all.
    pub in_flight: u32,
    /// Messages under way per route.
    pub per_route: u32,
    /// Messages under way per tenant: more than a route's, so that a tenant whose one route hangs can
    /// still use another.
    pub per_tenant: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: 256, lease: Duration::from_secs(30), in_flight: 2_048, per_route: 256, per_tenant: 512 }
    }
}

/// Hands queued messages to providers.
pub struct Dispatcher {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    routes: Arc<Routes>,
    templates: Arc<Templates>,
    tenants: Arc<Tenants>,
    pace: Pace,
    shared: Shared,
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
        clock: Arc<dyn Clock>,
        routes: Arc<Routes>,
        templates: Arc<Templates>,
        tenants: Arc<Tenants>,
        pace: Pace,
    ) -> Self {
        let shared = Shared::new(Traffic::new(pace, Arc::clone(&routes)), Arc::clone(&clock));
        Self { engine, keys, clock, routes, templates, tenants, pace, shared }
    }

    /// Hands messages over until `stop` completes, and then until what is under way has ended and is
    /// recorded. If the store fails, it tries again later.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut work = Work::new(self);
        work.watch();
        loop {
            work.claim();
            work.record();
            let advance = std::pin::pin!(work.advance());
            if let Either::Left(((), _)) = select(&mut stop, advance).await {
                break;
            }
        }
        while !work.is_done() {
            work.record();
            work.advance().await;
        }
    }

    /// Claims once what is due and has room, and hands that over: each result is recorded as soon as it is
    /// known.
    ///
    /// # Errors
    /// The store is unavailable. What was claimed comes back when its lease runs out.
    pub async fn step(&self) -> Result<StepReport, StorageError> {
        let mut work = Work::new(self);
        work.claim();
        while work.advance().await {
            work.record();
        }
        work.finish().await
    }
}
