//! Hands queued messages to providers: claim → render → deliver → record.
//!
//! One [`Dispatcher::step`] takes the time from its clock and returns what it did; the binary's task
//! only repeats it. Any number of dispatchers may work on one outbox: a claim is a lease.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::engine::{Engine, StorageError};
use crate::keys::KeyRing;
use crate::outbox::{Abandoned, DeliveryReport, DeliveryResult, Message, Payload, retry_after};
use crate::provider::{DeliveryErrorKind, RenderedMessage, Retry, Route, Routes};
use crate::template::{Templates, TextInput};
use crate::tenant::Tenants;
use crate::time::{Clock, Timestamp};

/// What one step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StepReport {
    /// Messages taken from the outbox.
    pub claimed: u32,
    /// Of these, taken by a provider.
    pub sent: u32,
    /// Of these, to be tried again.
    pub retrying: u32,
    /// Of these, given up.
    pub abandoned: u32,
}

impl StepReport {
    fn count(&mut self, result: &DeliveryResult) {
        match result {
            DeliveryResult::Accepted { .. } => self.sent += 1,
            DeliveryResult::Failed { .. } => self.retrying += 1,
            DeliveryResult::GivenUp { .. } => self.abandoned += 1,
        }
    }
}

/// How a dispatcher paces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Messages per step, all delivered at the same time.
    pub batch: u32,
    /// How long a claimed message is out of reach of other dispatchers. Longer than any provider's
    /// own time-out.
    pub lease: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: 64, lease: Duration::from_secs(30) }
    }
}

/// Hands queued messages to providers.
pub struct Dispatcher {
    engine: Arc<dyn Engine>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    routes: Arc<Routes>,
    templates: Arc<Templates>,
    tenants: Arc<Tenants>,
    pace: Pace,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher over an engine's outbox.
    pub fn new(
        engine: Arc<dyn Engine>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        routes: Arc<Routes>,
        templates: Arc<Templates>,
        tenants: Arc<Tenants>,
        pace: Pace,
    ) -> Self {
        Self { engine, keys, clock, routes, templates, tenants, pace }
    }

    /// Takes one batch of due messages, hands each over, and writes down each result as soon as it is
    /// known: a slow provider does not keep the others' results from being recorded.
    ///
    /// # Errors
    /// The store is unavailable. What was claimed comes back when its lease runs out.
    pub async fn step(&self) -> Result<StepReport, StorageError> {
        let claimed = self.engine.claim_messages(self.pace.batch, self.pace.lease, self.clock.now()).await?;
        let mut step =
            StepReport { claimed: u32::try_from(claimed.len()).unwrap_or(u32::MAX), ..StepReport::default() };
        let mut deliveries: FuturesUnordered<_> =
            claimed.iter().map(|message| self.hand_over(message)).collect();
        let (mut owed, mut failure) = (Vec::new(), None);
        while let Some(report) = deliveries.next().await {
            owed.push(report);
            while let Some(Some(more)) = deliveries.next().now_or_never() {
                owed.push(more);
            }
            // If the store does not take it, the other deliveries go on all the same: a result that is
            // never written down is a message sent twice.
            match self.engine.record_deliveries(owed.clone(), self.clock.now()).await {
                Ok(()) => owed.drain(..).for_each(|report| step.count(&report.result)),
                Err(error) => failure = Some(error),
            }
        }
        if !owed.is_empty() {
            self.engine.record_deliveries(owed.clone(), self.clock.now()).await?;
            owed.drain(..).for_each(|report| step.count(&report.result));
        } else if let Some(error) = failure {
            tracing::warn!(%error, "results were written down late");
        }
        Ok(step)
    }

    async fn hand_over(&self, message: &Message) -> DeliveryReport {
        let result = self.deliver(message).await;
        metrics::counter!("countersign_deliveries_total", "channel" => message.channel.as_str(), "result" => label(&result))
            .increment(1);
        DeliveryReport {
            tenant: message.tenant.clone(),
            message: message.id,
            verification: message.verification,
            submission: message.submissions,
            result,
        }
    }

