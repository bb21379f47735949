//! The calls about an e-mail address of a user who has a token.
//!
//! A mailbox has one verification, whoever asks for it; its notes say which user opened it, and that
//! user alone is who the code proves it for.

use std::collections::BTreeMap;

use countersign_core::directory::{UpdateError, User, UserBy};
use countersign_core::engine::{Delivery, Intent, Refusal, SendOutcome};
use countersign_core::recipient::{EmailAddress, Recipient};
use countersign_core::verifications::{CheckOf, Target};

use super::auth::{Caller, Client};
use super::calls::{Calls, Use, accepted, judged};
use super::error::{CodeOf, Mismatch, Problem};
use super::request::EmailLink;
use super::response::Done;

/// The note that says whose verification it is.
const USER: &str = "user";

impl Calls {
    /// Sends a link to a new address, which becomes the user's: unproven until the link is followed.
    pub(super) async fn add_email(
        &self,
        caller: &Caller,
        client: Client,
        user: &User,
        email: EmailAddress,
    ) -> Result<Done, Problem> {
        let address = Recipient::Email(email.clone());
        let (directory, tenant) = (&self.directory, &caller.tenant.id);
        if let Some(holder) = directory.find(tenant, UserBy::Address(&address)).await?
            && holder.email_verified
        {
            let own = holder.id == user.id;
            return Err(if own { Problem::EmailConfirmed } else { Problem::EmailTaken });
        }
        accepted(self.mail(caller, client, user, address, Intent::StartOrResend).await?)?;
        let changed = directory.update(tenant, &user.id, |user| {
            user.set_email(Some(email.clone()));
            Ok::<_, std::convert::Infallible>(())
        });
        match changed.await {
            Ok(_) => Ok(Done::Accepted),
            Err(UpdateError::Storage(error)) => Err(error.into()),
            Err(UpdateError::Refused(never)) => match never {},
        }
    }

    /// Sends the link again.
    pub(super) async fn resend_email(
        &self,
        caller: &Caller,
        client: Client,
        user: &User,
    ) -> Result<Done, Problem> {
        let nothing_pending =
            || if caller.anti_enumeration { Ok(Done::Accepted) } else { Err(Problem::NotRegistered) };
        let Some(email) = user.email.clone() else { return nothing_pending() };
        if user.email_verified {
            return Err(Problem::EmailConfirmed);
        }
        let address = Recipient::Email(email);
        let outcome = self.mail(caller, client, user, address, Intent::ResendOrRevive).await?;
        if let SendOutcome::Refused(Refusal::NothingPending) = outcome.0 {
            return nothing_pending();
        }
        accepted(outcome)?;
        Ok(Done::Accepted)
    }

    /// Follows a link. It proves the address if it still is that of the user who asked for it.
    pub(super) async fn confirm_email(&self, caller: &Caller, link: EmailLink) -> Result<Done, Problem> {
        let of = CodeOf::Email;
        let address = Recipient::Email(link.email.clone());
        let check = CheckOf::Address(&address, self.email.clone());
        let proof = judged(of, self.guess(caller, check, link.code, Use::Once).await?)?;
        let notes = self.services.verifications.disclose(&proof)?.metadata;
        let user = notes.get(USER).ok_or(Problem::internal("a mailbox of nobody's was proven"))?;
        let marked = self.directory.update(&caller.tenant.id, user, |user| {
            // One mailbox has one spelling in the directory and may have another one in the link.
            let same = |own: &EmailAddress| own.expose().eq_ignore_ascii_case(link.email.expose());
            let still = user.email.as_ref().is_some_and(same);
            user.email_verified |= still;
            if still { Ok(()) } else { Err(Problem::WrongCode(of, Mismatch::Superseded)) }
        });
        match marked.await {
            Ok(Some(_)) => Ok(Done::Accepted),
            Ok(None) => Err(Problem::WrongCode(of, Mismatch::Superseded)),
            Err(UpdateError::Refused(problem)) => Err(problem),
            Err(UpdateError::Storage(error)) => Err(error.into()),
        }
    }

    async fn mail(
        &self,
        caller: &Caller,
        client: Client,
        user: &User,
        address: Recipient,
        intent: Intent,
    ) -> Result<(SendOutcome, countersign_core::time::Timestamp), Problem> {
        let link = (caller.email_link.as_ref())
            .map(|base| EmailLink::template(base, caller.id, address.expose()))
            .transpose()
            .map_err(|_| Problem::internal("a link is too long"))?;
        let notes = BTreeMap::from([(USER.to_owned(), user.id.clone())]);
        let (delivery, target) = (Delivery::Send, Target::Address(address));
        self.start(caller, client, &self.email, intent, delivery, target, notes, link).await
    }
}
