//! Who calls: an application or a customer, with its policy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::names::{Locale, TenantId};
use crate::policy::Policy;
use crate::rate::{Meter, Rate};
use crate::recipient::Recipient;
use crate::time::Timestamp;
use crate::verifications::region_allowed;

/// An application or customer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// How it calls itself in texts, e.g. `Acme`.
    pub brand: String,
    /// The language of texts when a call names none we have.
    pub locale: Locale,
    /// What it allows.
    pub policy: Policy,
    /// Whether its calls are refused.
    pub disabled: bool,
    /// How many requests it may make; `None` for as many as it likes.
    pub rate: Option<Rate>,
}

impl Tenant {
    /// Whether messages may go where this address is. Test numbers are never contacted, so that they may
    /// be anywhere.
    pub fn sends_to(&self, recipient: &Recipient) -> bool {
        recipient.is_test(&self.policy) || region_allowed(recipient, &self.policy.allowed_regions)
    }
}

/// All tenants of the installation.
#[derive(Clone, Debug, Default)]
pub struct Tenants(HashMap<TenantId, Entry>);

/// A tenant, and what it has used of its rate.
#[derive(Clone, Debug)]
struct Entry {
    tenant: Arc<Tenant>,
    meter: Arc<Meter>,
    /// What strangers have used of their part of it.
    strangers: Arc<Meter>,
}

/// Who makes a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asker {
    /// Somebody with the tenant's key, token or signature, or with a token that was handed out after a proof.
    Known,
    /// Anybody: the wire API asks for nothing of the kind.
    Stranger,
}

impl Tenants {
    /// The tenant of that id.
    pub fn get(&self, id: &TenantId) -> Option<&Arc<Tenant>> {
        self.0.get(id).map(|entry| &entry.tenant)
    }

    /// Counts a request of a tenant, or says how long to wait.
    ///
    /// # Errors
    /// The tenant asks more than its rate allows, or strangers more than their part of it.
    pub fn admit(&self, id: &TenantId, asker: Asker, now: Timestamp) -> Result<(), Duration> {
        let entry = self.0.get(id);
        let Some((rate, entry)) = entry.and_then(|entry| Some((entry.tenant.rate?, entry))) else {
            return Ok(());
        };
        if asker == Asker::Stranger {
            entry.strangers.admit(rate.of_strangers(), now)?;
        }
        entry.meter.admit(rate, now)
    }

    /// All tenants, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.0.values().map(|entry| &entry.tenant)
    }
}

impl FromIterator<Tenant> for Tenants {
    fn from_iter<I: IntoIterator<Item = Tenant>>(tenants: I) -> Self {
        let entry = |tenant: Tenant| Entry {
            tenant: Arc::new(tenant),
            meter: Arc::default(),
            strangers: Arc::default(),
        };
        Self(tenants.into_iter().map(|tenant| (tenant.id.clone(), entry(tenant))).collect())
    }
}
