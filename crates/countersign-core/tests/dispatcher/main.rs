//! The dispatcher over two providers: which one gets a message, and what follows from their answers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod outage;
mod slots;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::dispatcher::{Dispatcher, Pace};
use countersign_core::engine::Engine;
use countersign_core::names::{Channel, ProviderName, TenantId};
use countersign_core::outbox::{Abandoned, Message, MessageState};
use countersign_core::provider::{
    DeliveryError, DeliveryErrorKind as Kind, Provider, RenderedMessage, Retry, Route, Routes, Submitted,
};
use countersign_core::template::Templates;
use countersign_core::tenant::Tenants;
use countersign_core::testkit::bench::{fresh, opened};
use countersign_core::testkit::{ManualClock, MemoryEngine, RecordingProvider, commands, keys, tenant};
use countersign_core::time::Clock;
use countersign_core::verification::Verification;

struct Outbox {
    engine: Arc<MemoryEngine>,
    clock: Arc<ManualClock>,
    dispatcher: Arc<Dispatcher>,
    first: Arc<RecordingProvider>,
    second: Arc<RecordingProvider>,
    queued: Verification,
}

impl Outbox {
    /// One message to a phone; the first provider answers as told, the second one takes everything.
    async fn new(answer: Option<(Kind, Retry)>) -> Self {
        let (first, second) =
            (RecordingProvider::new("first"), RecordingProvider::carrying("second", &[Channel::Sms]));
        if let Some((kind, retry)) = answer {
            first.answer_next(Err(DeliveryError::new(kind, retry, "as told")));
        }
        Self::over(first.clone(), second.clone(), Routes::shared(vec![first.route(0), second.route(0)])).await
    }

    async fn over(first: Arc<RecordingProvider>, second: Arc<RecordingProvider>, routes: Routes) -> Self {
        let (engine, clock) = (Arc::new(MemoryEngine::new(keys())), Arc::new(ManualClock::default()));
        let owner = tenant("t");
        let start = commands::start(&owner.id, "+12125550123", clock.now(), [1; 32]);
        let queued = opened(fresh(engine.start(start).await.unwrap()));
        let dispatcher = Arc::new(Dispatcher::new(
            engine.clone(),
            Arc::new(keys()),
            clock.clone(),
            Arc::new(routes),
            Arc::new(Templates::builtin()),
            Arc::new(Tenants::from_iter([owner])),
            Pace::default(),
        ));
        Self { engine, clock, dispatcher, first, second, queued }
    }

    /// Another message, of the same tenant, to a number of its own.
    async fn queue(&self, n: u32) -> Verification {
        self.queue_for(&self.queued.tenant.clone(), n).await
    }

    async fn queue_for(&self, tenant: &TenantId, n: u32) -> Verification {
        let to = format!("+1213555{n:04}");
        let seed = std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(7));
        opened(fresh(self.engine.start(commands::start(tenant, &to, self.clock.now(), seed)).await.unwrap()))
    }

    async fn message_of(&self, verification: &Verification) -> Message {
        let record = self.engine.verification(&verification.tenant, verification.id).await.unwrap().unwrap();
        record.messages.into_iter().next_back().unwrap()
    }

    async fn message(&self) -> Message {
        let record = self.engine.verification(&self.queued.tenant, self.queued.id).await.unwrap().unwrap();
        record.messages.into_iter().next_back().unwrap()
    }

    async fn step_after(&self, wait: Duration) -> u32 {
        self.clock.advance(wait);
        self.dispatcher.step().await.unwrap().claimed
    }
}

#[tokio::test]
async fn a_message_goes_to_the_first_provider_that_carries_its_channel() {
    let outbox = Outbox::new(None).await;
    assert_eq!(outbox.step_after(Duration::ZERO).await, 1);
    assert_eq!((outbox.first.sent().len(), outbox.second.sent().len()), (1, 0));
    assert!(outbox.first.sent()[0].text.contains("It expires in 10 minutes."));
    assert_eq!(outbox.step_after(Duration::from_secs(60)).await, 0);
}

/// Shows: R8.
#[tokio::test]
async fn a_definite_failure_takes_the_other_route_within_five_seconds() {
    for (kind, retry) in [
        (Kind::Unavailable, Retry::OtherRoute),
        (Kind::Unavailable, Retry::Backoff),
        (Kind::Configuration, Retry::OtherRoute),
        (Kind::Throttled, Retry::Backoff),
    ] {
        let outbox = Outbox::new(Some((kind, retry))).await;
        outbox.step_after(Duration::ZERO).await;
        outbox.step_after(Duration::from_secs(5)).await;
        assert_eq!(outbox.second.sent().len(), 1, "{kind:?} {retry:?}");
    }
}

/// Shows: R8.
#[tokio::test]
async fn no_answer_is_no_reason_to_send_it_again() {
    let outbox = Outbox::new(Some((Kind::Unknown, Retry::Backoff))).await;
    outbox.step_after(Duration::ZERO).await;
    assert_eq!(outbox.step_after(Duration::from_secs(60)).await, 0);
    assert_eq!(outbox.second.sent().len(), 0);
    assert_eq!(outbox.message().await.state, MessageState::Abandoned { reason: Abandoned::Unknown });
}

