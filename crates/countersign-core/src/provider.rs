//! The port to the outside: providers, and the routes to them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::ids::{MessageId, VerificationId};
use crate::link::Link;
use crate::names::{Channel, DialectName, Locale, ProviderName, Purpose, TenantId};
use crate::recipient::Recipient;
use crate::time::Timestamp;

/// A message as a provider gets it. `Debug` shows neither code nor link, and the recipient masked.
#[derive(Clone)]
pub struct RenderedMessage {
    /// The message's id: equal for every submission of it, so that a provider can recognise a
    /// repetition.
    pub id: MessageId,
    /// Which verification it serves.
    pub verification: VerificationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Through which wire API it was asked for.
    pub dialect: DialectName,
    /// What for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// Where to.
    pub recipient: Recipient,
    /// The code, for providers that fill a template of their own.
    pub code: Code,
    /// The link with the code in it, for mails that have one. The text shows it already, if it is to be seen.
    pub link: Option<Link>,
    /// The language of the text.
    pub locale: Locale,
    /// The subject, for mail.
    pub subject: Option<String>,
    /// The text as a person will read it.
    pub text: Zeroizing<String>,
    /// When the code dies.
    pub expires_at: Timestamp,
    /// The present instant, by the machine's clock: providers sign with it.
    pub now: Timestamp,
}

impl fmt::Debug for RenderedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedMessage")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("recipient", &self.recipient)
            .finish_non_exhaustive()
    }
}

/// A provider took the message: accepted, not delivered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Submitted {
    /// The provider's own reference, if it gave one.
    pub reference: Option<String>,
}

/// What to do after a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Nothing: it would fail again, or it may have been delivered.
    Never,
    /// Try again by the schedule.
    Backoff,
    /// Try again, not earlier than that.
    After(Duration),
    /// Try another route at once.
    OtherRoute,
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryErrorKind {
    /// This recipient cannot be reached by this provider.
    Recipient,
    /// The provider refuses us.
    Configuration,
    /// Too much at once.
    Throttled,
    /// The provider is not working, and certainly did not take the message.
    Unavailable,
    /// No connection: certainly nothing of the message was sent. It does not count as a submission.
    Unreachable,
    /// No answer: it may have been delivered. Always [`Retry::Never`].
    Unknown,
}

impl DeliveryErrorKind {
    /// The kind's name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Configuration => "configuration",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

/// A provider did not take the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct DeliveryError {
    /// What went wrong.
    pub kind: DeliveryErrorKind,
    /// What to do.
    pub retry: Retry,
    /// The provider's own words or code, without recipient, code or secret; for the log.
    pub detail: String,
}

impl DeliveryError {
    /// An error; kind `Unknown` is never retried, whatever `retry` says.
    pub fn new(kind: DeliveryErrorKind, retry: Retry, detail: impl Into<String>) -> Self {
        let retry = if kind == DeliveryErrorKind::Unknown { Retry::Never } else { retry };
        Self { kind, retry, detail: detail.into() }
    }
}

/// A way out.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The name it was configured under.
    fn name(&self) -> &ProviderName;

    /// The channels it carries.
    fn channels(&self) -> &[Channel];

    /// Hands one rendered message over. `Ok` means accepted, not delivered. It keeps its own
    /// time-out and never retries by itself.
    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError>;
}

/// A provider and what a message over it costs.
#[derive(Clone)]
pub struct Route {
    /// The way out.
    pub provider: Arc<dyn Provider>,
    /// Millionths of the tenant's currency per message.
    pub price_micros: u64,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("provider", self.provider.name()).finish_non_exhaustive()
    }
}

/// Which routes a tenant's messages may take, in order of preference.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// For tenants without routes of their own.
    shared: Vec<Route>,
    /// By tenant.
    own: HashMap<TenantId, Vec<Route>>,
    /// Where messages to test numbers go; `None` drops them as accepted.
    test: Option<Route>,
}

impl Routes {
    /// Routes for every tenant that has none of its own.
    pub fn shared(routes: Vec<Route>) -> Self {
        Self { shared: routes, ..Self::default() }
    }

    /// Gives a tenant routes of its own.
    pub fn set_own(&mut self, tenant: TenantId, routes: Vec<Route>) {
        self.own.insert(tenant, routes);
    }

    /// Where messages to test numbers are shown.
    pub fn set_test(&mut self, route: Route) {
        self.test = Some(route);
    }

    /// The route for test numbers.
    pub fn test(&self) -> Option<&Route> {
        self.test.as_ref()
    }

    /// Every route, some of them several times.
    pub fn all(&self) -> impl Iterator<Item = &Route> {
        self.shared.iter().chain(self.own.values().flatten()).chain(&self.test)
    }

    /// The routes that carry a channel for a tenant, best first.
    pub fn candidates<'a>(
        &'a self,
        tenant: &TenantId,
        channel: Channel,
    ) -> impl Iterator<Item = &'a Route> + use<'a> {
        let routes = self.own.get(tenant).unwrap_or(&self.shared);
        routes.iter().filter(move |route| route.provider.channels().contains(&channel))
    }

    /// What a message is reckoned to cost before it is sent: the dearest route it could take, so that
    /// a failover never breaks the tenant's spend cap.
    pub fn price_micros(&self, tenant: &TenantId, channel: Channel) -> u64 {
        self.candidates(tenant, channel).map(|route| route.price_micros).max().unwrap_or(0)
    }
}
