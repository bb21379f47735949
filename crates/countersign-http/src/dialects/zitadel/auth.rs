//! Who calls, and what they may do.
//!
//! With the platform a token is a personal access token, a JWT or a session's; here it is opaque and
//! stands in the configuration, bound to a tenant, an organisation and a user.
//!
//! Permission is settled before existence: whoever may not read or write others gets one answer for every
//! id but its own, whether such a user exists or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use countersign_core::names::TenantId;
use countersign_core::tenant::Tenant;
use subtle::ConstantTimeEq;

use super::config::{Config, Kind, Options, Role, Token};
use super::errors::{Reason, Row};
use super::url_template::UrlTemplate;
use crate::headers::single;
use crate::services::Services;

/// The organisation that a call is about.
const ORGANIZATION: header::HeaderName = header::HeaderName::from_static("x-zitadel-orgid");

/// The section names something that does not exist, or one thing twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A tenant that is not configured.
    #[error("there is no tenant {0:?}")]
    UnknownTenant(String),
    /// One token stands twice, so that it would name two callers.
    #[error("one token stands twice")]
    TokenTwice,
    /// A region that no number belongs to.
    #[error("default_region of tenant {tenant:?}: there is no region {region:?}")]
    UnknownRegion {
        /// Whose.
        tenant: String,
        /// What was written.
        region: String,
    },
}

/// A caller who was let in.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) tenant: Arc<Tenant>,
    pub(super) options: Arc<Options>,
    /// The organisation whose member it is.
    pub(super) organization: String,
    /// Whose token it is.
    pub(super) user: String,
    role: Role,
    return_code: bool,
    /// The tenant's services that hold tokens.
    machines: Arc<BTreeSet<String>>,
    /// Every organisation of the tenant.
    organizations: Arc<BTreeSet<String>>,
}

/// What is needed of a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Permission {
    /// `user.read`
    Read,
    /// `user.write`
    Write,
}

/// Knows every caller.
#[derive(Debug)]
pub(super) struct Door {
    tokens: Vec<([u8; 32], Arc<Caller>)>,
}

/// A call that was let in.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) caller: Arc<Caller>,
    /// The organisation named in the header; `None` where none was.
    pub(super) organization: Option<String>,
}

impl Door {
    /// Reads the callers from the configuration.
    pub(super) fn new(config: Config, services: &Services) -> Result<Self, InvalidConfig> {
        let find = |name: &str| {
            let id = TenantId::parse(name).ok();
            let tenant = id.and_then(|id| services.tenants.get(&id)).cloned();
            tenant.ok_or_else(|| InvalidConfig::UnknownTenant(name.to_owned()))
        };
        let mut options: BTreeMap<String, Arc<Options>> = BTreeMap::new();
        let mut organizations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (tenant, of_tenant) in config.tenants {
            find(&tenant)?;
            if !countersign_core::recipient::PhoneNumber::is_region(&of_tenant.default_region) {
                return Err(InvalidConfig::UnknownRegion { tenant, region: of_tenant.default_region });
            }
            organizations.entry(tenant.clone()).or_default().extend(of_tenant.organizations.iter().cloned());
            options.insert(tenant, Arc::new(of_tenant));
        }
        let mut machines: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for token in &config.tokens {
            organizations.entry(token.tenant.clone()).or_default().insert(token.organization.clone());
            if token.kind == Kind::Machine {
                machines.entry(token.tenant.clone()).or_default().insert(token.user.clone());
            }
        }
        let shared = |sets: BTreeMap<String, BTreeSet<String>>| -> BTreeMap<String, Arc<BTreeSet<String>>> {
            sets.into_iter().map(|(tenant, set)| (tenant, Arc::new(set))).collect()
        };
        let (machines, organizations) = (shared(machines), shared(organizations));
        let mut tokens: Vec<([u8; 32], Arc<Caller>)> = Vec::with_capacity(config.tokens.len());
        for token in config.tokens {
            if tokens.iter().any(|(digest, _)| *digest == token.digest) {
                return Err(InvalidConfig::TokenTwice);
            }
            let of_tenant = &token.tenant;
            let caller = Caller {
                tenant: find(of_tenant)?,
                options: options.get(of_tenant).cloned().unwrap_or_default(),
                machines: machines.get(of_tenant).cloned().unwrap_or_default(),
                organizations: organizations.get(of_tenant).cloned().unwrap_or_default(),
                organization: token.organization,
                user: token.user,
                role: token.role,
                return_code: token.return_code,
            };
            tokens.push((token.digest, Arc::new(caller)));
        }
        Ok(Self { tokens })
    }

