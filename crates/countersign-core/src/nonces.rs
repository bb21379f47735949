//! Requests that are taken once: the memory for signed requests, which anybody who saw one could send
//! again.
//!
//! It is as durable as a verification: a restart or a crash forgets nothing. A restored backup does
//! not know what was spent after it was taken.

use std::sync::Arc;

use crate::engine::{Engine, NonceCommand, NonceKind, NonceOutcome, StorageError};
use crate::keys::KeyRing;
use crate::names::TenantId;
use crate::time::{Clock, Timestamp};

/// How many nonces of a tenant are kept at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NonceBudgets {
    /// Of requests that say when they were signed.
    pub dated: u32,
    /// Of requests that do not.
    pub undated: u32,
}

impl Default for NonceBudgets {
    /// At twenty minutes each, a million are 800 requests a second. At a day each, 200,000 are two.
    fn default() -> Self {
        Self { dated: 1_000_000, undated: 200_000 }
    }
}

/// A nonce that a request carries.
#[derive(Clone, Copy, Debug)]
pub struct Nonce<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The nonce, unique among all that the tenant spends: a dialect puts its own name in front.
    pub name: &'a [u8],
    /// All that was signed: it only tells a repetition from a nonce used twice.
    pub request: &'a [u8],
    /// The last instant, this one included, at which the same request would be taken if it came again, by
    /// [`Clock::wall`]; one that has passed is refused.
    pub keep_until: Timestamp,
    /// What it is counted with.
    pub kind: NonceKind,
}

/// What all tenants have spent.
#[derive(Clone)]
pub struct Nonces {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    budgets: NonceBudgets,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}

impl Nonces {
    /// Over an engine, with the usual budgets.
    pub fn new(engine: Arc<dyn Engine>, keys: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, keys, clock, budgets: NonceBudgets::default() }
    }

    /// With other budgets per tenant.
    #[must_use]
    pub fn with_budgets(self, budgets: NonceBudgets) -> Self {
        Self { budgets, ..self }
    }

    /// How many are kept per tenant.
    pub fn budgets(&self) -> NonceBudgets {
        self.budgets
    }

    /// Spends a nonce; `false` when its request must not be taken, because it was spent before. Only
    /// hashes are stored, under the installation's key.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`] also when as many nonces of the tenant are kept as may be: the
    /// request must not be taken then, as no older one is forgotten for it.
    pub async fn spend(&self, nonce: Nonce<'_>) -> Result<bool, StorageError> {
        self.decide(nonce, true).await
    }

    /// Whether a nonce could be spent; it still can afterwards. For requests that are answered without
    /// any effect: remembering them would cost more than they do.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn is_fresh(&self, nonce: Nonce<'_>) -> Result<bool, StorageError> {
        self.decide(nonce, false).await
    }

    async fn decide(&self, nonce: Nonce<'_>, keep: bool) -> Result<bool, StorageError> {
        let Nonce { tenant, name, request, keep_until, kind } = nonce;
        let budget = match kind {
            NonceKind::Dated => self.budgets.dated,
            NonceKind::Undated => self.budgets.undated,
        };
        let (now, wall) = (self.clock.now(), self.clock.wall());
        // The store remembers it for as long by its own time.
        let kept =
            if keep_until < wall { now - keep_until.until(wall) } else { now + wall.until(keep_until) };
        let command = NonceCommand {
            tenant: tenant.clone(),
            key: self.keys.lookup_key(tenant, "nonce", name),
            request: self.keys.lookup_key(tenant, "nonce-request", request),
            keep_until: kept,
            kind,
            budget,
            keep,
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
                tracing::error!(%tenant, budget, ?kind, "no more nonces can be kept; the request was refused");
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

    fn nonce<'a>(
        tenant: &'a TenantId,
        name: &'a [u8],
        request: &'a [u8],
        keep_until: Timestamp,
    ) -> Nonce<'a> {
        Nonce { tenant, name, request, keep_until, kind: NonceKind::Dated }
    }

    #[tokio::test]
    async fn a_nonce_is_good_once_whatever_comes_with_it() {
        let (nonces, acme) = (nonces().0, tenant("acme").id);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"request", until)).await, Ok(true));
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"request", until)).await, Ok(false));
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"another", until + KEPT)).await, Ok(false));
        assert_eq!(nonces.spend(nonce(&acme, b"2", b"request", until)).await, Ok(true));
    }

    #[tokio::test]
    async fn what_would_be_forgotten_at_once_is_refused() {
        let (nonces, clock) = nonces();
        let acme = tenant("acme").id;
        clock.advance(KEPT);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"", until)).await, Ok(true));
        clock.advance(Duration::from_millis(1));
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"", until)).await, Ok(false));
        assert_eq!(nonces.spend(nonce(&acme, b"2", b"", until)).await, Ok(false));
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
            assert_eq!(nonces.spend(nonce(&acme, &name, b"", until)).await, Ok(true), "{ahead}");
            clock.advance(KEPT);
            assert_eq!(nonces.spend(nonce(&acme, &name, b"", until)).await, Ok(false), "it is remembered");
            clock.advance(Duration::from_millis(1));
            assert_eq!(nonces.spend(nonce(&acme, b"new", b"", until)).await, Ok(false), "its time is over");
        }
    }

    #[tokio::test]
    async fn one_over_the_budget_is_told_so() {
        let (nonces, acme) =
            (nonces().0.with_budgets(NonceBudgets { dated: 1, undated: 1 }), tenant("acme").id);
        let until = ManualClock::START + KEPT;
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"", until)).await, Ok(true));
        assert_eq!(nonces.spend(nonce(&acme, b"2", b"", until)).await, Err(StorageError::Overloaded));
    }

    #[tokio::test]
    async fn a_look_keeps_nothing_and_tells_what_was_spent() {
        let (nonces, acme) =
            (nonces().0.with_budgets(NonceBudgets { dated: 1, undated: 1 }), tenant("acme").id);
        let until = ManualClock::START + KEPT;
        for name in [b"1", b"2", b"1"] {
            assert_eq!(nonces.is_fresh(nonce(&acme, name, b"", until)).await, Ok(true));
        }
        assert_eq!(nonces.spend(nonce(&acme, b"1", b"", until)).await, Ok(true));
        assert_eq!(nonces.is_fresh(nonce(&acme, b"1", b"", until)).await, Ok(false));
    }
}
