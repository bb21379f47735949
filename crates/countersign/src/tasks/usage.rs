//! Watches what is counted for tenants, so that somebody is told before a budget matters.

use std::collections::HashMap;
use std::time::Duration;

use countersign_core::engine::{StorageError, TenantUsage};
use countersign_core::names::TenantId;
use countersign_core::nonces::NonceBudgets;
use countersign_core::tenant::Tenant;
use countersign_core::verification::FailureLevel;
use countersign_http::services::Services;

use super::Stop;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(5);

/// Works until told to stop.
pub async fn run(services: Services, mut stop: Stop) {
    let mut watch = Watch::new(services);
    loop {
        if let Err(error) = watch.look().await {
            tracing::warn!(%error, "what is counted for tenants cannot be read now");
        }
        if stop.sleep(EVERY).await {
            return;
        }
    }
}

/// What was seen at the last look.
#[derive(Debug)]
pub struct Watch {
    services: Services,
    seen: HashMap<TenantId, Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    level: FailureLevel,
    /// Whether half of the nonces that may be kept are.
    half: bool,
    /// The same for nonces of requests without a time.
    undated_half: bool,
}

impl Watch {
    /// Has seen nothing yet.
    pub fn new(services: Services) -> Self {
        Self { services, seen: HashMap::new() }
    }

    /// Shows how every tenant stands, and logs what has changed since the last look.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn look(&mut self) -> Result<(), StorageError> {
        for tenant in self.services.tenants.iter() {
            let usage = self.services.verifications.usage(tenant).await?;
            let now = self.services.verifications.now();
            let level = usage.ledger.level(&tenant.policy.caps.tenant_failures, now);
            let before = self.seen.get(&tenant.id).copied().unwrap_or_default();
            let (failures, starts) = (usage.ledger.open_failures(now), usage.ledger.starts(now));
            let id = tenant.id.to_string();
            metrics::gauge!("countersign_tenant_failure_level", "tenant" => id.clone())
                .set(f64::from(level as u8));
            metrics::gauge!("countersign_tenant_open_failures", "tenant" => id.clone()).set(float(failures));
            metrics::gauge!("countersign_tenant_starts", "tenant" => id).set(float(starts));
            match level.cmp(&before.level) {
                std::cmp::Ordering::Greater => tracing::warn!(
                    tenant = %tenant.id, level = level.as_str(), failures, starts,
                    "much is guessed at this tenant's codes"
                ),
                std::cmp::Ordering::Less => tracing::info!(
                    tenant = %tenant.id, level = level.as_str(), failures, starts,
                    "less is guessed at this tenant's codes"
                ),
                std::cmp::Ordering::Equal => {}
            }
            let budgets = self.services.nonces.budgets();
            let (half, undated_half) = Self::look_at_nonces(tenant, &usage, budgets, before);
            self.seen.insert(tenant.id.clone(), Seen { level, half, undated_half });
        }
        Ok(())
    }

    fn look_at_nonces(
        tenant: &Tenant,
        usage: &TenantUsage,
        budgets: NonceBudgets,
        before: Seen,
    ) -> (bool, bool) {
        let look = |kind: &'static str, kept: u32, budget: u32, was_half: bool| {
            let id = tenant.id.to_string();
            metrics::gauge!("countersign_nonces", "tenant" => id.clone(), "kind" => kind)
                .set(f64::from(kept));
            metrics::gauge!("countersign_nonces_max", "tenant" => id, "kind" => kind).set(f64::from(budget));
            let half = kept >= budget.div_ceil(2);
            if half && !was_half {
                tracing::warn!(
                    tenant = %tenant.id, kind, kept, budget,
                    "half of the signed requests that can be remembered are; at the budget they are refused"
                );
            }
            half
        };
        (
            look("dated", usage.nonces, budgets.dated, before.half),
            look("undated", usage.undated_nonces, budgets.undated, before.undated_half),
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of counts far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