    /// Lets a call in: its token, then the organisation it names, then the state of its tenant.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Admitted, Refused> {
        let caller = self.identify(headers).map_err(|row| Refused { reason: row.into(), caller: None })?;
        let refused = |row: Row| Refused { reason: row.into(), caller: Some(caller.clone()) };
        let organization = single(headers, &ORGANIZATION)
            .map_err(|_| refused(Row::NO_ORGANIZATION))?
            .filter(|o| !o.is_empty());
        if organization.is_some_and(|id| !caller.organizations.contains(id)) {
            return Err(refused(Row::NO_ORGANIZATION));
        }
        if caller.tenant.disabled {
            return Err(refused(Row::TENANT_DISABLED));
        }
        Ok(Admitted { organization: organization.map(str::to_owned), caller })
    }

    fn identify(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Row> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Err(Row::NO_TOKEN);
        }
        // The platform tells cases apart: `bearer` is not `Bearer`.
        let value = single(headers, &header::AUTHORIZATION).ok().flatten();
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Row::NO_BEARER)?;
        let presented = Token::digest(token.as_bytes());
        // Every token is looked at, so that the time tells nothing about the one that fits.
        let found = self.tokens.iter().fold(None, |found, (digest, caller)| {
            if bool::from(digest.ct_eq(&presented)) { Some(caller) } else { found }
        });
        found.cloned().ok_or(Row::BAD_TOKEN)
    }
}

/// A call that was not let in.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// Who it was, once that is known: only such callers learn internal reasons.
    pub(super) caller: Option<Arc<Caller>>,
}

impl Caller {
    /// Whether this user is the caller itself.
    pub(super) fn is(&self, user: &str) -> bool {
        self.user == user
    }

    fn has(&self, permission: Permission) -> bool {
        match permission {
            Permission::Read => matches!(self.role, Role::OrgOwner | Role::OrgOwnerViewer),
            Permission::Write => self.role == Role::OrgOwner,
        }
    }

    /// Refuses what takes a permission that the caller's role does not give it.
    pub(super) fn permit(&self, permission: Permission) -> Result<(), Row> {
        match (self.has(permission), self.role) {
            (true, _) => Ok(()),
            (false, Role::None) => Err(Row::NO_MEMBERSHIP),
            (false, _) => Err(Row::NOT_PERMITTED),
        }
    }

    /// The same, for a call about a user: one's own takes no permission.
    pub(super) fn permit_on(&self, user: &str, permission: Permission) -> Result<(), Row> {
        if self.is(user) { Ok(()) } else { self.permit(permission) }
    }

    /// Refuses to hand a code back to who may not have it.
    pub(super) fn permit_return(&self) -> Result<(), Row> {
        if self.return_code { Ok(()) } else { Err(Row::NO_CODE_READ) }
    }

    /// Refuses a link in a mail that is not the caller's to choose: whoever gets the mail takes it for the tenant's.
    pub(super) fn permit_link(&self, template: Option<&UrlTemplate>) -> Result<(), Row> {
        let Some(template) = template else { return Ok(()) };
        let hosts = &self.options.url_template_hosts;
        let permitted = if hosts.is_empty() { self.has(Permission::Write) } else { template.leads_to(hosts) };
        if permitted { Ok(()) } else { Err(Row::LINK_NOT_ALLOWED) }
    }

    /// Whether a service of the tenant has this id.
    pub(super) fn is_machine(&self, user: &str) -> bool {
        self.machines.contains(user)
    }
}

impl Admitted {
    /// Refuses a management call that the caller's role in the named organisation does not allow. Nobody
    /// is a member of two.
    pub(super) fn permit_management(&self, permission: Permission) -> Result<(), Row> {
        if self.organization.as_ref().is_some_and(|named| *named != self.caller.organization) {
            return Err(Row::NO_MEMBERSHIP);
        }
        self.caller.permit(permission).map_err(|row| match row {
            Row::NOT_PERMITTED => Row::NOT_PERMITTED_MANAGEMENT,
            other => other,
        })
    }
}
