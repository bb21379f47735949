//! The calls about an e-mail address of a user who has a token.
//!
//! Each user has a verification of their own, also of one mailbox: a code, and the link with it, is good for
//! the user who asked for it and proves nothing of others.

use countersign_core::directory::{UpdateError, User, UserBy};
use countersign_core::engine::{ADDRESS_FULL, Delivery, Intent, Refusal, SendOutcome, UserKey};
use countersign_core::pairs::Pairs;
use countersign_core::recipient::{EmailAddress, Recipient};
use countersign_core::verifications::{CheckOf, Target};

use super::auth::{Caller, Client};
use super::calls::{Calls, Use, accepted, judged};
use super::error::{CodeOf, Mismatch, Problem};
use super::request::EmailLink;
use super::response::Done;

impl Calls {
    /// Sends a link to a new address, which becomes the user's: unproven until the link is followed. A proven
    /// one is not given up for it.
    pub(super) async fn add_email(
        &self,
        caller: &Caller,
        client: Client,
        user: &User,
        email: EmailAddress,
    ) -> Result<Done, Problem> {
        let address = Recipient::Email(email.clone());
        let (directory, tenant) = (&self.directory, &caller.tenant.id);
        if user.email_verified {
            return Err(Problem::EmailConfirmed);
        }
        let holder = directory.find(tenant, UserBy::Address(&address)).await?;
        if holder.is_some_and(|holder| holder.email_verified) {
            return Err(Problem::EmailTaken);
        }
        accepted(self.mail(caller, client, user, address.clone(), Intent::StartOrResend).await?)?;
        let changed = directory.update(tenant, &user.id, |user| {
            if user.email_verified {
                return Err(Problem::EmailConfirmed);
            }
            let old = user.email.clone().map(Recipient::Email);
            user.set_email(Some(email.clone()));
            Ok(old)
        });
        let old = match changed.await {
            Ok(Some((_, old))) => old.filter(|old| *old != address),
            Ok(None) => return Err(Problem::BadToken),
            Err(UpdateError::Refused(problem)) => return Err(problem),
            Err(UpdateError::NameTaken) => return Err(Problem::internal("a user lost its name")),
            Err(UpdateError::AddressFull) => return Err(ADDRESS_FULL.into()),
            Err(UpdateError::Storage(error)) => return Err(error.into()),
        };
        if let Some(old) = old {
            let account = directory.account(&user.id);
            self.services.verifications.cancel_of_user(&caller.tenant, &account, &old, &self.email).await?;
        }
        Ok(Done::Accepted)
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

    /// Follows a link. It proves the address for the user whom the link names, if it still is theirs.
    pub(super) async fn confirm_email(
        &self,
        caller: &Caller,
        link: EmailLink,
        user: [u8; 16],
    ) -> Result<Done, Problem> {
        let of = CodeOf::Email;
        let address = Recipient::Email(link.email.clone());
        let user = UserKey { directory: self.directory.name().clone(), id: user };
        let check = CheckOf::UserKey { user: &user, recipient: &address, purpose: self.email.clone() };
        judged(of, self.guess(caller, check, link.code, Use::Proof).await?)?;
        let found = self.directory.find(&caller.tenant.id, UserBy::Key(&user.id)).await?;
        // One mailbox has one spelling in the directory and may have another one in the link.
        let same = |own: &EmailAddress| own.expose().eq_ignore_ascii_case(link.email.expose());
        let still = found.filter(|user| user.email_verified && user.email.as_ref().is_some_and(same));
        still.map(|_| Done::Accepted).ok_or(Problem::WrongCode(of, Mismatch::Superseded))
    }

    async fn mail(
        &self,
        caller: &Caller,
        client: Client,
        user: &User,
        address: Recipient,
        intent: Intent,
    ) -> Result<(SendOutcome, countersign_core::time::Timestamp), Problem> {
        let account = self.directory.account(&user.id);
        let key = self.services.verifications.user_key(&caller.tenant, &account).id;
        let link = (caller.email_link.as_ref())
            .map(|base| EmailLink::template(base, caller.id, key, address.expose()))
            .transpose()
            .map_err(|_| Problem::internal("a link is too long"))?;
        let (delivery, target) = (Delivery::Send, Target::User { user: account, recipient: address });
        self.start(caller, client, &self.email, intent, delivery, target, Pairs::default(), link).await
    }
}
