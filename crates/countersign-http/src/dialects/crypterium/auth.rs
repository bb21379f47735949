//! Who calls, and what they may do.
//!
//! `X-Merchant-ID` says whose call it is and proves nothing; `X-Signature` proves that the caller has
//! an app with the merchant's key in it. The e-mail calls carry a token that was handed out after a
//! proof; it begins with the merchant's UUID, because these calls have no other header.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Extensions, HeaderMap, HeaderName};
use countersign_core::link::InvalidLink;
use countersign_core::names::TenantId;
use countersign_core::pairs::Pairs;
use countersign_core::policy::{ResendCode, Terms};
use countersign_core::tenant::Tenant;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::config::{CallGroup, Config, Merchant};
use super::error::Problem;
use super::request::{EMAIL_MAX, EmailLink};
use super::signature::{InvalidSigning, Signed, Signing};
use crate::front::ClientAddr;
use crate::headers::{bearer, single};
use crate::hooks::{ForwardHook, InvalidHook};
use crate::json::UnknownFields;
use crate::services::Services;

const MERCHANT: HeaderName = HeaderName::from_static("x-merchant-id");
const FINGERPRINT: HeaderName = HeaderName::from_static("x-fingerprint");
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
/// The most bytes of a fingerprint.
const FINGERPRINT_MAX: usize = 1024;

/// The section names something that does not exist, or contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A tenant that is not configured.
    #[error("there is no tenant {0:?}")]
    UnknownTenant(String),
    /// Not a UUID.
    #[error("merchant {0:?}: the id must be a UUID")]
    MerchantId(String),
    /// One merchant stands twice.
    #[error("merchant {0} stands twice")]
    MerchantTwice(String),
    /// Signatures that cannot be made, or that anybody could.
    #[error("merchant {merchant}: {why}")]
    Signing {
        /// Whose.
        merchant: String,
        /// What is wrong.
        why: InvalidSigning,
    },
    /// Not the name of a header.
    #[error("merchant {0}: client_country_header is no name of a header")]
    CountryHeader(String),
    /// A hook that cannot be called.
    #[error("forward_hook of merchant {merchant}: {why}")]
    Hook {
        /// Whose.
        merchant: String,
        /// What is wrong with it.
        why: InvalidHook,
    },
    /// Nothing that a mail can link to.
    #[error("email_link of merchant {merchant}: {why}")]
    EmailLink {
        /// Whose.
        merchant: String,
        /// What is wrong with it.
        why: InvalidLink,
    },
}

/// A merchant whose calls are served.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) id: MerchantId,
    pub(super) tenant: Arc<Tenant>,
    /// Where proofs go instead of being answered with tokens.
    pub(super) hook: Option<Arc<dyn ForwardHook>>,
    /// Where the link in a mail leads.
    pub(super) email_link: Option<String>,
    pub(super) unknown_fields: UnknownFields,
    pub(super) anti_enumeration: bool,
    pub(super) reason_header: bool,
    pub(super) require_fingerprint: bool,
    signing: Signing,
    calls: Vec<CallGroup>,
    code_life: Duration,
    cool_downs: Vec<Duration>,
    country_header: Option<HeaderName>,
    blocked_countries: Vec<String>,
}

/// A merchant's UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct MerchantId(pub(super) [u8; 16]);

impl MerchantId {
    /// What the codes of this merchant are bound to.
    pub(super) fn context(self) -> Pairs {
        [("merchant".to_owned(), HEXLOWER.encode(&self.0))].into()
    }

    /// Reads the form of RFC 9562, in either case: `bece038f-2e46-49f4-b25e-89cd38d6dc16`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let fits = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
        let bytes = HEXLOWER_PERMISSIVE.decode(groups.concat().as_bytes()).ok()?;
        if fits { bytes.try_into().ok().map(Self) } else { None }
    }
}

/// The headers of a call that begins with a merchant.
pub(super) struct Head<'a> {
    /// Absent or empty is `None`.
    merchant: Result<Option<&'a str>, Ambiguous>,
    /// Empty if absent.
    fingerprint: &'a [u8],
    signature: Result<Option<&'a [u8]>, Ambiguous>,
}

/// A header that stands more than once or cannot be read.
#[derive(Clone, Copy)]
struct Ambiguous;

impl<'a> Head<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let fingerprint = raw(headers, &FINGERPRINT).map_err(|_| Problem::Invalid("X-Fingerprint"))?;
        let fingerprint = fingerprint.unwrap_or_default();
        if fingerprint.len() > FINGERPRINT_MAX {
            return Err(Problem::Invalid("X-Fingerprint"));
        }
        let merchant = single(headers, &MERCHANT).map(|id| id.filter(|id| !id.is_empty()));
        let merchant = merchant.map_err(|_| Ambiguous);
        Ok(Self { merchant, fingerprint, signature: raw(headers, &SIGNATURE) })
    }

    /// Refuses a call without the headers it needs.
    pub(super) fn require(&self, fingerprint: bool) -> Result<(), Problem> {
        if let Ok(None) = self.merchant {
            return Err(Problem::Missing("X-Merchant-ID"));
        }
        if fingerprint && self.fingerprint.is_empty() {
            return Err(Problem::Missing("X-Fingerprint"));
        }
        Ok(())
    }

    /// Refuses a call whose signature does not let it in.
    pub(super) fn check_signature(
        &self,
        caller: &Caller,
        phone: &str,
        password: &str,
        body: &[u8],
    ) -> Result<(), Problem> {
        let presented = self.signature.map_err(|Ambiguous| Problem::BadSignature)?;
        let signed = Signed { fingerprint: self.fingerprint, phone, password, body };
        if caller.signing.admits(presented, &signed) { Ok(()) } else { Err(Problem::BadSignature) }
    }
}

