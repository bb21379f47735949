//! Requests that are taken once: the memory for signed requests, which anybody who saw one could send
//! again.
//!
//! It is as durable as a verification: a restart or a crash forgets nothing. A restored backup does
//! not know what was spent after it was taken.

use std::sync::Arc;

use crate::engine::{Engine, NonceCommand, NonceOutcome, StorageError};
use crate::keys::KeyRing;
use crate::names::TenantId;
use crate::time::{Clock, Timestamp};

/// How many nonces of a tenant are kept at the same time, unless told otherwise. At twenty minutes
/// each that is 800 requests a second.
pub const BUDGET: u32 = 1_000_000;

/// What all tenants have spent.
#[derive(Clone)]
pub struct Nonces {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    budget: u32,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Nonces {
    /// Over an engine, with a budget of [`BUDGET`].
    pub fn new(engine: Arc<dyn Engine>, keys: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, keys, clock, budget: BUDGET }
    }

    /// With another budget per tenant.
    #[must_use]
    pub fn with_budget(self, budget: u32) -> Self {
        Self { budget, ..self }
    }

    /// Spends a nonce; `false` when it must not be taken, because it was spent before.
    ///
    /// `name` is the nonce, unique among all that the tenant spends: a dialect puts its own name in
    /// front. `request` is all that was signed: it only tells a repetition from a nonce used twice.
    /// `keep_until` is the last instant, this one included, at which the same request would be taken
    /// if it came again, by [`Clock::wall`]; one that has passed is refused. Only hashes are stored, under the installation's key.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`] also when as many nonces of the tenant are kept as may be: the
    /// request must not be taken then, as no older one is forgotten for it.
    pub async fn spend(
        &self,
        tenant: &TenantId,
        name: &[u8],
        request: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, StorageError> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        // The store remembers it for as long by its own time.
        let kept =
            if keep_until < wall { now - keep_until.until(wall) } else { now + wall.until(keep_until) };
        let command = NonceCommand {
            tenant: tenant.clone(),
            key: self.keys.lookup_key(tenant, "nonce", name),
            request: self.keys.lookup_key(tenant, "nonce-request", request),
            keep_until: kept,
            budget: self.budget,
            now,
        };
        match self.engine.spend_nonce(command).await? {
            NonceOutcome::Fresh => Ok(true),
            NonceOutcome::Seen { same_request: true } => {
                tracing::info!(%tenant, "a request came again and was refused");
                Ok(false)
            }
            NonceOutcome::Seen { same_request: false } => {
                tracing::warn!(%tenant, "two different requests came with one nonce; the later was refused");
                Ok(false)
            }
            NonceOutcome::Over => {
                tracing::info!(%tenant, "a request came with a nonce whose time was over, and was refused");
                Ok(false)
            }
            NonceOutcome::Full => {
                tracing::error!(%tenant, budget = self.budget, "no more nonces can be kept; the request was refused");
                Err(StorageError::Overloaded)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testkit::{ManualClock, MemoryEngine, keys, tenant};

    const KEPT: Duration = Duration::from_secs(600);

    fn nonces() -> (Nonces, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let engine = Arc::new(MemoryEngine::new(keys()));
        (Nonces::new(engine, Arc::new(keys()), clock.clone()), clock)
    }

    #[tokio::test]
    async fn a_nonce_is_good_once_whatever_comes_with_it() {
        let (nonces, acme) = (nonces().0, tenant("acme").id);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(&acme, b"1", b"request", until).await, Ok(true));
        assert_eq!(nonces.spend(&acme, b"1", b"request", until).await, Ok(false));
        assert_eq!(nonces.spend(&acme, b"1", b"another", until + KEPT).await, Ok(false));
        assert_eq!(nonces.spend(&acme, b"2", b"request", until).await, Ok(true));
    }

    #[tokio::test]
    async fn what_would_be_forgotten_at_once_is_refused() {
        let (nonces, clock) = nonces();
        let acme = tenant("acme").id;
        clock.advance(KEPT);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(&acme, b"1", b"", until).await, Ok(true));
        clock.advance(Duration::from_millis(1));
        assert_eq!(nonces.spend(&acme, b"1", b"", until).await, Ok(false));
        assert_eq!(nonces.spend(&acme, b"2", b"", until).await, Ok(false));
    }

    /// A store that had seen tomorrow took every nonce for one whose time was over, for months.
    ///
    /// Shows: F18.
    #[tokio::test]
    async fn f18_a_nonce_is_kept_for_as_long_whatever_time_the_store_has() {
        let (nonces, clock) = nonces();
        let acme = tenant("acme").id;
        for (n, ahead) in [-86_400_000_i64, 0, 86_400_000].into_iter().enumerate() {
            clock.set_machine_ahead(-ahead);
            let (name, until) = ([u8::try_from(n).unwrap()], clock.wall() + KEPT);
            assert_eq!(nonces.spend(&acme, &name, b"", until).await, Ok(true), "{ahead}");
            clock.advance(KEPT);
            assert_eq!(nonces.spend(&acme, &name, b"", until).await, Ok(false), "it is remembered");
            clock.advance(Duration::from_millis(1));
            assert_eq!(nonces.spend(&acme, b"new", b"", until).await, Ok(false), "its time is over");
        }
    }

    #[tokio::test]
    async fn one_over_the_budget_is_told_so() {
        let (nonces, acme) = (nonces().0.with_budget(1), tenant("acme").id);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(&acme, b"1", b"", until).await, Ok(true));
        assert_eq!(nonces.spend(&acme, b"2", b"", until).await, Err(StorageError::Overloaded));
    }
}
