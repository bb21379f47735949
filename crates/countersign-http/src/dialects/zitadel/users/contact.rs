//! A phone and a mailbox are handled alike; here is what tells them apart.

use countersign_core::directory::User;
use countersign_core::names::Purpose;
use countersign_core::policy::Terms;
use countersign_core::recipient::Recipient;

use super::super::auth::Caller;
use super::super::errors::Row;

/// One of a user's two addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Contact {
    Phone,
    Email,
}

impl Contact {
    /// What its codes are good for.
    pub(super) fn purpose(self) -> Purpose {
        let name = match self {
            Self::Phone => "phone_contact",
            Self::Email => "email_contact",
        };
        Purpose::parse(name).expect("a purpose")
    }

    /// What its verifications run under.
    pub(super) fn terms(self, caller: &Caller) -> Terms {
        let usual = &caller.tenant.policy.terms;
        match self {
            Self::Phone => caller.options.phone_terms(usual),
            Self::Email => caller.options.email_terms(usual),
        }
    }

    pub(super) fn of(self, user: &User) -> Option<Recipient> {
        match self {
            Self::Phone => user.phone.clone().map(Recipient::Phone),
            Self::Email => user.email.clone().map(Recipient::Email),
        }
    }

    pub(super) fn is_verified(self, user: &User) -> bool {
        match self {
            Self::Phone => user.phone_verified,
            Self::Email => user.email_verified,
        }
    }

    pub(super) fn is_pending(self, user: &User) -> bool {
        match self {
            Self::Phone => user.phone_pending,
            Self::Email => user.email_pending,
        }
    }

    pub(super) fn set_pending(self, user: &mut User, pending: bool) {
        match self {
            Self::Phone => user.phone_pending = pending,
            Self::Email => user.email_pending = pending,
        }
    }

    /// Takes the address as proven; no code is waited for any more.
    pub(super) fn set_verified(self, user: &mut User) {
        match self {
            Self::Phone => (user.phone_verified, user.phone_pending) = (true, false),
            Self::Email => (user.email_verified, user.email_pending) = (true, false),
        }
    }
}

/// Gives a user another address.
pub(super) fn replace(user: &mut User, address: Recipient) {
    match address {
        Recipient::Phone(phone) => user.set_phone(Some(phone)),
        Recipient::Email(email) => user.set_email(Some(email)),
    }
}

/// Which kind of address it is.
pub(super) fn kind_of(address: &Recipient) -> Contact {
    match address {
        Recipient::Phone(_) => Contact::Phone,
        Recipient::Email(_) => Contact::Email,
    }
}

/// How a call sets an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// A code is sent to it.
    Send,
    /// A code is handed back.
    Return,
    /// It is taken as proven.
    Verified,
    /// It is taken as it is: unproven, and no code is issued for it.
    Unproven,
}

/// How a call that sets an address names what is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetWords {
    pub(super) unknown: Row,
    pub(super) unchanged: Row,
    /// Whether the address that the user has already may be taken as proven.
    pub(super) may_flip: bool,
}

/// What a call that asks for another code asks of the address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wants {
    /// A code is pending for it.
    Pending(Row),
    /// It is not proven yet.
    Unverified(Row),
    /// Nothing.
    Any,
}

/// How a call that asks for another code names what is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResendWords {
    pub(super) unknown: Row,
    /// There is no address.
    pub(super) none: Row,
    pub(super) wants: Wants,
}

/// How a call that takes a code names what is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifyWords {
    pub(super) unknown: Row,
    /// No code is pending, or it was used before.
    pub(super) none: Row,
    pub(super) wrong: Row,
}
