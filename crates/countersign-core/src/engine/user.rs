//! The directory's rows.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::Refusal;
use crate::keys::{RecipientKey, Sealed};
use crate::names::DirectoryName;
use crate::time::Timestamp;

/// A user as stored.
#[expect(clippy::struct_excessive_bools, reason = "what is known of each of two addresses")]
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StoredUser {
    /// Finds the user by its id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 16],
    /// Finds the user by its name.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub username: Option<[u8; 16]>,
    /// Finds the user by its mailbox.
    #[n(2)]
    pub email: Option<RecipientKey>,
    /// Finds the user by its number.
    #[n(3)]
    pub phone: Option<RecipientKey>,
    /// Whether the present mailbox was proven.
    #[n(4)]
    pub email_verified: bool,
    /// Whether the present number was proven.
    #[n(5)]
    pub phone_verified: bool,
    /// How often the user changed.
    #[n(6)]
    pub sequence: u64,
    /// When it was registered.
    #[n(7)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[n(8)]
    pub changed_at: Timestamp,
    /// Id, name, addresses and profile, sealed.
    #[n(9)]
    pub body: Sealed,
    /// Whether a code was issued for the present mailbox and it was neither proven nor removed since.
    #[n(10)]
    #[cbor(default)]
    pub email_pending: bool,
    /// The same for the number.
    #[n(11)]
    #[cbor(default)]
    pub phone_pending: bool,
    /// Whether a code was right that several of its addresses shared: that proves the user and no address.
    #[n(12)]
    #[cbor(default)]
    pub confirmed: bool,
    /// How long after its last change it ends if nothing of it is proven; `None`: it does not end by itself.
    #[cbor(n(13), with = "crate::codec::optional_duration", has_nil)]
    pub unproven_life: Option<Duration>,
}

/// A user of a tenant: directories know nothing of each other's users.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct UserKey {
    /// In which directory.
    #[n(0)]
    pub directory: DirectoryName,
    /// Which one, as in [`StoredUser::id`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub id: [u8; 16],
}

/// One user's address.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct UserAddress {
    /// The user.
    #[n(0)]
    pub user: UserKey,
    /// The address, as in [`StoredUser::email`] and [`StoredUser::phone`].
    #[n(1)]
    pub address: RecipientKey,
}

/// What a right code proved, for the directory: of the user that it was asked for, and of nobody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// The user.
    pub user: UserKey,
    /// The address. `None`: one code went to several of the user's addresses, so that nobody can tell which
    /// of them was read.
    pub address: Option<RecipientKey>,
}

/// A user to register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRow {
    /// In which directory.
    pub directory: DirectoryName,
    /// The user.
    pub user: StoredUser,
}

/// What became of a user that was to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutUser {
    /// It is written.
    Written,
    /// The stored one has another sequence than was expected: read it again.
    Stale,
    /// Another user has the name and keeps it.
    NameTaken,
    /// An address is claimed by as many others as may: see [`Claimants::room`].
    AddressFull,
}

/// How many users of one directory may say within [`CLAIMS_COUNT`] that an address is theirs without proving it.
/// Whoever finds, proves or erases the address looks at all of them.
pub const CLAIMS_PER_ADDRESS: usize = 100;

/// How long a claim counts after its user's last change: who is kept out by strangers' claims is so no longer.
pub const CLAIMS_COUNT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a caller is told of an address that no more users may claim. Nobody knows when there is room; a day is as
/// good an answer as any.
pub const ADDRESS_FULL: Refusal = Refusal::RecipientLimit { retry_after: Duration::from_secs(24 * 3600) };

/// Whether one more user may claim an address without proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// It may.
    Free,
    /// It may when this one ends: it would have ended by itself some day.
    Ends([u8; 16]),
    /// It may not.
    Full,
}

/// Others who have an address that a user claims.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimants {
    /// The address.
    pub address: RecipientKey,
    /// The others.
    pub others: Vec<StoredUser>,
}

impl Claimants {
    /// Decides whether one more user may claim the address at `now`. Of those who end by themselves the one that
    /// changed longest ago makes room: otherwise a stranger's claims would keep the owner out. Nobody else is ended
    /// for it.
    pub fn room(&self, now: Timestamp) -> Room {
        let counts =
            |user: &&StoredUser| !user.has_proven(&self.address) && now.since(user.changed_at) < CLAIMS_COUNT;
        let claims = || self.others.iter().filter(counts);
        if claims().count() < CLAIMS_PER_ADDRESS {
            return Room::Free;
        }
        let ending = claims().filter(|user| user.forget_at().is_some());
        ending.min_by_key(|user| (user.changed_at, user.id)).map_or(Room::Full, |user| Room::Ends(user.id))
    }
}

/// What happens when another user has the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameConflict {
    /// The name moves to the user written last, from one that [gives it up](StoredUser::gives_up_name);
    /// otherwise nothing is written.
    Move,
    /// Nothing is written.
    Refuse,
}

