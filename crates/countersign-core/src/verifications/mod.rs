//! The verbs that every dialect calls.
//!
//! [`Verifications`] turns a caller's request into a complete command (keys, limits, randomness, the
//! present instant), has the engine decide it, and hands the outcome back. No dialect goes around it.

mod held;
mod requests;

use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::AuditEvent;
use crate::code::Code;
use crate::engine::{
    CancelCommand, CancelOutcome, CheckCommand, CheckOutcome, CheckTarget, Delivery, DestinationRequest,
    Engine, IdempotencyClaim, Idempotent, ListQuery, RecipientCommand, ResendCommand, SendOutcome,
    StartCommand, StorageError, TenantUsage, UserAddress, UserKey, VerificationPage, VerificationRecord,
};
use crate::entropy::Entropy;
use crate::ids::VerificationId;
use crate::keys::KeyRing;
use crate::names::{Channel, DialectName, Purpose, TenantId};
use crate::pairs::Pairs;
use crate::policy::{Caps, RecipientCaps};
use crate::provider::Routes;
use crate::recipient::{Recipient, RecipientKeys};
use crate::template::Templates;
use crate::tenant::Tenant;
use crate::time::{Clock, Timestamp};
use crate::verification::{
    Disclosed, EndsHold, RecipientLedger, Status, StoredRecipient, Verification, disclose,
};

pub use held::HeldView;
pub use requests::{Account, Check, CheckOf, IdempotencyKey, Prepared, RequestError, Resend, Start, Target};

/// The verbs.
#[derive(Clone)]
pub struct Verifications {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    routes: Arc<Routes>,
    templates: Arc<Templates>,
}

impl std::fmt::Debug for Verifications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifications").finish_non_exhaustive()
    }
}

impl Verifications {
    /// Wires the verbs to an engine.
    pub fn new(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        routes: Arc<Routes>,
        templates: Arc<Templates>,
    ) -> Self {
        Self { engine, keys, clock, entropy, routes, templates }
    }

