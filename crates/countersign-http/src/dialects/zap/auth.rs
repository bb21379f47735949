//! Who calls, and what they may do.
//!
//! The platform's quick start puts `Authorization: Bearer` on every call; its one-time password pages
//! print no such header. Here the header is required unless the operator says otherwise. A wrong
//! token is refused in either case.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use countersign_core::names::TenantId;
use countersign_core::tenant::Tenant;
use subtle::ConstantTimeEq;

use super::config::{Auth, Config, Options, Scope, Token};
use super::error::Problem;
use crate::headers::bearer;
use crate::hooks::{ForwardHook, InvalidHook, LookupHook};
use crate::services::Services;

/// The section names something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A tenant that is not configured.
    #[error("there is no tenant {0:?}")]
    UnknownTenant(String),
    /// One token stands twice, so that it would name two callers.
    #[error("one token stands twice")]
    TokenTwice,
    /// Calls without a token would be nobody's.
    #[error("auth = \"none\" needs default_tenant")]
    NoDefaultTenant,
    /// A hook that cannot be called.
    #[error("{hook} of tenant {tenant:?}: {why}")]
    Hook {
        /// Which of the tenant's.
        hook: &'static str,
        /// Whose.
        tenant: String,
        /// What is wrong with it.
        why: InvalidHook,
    },
}

/// A caller who was let in.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) tenant: Arc<Tenant>,
    pub(super) options: Arc<Options>,
    /// Who is asked for the addresses of a username.
    pub(super) directory: Option<Arc<dyn LookupHook>>,
    /// Where proven password changes go.
    pub(super) hook: Option<Arc<dyn ForwardHook>>,
    scopes: Vec<Scope>,
}

/// What a call needs of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Permission {
    /// To send codes.
    Start,
    /// To check codes.
    Check,
    /// To check a code and hand a new password to the tenant's hook, where there is one.
    ForwardPassword,
}

/// Knows every caller.
#[derive(Debug)]
pub(super) struct Door {
    tokens: Vec<([u8; 32], Arc<Caller>)>,
    /// Whose calls without a token are.
    default: Option<Arc<Caller>>,
}

impl Door {
    /// Reads the callers from the configuration.
    pub(super) fn new(config: Config, services: &Services) -> Result<Self, InvalidConfig> {
        let find = |name: &str| {
            let id = TenantId::parse(name).ok();
            let tenant = id.and_then(|id| services.tenants.get(&id)).cloned();
            tenant.ok_or_else(|| InvalidConfig::UnknownTenant(name.to_owned()))
        };
        let mut behaviour = BTreeMap::new();
        for (name, options) in config.tenants {
            find(&name)?;
            let wrong = |hook, why| InvalidConfig::Hook { hook, tenant: name.clone(), why };
            let directory = options.directory_hook.as_ref();
            let directory = directory
                .map(|target| services.hooks.connect_lookup(&target.called("zap.directory")))
                .transpose();
            let directory = directory.map_err(|why| wrong("directory_hook", why))?;
            let hook = options.forgot_password_hook.as_ref();
            let hook =
                hook.map(|target| services.hooks.connect(&target.called("zap.forgot_password"))).transpose();
            let hook = hook.map_err(|why| wrong("forgot_password_hook", why))?;
            behaviour.insert(name, (Arc::new(options), directory, hook));
        }
        let caller = |name: &str, scopes: Vec<Scope>| {
            let (options, directory, hook) = behaviour.get(name).cloned().unwrap_or_default();
            Ok(Arc::new(Caller { tenant: find(name)?, options, directory, hook, scopes }))
        };
        let mut tokens: Vec<([u8; 32], Arc<Caller>)> = Vec::with_capacity(config.tokens.len());
        for token in config.tokens {
            if tokens.iter().any(|(digest, _)| *digest == token.digest) {
                return Err(InvalidConfig::TokenTwice);
            }
            tokens.push((token.digest, caller(&token.tenant, token.scopes)?));
        }
        let default = match (config.auth, config.default_tenant) {
            (Auth::Bearer, _) => None,
            (Auth::None, Some(name)) => Some(caller(&name, Scope::ALL.into())?),
            (Auth::None, None) => return Err(InvalidConfig::NoDefaultTenant),
        };
        Ok(Self { tokens, default })
    }

    /// Whose call it is; `None` without a good token.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Option<&Arc<Caller>> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return self.default.as_ref();
        }
        let presented = Token::digest(bearer(headers)?.as_bytes());
        // Every token is looked at, so that the time tells nothing about the one that fits.
        self.tokens.iter().fold(
            None,
            |found, (digest, caller)| {
                if bool::from(digest.ct_eq(&presented)) { Some(caller) } else { found }
            },
        )
    }
}

impl Caller {
    /// Refuses what this caller may not do: the tenant's state first, then what the token is good for.
    pub(super) fn permit(&self, needs: Permission) -> Result<(), Problem> {
        if self.tenant.disabled {
            return Err(Problem::TenantDisabled);
        }
        let has = |scope| self.scopes.contains(&scope);
        let may = match needs {
            Permission::Start => has(Scope::Start),
            Permission::Check => has(Scope::Check),
            Permission::ForwardPassword => has(Scope::Check) && self.hook.is_some(),
        };
        if may { Ok(()) } else { Err(Problem::NotPermitted) }
    }
}
