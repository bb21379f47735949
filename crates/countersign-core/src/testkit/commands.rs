//! Commands with sane defaults, so that a test states only what it is about:
//! `StartCommand { delivery: Delivery::Return, ..start(&acme, ALICE, now) }`.

use std::time::Duration;

use super::keys;
use crate::audit::AuditEvent;
use crate::code::Code;
use crate::engine::{
    CancelCommand, CheckCommand, CheckTarget, Delivery, DestinationRequest, IdempotencyClaim, Intent,
    NonceCommand, NonceKind, RecipientCommand, ResendCommand, StartCommand, UserAddress, UserKey,
};
use crate::entropy::Seed;
use crate::ids::VerificationId;
use crate::names::{DialectName, DirectoryName, Locale, Purpose, TenantId};
use crate::outbox::{ClaimCommand, Slots};
use crate::pairs::Pairs;
use crate::policy::{Caps, Policy, RecipientCaps, Terms};
use crate::recipient::{Recipient, RecipientKeys};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// A tenant with the default policy.
pub fn tenant(id: &str) -> Tenant {
    Tenant {
        id: id.parse().expect("the test's tenant id"),
        brand: "Acme".into(),
        locale: Locale::parse("en").expect("a language"),
        policy: Policy::default(),
        disabled: false,
        rate: None,
    }
}

/// The purpose of every command below.
pub fn purpose() -> Purpose {
    Purpose::parse("login").expect("a purpose")
}

/// The directory of every user below.
pub fn directory() -> DirectoryName {
    DirectoryName::parse("users").expect("a directory's name")
}

/// A user of that directory.
pub fn user_key(id: u8) -> UserKey {
    UserKey { directory: directory(), id: [id; 16] }
}

/// A code as somebody typed it.
pub fn code(text: &str) -> Code {
    Code::parse(text).expect("the test's code")
}

/// What stands for an address under [`keys`].
pub fn recipient_keys(tenant: &TenantId, to: &str) -> RecipientKeys {
    Recipient::from_canonical(to).keys(tenant, &keys())
}

/// An address over its usual channel.
pub fn destination(tenant: &TenantId, to: &str) -> DestinationRequest {
    let recipient = Recipient::from_canonical(to);
    let channel = recipient.default_channel();
    let keys = recipient.keys(tenant, &keys());
    DestinationRequest { keys, recipient: Some(recipient), channel, owner: None, test: false }
}

/// The same, for a user of the [`directory`].
pub fn destination_of(tenant: &TenantId, to: &str, user: u8) -> DestinationRequest {
    let destination = destination(tenant, to);
    let owner = UserAddress { user: user_key(user), address: destination.keys.identity };
    DestinationRequest { owner: Some(owner), ..destination }
}

/// An idempotency claim: the same numbers are the same key and the same request.
pub fn claim(key: u8, request: u8) -> IdempotencyClaim {
    IdempotencyClaim { key: [key; 16], fingerprint: [request; 16] }
}

/// Spends a nonce: the same number is the same nonce and the same request.
pub fn nonce(tenant: &TenantId, key: u8, keep_until: Timestamp, now: Timestamp) -> NonceCommand {
    NonceCommand {
        tenant: tenant.clone(),
        key: [key; 16],
        request: [key; 16],
        keep_until,
        kind: NonceKind::Dated,
        budget: crate::nonces::NonceBudgets::default().dated,
        keep: true,
        now,
    }
}

/// Sends a code to an address, under the native API's defaults.
pub fn start(tenant: &TenantId, to: &str, now: Timestamp, seed: impl Into<Seed>) -> StartCommand {
    StartCommand {
        tenant: tenant.clone(),
        purpose: purpose(),
        dialect: DialectName::parse("native").expect("a dialect"),
        locale: Locale::parse("en").expect("a language"),
        intent: Intent::Start,
        delivery: Delivery::Send,
        destinations: vec![destination(tenant, to)],
        custom_code: None,
        link: None,
        context: None,
        metadata: Pairs::default(),
        client: None,
        trusted: false,
        ends_hold: None,
        terms: Terms::default(),
        caps: Caps::default(),
        cost_micros: 0,
        now,
        seed: seed.into(),
        idempotency: None,
    }
}

/// Sends again over the same channel.
pub fn resend(tenant: &TenantId, id: VerificationId, now: Timestamp, seed: impl Into<Seed>) -> ResendCommand {
    ResendCommand {
        tenant: tenant.clone(),
        dialect: DialectName::parse("native").expect("a dialect"),
        id,
        channel: None,
        delivery: Delivery::Send,
        trusted: false,
        caps: Caps::default(),
        cost_micros: 0,
        now,
        seed: seed.into(),
        idempotency: None,
    }
}

/// Takes a guess that ends the verification if it is right.
pub fn check(tenant: &TenantId, target: CheckTarget, code: Code, now: Timestamp) -> CheckCommand {
    CheckCommand {
        dialect: DialectName::parse("native").expect("a dialect"),
        tenant: tenant.clone(),
        target,
        code,
        only_of_length: false,
        context: None,
        client: None,
        trusted: false,
        consume: true,
        record_proof: false,
        caps: Caps::default(),
        now,
        idempotency: None,
    }
}

/// Gives up.
pub fn cancel(tenant: &TenantId, id: VerificationId, now: Timestamp) -> CancelCommand {
    CancelCommand { tenant: tenant.clone(), id, now }
}

/// Takes messages for half a minute, as far as there are slots.
pub fn claim_into(slots: Slots, now: Timestamp) -> ClaimCommand {
    ClaimCommand { slots, after: None, lease: Duration::from_secs(30), now }
}

/// An administrator's act on an address.
pub fn administer(tenant: &TenantId, to: &str, action: &str, now: Timestamp) -> RecipientCommand {
    RecipientCommand {
        tenant: tenant.clone(),
        keys: recipient_keys(tenant, to),
        caps: RecipientCaps::default(),
        now,
        audit: audit_event(tenant, action, now),
    }
}

/// An entry for the audit log.
pub fn audit_event(tenant: &TenantId, action: &str, now: Timestamp) -> AuditEvent {
    AuditEvent {
        at: now,
        tenant: Some(tenant.clone()),
        actor: "key:test".into(),
        action: action.into(),
        subject: "+12********01".into(),
    }
}