#[tokio::test]
async fn a_refusal_that_no_other_route_can_mend_ends_the_message_with_its_reason() {
    let only = RecordingProvider::new("only");
    only.answer_next(Err(DeliveryError::new(Kind::Configuration, Retry::OtherRoute, "key revoked")));
    let outbox = Outbox::over(only.clone(), RecordingProvider::new("unused"), only.routes()).await;
    outbox.step_after(Duration::ZERO).await;
    assert_eq!(outbox.step_after(Duration::from_secs(60)).await, 0);
    assert_eq!(outbox.message().await.state, MessageState::Abandoned { reason: Abandoned::Configuration });
}

#[tokio::test]
async fn without_a_route_a_message_ends_and_says_so() {
    let mail_only = RecordingProvider::carrying("mail", &[Channel::Email]);
    let outbox = Outbox::over(mail_only.clone(), RecordingProvider::new("unused"), mail_only.routes()).await;
    outbox.step_after(Duration::ZERO).await;
    assert_eq!(outbox.message().await.state, MessageState::Abandoned { reason: Abandoned::NoRoute });
}

/// Panics over one recipient.
struct Panics(Arc<RecordingProvider>);

#[async_trait]
impl Provider for Panics {
    fn name(&self) -> &ProviderName {
        self.0.name()
    }

    fn channels(&self) -> &[Channel] {
        self.0.channels()
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        assert!(message.recipient.expose() != "+12125550123", "a defect");
        self.0.deliver(message).await
    }
}

/// Thirty-nine others were handed over three times each, and all forty ended abandoned.
///
/// Shows: E3.
#[tokio::test]
async fn e3_a_panic_ends_its_own_message_and_no_other() {
    let taken = RecordingProvider::new("carrier");
    let route = Route { provider: Arc::new(Panics(taken.clone())), price_micros: 0 };
    let outbox = Outbox::over(taken.clone(), taken.clone(), Routes::shared(vec![route])).await;
    let mut others = Vec::new();
    for n in 1..40 {
        others.push(outbox.queue(n).await);
    }
    let dispatcher = outbox.dispatcher.clone();
    let step = tokio::spawn(async move { dispatcher.step().await }).await;
    assert!(step.is_ok_and(|step| step.is_ok_and(|step| (step.claimed, step.sent) == (40, 39))));
    for _ in 0..10 {
        assert_eq!(outbox.step_after(Duration::from_secs(31)).await, 0, "nothing is sent twice");
    }
    assert_eq!(taken.sent().len(), 39);
    assert_eq!(outbox.message().await.state, MessageState::Abandoned { reason: Abandoned::Unknown });
    for other in others {
        let message = outbox.message_of(&other).await;
        assert!(matches!(message.state, MessageState::Sent { .. }) && message.submissions == 1);
    }
}

#[tokio::test]
async fn two_dispatchers_send_a_message_once() {
    let outbox = Outbox::new(None).await;
    let (one, other) = tokio::join!(outbox.dispatcher.step(), outbox.dispatcher.step());
    assert_eq!(one.unwrap().sent + other.unwrap().sent, 1);
    assert_eq!(outbox.first.sent().len(), 1);
}

/// Takes two messages: the store goes away with the first and comes back with the second.
struct StoreAway {
    taken: Arc<RecordingProvider>,
    engine: OnceLock<Arc<MemoryEngine>>,
}

#[async_trait]
impl Provider for StoreAway {
    fn name(&self) -> &ProviderName {
        self.taken.name()
    }

    fn channels(&self) -> &[Channel] {
        self.taken.channels()
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let first = self.taken.sent().is_empty();
        let answer = self.taken.deliver(message).await;
        if !first {
            tokio::task::yield_now().await; // until the first one's result could not be written
        }
        self.engine.get().unwrap().set_down(first);
        answer
    }
}

#[tokio::test]
async fn a_result_that_the_store_did_not_take_is_written_with_the_next_one() {
    let taken = RecordingProvider::new("carrier");
    let carrier = Arc::new(StoreAway { taken: taken.clone(), engine: OnceLock::new() });
    let routes = Routes::shared(vec![Route { provider: carrier.clone(), price_micros: 0 }]);
    let outbox = Outbox::over(taken.clone(), taken.clone(), routes).await;
    carrier.engine.set(outbox.engine.clone()).ok();
    let other = commands::start(&outbox.queued.tenant, "+12125550124", outbox.clock.now(), [2; 32]);
    outbox.engine.start(other).await.unwrap();

    let step = outbox.dispatcher.step().await.unwrap();
    assert_eq!((step.claimed, step.sent, taken.sent().len()), (2, 2, 2));
    assert_eq!(outbox.step_after(Duration::from_secs(60)).await, 0, "nothing is sent twice");
}
