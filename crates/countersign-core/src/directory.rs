//! The users that a tenant registered, for dialects that address users instead of numbers.
//!
//! A tenant has as many directories as its wire APIs name; each has users, names and addresses of its own, so
//! that what one wire API believes of somebody is nothing to another.
//!
//! Names and addresses are sealed at rest and found through keyed indexes only.

use std::sync::Arc;
use std::time::Duration;

use minicbor::{Decode, Encode};
use rand::RngExt;

use crate::codec;
use crate::engine::{
    Accepted, Engine, EnrolCommand, EnrolOutcome, NameConflict, PutUser, Refusal, StorageError, StoredUser,
    UserIndex,
};
use crate::entropy::Entropy;
use crate::keys::{KeyRing, Place};
use crate::names::{DirectoryName, TenantId};
use crate::recipient::{EmailAddress, PhoneNumber, Recipient};
use crate::time::{Clock, Timestamp};
use crate::verifications::{Account, Prepared};

/// What changes of addresses are counted over.
const HOUR: Duration = Duration::from_secs(3600);

/// A user of a tenant.
#[expect(clippy::struct_excessive_bools, reason = "what is known of each of two addresses")]
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
    /// Whether a code was issued for the present mailbox and it was neither proven nor removed since.
    pub email_pending: bool,
    /// The same for the number.
    pub phone_pending: bool,
    /// Whether a code was right that several of its addresses shared: that proves the user and no address.
    pub confirmed: bool,
    /// How long after its last change it ends if nothing of it is proven; `None`: it does not end by itself.
    pub unproven_life: Option<Duration>,
    /// Which organisation of the tenant it belongs to; `None` where tenants have none.
    pub organization: Option<String>,
    /// What it is called.
    pub profile: Profile,
    /// When its addresses changed last, oldest first: as far as whoever changes them remembers.
    pub contact_changes: Vec<Timestamp>,
    /// The number of its last event; grows with each change.
    pub sequence: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

impl User {
    /// Whether anything of it was ever proven that still is so.
    pub const fn is_proven(&self) -> bool {
        self.email_verified || self.phone_verified || self.confirmed
    }

    /// Changes or removes the mailbox. Another one than before is unproven, and no code is pending for it.
    pub fn set_email(&mut self, email: Option<EmailAddress>) {
        if self.email != email {
            (self.email, self.email_verified, self.email_pending) = (email, false, false);
        }
    }

    /// Changes or removes the number. Another one than before is unproven, and no code is pending for it.
    pub fn set_phone(&mut self, phone: Option<PhoneNumber>) {
        if self.phone != phone {
            (self.phone, self.phone_verified, self.phone_pending) = (phone, false, false);
        }
    }

    /// Notes that an address changes now, where so many changes an hour are allowed.
    ///
    /// # Errors
    /// They are used up; carries how long until there is room.
    pub fn note_contact_change(&mut self, now: Timestamp, per_hour: usize) -> Result<(), Duration> {
        self.contact_changes.retain(|at| *at + HOUR > now);
        if let Some(first) = self.contact_changes.first()
            && self.contact_changes.len() >= per_hour
        {
            return Err(now.until(*first + HOUR));
        }
        self.contact_changes.push(now);
        Ok(())
    }
}

/// What a user is called, for APIs that keep it.
#[derive(Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Profile {
    /// The given name; empty when unknown.
    #[n(0)]
    pub given_name: String,
    /// The family name; empty when unknown.
    #[n(1)]
    pub family_name: String,
    /// The language preferred, as a BCP 47 tag; `None` when unknown.
    #[n(2)]
    pub language: Option<String>,
}

/// A user to register.
#[expect(clippy::struct_excessive_bools, reason = "what is known of each of two addresses")]
#[derive(Clone, Default)]
pub struct NewUser {
    /// The tenant's own name for it, 1 to 200 characters.
    pub id: String,
    /// A second name to be found by.
    pub username: Option<String>,
    /// The mailbox.
    pub email: Option<EmailAddress>,
    /// The number.
    pub phone: Option<PhoneNumber>,
    /// Whether the mailbox is taken as proven.
    pub email_verified: bool,
    /// Whether the number is taken as proven.
    pub phone_verified: bool,
    /// Whether a code is issued for the mailbox.
    pub email_pending: bool,
    /// The same for the number.
    pub phone_pending: bool,
    /// Which organisation of the tenant it belongs to.
    pub organization: Option<String>,
    /// What it is called.
    pub profile: Profile,
    /// The number of its first event, at least 1.
    pub sequence: u64,
}

