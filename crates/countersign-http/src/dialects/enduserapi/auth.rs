//! Who calls, and whether they signed it just now.
//!
//! The vendor's scheme, of the source: SHA-256 over some values as they were sent, without separators,
//! and the secret behind them. The page's example signature is the SHA-256 of nothing; what its input
//! really hashes to is in the tests. Ours, `hmac-fields`, covers every value.
//!
//! A request is good once. The pair of user domain and `random` is spent as soon as signature and time are
//! good, whatever comes of the call (but for a login with no code to compare, which is not remembered); not the signature, which has as many spellings as it has letters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::engine::NonceKind;
use countersign_core::freshness::Freshness;
use countersign_core::names::TenantId;
use countersign_core::nonces::Nonce;
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use subtle::ConstantTimeEq;

use super::config::{CallName, Config, SignatureScheme, UserDomain, UserDomainName};
use super::error::{Field, Problem};
use super::params::Parameters;
use super::sender::Senders;
use super::signed::Signed;
use crate::hooks::{ForwardHook, HookTarget, InvalidHook};
use crate::services::Services;
use crate::signature::{hmac_sha256, is_hex_of, sha256};

/// "Cannot differ from server time by more than 10 minutes". Calls without a time are remembered for a
/// day.
const FRESHNESS: Freshness = Freshness {
    tolerance: Duration::from_secs(10 * 60),
    keep: Duration::from_secs(20 * 60),
    keep_undated: Duration::from_secs(24 * 3600),
};

/// The section cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A tenant that is not configured.
    #[error("there is no tenant {0:?}")]
    UnknownTenant(String),
    /// One name for two callers.
    #[error("the user domain {0:?} stands twice")]
    UserDomainTwice(String),
    /// Two user domains would share codes.
    #[error("the tenant {0:?} has two user domains; give each a tenant of its own")]
    TenantTwice(String),
    /// What one user domain signed would be good for another: the signature does not cover its name.
    #[error("the user domains {0:?} and {1:?} have one secret")]
    SecretTwice(String, String),
    /// One id for two things.
    #[error("the id {0:?} stands twice")]
    IdTwice(String),
    /// A hook that cannot be called.
    #[error("{setting} of user domain {user_domain:?}: {why}")]
    Hook {
        /// Which one.
        setting: &'static str,
        /// Whose.
        user_domain: String,
        /// What is wrong with it.
        why: InvalidHook,
    },
}

/// A caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) tenant: Arc<Tenant>,
    pub(super) settings: UserDomain,
    /// Where proven registrations go.
    pub(super) register: Option<Arc<dyn ForwardHook>>,
    /// Where proven password changes go.
    pub(super) password_reset: Option<Arc<dyn ForwardHook>>,
}

impl Caller {
    /// The user domain's name.
    pub(super) fn name(&self) -> &str {
        self.settings.user_domain.as_str()
    }

    /// Whether the request carries the signature it must have.
    pub(super) fn signed(&self, request: &Signed) -> bool {
        let scheme = self.settings.signature_scheme;
        let (input, secret) = (request.input(scheme).as_bytes(), self.settings.secret.expose().as_bytes());
        let digest = match scheme {
            SignatureScheme::Sha256 => sha256(&[input, secret]),
            SignatureScheme::HmacFields => hmac_sha256(secret, &[input]),
        };
        is_hex_of(&request.signature, &digest)
    }
}

/// Knows every caller.
#[derive(Debug)]
pub(super) struct Door {
    callers: BTreeMap<UserDomainName, Arc<Caller>>,
    pub(super) senders: Senders,
    services: Services,
}

impl Door {
    /// Reads the callers from the configuration.
    pub(super) fn new(mut config: Config, services: Services) -> Result<Self, InvalidConfig> {
        let senders = Senders::take(&mut config).map_err(InvalidConfig::IdTwice)?;
        let mut callers: BTreeMap<UserDomainName, Arc<Caller>> = BTreeMap::new();
        for settings in config.user_domains {
            let name = settings.user_domain.as_str().to_owned();
            let id = TenantId::parse(&settings.tenant).ok();
            let tenant = id.and_then(|id| services.tenants.get(&id)).cloned();
            let tenant = tenant.ok_or_else(|| InvalidConfig::UnknownTenant(settings.tenant.clone()))?;
            for other in callers.values() {
                if other.settings.user_domain == settings.user_domain {
                    return Err(InvalidConfig::UserDomainTwice(name));
                }
                if other.tenant.id == tenant.id {
                    return Err(InvalidConfig::TenantTwice(settings.tenant));
                }
                let (a, b) = (other.settings.secret.expose(), settings.secret.expose());
                if a.as_bytes().ct_eq(b.as_bytes()).into() {
                    return Err(InvalidConfig::SecretTwice(other.name().to_owned(), name));
                }
            }
            let connect = |setting, call, target: &Option<HookTarget>| {
                let target = target.as_ref().map(|target| target.called(call));
                let hook = target.map(|target| services.hooks.connect(&target)).transpose();
                let user_domain = name.clone();
                hook.map_err(|why| InvalidConfig::Hook { setting, user_domain, why })
            };
            let register = connect("register_hook", "enduserapi.register", &settings.register_hook)?;
            let password_reset =
                connect("password_reset_hook", "enduserapi.password_reset", &settings.password_reset_hook)?;
            let key = settings.user_domain.clone();
            callers.insert(key, Arc::new(Caller { tenant, settings, register, password_reset }));
        }
        Ok(Self { callers, senders, services })
    }

    /// Whose call it is. User domains are no secret: clients carry them.
    pub(super) fn find(&self, parameters: &Parameters) -> Result<&Arc<Caller>, Problem> {
        let name = parameters.get("userDomain").ok_or(Problem::Missing(Field::UserDomain))?;
        let name = UserDomainName::parse(name).ok_or(Problem::UserDomainIllFormed)?;
        self.callers.get(&name).ok_or(Problem::UserDomainUnknown)
    }

    /// Whether a request is signed, and lately. Answers until when it must be remembered.
    pub(super) fn authenticate(&self, caller: &Caller, signed: &Signed) -> Result<Timestamp, Problem> {
        if !caller.signed(signed) {
            return Err(Problem::BadSignature);
        }
        let now = self.services.verifications.wall();
        FRESHNESS.judge(signed.at, now).map_err(|_| Problem::StaleTimestamp)
    }

    /// Lets a signed request in once. Not every login is kept in mind, for that lasts a day: one without a code to
    /// compare changes nothing, and one with a test number proves nobody and has used its code up.
    pub(super) async fn take_once(
        &self,
        call: CallName,
        caller: &Caller,
        parameters: &Parameters,
        signed: &Signed,
        keep_until: Timestamp,
        is_kept: bool,
    ) -> Result<(), Problem> {
        // Without the call's name: a `random` is good for one call of any kind.
        let name = [super::NAME, caller.name(), &signed.random].join("\0");
        let nonce = Nonce {
            tenant: &caller.tenant.id,
            name: name.as_bytes(),
            request: &parameters.digest(call.as_str()),
            keep_until,
            kind: if signed.at.is_some() { NonceKind::Dated } else { NonceKind::Undated },
        };
        let nonces = &self.services.nonces;
        let is_new = if is_kept { nonces.spend(nonce).await? } else { nonces.is_fresh(nonce).await? };
        if is_new { Ok(()) } else { Err(Problem::Replayed) }
    }
}
