//! Setting, sending again, checking and removing, whatever the address and the version of the API.
//!
//! The order is: what is refused is refused before anything changes. So a code is issued first and the
//! directory follows; until it has, the code is for an address that is not the user's, and proves nothing.

use countersign_core::code::Code;
use countersign_core::directory::User;
use countersign_core::engine::{AcceptedKind, CheckOutcome, Delivery, Intent, SendOutcome};
use countersign_core::link::LinkTemplate;
use countersign_core::names::Locale;
use countersign_core::pairs::Pairs;
use countersign_core::recipient::Recipient;
use countersign_core::time::Timestamp;
use countersign_core::verifications::{Check, CheckOf, Prepared, RequestError, Start, Target};

use super::super::auth::Caller;
use super::super::errors::{Reason, Row};
use super::super::url_template::UrlTemplate;
use super::Users;
use super::contact::{Contact, Mode, ResendWords, SetWords, VerifyWords, Wants, kind_of, replace};
use crate::outcome::{cooling_down, decided};

/// Changes of one user's addresses in an hour.
const CHANGES_PER_HOUR: usize = 10;

/// Whether a call sets an address or asks for another code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Occasion {
    Set,
    Resend,
}

/// A user's id and language: the user may not be there yet.
type Named<'a> = (&'a str, Option<&'a str>);

fn named(user: &User) -> Named<'_> {
    (&user.id, user.profile.language.as_deref())
}

/// What became of an issue.
pub(super) enum Issued {
    /// There is a new code; here it is, if it is to be handed back.
    Fresh(Option<Code>),
    /// The same was asked for a moment ago: nothing was sent.
    Repeated,
}

impl Users {
    /// Gives the user another address.
    pub(super) async fn set(
        &self,
        caller: &Caller,
        id: &str,
        address: Recipient,
        mode: Mode,
        words: SetWords,
        url: Option<&UrlTemplate>,
    ) -> Result<(User, Option<Code>), Reason> {
        let contact = kind_of(&address);
        let mut user = self.of_organization(caller, id, words.unknown).await?;
        let old = contact.of(&user);
        if old.as_ref() == Some(&address) {
            let flips = words.may_flip && mode == Mode::Verified && !contact.is_verified(&user);
            if !flips {
                return Err(words.unchanged.into());
            }
        }
        // The same is counted again below; here so that no code is issued for nothing.
        let now = self.services.verifications.now();
        note_change(&mut user, now)?;
        let delivery = match mode {
            Mode::Send => Some(Delivery::Send),
            Mode::Return => Some(Delivery::Return),
            Mode::Verified | Mode::Unproven => None,
        };
        let issued = match delivery {
            Some(delivery) => {
                self.issue(caller, named(&user), address.clone(), delivery, Occasion::Set, url).await?
            }
            None => Issued::Fresh(None),
        };
        let updated = self.directory.update(&caller.tenant.id, id, |user: &mut User| {
            let same = contact.of(user).as_ref() == Some(&address);
            if same && !words.may_flip {
                return Err(Reason::Row(words.unchanged));
            }
            if !same {
                note_change(user, now)?;
                replace(user, address.clone());
            }
            match mode {
                Mode::Verified => contact.set_verified(user),
                Mode::Send | Mode::Return => contact.set_pending(user, true),
                Mode::Unproven => {}
            }
            user.sequence += 2; // the change, and the code or the proof
            Ok(())
        });
        let (user, ()) = updated.await?.ok_or(words.unknown)?;
        // No code outlives the address it was for.
        if let Some(old) = old.filter(|old| mode == Mode::Verified || *old != address) {
            self.void(caller, id, &old).await?;
        }
        Ok((user, issued.code()))
    }

    /// Issues another code.
    pub(super) async fn resend(
        &self,
        caller: &Caller,
        id: &str,
        contact: Contact,
        delivery: Delivery,
        words: ResendWords,
        url: Option<&UrlTemplate>,
    ) -> Result<(User, Option<Code>), Reason> {
        let user = self.of_organization(caller, id, words.unknown).await?;
        let address = contact.of(&user).ok_or(words.none)?;
        match words.wants {
            Wants::Pending(row) if !contact.is_pending(&user) => return Err(row.into()),
            Wants::Unverified(row) if contact.is_verified(&user) => return Err(row.into()),
            Wants::Pending(_) | Wants::Unverified(_) | Wants::Any => {}
        }
        let issued =
            self.issue(caller, named(&user), address.clone(), delivery, Occasion::Resend, url).await?;
        if matches!(issued, Issued::Repeated) {
            return Ok((user, None));
        }
        let updated = self.directory.update(&caller.tenant.id, id, |user: &mut User| {
            // Meanwhile it may have become another one, or have been proven or removed.
            let still = contact.of(user).as_ref() == Some(&address);
            let proven = contact.is_verified(user) && !matches!(words.wants, Wants::Any);
            if still && !proven {
                contact.set_pending(user, true);
            }
            user.sequence += 1;
            Ok::<_, Reason>(())
        });
        let (user, ()) = updated.await?.ok_or(words.unknown)?;
        Ok((user, issued.code()))
    }