    /// The present instant by the machine's clock: what others' times are compared with.
    pub fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The present instant, by the service's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The engine beneath.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Opens a verification, or sends again, as the intent says.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn start(&self, request: Start<'_>) -> Result<Idempotent<SendOutcome>, RequestError> {
        Ok(self.start_prepared(self.prepare(request)?).await?)
    }

    /// The same, of what was [prepared](Self::prepare).
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn start_prepared(
        &self,
        Prepared(command): Prepared,
    ) -> Result<Idempotent<SendOutcome>, StorageError> {
        let tenant = command.tenant.clone();
        let outcome = self.engine.start(command).await?;
        if let Idempotent::Fresh { outcome: SendOutcome::Accepted(accepted), .. } = &outcome
            && accepted.client_is_over
        {
            metrics::counter!("countersign_starts_over_client_limit_total", "tenant" => tenant.to_string())
                .increment(1);
        }
        Ok(outcome)
    }

    /// Completes a start that is to be decided together with something else: see [`Directory::enrol`].
    ///
    /// [`Directory::enrol`]: crate::directory::Directory::enrol
    ///
    /// # Errors
    /// See [`RequestError`]; never one of the store, which is not asked.
    pub fn prepare(&self, request: Start<'_>) -> Result<Prepared, RequestError> {
        let tenant = request.tenant;
        let policy = &tenant.policy;
        if let Some(code) = &request.custom_code {
            let min: u8 = if policy.allow_short_codes { 4 } else { 6 };
            if !policy.allow_custom_codes {
                return Err(RequestError::CustomCode);
            }
            if !(usize::from(min)..=10).contains(&code.expose().len()) {
                return Err(RequestError::CustomCodeLength { min });
            }
        }
        let mut destinations = Vec::with_capacity(request.targets.len());
        let is_test = |target: &Target| target.recipient().is_some_and(|r| r.is_test(policy));
        let test = request.targets.iter().any(|(target, _)| is_test(target));
        if test && !request.targets.iter().all(|(target, _)| is_test(target)) {
            return Err(RequestError::TestAndReal);
        }
        let mut cost_micros = 0u64;
        for (target, channel) in request.targets {
            let destination = self.destination(tenant, target, channel)?;
            let (channel, recipient) = (destination.channel, &destination.recipient);
            if request.delivery == Delivery::Send && recipient.is_some() && !test {
                self.route_exists(&tenant.id, channel)?;
            }
            let costs = match request.delivery {
                Delivery::Send => recipient.is_some(),
                Delivery::Pretend => true,
                Delivery::Return => false,
            };
            if costs && !test {
                cost_micros += self.routes.price_micros(&tenant.id, channel);
            }
            let contacted = recipient.as_ref().filter(|_| request.delivery != Delivery::Pretend && !test);
            if contacted.is_some_and(|recipient| !region_allowed(recipient, &policy.allowed_regions)) {
                return Err(RequestError::Region);
            }
            destinations.push(destination);
        }
        let ends_hold = request.ends_hold_of.filter(|_| request.trusted);
        let ends_hold =
            ends_hold.map(|other| self.ends_hold(tenant, &other, &destinations, test)).transpose()?;
        let custom_code =
            request.custom_code.or_else(|| if test { policy.test_numbers.code.clone() } else { None });
        let command = StartCommand {
            tenant: tenant.id.clone(),
            purpose: request.purpose,
            dialect: request.dialect.clone(),
            locale: self.templates.resolve(&tenant.id, request.locale.as_ref(), &tenant.locale),
            intent: request.intent,
            delivery: request.delivery,
            destinations,
            custom_code,
            link: request.link,
            context: self.context(tenant, &request.context),
            metadata: request.metadata,
            client: request.client_ip.map(|ip| self.client_key(tenant, ip)),
            trusted: request.trusted,
            ends_hold,
            terms: request.terms.unwrap_or_else(|| policy.terms.clone()),
            caps: caps(tenant, test),
            cost_micros,
            now: self.clock.now(),
            seed: self.entropy.seed(),
            idempotency: self.claim(&tenant.id, request.idempotency),
        };
        Ok(Prepared(command))
    }

    /// Sends again.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn resend(&self, request: Resend<'_>) -> Result<Idempotent<SendOutcome>, RequestError> {
        let tenant = request.tenant;
        // The address decides which channels make sense and what they cost; it never changes, so
        // reading it ahead of the decision is safe.
        let record = self.engine.verification(&tenant.id, request.id).await?;
        let Some(record) = record.filter(|record| record.verification.dialect == *request.dialect) else {
            return Ok(Idempotent::Fresh {
                outcome: SendOutcome::Refused(crate::engine::Refusal::NotFound),
                at: self.clock.now(),
            });
        };
        let running = record.verification;
        let test = running.is_test();
        let mut cost_micros = 0;
        for (destination, to) in running.destinations.iter().zip(self.disclose(&running)?.to) {
            // A number may have become one for tests since, or have ceased to be one. No provider sees one.
            let is_sealed = matches!(destination.recipient, StoredRecipient::Sealed(_));
            if is_sealed && Recipient::from_canonical(&to).is_test(&tenant.policy) != test {
                return Err(RequestError::TestAndReal);
            }
            let channel = request.channel.unwrap_or(destination.channel);
            if channel.reaches_phones() != destination.channel.reaches_phones() {
                return Err(RequestError::ChannelMismatch(channel));
            }
            if !test {
                self.route_exists(&tenant.id, channel)?;
                cost_micros += self.routes.price_micros(&tenant.id, channel);
            }
        }
        let command = ResendCommand {
            tenant: tenant.id.clone(),
            dialect: request.dialect.clone(),
            id: request.id,
            channel: request.channel,
            delivery: Delivery::Send,
            trusted: request.trusted,
            caps: caps(tenant, test),
            cost_micros,
            now: self.clock.now(),
            seed: self.entropy.seed(),
            idempotency: self.claim(&tenant.id, request.idempotency),
        };
        Ok(self.engine.resend(command).await?)
    }

    /// Takes a guess.
    ///
    /// # Errors
    /// The store is unavailable. Nothing was approved.
    pub async fn check(&self, request: Check<'_>) -> Result<Idempotent<CheckOutcome>, StorageError> {
        let tenant = request.tenant;
        let (target, test) = match request.of {
            CheckOf::Id(id) => (CheckTarget::Id(id), false),
            CheckOf::User { user, recipient, purpose } => {
                let user = self.user_key(tenant, user);
                (self.target_of_user(tenant, &user, recipient, purpose), recipient.is_test(&tenant.policy))
            }
            CheckOf::UserKey { user, recipient, purpose } => {
                (self.target_of_user(tenant, user, recipient, purpose), recipient.is_test(&tenant.policy))
            }
            CheckOf::AnyOf(user, recipients, purpose) => {
                let identity = |recipient: &Recipient| recipient.keys(&tenant.id, &self.keys).identity;
                let identities = recipients.iter().map(identity).collect();
                let test = recipients.iter().any(|recipient| recipient.is_test(&tenant.policy));
                (CheckTarget::AnyOf { owner: self.user_key(tenant, user), identities, purpose }, test)
            }
            CheckOf::Address(recipient, purpose) => {
                let identity = recipient.keys(&tenant.id, &self.keys).identity;
                let target = CheckTarget::Recipient { identity, purposes: vec![purpose] };
                (target, recipient.is_test(&tenant.policy))
            }
            CheckOf::AnyPurpose(recipient, purposes) => {
                let identity = recipient.keys(&tenant.id, &self.keys).identity;
                (CheckTarget::Recipient { identity, purposes }, recipient.is_test(&tenant.policy))
            }
            CheckOf::Nobody(name, purpose) => {
                let identity = self.nobody(tenant, name).identity;
                (CheckTarget::Recipient { identity, purposes: vec![purpose] }, false)
            }
        };
        let command = CheckCommand {
            dialect: request.dialect.clone(),
            tenant: tenant.id.clone(),
            target,
            code: request.code,
            only_of_length: request.only_of_length,
            context: self.context(tenant, &request.context),
            client: request.client_ip.map(|ip| self.client_key(tenant, ip)),
            trusted: request.trusted,
            consume: request.consume,
            record_proof: request.record_proof,
            caps: caps(tenant, test),
            now: self.clock.now(),
            idempotency: self.claim(&tenant.id, request.idempotency),
        };
        self.engine.check(command).await
    }

    /// Whether a guess at an address' code for a purpose would be compared with anything now. One that is not as long
    /// as the code is no guess. A look, on which nothing may depend but whether the guess is worth remembering.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn takes_guesses(
        &self,
        tenant: &Tenant,
        dialect: &DialectName,
        recipient: &Recipient,
        purpose: &Purpose,
        code: &Code,
    ) -> Result<bool, StorageError> {
        let now = self.clock.now();
        // One is pending per purpose and wire API at most. What was not looked at may be.
        let pending = self.list(tenant, Some(recipient), Some(Status::Pending), None, 50).await?;
        let is_live = |v: &Verification| v.destinations.iter().any(|d| now < d.code_expires_at);
        let is_as_long = |v: &Verification| code.expose().len() == usize::from(v.terms.code.length);
        let theirs =
            |v: &Verification| v.purpose == *purpose && v.dialect == *dialect && is_live(v) && is_as_long(v);
        if pending.go_on.is_none() && !pending.found.iter().any(theirs) {
            return Ok(false);
        }
        let (ledger, caps) = self.recipient(tenant, recipient).await?;
        Ok(ledger.hold(&caps, now).is_none())
    }

    /// Gives up.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn cancel(&self, tenant: &Tenant, id: VerificationId) -> Result<CancelOutcome, StorageError> {
        self.engine.cancel(CancelCommand { tenant: tenant.id.clone(), id, now: self.clock.now() }).await
    }

    /// Gives up whatever runs for a user's address and a purpose: its code is void from then on.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn cancel_of_user(
        &self,
        tenant: &Tenant,
        user: &Account,
        recipient: &Recipient,
        purpose: &Purpose,
    ) -> Result<(), StorageError> {
        let UserAddress { user, address } = self.users_address(tenant, user, recipient);
        let mut query = ListQuery {
            identity: Some(self.keys.users_own(&tenant.id, &user, &address)),
            status: Some(Status::Pending),
            before: None,
            // One per purpose.
            limit: 50,
            looks: ListQuery::LOOKS,
            now: self.clock.now(),
        };
        loop {
            let VerificationPage { found, go_on } = self.engine.list(&tenant.id, query.clone()).await?;
            for running in found.iter().filter(|running| running.purpose == *purpose) {
                self.cancel(tenant, running.id).await?;
            }
            if go_on.is_none() {
                return Ok(());
            }
            query.before = go_on;
        }
    }

    /// One verification with its messages.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn get(
        &self,
        tenant: &Tenant,
        id: VerificationId,
    ) -> Result<Option<VerificationRecord>, StorageError> {
        self.engine.verification(&tenant.id, id).await
    }

    /// The tenant's verifications, newest first: at most `limit`, only those opened before `before`. It may be
    /// fewer although there are more: see [`VerificationPage`].
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn list(
        &self,
        tenant: &Tenant,
        to: Option<&Recipient>,
        status: Option<Status>,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<VerificationPage, StorageError> {
        let identity = to.map(|recipient| recipient.keys(&tenant.id, &self.keys).identity);
        let (looks, now) = (ListQuery::LOOKS, self.clock.now());
        self.engine.list(&tenant.id, ListQuery { identity, status, before, limit, looks, now }).await
    }

    /// What the ledger knows of a recipient, and the limits it counts against.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn recipient(
        &self,
        tenant: &Tenant,
        recipient: &Recipient,
    ) -> Result<(RecipientLedger, RecipientCaps), StorageError> {
        let keys = recipient.keys(&tenant.id, &self.keys);
        let ledger = self.engine.recipient(&tenant.id, &keys.budget).await?;
        Ok((ledger, self.caps_in_force(tenant, recipient).await?))
    }

    /// How much is guessed at a tenant's codes, and what else is counted for it.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn usage(&self, tenant: &Tenant) -> Result<TenantUsage, StorageError> {
        self.engine.tenant_usage(&tenant.id).await
    }

    async fn caps_in_force(
        &self,
        tenant: &Tenant,
        recipient: &Recipient,
    ) -> Result<RecipientCaps, StorageError> {
        self.caps_in_force_of(tenant, recipient.is_test(&tenant.policy)).await
    }

    async fn caps_in_force_of(&self, tenant: &Tenant, test: bool) -> Result<RecipientCaps, StorageError> {
        let caps = caps(tenant, test);
        if test {
            return Ok(caps.recipient);
        }
        let ledger = self.usage(tenant).await?.ledger;
        Ok(caps.recipient.at(ledger.level(&caps.tenant_failures, self.clock.now())))
    }

    /// Lifts a recipient's holds; `false` when there was none. `actor` is who did it, for the audit log.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn release(
        &self,
        tenant: &Tenant,
        recipient: &Recipient,
        actor: &str,
    ) -> Result<bool, StorageError> {
        let caps = self.caps_in_force(tenant, recipient).await?;
        let command = self.recipient_command(tenant, recipient, actor, "recipient.released");
        self.engine.release(RecipientCommand { caps, ..command }).await
    }

    /// Erases what identifies a recipient; answers how many verifications were wiped.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn erase(
        &self,
        tenant: &Tenant,
        recipient: &Recipient,
        actor: &str,
    ) -> Result<u32, StorageError> {
        self.engine.erase(self.recipient_command(tenant, recipient, actor, "recipient.erased")).await
    }

    /// Opens a verification's sealed fields, for an answer to its own tenant.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn disclose(&self, verification: &Verification) -> Result<Disclosed, StorageError> {
        disclose(&self.keys, verification)
    }

    fn recipient_command(
        &self,
        tenant: &Tenant,
        recipient: &Recipient,
        actor: &str,
        action: &str,
    ) -> RecipientCommand {
        let now = self.clock.now();
        RecipientCommand {
            tenant: tenant.id.clone(),
            keys: recipient.keys(&tenant.id, &self.keys),
            caps: caps(tenant, recipient.is_test(&tenant.policy)).recipient,
            now,
            audit: AuditEvent {
                at: now,
                tenant: Some(tenant.id.clone()),
                actor: actor.to_owned(),
                action: action.to_owned(),
                subject: recipient.masked(),
            },
        }
    }

    fn route_exists(&self, tenant: &TenantId, channel: Channel) -> Result<(), RequestError> {
        self.routes.candidates(tenant, channel).next().map(|_| ()).ok_or(RequestError::NoRoute(channel))
    }

    /// An address as the rules know it.
    fn destination(
        &self,
        tenant: &Tenant,
        target: Target,
        channel: Option<Channel>,
    ) -> Result<DestinationRequest, RequestError> {
        let test = target.recipient().is_some_and(|recipient| recipient.is_test(&tenant.policy));
        let usual = target.recipient().map_or(Channel::Sms, Recipient::default_channel);
        let channel = channel.unwrap_or(usual);
        if target.recipient().is_some_and(|recipient| !recipient.reachable_by(channel)) {
            return Err(RequestError::ChannelMismatch(channel));
        }
        let keys_of = |recipient: &Recipient| recipient.keys(&tenant.id, &self.keys);
        let (keys, recipient, owner) = match target {
            Target::Nobody(name) => (self.nobody(tenant, &name), None, None),
            Target::LookAlike { name, of } => {
                let budget = keys_of(&of).budget;
                (RecipientKeys { budget, ..self.nobody(tenant, &name) }, None, None)
            }
            Target::Address(recipient) => (keys_of(&recipient), Some(recipient), None),
            Target::Claimed { user, recipient } => {
                let owner = self.users_address(tenant, &user, &recipient);
                (keys_of(&recipient), Some(recipient), Some(owner))
            }
            Target::User { user, recipient } => {
                let owner = self.users_address(tenant, &user, &recipient);
                let identity = self.keys.users_own(&tenant.id, &owner.user, &owner.address);
                (RecipientKeys { identity, ..keys_of(&recipient) }, Some(recipient), Some(owner))
            }
        };
        Ok(DestinationRequest { keys, recipient, channel, owner, test })
    }

    /// Whose hold ends with a proof of these addresses, none of which is on the same channel.
    fn ends_hold(
        &self,
        tenant: &Tenant,
        other: &Recipient,
        proven: &[DestinationRequest],
        test: bool,
    ) -> Result<EndsHold, RequestError> {
        if other.is_test(&tenant.policy) != test {
            return Err(RequestError::TestAndReal);
        }
        let is_phone = |recipient: &Recipient| recipient.default_channel().reaches_phones();
        let mut proven = proven.iter().filter_map(|destination| destination.recipient.as_ref());
        if proven.any(|recipient| is_phone(recipient) == is_phone(other)) {
            return Err(RequestError::SameChannel);
        }
        Ok(EndsHold { budget: other.keys(&tenant.id, &self.keys).budget, masked: other.masked() })
    }

    fn target_of_user(
        &self,
        tenant: &Tenant,
        user: &UserKey,
        recipient: &Recipient,
        purpose: Purpose,
    ) -> CheckTarget {
        let address = recipient.keys(&tenant.id, &self.keys).identity;
        CheckTarget::Recipient {
            identity: self.keys.users_own(&tenant.id, user, &address),
            purposes: vec![purpose],
        }
    }

    /// The key of a user, for links that name one.
    pub fn user_key(&self, tenant: &Tenant, user: &Account) -> UserKey {
        let id = self.keys.lookup_key(&tenant.id, "user", user.id.as_bytes());
        UserKey { directory: user.directory.clone(), id }
    }

    fn users_address(&self, tenant: &Tenant, user: &Account, recipient: &Recipient) -> UserAddress {
        let address = recipient.keys(&tenant.id, &self.keys).identity;
        UserAddress { user: self.user_key(tenant, user), address }
    }

    fn nobody(&self, tenant: &Tenant, name: &str) -> RecipientKeys {
        let key = self.keys.recipient_key(&tenant.id, "nobody", name);
        RecipientKeys { identity: key, budget: key }
    }

    fn context(&self, tenant: &Tenant, pairs: &Pairs) -> Option<crate::keys::ContextDigest> {
        (!pairs.is_empty()).then(|| self.keys.context_digest(&tenant.id, pairs))
    }

    fn client_key(&self, tenant: &Tenant, ip: IpAddr) -> [u8; 16] {
        self.keys.lookup_key(&tenant.id, "client", client_network(ip).as_bytes())
    }

    fn claim(&self, tenant: &TenantId, key: Option<IdempotencyKey<'_>>) -> Option<IdempotencyClaim> {
        key.map(|k| IdempotencyClaim {
            key: self.keys.lookup_key(tenant, "idempotency", k.key.as_bytes()),
            fingerprint: self.keys.lookup_key(tenant, "request", k.request),
        })
    }
}

/// Test numbers are counted under limits of their own and cost nothing.
fn caps(tenant: &Tenant, test: bool) -> Caps {
    if test {
        Caps {
            recipient: RecipientCaps::TEST_NUMBERS,
            tenant_spend_per_day_micros: None,
            ..tenant.policy.caps
        }
    } else {
        tenant.policy.caps
    }
}

pub(crate) fn region_allowed(recipient: &Recipient, allowed: &[String]) -> bool {
    match recipient {
        Recipient::Phone(phone) if !allowed.is_empty() => {
            phone.region().is_some_and(|region| allowed.iter().any(|a| a.eq_ignore_ascii_case(&region)))
        }
        _ => true,
    }
}

/// The network that shares a limit: an IPv4 address (also written as IPv6), or an IPv6 /64, which is
/// what one customer gets (peer-faults row 12).
fn client_network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rotating inside a /64, or writing an IPv4 address as IPv6, is one client (peer fault 12).
    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let network = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
