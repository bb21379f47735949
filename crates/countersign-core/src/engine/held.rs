//! Who is held: the list for whoever has to help.

use crate::keys::RecipientKey;
use crate::policy::RecipientCaps;
use crate::time::Timestamp;
use crate::verification::{Hold, RecipientLedger, Verification};

/// Where a recipient is in the list: newest first, and among those of one instant by key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HeldPlace {
    /// When the hold began.
    pub since: Timestamp,
    /// Whose it is.
    pub budget: RecipientKey,
}

/// Which held recipients of a tenant to list, newest hold first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldQuery {
    /// The limits in force.
    pub caps: RecipientCaps,
    /// Only those behind this one.
    pub before: Option<HeldPlace>,
    /// At most so many.
    pub limit: u32,
    /// Looks at no more ledgers than this: what an index has may be held no longer.
    pub looks: u32,
    /// The present instant.
    pub now: Timestamp,
}

impl HeldQuery {
    /// How many ledgers a list may look at: some milliseconds of a reader.
    pub const LOOKS: u32 = 1_000;

    /// Where a recipient with this ledger is in the list, if it asks for them: they are held now.
    pub fn place(&self, budget: RecipientKey, ledger: &RecipientLedger) -> Option<HeldPlace> {
        ledger.hold(&self.caps, self.now)?;
        let place = HeldPlace { since: ledger.may_be_held()?.since, budget };
        self.before.is_none_or(|before| place < before).then_some(place)
    }
}

/// A recipient who is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldRecipient {
    /// Where it is in the list.
    pub place: HeldPlace,
    /// What is known of it.
    pub ledger: RecipientLedger,
    /// The verification that was guessed at last, if it is still there: it knows the address.
    pub verification: Option<Verification>,
}

impl HeldRecipient {
    /// Why it is held at an instant.
    pub fn hold(&self, query: &HeldQuery) -> Option<Hold> {
        self.ledger.hold(&query.caps, query.now)
    }
}

/// A part of the list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeldPage {
    /// Who was found, newest hold first.
    pub found: Vec<HeldRecipient>,
    /// The last one looked at, where the query's looks ended before its limit and before the list.
    pub go_on: Option<HeldPlace>,
}
