//! Who calls: an application or a customer, with its policy.

use std::collections::HashMap;
use std::sync::Arc;

use crate::names::{Locale, TenantId};
use crate::policy::Policy;
use crate::recipient::Recipient;
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
pub struct Tenants(HashMap<TenantId, Arc<Tenant>>);

impl Tenants {
    /// The tenant of that id.
    pub fn get(&self, id: &TenantId) -> Option<&Arc<Tenant>> {
        self.0.get(id)
    }

    /// All tenants, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.0.values()
    }
}

impl FromIterator<Tenant> for Tenants {
    fn from_iter<I: IntoIterator<Item = Tenant>>(tenants: I) -> Self {
        Self(tenants.into_iter().map(|t| (t.id.clone(), Arc::new(t))).collect())
    }
}
