//! Which directory a dialect keeps its users in.

use countersign_core::directory::{Directory, User};
use countersign_core::names::{DirectoryName, InvalidName};
use serde::Deserialize;

use super::{Dialects, crypterium, zap, zitadel};
use crate::services::Services;

/// A directory that a dialect's section names in the place of the dialect's own. Dialects that name the same
/// one share its users: what one of them believes of somebody, the others believe too.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct NamedDirectory(DirectoryName);

impl TryFrom<String> for NamedDirectory {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        DirectoryName::parse(&name).map(Self)
    }
}

/// The directory of a dialect: the one that its section names, or its own.
pub(super) fn directory_of(services: &Services, own: &str, named: Option<&NamedDirectory>) -> Directory {
    services.directories.named(name_of(own, named))
}

fn name_of(own: &str, named: Option<&NamedDirectory>) -> DirectoryName {
    match named {
        Some(NamedDirectory(name)) => name.clone(),
        None => DirectoryName::parse(own).expect("a dialect's name is a directory's"),
    }
}

impl Dialects {
    /// The directory of a user that was written when all dialects of a tenant wrote into one: that of the
    /// dialect whose users look like this one. ZITADEL's have an organisation; crypterium's are named after
    /// the proof that registered them; zap's have whatever id the tenant gave them.
    pub fn directory_before(&self, user: &User) -> DirectoryName {
        if zitadel::registered(user) {
            name_of(zitadel::NAME, self.zitadel.as_ref().and_then(|config| config.directory.as_ref()))
        } else if crypterium::registered(user) {
            name_of(crypterium::NAME, self.crypterium.as_ref().and_then(|config| config.directory.as_ref()))
        } else {
            name_of(zap::NAME, self.zap.as_ref().and_then(|config| config.directory.as_ref()))
        }
    }
}
