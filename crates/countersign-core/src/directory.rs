//! The users that a tenant registered, for dialects that address users instead of numbers.
//!
//! Names and addresses are sealed at rest and found through keyed indexes only.

use std::sync::Arc;

use minicbor::{Decode, Encode};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::codec;
use crate::engine::{Engine, StorageError, StoredUser, UserIndex};
use crate::entropy::Entropy;
use crate::keys::{KeyRing, Place};
use crate::names::TenantId;
use crate::recipient::{EmailAddress, PhoneNumber, Recipient};
use crate::time::{Clock, Timestamp};

/// A user of a tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The tenant's own name for the user, 1 to 200 characters, opaque to us.
    pub id: String,
    /// A second name to be found by.
    pub username: Option<String>,
    /// The mailbox.
    pub email: Option<EmailAddress>,
    /// The number.
    pub phone: Option<PhoneNumber>,
    /// Whether the present mailbox was proven.
    pub email_verified: bool,
    /// Whether the present number was proven.
    pub phone_verified: bool,
    /// How often the user changed; grows with each change.
    pub sequence: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    id: String,
    #[n(1)]
    username: Option<String>,
    #[n(2)]
    email: Option<String>,
    #[n(3)]
    phone: Option<String>,
}

/// How a user is looked up.
#[derive(Clone, Copy, Debug)]
pub enum UserBy<'a> {
    /// By the tenant's id.
    Id(&'a str),
    /// By its second name.
    Username(&'a str),
    /// By an address.
    Address(&'a Recipient),
}

/// What to write into the directory. `None` leaves a field as it is.
#[derive(Clone, Default)]
pub struct UserChange {
    /// The second name. If another user had it, it moves: the tenant is the authority over its names.
    pub username: Option<String>,
    /// The mailbox; another one than before clears its proof.
    pub email: Option<EmailAddress>,
    /// The number; another one than before clears its proof.
    pub phone: Option<PhoneNumber>,
}

/// The directory of all tenants.
#[derive(Clone)]
pub struct Directory {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the directory over an engine.
    pub fn new(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { engine, keys, clock, entropy }
    }

    /// Finds a user.
    ///
    /// # Errors
    /// The store is unavailable, or the user's row is damaged.
    pub async fn find(&self, tenant: &TenantId, by: UserBy<'_>) -> Result<Option<User>, StorageError> {
        let index = match by {
            UserBy::Id(id) => UserIndex::Id(self.keys.lookup_key(tenant, "user", id.as_bytes())),
            UserBy::Username(name) => UserIndex::Username(self.username_key(tenant, name)),
            UserBy::Address(address) => UserIndex::Address(address.keys(tenant, &self.keys).identity),
        };
        match self.engine.find_user(tenant, index).await? {
            Some(stored) => self.open(tenant, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// Registers a user or changes one. Concurrent changes of one user are applied one after the
    /// other; none is lost.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn put(&self, tenant: &TenantId, id: &str, change: &UserChange) -> Result<User, StorageError> {
        let key = self.keys.lookup_key(tenant, "user", id.as_bytes());
        loop {
            let now = self.clock.now();
            let stored = self.engine.find_user(tenant, UserIndex::Id(key)).await?;
            let mut user = match &stored {
                Some(stored) => self.open(tenant, stored)?,
                None => User {
                    id: id.to_owned(),
                    username: None,
                    email: None,
                    phone: None,
                    email_verified: false,
                    phone_verified: false,
                    sequence: 0,
                    created_at: now,
                    changed_at: now,
                },
            };
            let before = user.clone();
            if let Some(username) = &change.username {
                user.username = Some(username.clone());
            }
            if let Some(email) = &change.email {
                user.email_verified &= user.email.as_ref() == Some(email);
                user.email = Some(email.clone());
            }
            if let Some(phone) = &change.phone {
                user.phone_verified &= user.phone.as_ref() == Some(phone);
                user.phone = Some(phone.clone());
            }
            if stored.is_some() && user == before {
                return Ok(user);
            }
            user.sequence += 1;
            user.changed_at = now;
            let expected = stored.as_ref().map(|s| s.sequence);
            if self.engine.put_user(tenant, self.seal(tenant, key, &user), expected).await? {
                return Ok(user);
            }
        }
    }

    fn username_key(&self, tenant: &TenantId, name: &str) -> [u8; 16] {
        self.keys.lookup_key(tenant, "username", name.as_bytes())
    }

    fn seal(&self, tenant: &TenantId, key: [u8; 16], user: &User) -> StoredUser {
        let body = Body {
            id: user.id.clone(),
            username: user.username.clone(),
            email: user.email.as_ref().map(|e| e.expose().to_owned()),
            phone: user.phone.as_ref().map(|p| p.expose().to_owned()),
        };
        let mut rng = StdRng::from_seed(self.entropy.seed());
        let place = Place { table: "users", column: "body", tenant, row: &key, index: 0 };
        let identity = |recipient: Recipient| recipient.keys(tenant, &self.keys).identity;
        StoredUser {
            id: key,
            username: user.username.as_deref().map(|name| self.username_key(tenant, name)),
            email: user.email.clone().map(|e| identity(Recipient::Email(e))),
            phone: user.phone.clone().map(|p| identity(Recipient::Phone(p))),
            email_verified: user.email_verified,
            phone_verified: user.phone_verified,
            sequence: user.sequence,
            created_at: user.created_at,
            changed_at: user.changed_at,
            body: self.keys.seal(place, &codec::to_row(&body), &mut rng),
        }
    }

    fn open(&self, tenant: &TenantId, stored: &StoredUser) -> Result<User, StorageError> {
        let damaged = || StorageError::Corrupt { table: "users" };
        let place = Place { table: "users", column: "body", tenant, row: &stored.id, index: 0 };
        let plain = self.keys.open(place, &stored.body).map_err(|_| damaged())?;
        let body: Body = codec::from_row(&plain).map_err(|_| damaged())?;
        let email = body.email.map(|text| Recipient::from_canonical(&text));
        let phone = body.phone.map(|text| Recipient::from_canonical(&text));
        Ok(User {
            id: body.id,
            // The index tells whether the name is still this user's: another one may have taken it.
            username: body.username.filter(|_| stored.username.is_some()),
            email: email.and_then(|r| if let Recipient::Email(e) = r { Some(e) } else { None }),
            phone: phone.and_then(|r| if let Recipient::Phone(p) = r { Some(p) } else { None }),
            email_verified: stored.email_verified,
            phone_verified: stored.phone_verified,
            sequence: stored.sequence,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{ManualClock, MemoryEngine, SeededEntropy, keys, tenant};

    #[tokio::test]
    async fn a_name_that_moved_does_not_come_back_with_the_next_change() {
        let engine = Arc::new(MemoryEngine::new(keys()));
        let clock = Arc::new(ManualClock::default());
        let directory = Directory::new(engine, Arc::new(keys()), clock, Arc::new(SeededEntropy::default()));
        let acme = tenant("acme").id;
        let named = UserChange { username: Some("zoe".into()), ..UserChange::default() };
        directory.put(&acme, "1", &named).await.unwrap();
        directory.put(&acme, "2", &named).await.unwrap();
        let Recipient::Email(email) = Recipient::from_canonical("zoe@example.com") else {
            panic!("a mailbox")
        };
        let change = UserChange { email: Some(email), ..UserChange::default() };
        assert_eq!(directory.put(&acme, "1", &change).await.unwrap().username, None);
        let holder = directory.find(&acme, UserBy::Username("zoe")).await.unwrap().unwrap();
        assert_eq!((holder.id.as_str(), holder.username.as_deref()), ("2", Some("zoe")));
    }
}
