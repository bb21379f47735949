//! Who is held, as whoever has to help reads it.

use super::Verifications;
use crate::engine::{HeldPlace, HeldQuery, HeldRecipient, StorageError};
use crate::ids::VerificationId;
use crate::recipient::Recipient;
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::verification::{Hold, StoredRecipient, disclose};

/// A recipient who is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldView {
    /// Where it is in the list.
    pub place: HeldPlace,
    /// Its masked address, while the verification that was guessed at last knows it.
    pub masked: Option<String>,
    /// That verification, while it is kept.
    pub verification: Option<VerificationId>,
    /// Why it is held.
    pub hold: Hold,
    /// When the hold ends by itself; `None` when it does not.
    pub until: Option<Timestamp>,
}

impl Verifications {
    /// The tenant's recipients who are held, newest hold first: at most `limit`, only those behind `before`. Where
    /// the second answer is something, it is where to go on, whether or not there were `limit`.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn held(
        &self,
        tenant: &Tenant,
        before: Option<HeldPlace>,
        limit: u32,
    ) -> Result<(Vec<HeldView>, Option<HeldPlace>), StorageError> {
        let (caps, now) = (self.caps_in_force_of(tenant, false).await?, self.clock.now());
        let query = HeldQuery { caps, before, limit, looks: HeldQuery::LOOKS, now };
        let page = self.engine.held(&tenant.id, query.clone()).await?;
        let found = page.found.into_iter().filter_map(|held| self.view(&held, &query)).collect();
        Ok((found, page.go_on))
    }

    fn view(&self, recipient: &HeldRecipient, query: &HeldQuery) -> Option<HeldView> {
        let hold = recipient.hold(query)?;
        let until = match hold {
            Hold::FailedChecks(wait) => Some(query.now + wait),
            Hold::ConsecutiveFailures => None,
        };
        let verification = recipient.verification.as_ref().map(|v| v.id);
        Some(HeldView { place: recipient.place, masked: self.masked(recipient), verification, hold, until })
    }

    /// Aliases of one mailbox are held together: it is the one that was guessed at.
    fn masked(&self, held: &HeldRecipient) -> Option<String> {
        let verification = held.verification.as_ref()?;
        let index = verification.budgets().position(|budget| budget == held.place.budget)?;
        match &verification.destinations[index].recipient {
            StoredRecipient::Masked(masked) => Some(masked.clone()),
            StoredRecipient::Nobody => None,
            // What does not open is told like what is not there: the list is for the others, too.
            StoredRecipient::Sealed(_) => {
                let disclosed = disclose(&self.keys, verification).ok()?;
                Some(Recipient::from_canonical(disclosed.to.get(index)?).masked())
            }
        }
    }
}