    async fn deliver(&self, message: &Message) -> DeliveryResult {
        let now = self.clock.now();
        if now >= message.expires_at {
            return DeliveryResult::GivenUp { reason: Abandoned::Expired };
        }
        let Ok(rendered) = self.render(message, now) else {
            tracing::error!(message = %message.id, "a message's payload does not open under the present keys");
            return DeliveryResult::GivenUp { reason: Abandoned::Unreadable };
        };
        let route = match self.route(message) {
            Ok(route) => route,
            Err(result) => return result,
        };
        let name = route.provider.name().clone();
        match route.provider.deliver(&rendered).await {
            Ok(_) => DeliveryResult::Accepted { provider: name },
            Err(error) => {
                tracing::warn!(message = %message.id, provider = %name, kind = error.kind.as_str(), detail = error.detail, "delivery failed");
                let failed = |retry_after| DeliveryResult::Failed { provider: Some(name), retry_after };
                let later = retry_after(message.submissions);
                match error.retry {
                    Retry::After(wait) => failed(wait.max(later)),
                    Retry::Backoff => failed(later),
                    Retry::OtherRoute if self.has_untried(message, &route) => failed(Duration::ZERO),
                    Retry::OtherRoute if !is_final(error.kind) => failed(later),
                    // Asking the same one again would bring the same answer.
                    Retry::OtherRoute | Retry::Never => {
                        DeliveryResult::GivenUp { reason: reason(error.kind) }
                    }
                }
            }
        }
    }

    /// The best route that has not failed with this message yet; when all have, the best again.
    fn route(&self, message: &Message) -> Result<Route, DeliveryResult> {
        if message.test {
            // No provider ever sees a test number. In dev mode the inbox shows it.
            return self
                .routes
                .test()
                .cloned()
                .ok_or_else(|| DeliveryResult::Accepted { provider: test_sink() });
        }
        let mut candidates = self.routes.candidates(&message.tenant, message.channel);
        let untried = |route: &&Route| !message.tried.contains(route.provider.name());
        let best = self.routes.candidates(&message.tenant, message.channel).next();
        candidates
            .find(untried)
            .or(best)
            .cloned()
            .ok_or(DeliveryResult::GivenUp { reason: Abandoned::NoRoute })
    }

    fn has_untried(&self, message: &Message, just_tried: &Route) -> bool {
        let mut candidates = self.routes.candidates(&message.tenant, message.channel);
        candidates.any(|route| {
            let name = route.provider.name();
            name != just_tried.provider.name() && !message.tried.contains(name)
        })
    }

    fn render(&self, message: &Message, now: Timestamp) -> Result<RenderedMessage, crate::keys::OpenError> {
        let Payload { recipient, code, link } = Payload::open(message, &self.keys)?;
        let tenant = self.tenants.get(&message.tenant);
        let text = self.templates.render(&TextInput {
            tenant: &message.tenant,
            brand: tenant.map_or(message.tenant.as_str(), |t| &t.brand),
            purpose: &message.purpose,
            channel: message.channel,
            locale: &message.locale,
            code: &code,
            link: link.as_ref(),
            minutes: minutes_left(message.expires_at, now),
        });
        Ok(RenderedMessage {
            id: message.id,
            verification: message.verification,
            tenant: message.tenant.clone(),
            dialect: message.dialect.clone(),
            purpose: message.purpose.clone(),
            channel: message.channel,
            recipient,
            code,
            link,
            locale: message.locale.clone(),
            subject: text.subject,
            text: text.text,
            expires_at: message.expires_at,
            now: self.clock.wall(),
        })
    }
}

/// What takes messages to test numbers where nothing shows them.
fn test_sink() -> crate::names::ProviderName {
    crate::names::ProviderName::parse("test-numbers").expect("a valid name")
}

/// Whole minutes until the code dies: rounded to the nearest, so that a message sent a moment late
/// still says what the policy says, and never 0.
fn minutes_left(expires_at: Timestamp, now: Timestamp) -> u32 {
    let seconds = now.until(expires_at).as_secs();
    u32::try_from((seconds + 30) / 60).unwrap_or(u32::MAX).max(1)
}

/// Whether asking the same provider again is pointless.
fn is_final(kind: DeliveryErrorKind) -> bool {
    matches!(kind, DeliveryErrorKind::Configuration | DeliveryErrorKind::Recipient)
}

fn reason(kind: DeliveryErrorKind) -> Abandoned {
    match kind {
        DeliveryErrorKind::Recipient => Abandoned::Recipient,
        DeliveryErrorKind::Configuration => Abandoned::Configuration,
        DeliveryErrorKind::Throttled | DeliveryErrorKind::Unavailable => Abandoned::Submissions,
        DeliveryErrorKind::Unknown => Abandoned::Unknown,
    }
}

fn label(result: &DeliveryResult) -> &'static str {
    match result {
        DeliveryResult::Accepted { .. } => "sent",
        DeliveryResult::Failed { .. } => "retrying",
        DeliveryResult::GivenUp { reason } => reason.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_the_policy_says_even_when_it_leaves_a_moment_late() {
        let now = Timestamp::from_millis(0);
        for (left, says) in [(600_000, 10), (599_500, 10), (571_000, 10), (569_000, 9), (20_000, 1), (1, 1)] {
            assert_eq!(minutes_left(Timestamp::from_millis(left), now), says, "{left} ms left");
        }
    }
}
