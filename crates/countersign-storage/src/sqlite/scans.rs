//! What takes long takes turns: a tenant has one scan at a time, and one erasure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::engine::StorageError;
use countersign_core::names::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many of a tenant's commands may wait for their turn.
const WAITING: usize = 16;

/// Whose command is under way, of a kind that takes long. Readers are few, and a single read must not wait for
/// scans; the writer is one, and nobody's erasure must wait for all those of another tenant.
#[derive(Debug, Default)]
pub(super) struct OneEach {
    /// Held to look one up, never across an await.
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

impl OneEach {
    /// Waits for the tenant's turn, which lasts until what this answers is dropped.
    pub(super) async fn turn(
        &self,
        tenant: &TenantId,
        patience: Duration,
    ) -> Result<OwnedSemaphorePermit, StorageError> {
        let turns = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            tenants.entry(tenant.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        // One is kept in the map, one goes with the command that is under way.
        if Arc::strong_count(&turns) > WAITING + 2 {
            return Err(StorageError::Overloaded);
        }
        match tokio::time::timeout(patience, turns.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(StorageError::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: F10.
    #[tokio::test]
    async fn f10_a_tenant_scans_once_at_a_time_and_no_other_waits_for_it() {
        let (scans, long) = (Arc::new(OneEach::default()), Duration::from_secs(60));
        let (acme, other) = (TenantId::parse("acme").unwrap(), TenantId::parse("other").unwrap());
        let first = scans.turn(&acme, long).await.unwrap();
        assert_eq!(scans.turn(&acme, Duration::ZERO).await.unwrap_err(), StorageError::Overloaded);
        drop(scans.turn(&other, Duration::ZERO).await.unwrap());
        let waits =
            |scans: Arc<OneEach>, acme: TenantId| async move { scans.turn(&acme, long).await.map(drop) };
        let waiting: Vec<_> =
            (0..WAITING).map(|_| tokio::spawn(waits(scans.clone(), acme.clone()))).collect();
        let full = || Arc::strong_count(&scans.tenants.lock().unwrap()[&acme]) == WAITING + 2;
        while !full() {
            tokio::task::yield_now().await;
        }
        assert_eq!(scans.turn(&acme, long).await.unwrap_err(), StorageError::Overloaded);
        drop(first);
        for wait in waiting {
            wait.await.unwrap().unwrap();
        }
    }
}
