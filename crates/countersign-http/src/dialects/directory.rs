//! Which directory a dialect keeps its users in.

use countersign_core::directory::{Directory, User};
use countersign_core::names::DirectoryName;
use serde::Deserialize;

use super::{Dialects, crypterium, zap, zitadel};
use crate::services::Services;

/// A directory that a dialect's section names in the place of the dialect's own. Dialects that name the same
/// one share its users: what one of them believes of somebody, the others believe too.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct NamedDirectory(DirectoryName);

/// Names that no section may give: those of the dialects' own directories, and of what could not be read. A section
/// that named another dialect's would share its users, although that dialect's section says nothing of it.
const TAKEN: [&str; 4] = [zap::NAME, crypterium::NAME, zitadel::NAME, "unreadable"];

impl TryFrom<String> for NamedDirectory {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if TAKEN.contains(&&*name) {
            return Err(format!(
                "{name:?} is taken; dialects that share a directory name a third one, each of them"
            ));
        }
        DirectoryName::parse(&name).map(Self).map_err(|why| why.to_string())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_core::directory::{Created, NewUser};
    use countersign_core::ids::VerificationId;
    use countersign_core::names::Channel;
    use countersign_core::testkit::{ManualClock, tenant};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Ground, TestHook};

    fn named(section: Value) -> Dialects {
        serde_json::from_value(section).unwrap()
    }

    /// Each is where the dialect looks that wrote it: in its own directory, or in the one that its section names.
    ///
    /// Shows: F3.
    #[tokio::test]
    async fn f3_a_user_of_before_belongs_to_the_dialect_that_it_looks_like() {
        let ground = Ground::new(ManualClock::default());
        let acme = tenant("acme");
        let (services, _) = ground.services(acme.clone(), &Channel::ALL, Arc::new(TestHook::default()));
        let before = services.directories.named("before".parse().unwrap());
        let proof = VerificationId::from_bytes([7; 16]).to_string();
        let own = Dialects::default();
        let shared = named(json!({ "zap": { "directory": "people" }, "zitadel": { "directory": "staff" } }));
        for (id, organization, name, dialect, elsewhere) in [
            ("163840776835432700", Some("100"), Some("ann"), "zitadel", "staff"),
            (&*proof, None, None, "crypterium", "crypterium"),
            (&*(proof.clone() + "x"), None, None, "zap", "people"),
            ("u1", None, Some("ann2"), "zap", "people"),
        ] {
            let new = NewUser {
                id: id.to_owned(),
                username: name.map(str::to_owned),
                organization: organization.map(str::to_owned),
                ..NewUser::default()
            };
            let Created::Done(user) = before.create(&acme.id, new).await.unwrap() else { panic!("{id}") };
            assert_eq!(own.directory_before(&user).as_str(), dialect, "{id}");
            assert_eq!(shared.directory_before(&user).as_str(), elsewhere, "{id}");
        }
    }

    #[test]
    fn a_directory_has_a_name_of_its_own() {
        for wrong in ["", "People", "people!", "-people", "zap", "zitadel", "unreadable"] {
            let section = json!({ "zap": { "directory": wrong } });
            assert!(serde_json::from_value::<Dialects>(section).is_err(), "{wrong}");
        }
    }
}