impl StoredUser {
    /// Which of several users an address finds: the greatest. Who has proven it goes before who only says
    /// that it is theirs; of these, who changed last.
    pub fn rank(&self, address: &RecipientKey) -> impl Ord + use<> {
        (self.has_proven(address), self.changed_at, self.id)
    }

    /// Whether it has proven this address, and has it still.
    pub fn has_proven(&self, address: &RecipientKey) -> bool {
        let email = self.email.as_ref() == Some(address) && self.email_verified;
        let phone = self.phone.as_ref() == Some(address) && self.phone_verified;
        email || phone
    }

    /// Whether anything of it was ever proven that still is so.
    pub const fn is_proven(&self) -> bool {
        self.email_verified || self.phone_verified || self.confirmed
    }

    /// Whether its name may become another user's: nobody loses one who has proven anything.
    pub const fn gives_up_name(&self) -> bool {
        !self.is_proven()
    }

    /// The addresses that it claims without having proven them, and did not have `before`.
    pub fn claims<'a>(&'a self, before: Option<&'a Self>) -> impl Iterator<Item = RecipientKey> + 'a {
        let had = move |address: &RecipientKey| {
            before.is_some_and(|user| {
                user.email.as_ref() == Some(address) || user.phone.as_ref() == Some(address)
            })
        };
        let addresses = [self.email, self.phone].into_iter().flatten();
        addresses.filter(move |address| !self.has_proven(address) && !had(address))
    }

    /// When it ends if nothing happens; `None` never.
    pub fn forget_at(&self) -> Option<Timestamp> {
        if self.is_proven() { None } else { self.unproven_life.map(|life| self.changed_at + life) }
    }

    /// Records what was proven: an address, if it still is this user's, or the user as such. `true` when that
    /// changed anything.
    pub fn prove(&mut self, address: Option<&RecipientKey>, now: Timestamp) -> bool {
        let Some(address) = address else {
            let newly = !self.confirmed;
            if newly {
                self.confirmed = true;
                self.sequence += 1;
                self.changed_at = now;
            }
            return newly;
        };
        let email = self.email.as_ref() == Some(address) && !self.email_verified;
        let phone = self.phone.as_ref() == Some(address) && !self.phone_verified;
        if email || phone {
            self.email_verified |= email;
            self.phone_verified |= phone;
            self.email_pending &= !email;
            self.phone_pending &= !phone;
            self.sequence += 1;
            self.changed_at = now;
        }
        email || phone
    }
}

/// By what a user is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserIndex {
    /// The key of the tenant's id.
    Id([u8; 16]),
    /// The key of the second name.
    Username([u8; 16]),
    /// The identity key of a mailbox or number. Of several users the one of the highest
    /// [rank](StoredUser::rank) is found.
    Address(RecipientKey),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(id: u8, life: Option<Duration>) -> StoredUser {
        let changed_at = Timestamp::from_millis(1_000 - i64::from(id));
        StoredUser {
            id: [id; 16],
            username: None,
            email: Some(RecipientKey::from_bytes([7; 16])),
            phone: None,
            email_verified: false,
            phone_verified: false,
            sequence: 1,
            created_at: changed_at,
            changed_at,
            body: Sealed::from_bytes(Vec::new()),
            email_pending: false,
            phone_pending: false,
            confirmed: false,
            unproven_life: life,
        }
    }

    fn room(others: &[StoredUser]) -> Room {
        let claimants = Claimants { address: RecipientKey::from_bytes([7; 16]), others: others.to_vec() };
        claimants.room(Timestamp::from_millis(1_000))
    }

    /// Shows: F15.
    #[test]
    fn f15_a_claim_too_many_ends_the_oldest_of_those_who_end_by_themselves() {
        let mut others: Vec<StoredUser> = (0..100).map(|id| claimant(id, Some(CLAIMS_COUNT))).collect();
        assert_eq!(room(&others[1..]), Room::Free);
        assert_eq!(room(&others), Room::Ends([99; 16]));
        others[99].unproven_life = None;
        assert_eq!(room(&others), Room::Ends([98; 16]));
        others[98].confirmed = true;
        assert_eq!(room(&others), Room::Ends([97; 16]), "who has proven something else is not ended");
        others[98].email_verified = true;
        assert_eq!(room(&others), Room::Free);
    }

    /// Shows: F15.
    #[test]
    fn f15_claims_of_users_who_do_not_end_count_for_thirty_days() {
        let mut lasting: Vec<StoredUser> = (0..100).map(|id| claimant(id, None)).collect();
        assert_eq!(room(&lasting), Room::Full);
        lasting[0].changed_at = Timestamp::from_millis(1_000) - CLAIMS_COUNT;
        assert_eq!(room(&lasting), Room::Free);
    }
}