/// What became of a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Created {
    /// It is registered.
    Done(Box<User>),
    /// The tenant has a user of that id.
    IdTaken,
    /// Another user of the tenant has that username.
    NameTaken,
    /// Too many others claim one of its addresses without proof.
    AddressFull,
}

/// What became of a user that was registered or changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Put {
    /// It is as it was to be.
    Done(Box<User>),
    /// Another user has that username and keeps it. Nothing was changed.
    NameTaken,
    /// Too many others claim one of its addresses without proof. Nothing was changed.
    AddressFull,
}

/// What became of a registration with its first messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Enrolled {
    /// The user is registered, and a code issued by each start; here is what the starts came to, in their order.
    Done(Box<User>, Vec<Accepted>),
    /// The tenant has a user of that id.
    IdTaken,
    /// Another user of the tenant has that username.
    NameTaken,
    /// A start was refused: there is no user, and nothing was sent.
    Refused(Refusal),
}

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E> {
    /// The change itself said no.
    #[error("refused")]
    Refused(E),
    /// Another user has the username that this one was to get, and keeps it.
    #[error("the username is another user's")]
    NameTaken,
    /// Too many others claim the address that it was to get without proof.
    #[error("too many others claim the address")]
    AddressFull,
    /// The store.
    #[error(transparent)]
    Storage(#[from] StorageError),
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
    #[n(4)]
    organization: Option<String>,
    #[n(5)]
    #[cbor(default)]
    profile: Profile,
    #[n(6)]
    #[cbor(default)]
    contact_changes: Vec<Timestamp>,
}

/// How a user is looked up.
#[derive(Clone, Copy)]
pub enum UserBy<'a> {
    /// By the tenant's id.
    Id(&'a str),
    /// By its second name.
    Username(&'a str),
    /// By what stands for the tenant's id: see
    /// [`Verifications::user_key`](crate::verifications::Verifications::user_key).
    Key(&'a [u8; 16]),
    /// By an address.
    Address(&'a Recipient),
}

/// Ids and names are the tenant's own, and may be addresses.
impl std::fmt::Debug for UserBy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(_) => f.write_str("Id(…)"),
            Self::Key(_) => f.write_str("Key(…)"),
            Self::Username(_) => f.write_str("Username(…)"),
            Self::Address(address) => f.debug_tuple("Address").field(address).finish(),
        }
    }
}

/// What to write into the directory. `None` leaves a field as it is.
#[derive(Clone, Default)]
pub struct UserChange {
    /// The second name. If another user had it of whom nothing was ever proven, it moves.
    pub username: Option<String>,
    /// The mailbox; another one than before clears its proof.
    pub email: Option<EmailAddress>,
    /// The number; another one than before clears its proof.
    pub phone: Option<PhoneNumber>,
}

/// The directories of all tenants.
#[derive(Clone)]
pub struct Directories {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Directories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directories").finish_non_exhaustive()
    }
}

impl Directories {
    /// Opens the directories over an engine.
    pub fn new(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { engine, keys, clock, entropy }
    }

    /// The directory of that name, of every tenant. Users of one are nobody in another.
    pub fn named(&self, name: DirectoryName) -> Directory {
        let Self { engine, keys, clock, entropy } = self.clone();
        Directory { engine, keys, clock, entropy, name }
    }

    /// Reads a user's row, whichever directory it is in.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read(&self, tenant: &TenantId, stored: &StoredUser) -> Result<User, StorageError> {
        open(&self.keys, tenant, stored)
    }
}

/// One directory, of every tenant.
#[derive(Clone)]
pub struct Directory {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    name: DirectoryName,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory's name.
    pub fn name(&self) -> &DirectoryName {
        &self.name
    }

    /// One of its users, for verifications of that user's addresses.
    pub fn account(&self, id: &str) -> Account {
        Account { directory: self.name.clone(), id: id.to_owned() }
    }

