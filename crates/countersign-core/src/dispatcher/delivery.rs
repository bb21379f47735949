//! One delivery: from a claimed message to what became of it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::Dispatcher;
use super::traffic::UnderWay;
use crate::breaker::Heard;
use crate::keys::OpenError;
use crate::names::ProviderName;
use crate::outbox::{
    Abandoned, DeliveryReport, DeliveryResult, Message, Payload, Way, wait_after_failure,
    wait_after_no_connection,
};
use crate::provider::{DeliveryError, DeliveryErrorKind, RenderedMessage, Retry, Route};
use crate::template::TextInput;
use crate::time::Timestamp;

impl Dispatcher {
    /// Hands one message over. A panic ends this message and no other: a provider may have it, so that
    /// it is never sent again.
    pub(super) async fn hand_over(&self, message: Message, way: Way, mut place: UnderWay) -> DeliveryReport {
        let delivery = AssertUnwindSafe(self.deliver(&message, &way, &mut place)).catch_unwind().await;
        let result = delivery.unwrap_or_else(|_| {
            tracing::error!(message_id = %message.id, "a delivery panicked; its message ends here");
            DeliveryResult::GivenUp { reason: Abandoned::Unknown }
        });
        metrics::counter!("countersign_deliveries_total", "channel" => message.channel.as_str(), "result" => label(&result))
            .increment(1);
        report(&message, result)
    }

    async fn deliver(&self, message: &Message, way: &Way, place: &mut UnderWay) -> DeliveryResult {
        let now = self.clock.now();
        if now >= message.expires_at {
            return DeliveryResult::GivenUp { reason: Abandoned::Expired };
        }
        let Ok(rendered) = self.render(message, now) else {
            tracing::error!(message_id = %message.id, "a message's payload does not open under the present keys");
            return DeliveryResult::GivenUp { reason: Abandoned::Unreadable };
        };
        let route = match way {
            Way::Route(route) => route,
            Way::Dropped => return DeliveryResult::Accepted { provider: test_sink() },
            Way::Nobody => return DeliveryResult::GivenUp { reason: Abandoned::NoRoute },
        };
        let name = route.provider.name();
        match route.provider.deliver(&rendered).await {
            Ok(_) => {
                place.hear(Heard::Answer);
                DeliveryResult::Accepted { provider: name.clone() }
            }
            Err(error) => {
                place.hear(heard(error.kind));
                tracing::warn!(message_id = %message.id, provider = %name, kind = error.kind.as_str(), detail = error.detail, "delivery failed");
                self.after_failure(message, route, &error)
            }
        }
    }

    /// What follows from a failure: another route at once, where there is one with room; else the same
    /// ones later, as long as that makes sense.
    fn after_failure(&self, message: &Message, route: &Route, error: &DeliveryError) -> DeliveryResult {
        let name = route.provider.name();
        let given_up = DeliveryResult::GivenUp { reason: reason(error.kind) };
        if error.retry == Retry::Never {
            return given_up;
        }
        let now = self.clock.now();
        let untried = self.untried(message, name);
        let later = later(message, error.kind, now);
        let wait = if self.shared.lock().has_room(&untried, now) {
            Duration::ZERO
        } else {
            match error.retry {
                Retry::After(wait) => wait.max(later),
                // Asking the same one again would bring the same answer.
                Retry::OtherRoute if untried.is_empty() && is_final(error.kind) => return given_up,
                Retry::OtherRoute | Retry::Backoff | Retry::Never => later,
            }
        };
        let submitted = error.kind != DeliveryErrorKind::Unreachable;
        DeliveryResult::Failed { provider: Some(name.clone()), submitted, retry_after: wait }
    }

    /// The other routes of a message that have not failed with it yet.
    fn untried(&self, message: &Message, just_tried: &ProviderName) -> Vec<&ProviderName> {
        let candidates = self.routes.candidates(&message.tenant, message.channel);
        let names = candidates.map(|route| route.provider.name());
        names.filter(|name| *name != just_tried && !message.tried.contains(name)).collect()
    }

    fn render(&self, message: &Message, now: Timestamp) -> Result<RenderedMessage, OpenError> {
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

/// What became of a message as it was claimed.
pub(super) fn report(message: &Message, result: DeliveryResult) -> DeliveryReport {
    DeliveryReport {
        tenant: message.tenant.clone(),
        message: message.id,
        verification: message.verification,
        attempt: message.attempts,
        result,
    }
}

/// How long the schedule has a message wait.
fn later(message: &Message, kind: DeliveryErrorKind, now: Timestamp) -> Duration {
    // Random by itself, and another one for every try.
    let [.., last] = *message.id.as_bytes();
    let chance = last.wrapping_add(message.attempts.to_le_bytes()[0].wrapping_mul(83));
    match kind {
        DeliveryErrorKind::Unreachable => wait_after_no_connection(message.attempts, chance),
        DeliveryErrorKind::Recipient
        | DeliveryErrorKind::Configuration
        | DeliveryErrorKind::Throttled
        | DeliveryErrorKind::Unavailable
        | DeliveryErrorKind::Unknown => {
            wait_after_failure(message.submissions, now.until(message.expires_at), chance)
        }
    }
}

/// What a failure says about the provider.
const fn heard(kind: DeliveryErrorKind) -> Heard {
    match kind {
        DeliveryErrorKind::Recipient | DeliveryErrorKind::Configuration | DeliveryErrorKind::Throttled => {
            Heard::Answer
        }
        DeliveryErrorKind::Unavailable | DeliveryErrorKind::Unreachable | DeliveryErrorKind::Unknown => {
            Heard::Nothing
        }
    }
}

/// What takes messages to test numbers where nothing shows them.
fn test_sink() -> ProviderName {
    ProviderName::parse("test-numbers").expect("a valid name")
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
        DeliveryErrorKind::Throttled | DeliveryErrorKind::Unavailable | DeliveryErrorKind::Unreachable => {
            Abandoned::Submissions
        }
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