    /// Takes a guess.
    pub(super) async fn verify(
        &self,
        caller: &Caller,
        user: User,
        contact: Contact,
        guess: &str,
        words: VerifyWords,
    ) -> Result<User, Reason> {
        let address = contact.of(&user).filter(|_| contact.is_pending(&user)).ok_or(words.none)?;
        // What no code can be costs no attempt. A code is exact: nothing is trimmed.
        if !guess.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(words.wrong.into());
        }
        let Ok(code) = Code::parse(guess) else { return Err(words.wrong.into()) };
        let check = Check {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            of: CheckOf::User {
                user: &self.directory.account(&user.id),
                recipient: &address,
                purpose: contact.purpose(),
            },
            code,
            only_of_length: false,
            context: Pairs::default(),
            client_ip: None,
            trusted: false,
            consume: true,
            record_proof: true,
            idempotency: None,
        };
        let tenant = &caller.tenant.id;
        match decided(self.services.verifications.check(check).await?)?.0 {
            CheckOutcome::Right { .. } => {
                // The proof is in the directory already; a mailbox that was proven before is pending still.
                let updated = self.directory.update(tenant, &user.id, |user: &mut User| {
                    if contact.is_verified(user) && contact.of(user).as_ref() == Some(&address) {
                        contact.set_pending(user, false);
                    }
                    Ok::<_, Reason>(())
                });
                Ok(updated.await?.ok_or(words.unknown)?.0)
            }
            CheckOutcome::Rejected { reason, retry_after, .. } => {
                let reason = Reason::rejected(reason, retry_after, words.wrong, words.none);
                if matches!(reason, Reason::Row(row) if row == words.wrong) {
                    let failed = |user: &mut User| {
                        user.sequence += 1;
                        Ok::<_, Reason>(())
                    };
                    self.directory.update(tenant, &user.id, failed).await?;
                }
                Err(reason)
            }
            CheckOutcome::NotFound => Err(words.none.into()),
        }
    }

    /// Takes the phone away, and voids its code. (With the platform the code survives.)
    pub(super) async fn remove_phone(
        &self,
        caller: &Caller,
        id: &str,
        unknown: Row,
        none: Row,
    ) -> Result<User, Reason> {
        self.of_organization(caller, id, unknown).await?;
        let updated = self.directory.update(&caller.tenant.id, id, |user: &mut User| {
            let old = user.phone.take().ok_or(Reason::Row(none))?;
            (user.phone_verified, user.phone_pending) = (false, false);
            Ok(Recipient::Phone(old))
        });
        let (user, old) = updated.await?.ok_or(unknown)?;
        self.void(caller, id, &old).await?;
        Ok(user)
    }

    /// Issues a code for a user's address, or for one that is about to become it; the mail has a link if
    /// there is a template for one.
    pub(super) async fn issue(
        &self,
        caller: &Caller,
        user: Named<'_>,
        address: Recipient,
        delivery: Delivery,
        occasion: Occasion,
        url: Option<&UrlTemplate>,
    ) -> Result<Issued, Reason> {
        let start = self.prepare(caller, user, address, delivery, occasion, url)?;
        let (outcome, at) = decided(self.services.verifications.start_prepared(start).await?)?;
        match outcome {
            SendOutcome::Accepted(accepted) => match accepted.kind {
                AcceptedKind::Opened | AcceptedKind::Resent => Ok(Issued::Fresh(accepted.code)),
                AcceptedKind::Repeated => Ok(Issued::Repeated),
                AcceptedKind::CoolingDown => {
                    let wait = cooling_down(&accepted, at).unwrap_or_default();
                    Err(Reason::wait(Row::COOL_DOWN, wait))
                }
            },
            SendOutcome::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// What issues a code for a user's address, ready to be decided.
    pub(super) fn prepare(
        &self,
        caller: &Caller,
        user: Named<'_>,
        address: Recipient,
        delivery: Delivery,
        occasion: Occasion,
        url: Option<&UrlTemplate>,
    ) -> Result<Prepared, Reason> {
        let link = url.map(|url| url.link(user.0, &caller.organization)).transpose();
        let link = link.map_err(|why| Reason::Field(format!("invalid UrlTemplate: {why}").into()))?;
        match self.start(caller, user, address.clone(), delivery, occasion, link) {
            // The call succeeds with the platform too; it is the operator who has to hear of it.
            Err(RequestError::NoRoute(channel)) => {
                tracing::error!(
                    tenant = %caller.tenant.id, %channel, "no channel: no provider carries this message"
                );
                Ok(self.start(caller, user, address, Delivery::Pretend, occasion, None)?)
            }
            start => Ok(start?),
        }
    }

    fn start(
        &self,
        caller: &Caller,
        user: Named<'_>,
        address: Recipient,
        delivery: Delivery,
        occasion: Occasion,
        link: Option<LinkTemplate>,
    ) -> Result<Prepared, RequestError> {
        let contact = kind_of(&address);
        let request = Start {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            purpose: contact.purpose(),
            intent: match occasion {
                Occasion::Set => Intent::Start,
                Occasion::Resend => Intent::StartOrResend,
            },
            delivery,
            targets: vec![(Target::User { user: self.directory.account(user.0), recipient: address }, None)],
            locale: user.1.and_then(|language| Locale::parse(language).ok()),
            custom_code: None,
            link,
            context: Pairs::default(),
            metadata: Pairs::default(),
            // The connection is the tenant's server's, not the end user's.
            client_ip: None,
            trusted: false,
            ends_hold_of: None,
            terms: Some(contact.terms(caller)),
            idempotency: None,
        };
        self.services.verifications.prepare(request)
    }

    async fn void(&self, caller: &Caller, id: &str, address: &Recipient) -> Result<(), Reason> {
        let (purpose, user) = (kind_of(address).purpose(), self.directory.account(id));
        Ok(self.services.verifications.cancel_of_user(&caller.tenant, &user, address, &purpose).await?)
    }
}

impl Issued {
    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::Fresh(code) => code,
            Self::Repeated => None,
        }
    }
}

fn note_change(user: &mut User, now: Timestamp) -> Result<(), Reason> {
    let noted = user.note_contact_change(now, CHANGES_PER_HOUR);
    noted.map_err(|retry_after| Reason::wait(Row::SEND_CAP, retry_after))
}