    /// Finds a user.
    ///
    /// # Errors
    /// The store is unavailable, or the user's row is damaged.
    pub async fn find(&self, tenant: &TenantId, by: UserBy<'_>) -> Result<Option<User>, StorageError> {
        let index = match by {
            UserBy::Id(id) => UserIndex::Id(self.id_key(tenant, id)),
            UserBy::Key(key) => UserIndex::Id(*key),
            UserBy::Username(name) => UserIndex::Username(self.username_key(tenant, name)),
            UserBy::Address(address) => UserIndex::Address(address.keys(tenant, &self.keys).identity),
        };
        match self.engine.find_user(tenant, &self.name, index).await? {
            Some(stored) => open(&self.keys, tenant, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// Registers a user or changes one. Concurrent changes of one user are applied one after the
    /// other; none is lost. A user that is registered by this ends `unproven_life` after its last change if
    /// nothing of it is proven.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn put(
        &self,
        tenant: &TenantId,
        id: &str,
        change: &UserChange,
        unproven_life: Option<Duration>,
    ) -> Result<Put, StorageError> {
        loop {
            let updated = self.update(tenant, id, |user| {
                apply(user, change);
                Ok::<_, std::convert::Infallible>(())
            });
            match updated.await {
                Ok(Some((user, ()))) => return Ok(Put::Done(Box::new(user))),
                Ok(None) => {}
                Err(UpdateError::NameTaken) => return Ok(Put::NameTaken),
                Err(UpdateError::AddressFull) => return Ok(Put::AddressFull),
                Err(UpdateError::Storage(error)) => return Err(error),
                Err(UpdateError::Refused(never)) => match never {},
            }
            let mut user = self.blank(NewUser { id: id.to_owned(), sequence: 1, ..NewUser::default() });
            apply(&mut user, change);
            user.unproven_life = unproven_life;
            let stored = self.seal(tenant, self.id_key(tenant, id), &user);
            match self.engine.put_user(tenant, &self.name, stored, None, NameConflict::Move).await? {
                PutUser::Written => return Ok(Put::Done(Box::new(user))),
                PutUser::NameTaken => return Ok(Put::NameTaken),
                PutUser::AddressFull => return Ok(Put::AddressFull),
                PutUser::Stale => {} // somebody else registered it meanwhile
            }
        }
    }

    /// Registers a user, if neither its id nor its username is taken.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn create(&self, tenant: &TenantId, new: NewUser) -> Result<Created, StorageError> {
        let key = self.id_key(tenant, &new.id);
        let user = self.blank(new);
        let stored = self.seal(tenant, key, &user);
        Ok(match self.engine.put_user(tenant, &self.name, stored, None, NameConflict::Refuse).await? {
            PutUser::Written => Created::Done(Box::new(user)),
            PutUser::Stale => Created::IdTaken,
            PutUser::NameTaken => Created::NameTaken,
            PutUser::AddressFull => Created::AddressFull,
        })
    }

    /// Registers a user and issues their first codes: all of it in one commit, or nothing. Each start is for another
    /// address.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn enrol(
        &self,
        tenant: &TenantId,
        new: NewUser,
        starts: Vec<Prepared>,
    ) -> Result<Enrolled, StorageError> {
        let key = self.id_key(tenant, &new.id);
        let user = self.blank(new);
        let command = EnrolCommand {
            tenant: tenant.clone(),
            directory: self.name.clone(),
            user: self.seal(tenant, key, &user),
            starts: starts.into_iter().map(|Prepared(start)| start).collect(),
            now: self.clock.now(),
        };
        Ok(match self.engine.enrol(command).await? {
            EnrolOutcome::Enrolled(sent) => Enrolled::Done(Box::new(user), sent),
            EnrolOutcome::IdTaken => Enrolled::IdTaken,
            EnrolOutcome::NameTaken => Enrolled::NameTaken,
            EnrolOutcome::Refused(refusal) => Enrolled::Refused(refusal),
        })
    }

    /// Changes a user: `change` is told what is stored and says what shall be, or why not. Concurrent
    /// changes of one user are applied one after the other and none is lost, so that `change` may run
    /// several times. Addresses are changed by [`User::set_email`] and [`User::set_phone`]. The sequence is what `change` leaves,
    /// and grows by one if `change` changed anything else and left it alone. `None`: there is no such user.
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub async fn update<T, E>(
        &self,
        tenant: &TenantId,
        id: &str,
        mut change: impl FnMut(&mut User) -> Result<T, E>,
    ) -> Result<Option<(User, T)>, UpdateError<E>> {
        let key = self.id_key(tenant, id);
        loop {
            let Some(stored) = self.engine.find_user(tenant, &self.name, UserIndex::Id(key)).await? else {
                return Ok(None);
            };
            let before = open(&self.keys, tenant, &stored)?;
            let mut user = before.clone();
            let told = change(&mut user).map_err(UpdateError::Refused)?;
            if user == before {
                return Ok(Some((user, told)));
            }
            user.sequence = user.sequence.max(before.sequence + 1);
            user.changed_at = self.clock.now();
            let sealed = self.seal(tenant, key, &user);
            let expected = Some(stored.sequence);
            match self.engine.put_user(tenant, &self.name, sealed, expected, NameConflict::Move).await? {
                PutUser::Written => return Ok(Some((user, told))),
                PutUser::NameTaken => return Err(UpdateError::NameTaken),
                PutUser::AddressFull => return Err(UpdateError::AddressFull),
                PutUser::Stale => {} // it changed meanwhile
            }
        }
    }