/// The value of a header that may stand once at most. Device strings may hold any byte.
fn raw<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(axum::http::HeaderValue::as_bytes)),
        (_, Some(_)) => Err(Ambiguous),
    }
}

/// Knows every merchant.
#[derive(Debug)]
pub(super) struct Door(BTreeMap<MerchantId, Arc<Caller>>);

impl Door {
    /// Reads the merchants from the configuration.
    pub(super) fn new(config: Config, services: &Services) -> Result<Self, InvalidConfig> {
        let mut merchants = BTreeMap::new();
        for merchant in config.merchants {
            let name = merchant.id.clone();
            let caller = Caller::new(merchant, services)?;
            if merchants.insert(caller.id, Arc::new(caller)).is_some() {
                return Err(InvalidConfig::MerchantTwice(name));
            }
        }
        Ok(Self(merchants))
    }

    /// Whose call it is; `None` for an unknown or ill-formed merchant.
    pub(super) fn merchant(&self, head: &Head<'_>) -> Option<&Arc<Caller>> {
        self.0.get(&MerchantId::parse(head.merchant.ok()??)?)
    }

    /// Whose token it says it is, and the rest of it.
    pub(super) fn token_holder<'a>(&self, headers: &'a HeaderMap) -> Option<(&Arc<Caller>, &'a str)> {
        let (merchant, token) = bearer(headers)?.split_once('.')?;
        let id = HEXLOWER_PERMISSIVE.decode(merchant.as_bytes()).ok()?;
        Some((self.0.get(&MerchantId(id.try_into().ok()?))?, token))
    }

    /// The merchant of this id.
    pub(super) fn of_id(&self, id: MerchantId) -> Option<&Arc<Caller>> {
        self.0.get(&id)
    }
}

impl Caller {
    fn new(merchant: Merchant, services: &Services) -> Result<Self, InvalidConfig> {
        let name = merchant.id.clone();
        let id = MerchantId::parse(&name).ok_or_else(|| InvalidConfig::MerchantId(name.clone()))?;
        let tenant = TenantId::parse(&merchant.tenant).ok();
        let tenant = tenant.and_then(|id| services.tenants.get(&id)).cloned();
        let tenant = tenant.ok_or_else(|| InvalidConfig::UnknownTenant(merchant.tenant.clone()))?;
        let signing =
            Signing::new(&merchant).map_err(|why| InvalidConfig::Signing { merchant: name.clone(), why })?;
        let hook = merchant
            .forward_hook
            .as_ref()
            .map(|target| services.hooks.connect(&target.called("crypterium.proof")))
            .transpose();
        let hook = hook.map_err(|why| InvalidConfig::Hook { merchant: name.clone(), why })?;
        if let Some(base) = &merchant.email_link {
            let longest = "@".repeat(EMAIL_MAX);
            EmailLink::template(base, id, [0; 16], &longest)
                .map_err(|why| InvalidConfig::EmailLink { merchant: name.clone(), why })?;
        }
        let country_header = merchant.client_country_header.as_deref().map(str::parse).transpose();
        let seconds = |seconds: u16| Duration::from_secs(seconds.into());
        Ok(Self {
            id,
            tenant,
            hook,
            email_link: merchant.email_link,
            unknown_fields: merchant.unknown_fields,
            anti_enumeration: merchant.anti_enumeration,
            reason_header: merchant.reason_header,
            require_fingerprint: merchant.require_fingerprint,
            signing,
            calls: merchant.calls,
            code_life: merchant.code_life_seconds.into(),
            cool_downs: merchant.cool_downs_seconds.into_iter().map(seconds).collect(),
            country_header: country_header.map_err(|_| InvalidConfig::CountryHeader(name))?,
            blocked_countries: merchant.blocked_client_countries,
        })
    }

    /// Refuses what is switched off: the tenant's state first, then the call.
    pub(super) fn permit(&self, call: CallGroup) -> Result<(), Problem> {
        if self.tenant.disabled {
            Err(Problem::TenantDisabled)
        } else if self.calls.contains(&call) {
            Ok(())
        } else {
            Err(Problem::NotPermitted)
        }
    }

    /// Whether its signed calls have to be signed.
    pub(super) fn asks_for_signatures(&self) -> bool {
        self.signing.is_required()
    }

    /// What its codes are bound to: itself, for several merchants may have one tenant.
    pub(super) fn context(&self) -> Pairs {
        self.id.context()
    }

    /// What its verifications run under: the tenant's policy, with the dialect's own times. A resend
    /// has a new code, and the older one is void.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            code_life: self.code_life,
            cool_downs: self.cool_downs.clone(),
            resend_code: ResendCode::New,
            ..self.tenant.policy.terms.clone()
        }
    }

    /// Refuses clients from countries that the merchant does not serve.
    pub(super) fn admits_client(&self, client: Client) -> Result<(), Problem> {
        let blocked = |country: [u8; 2]| {
            self.blocked_countries.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(&country))
        };
        if client.country.is_some_and(blocked) { Err(Problem::CountryBlocked) } else { Ok(()) }
    }

    /// Where a request comes from. The country is a proxy's word: nobody else's is taken.
    pub(super) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Client {
        let address = extensions.get::<ClientAddr>();
        let named = self.country_header.as_ref().filter(|_| address.is_some_and(|a| a.through_proxy));
        let country = named.and_then(|name| single(headers, name).ok().flatten());
        Client {
            ip: address.map(|address| address.ip),
            country: country.and_then(|text| text.as_bytes().try_into().ok()),
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    pub(super) ip: Option<IpAddr>,
    /// ISO 3166, two letters.
    country: Option<[u8; 2]>,
}
