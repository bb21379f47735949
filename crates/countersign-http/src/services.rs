//! What every handler may use.

use std::sync::Arc;

use countersign_core::directory::Directory;
use countersign_core::tenant::Tenants;
use countersign_core::verifications::Verifications;

/// The verbs, the directory and the tenants, shared by every wire API.
#[derive(Clone, Debug)]
pub struct Services {
    /// Start, resend, check, cancel and the reads around them.
    pub verifications: Verifications,
    /// The users that tenants registered.
    pub directory: Directory,
    /// Who may call.
    pub tenants: Arc<Tenants>,
}