    /// An id for a user whose tenant names none: 19 digits, the present millisecond and 22 random bits.
    /// It is no secret, and [`Directory::create`] tells if it should be taken.
    pub fn fresh_id(&self) -> String {
        let millis = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let chance: u64 = self.entropy.seed().rng().random_range(0..1 << 22);
        ((millis << 22) | chance).to_string()
    }

    fn id_key(&self, tenant: &TenantId, id: &str) -> [u8; 16] {
        self.keys.lookup_key(tenant, "user", id.as_bytes())
    }

    fn blank(&self, new: NewUser) -> User {
        let now = self.clock.now();
        User {
            id: new.id,
            username: new.username,
            email: new.email,
            phone: new.phone,
            email_verified: new.email_verified,
            phone_verified: new.phone_verified,
            email_pending: new.email_pending,
            phone_pending: new.phone_pending,
            confirmed: false,
            unproven_life: None,
            organization: new.organization,
            profile: new.profile,
            contact_changes: Vec::new(),
            sequence: new.sequence.max(1),
            created_at: now,
            changed_at: now,
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
            organization: user.organization.clone(),
            profile: user.profile.clone(),
            contact_changes: user.contact_changes.clone(),
        };
        let mut rng = self.entropy.seed().rng();
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
            email_pending: user.email_pending,
            phone_pending: user.phone_pending,
            confirmed: user.confirmed,
            unproven_life: user.unproven_life,
        }
    }
}

fn open(keys: &KeyRing, tenant: &TenantId, stored: &StoredUser) -> Result<User, StorageError> {
    let damaged = || StorageError::Corrupt { table: "users" };
    let place = Place { table: "users", column: "body", tenant, row: &stored.id, index: 0 };
    let plain = keys.open(place, &stored.body).map_err(|_| damaged())?;
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
        email_pending: stored.email_pending,
        phone_pending: stored.phone_pending,
        confirmed: stored.confirmed,
        unproven_life: stored.unproven_life,
        organization: body.organization,
        profile: body.profile,
        contact_changes: body.contact_changes,
        sequence: stored.sequence,
        created_at: stored.created_at,
        changed_at: stored.changed_at,
    })
}

