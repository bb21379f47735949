//! What the calls do: users of the directory, and verifications of their addresses.
//!
//! Of each address the directory remembers whether it is proven, and whether a code was issued for it that
//! was neither used nor removed ("pending", without limit of time). Everything about codes, guesses, lives
//! and limits is core's.

mod accounts;
mod contact;
mod issue;
mod mailboxes;
mod management;
mod myself;
mod phones;
mod v1;

pub(super) use contact::Mode;
use countersign_core::directory::{Directory, User, UserBy};
use countersign_core::names::DialectName;

use super::auth::Caller;
use super::errors::{Reason, Row};
use crate::services::Services;

/// The calls over the services.
#[derive(Debug)]
pub(super) struct Users {
    pub(super) services: Services,
    directory: Directory,
    dialect: DialectName,
}

impl Users {
    pub(super) fn new(services: Services, directory: Directory) -> Self {
        Self { services, directory, dialect: DialectName::parse(super::NAME).expect("a dialect's name") }
    }

    /// A user of the caller's organisation. Those of others, and those that another wire API registered
    /// without an organisation, are unknown.
    async fn of_organization(&self, caller: &Caller, id: &str, unknown: Row) -> Result<User, Reason> {
        let user = self.of_tenant(caller, id).await?;
        let user = user.filter(|user| user.organization.as_deref() == Some(caller.organization.as_str()));
        user.ok_or(Reason::Row(unknown))
    }

    /// A user of any organisation of the caller's tenant.
    async fn of_tenant(&self, caller: &Caller, id: &str) -> Result<Option<User>, Reason> {
        let user = self.directory.find(&caller.tenant.id, UserBy::Id(id)).await?;
        Ok(user.filter(|user| user.organization.is_some()))
    }
}
