//! Who and what the numbers in the steps stand for.

use std::fmt;

use super::steps::{Claim, GHOST, Who};
use super::walk::Walk;
use crate::code::Code;
use crate::engine::{DestinationRequest, IdempotencyClaim, RecipientCommand, UserAddress};
use crate::keys::ContextDigest;
use crate::names::{Purpose, TenantId};
use crate::recipient::RecipientKeys;
use crate::testkit::bench::{ALICE, BOB, EngineFixture, MAIL};
use crate::testkit::commands;

pub(super) fn address(who: Who) -> &'static str {
    match who {
        1 => MAIL,
        2 => BOB,
        _ => ALICE,
    }
}

pub(super) fn own_code_of(number: u8) -> Code {
    commands::code(if number == 1 { "AAAAAAAAAA" } else { "BBBBBBBBBB" })
}

pub(super) fn is_own_code(code: &Code) -> bool {
    (1..=2).any(|number| own_code_of(number) == *code)
}

pub(super) fn context_of(number: u8) -> Option<ContextDigest> {
    (number > 0).then(|| ContextDigest::from_bytes([number; 32]))
}

pub(super) fn purpose_of(number: u8) -> Purpose {
    Purpose::parse(if number == 0 { "login" } else { "payment" }).expect("a purpose")
}

/// A fingerprint stands for the verb, too.
pub(super) fn claim_of(claim: Claim, verb: u8) -> Option<IdempotencyClaim> {
    claim.map(|(key, request)| commands::claim(key, verb * 16 + request))
}

/// A name that prints as itself.
pub(super) struct Name(pub(super) &'static str);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<F: EngineFixture> Walk<'_, F> {
    pub(super) fn tenant(&self, tenant: u8) -> &TenantId {
        &self.tenants[usize::from(tenant)]
    }

    pub(super) fn recipient(&self, tenant: u8, who: Who) -> RecipientKeys {
        if who == GHOST {
            let key = self.keys.recipient_key(self.tenant(tenant), "nobody", "ghost");
            return RecipientKeys { identity: key, budget: key };
        }
        commands::recipient_keys(self.tenant(tenant), address(who))
    }

    /// `user` 0 is nobody in particular.
    pub(super) fn destination(&self, tenant: u8, who: Who, user: u8) -> DestinationRequest {
        let real = commands::destination(self.tenant(tenant), address(who));
        let recipient = real.recipient.clone().filter(|_| who != GHOST);
        let keys = self.recipient(tenant, who);
        let owner =
            (user > 0).then(|| UserAddress { user: commands::user_key(user), address: keys.identity });
        DestinationRequest { keys, recipient, owner, ..real }
    }

    pub(super) fn administer(&self, tenant: u8, who: Who, action: &str) -> RecipientCommand {
        RecipientCommand {
            keys: self.recipient(tenant, who),
            caps: self.caps.recipient,
            ..commands::administer(self.tenant(tenant), address(who), action, self.now())
        }
    }
}