fn apply(user: &mut User, change: &UserChange) {
    if let Some(username) = &change.username {
        user.username = Some(username.clone());
    }
    if let Some(email) = &change.email {
        user.set_email(Some(email.clone()));
    }
    if let Some(phone) = &change.phone {
        user.set_phone(Some(phone.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{ManualClock, MemoryEngine, SeededEntropy, keys, tenant};

    fn directory() -> Directory {
        let engine = Arc::new(MemoryEngine::new(keys()));
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::default());
        Directories::new(engine, Arc::new(keys()), clock, entropy).named("users".parse().unwrap())
    }

    fn phone(text: &str) -> PhoneNumber {
        let Recipient::Phone(phone) = Recipient::from_canonical(text) else { panic!("a number") };
        phone
    }

    #[tokio::test]
    async fn neither_an_id_nor_a_name_is_given_twice_by_creation() {
        let (directory, acme) = (directory(), tenant("acme").id);
        let new = |id: &str, name: &str| NewUser {
            id: id.into(),
            username: Some(name.into()),
            ..NewUser::default()
        };
        assert!(matches!(directory.create(&acme, new("1", "zoe")).await.unwrap(), Created::Done(_)));
        assert_eq!(directory.create(&acme, new("1", "ann")).await.unwrap(), Created::IdTaken);
        assert_eq!(directory.create(&acme, new("2", "zoe")).await.unwrap(), Created::NameTaken);
        assert!(directory.find(&acme, UserBy::Id("2")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn another_number_is_unproven_and_the_same_one_stays_proven() {
        let (directory, acme) = (directory(), tenant("acme").id);
        let number = phone("+447700900001");
        let new = NewUser {
            id: "1".into(),
            phone: Some(number.clone()),
            phone_verified: true,
            ..NewUser::default()
        };
        directory.create(&acme, new).await.unwrap();
        let set = async |to: PhoneNumber| {
            let change = |user: &mut User| {
                user.set_phone(Some(to.clone()));
                Ok::<_, ()>(())
            };
            directory.update(&acme, "1", change).await.unwrap().unwrap().0
        };
        assert_eq!((set(number.clone()).await.phone_verified, set(number).await.sequence), (true, 1));
        let changed = set(phone("+447700900002")).await;
        assert_eq!((changed.phone_verified, changed.sequence), (false, 2));
    }

    #[test]
    fn changes_of_addresses_are_counted_over_an_hour() {
        let mut user = directory().blank(NewUser::default());
        let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        for minute in 0..3 {
            assert_eq!(user.note_contact_change(at(minute), 3), Ok(()));
        }
        assert_eq!(user.note_contact_change(at(59), 3), Err(Duration::from_secs(60)));
        assert_eq!(user.note_contact_change(at(60), 3), Ok(()));
        assert_eq!(user.contact_changes, [at(1), at(2), at(60)]);
    }

    #[test]
    fn fresh_ids_are_digits_and_differ() {
        let directory = directory();
        let (one, other) = (directory.fresh_id(), directory.fresh_id());
        assert!(one != other && one.len() == 19 && one.bytes().all(|b| b.is_ascii_digit()), "{one} {other}");
    }

    #[tokio::test]
    async fn an_update_that_says_no_changes_nothing() {
        let (directory, acme) = (directory(), tenant("acme").id);
        let refuse = |user: &mut User| {
            user.sequence = 9;
            Err::<(), _>("no")
        };
        assert!(directory.update(&acme, "1", refuse).await.unwrap().is_none());
        directory.put(&acme, "1", &UserChange::default(), None).await.unwrap();
        let refused = directory.update(&acme, "1", refuse).await;
        assert!(matches!(refused, Err(UpdateError::Refused("no"))));
        assert_eq!(directory.find(&acme, UserBy::Id("1")).await.unwrap().unwrap().sequence, 1);
    }

    async fn done(directory: &Directory, id: &str, change: &UserChange) -> User {
        match directory.put(&tenant("acme").id, id, change, None).await.unwrap() {
            Put::Done(user) => *user,
            Put::NameTaken | Put::AddressFull => panic!("no room"),
        }
    }

    #[tokio::test]
    async fn a_name_that_moved_does_not_come_back_with_the_next_change() {
        let (directory, acme) = (directory(), tenant("acme").id);
        let named = UserChange { username: Some("zoe".into()), ..UserChange::default() };
        done(&directory, "1", &named).await;
        done(&directory, "2", &named).await;
        let Recipient::Email(email) = Recipient::from_canonical("zoe@example.com") else {
            panic!("a mailbox")
        };
        let change = UserChange { email: Some(email), ..UserChange::default() };
        assert_eq!(done(&directory, "1", &change).await.username, None);
        let holder = directory.find(&acme, UserBy::Username("zoe")).await.unwrap().unwrap();
        assert_eq!((holder.id.as_str(), holder.username.as_deref()), ("2", Some("zoe")));
    }

    /// Neither a new user nor one that is there already gets it.
    ///
    /// Shows: F20.
    #[tokio::test]
    async fn f20_a_name_stays_with_a_user_who_has_proven_an_address() {
        let (directory, acme) = (directory(), tenant("acme").id);
        let new = NewUser {
            id: "1".into(),
            username: Some("zoe".into()),
            phone: Some(phone("+447700900001")),
            phone_verified: true,
            ..NewUser::default()
        };
        directory.create(&acme, new).await.unwrap();
        done(&directory, "2", &UserChange::default()).await;
        let named = UserChange { username: Some("zoe".into()), ..UserChange::default() };
        for id in ["2", "3"] {
            assert_eq!(directory.put(&acme, id, &named, None).await.unwrap(), Put::NameTaken, "{id}");
        }
        let holder = directory.find(&acme, UserBy::Username("zoe")).await.unwrap().unwrap();
        assert_eq!(holder.id, "1");
        assert!(directory.find(&acme, UserBy::Id("3")).await.unwrap().is_none());
    }
}
