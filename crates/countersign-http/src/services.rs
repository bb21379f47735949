//! What every handler may use.

use std::sync::Arc;

use countersign_core::directory::Directories;
use countersign_core::engine::StorageError;
use countersign_core::nonces::Nonces;
use countersign_core::tenant::{Asker, Tenant, Tenants};
use countersign_core::tokens::Tokens;
use countersign_core::verifications::Verifications;

use crate::hooks::HookClient;

/// The verbs, the directories, what was spent, the tenants and their hooks, shared by every wire API.
#[derive(Clone, Debug)]
pub struct Services {
    /// Start, resend, check, cancel and the reads around them.
    pub verifications: Verifications,
    /// The users that tenants registered.
    pub directories: Directories,
    /// Tokens that are handed out after a verification.
    pub tokens: Tokens,
    /// What must be presented once only.
    pub nonces: Nonces,
    /// Who may call.
    pub tenants: Arc<Tenants>,
    /// The way to tenants' own endpoints.
    pub hooks: Arc<dyn HookClient>,
}

impl Services {
    /// Counts a request of a tenant, before it costs the other tenants anything.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`]: the tenant asks more than its rate allows.
    pub(crate) fn admit(&self, tenant: &Tenant, asker: Asker) -> Result<(), StorageError> {
        self.tenants.admit(&tenant.id, asker, self.verifications.now()).map_err(|_| {
            metrics::counter!("countersign_requests_over_rate_total", "tenant" => tenant.id.to_string())
                .increment(1);
            StorageError::Overloaded
        })
    }
}
