//! A provider that does not work for a while.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_core::breaker::{FAILURES, PROBE_EVERY};

use super::*;

/// Does not work until an instant; then it takes everything.
struct Down {
    taken: Arc<RecordingProvider>,
    clock: OnceLock<Arc<ManualClock>>,
    until: Duration,
    kind: Kind,
    /// Calls while it was down.
    calls: AtomicU32,
}

impl Down {
    fn new(name: &str, until: Duration, kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            taken: RecordingProvider::new(name),
            clock: OnceLock::new(),
            until,
            kind,
            calls: AtomicU32::new(0),
        })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// One message to a phone, over this route and then others.
    async fn outbox(self: &Arc<Self>, others: Vec<Route>) -> Outbox {
        let route = Route { provider: self.clone(), price_micros: 0 };
        let routes = Routes::shared([vec![route], others].concat());
        let outbox = Outbox::over(self.taken.clone(), self.taken.clone(), routes).await;
        self.clock.set(outbox.clock.clone()).ok();
        outbox
    }
}

#[async_trait]
impl Provider for Down {
    fn name(&self) -> &ProviderName {
        self.taken.name()
    }

    fn channels(&self) -> &[Channel] {
        self.taken.channels()
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let now = self.clock.get().unwrap().now();
        assert!(now < message.expires_at, "the code is dead");
        if now.since(ManualClock::START) < self.until {
            self.calls.fetch_add(1, Ordering::SeqCst);
            return Err(DeliveryError::new(self.kind, Retry::Backoff, "down"));
        }
        self.taken.deliver(message).await
    }
}

/// Steps once a second; answers when the first message left, and the last.
async fn walk(outbox: &Outbox, down: &Down, seconds: u64) -> Option<(u64, u64)> {
    let mut left: Option<(u64, u64)> = None;
    for second in 0..=seconds {
        if second > 0 {
            outbox.clock.advance(Duration::from_secs(1));
        }
        while outbox.dispatcher.step().await.unwrap().claimed > 0 {}
        if !down.taken.take_sent().is_empty() {
            left = Some((left.map_or(second, |(first, _)| first), second));
        }
    }
    left
}

const TWO_MINUTES: Duration = Duration::from_secs(120);

/// Shows: E10, I4.
#[tokio::test]
async fn e10_a_message_outlives_an_outage_of_two_minutes() {
    for kind in [Kind::Unavailable, Kind::Unreachable] {
        let down = Down::new("only", TWO_MINUTES, kind);
        let outbox = down.outbox(Vec::new()).await;
        let (first, last) =
            walk(&outbox, &down, 600).await.unwrap_or_else(|| panic!("{kind:?}: it never left"));
        assert!(first == last && (120..300).contains(&first), "{kind:?}: it left after {first} s");
        let message = outbox.message().await;
        assert!(matches!(message.state, MessageState::Sent { .. }) && message.submissions <= 3);
        if kind == Kind::Unavailable {
            assert!(down.calls() <= 2, "with the one that was taken, three submissions: {}", down.calls());
        }
    }
}

/// Shows: E10, R8.
#[tokio::test]
async fn e10_many_messages_outlive_an_outage_of_two_minutes_and_use_up_few_submissions() {
    for kind in [Kind::Unavailable, Kind::Unreachable] {
        let down = Down::new("only", TWO_MINUTES, kind);
        let outbox = down.outbox(Vec::new()).await;
        let mut all = vec![outbox.queued.clone()];
        for second in 1..100 {
            walk(&outbox, &down, 0).await;
            outbox.clock.advance(Duration::from_millis(500));
            all.push(outbox.queue(second).await);
        }
        walk(&outbox, &down, 500).await.unwrap();
        for verification in all {
            let message = outbox.message_of(&verification).await;
            assert!(matches!(message.state, MessageState::Sent { .. }), "{kind:?}: {message:?}");
            assert!(message.submissions <= 3);
        }
        assert!(down.calls() < 40, "the breaker keeps them from being wasted: {}", down.calls());
    }
}

/// Shows: R8, I4.
#[tokio::test]
async fn e10_after_an_outage_of_half_an_hour_no_dead_code_is_sent() {
    for kind in [Kind::Unavailable, Kind::Unreachable] {
        let down = Down::new("only", Duration::from_secs(1_800), kind);
        let outbox = down.outbox(Vec::new()).await;
        for n in 1..40 {
            outbox.queue(n).await;
        }
        assert_eq!(walk(&outbox, &down, 2_000).await, None, "{kind:?}");
        let ended = outbox.message().await;
        assert!(
            matches!(ended.state, MessageState::Abandoned { .. }) && ended.payload.is_none(),
            "{ended:?}"
        );
        // The route is in use again as soon as it works, and by the first message.
        outbox.queue(41).await;
        let (first, _) = walk(&outbox, &down, 60).await.unwrap();
        assert!(first <= PROBE_EVERY.as_secs(), "after {first} s");
    }
}

/// Time-outs count like failures: both tie up slots.
///
/// Shows: F7, R8.
#[tokio::test]
async fn f7_a_route_that_does_not_answer_is_left_alone_and_its_messages_take_another() {
    for kind in [Kind::Unknown, Kind::Unavailable, Kind::Unreachable] {
        let down = Down::new("first", Duration::from_secs(86_400), kind);
        let second = RecordingProvider::new("second");
        let outbox = down.outbox(vec![second.route(0)]).await;
        for n in 1..=30 {
            walk(&outbox, &down, 0).await;
            outbox.queue(n).await;
        }
        walk(&outbox, &down, 0).await;
        assert_eq!(down.calls(), FAILURES, "{kind:?}");
        // What may have arrived is not sent again; the rest went the other way.
        let lost = if kind == Kind::Unknown { FAILURES as usize } else { 0 };
        assert_eq!(second.sent().len(), 31 - lost, "{kind:?}");
    }
}

/// Shows: F7, R8.
#[tokio::test]
async fn f7_while_a_route_is_left_alone_its_messages_wait_uncounted_and_one_is_the_probe() {
    let down = Down::new("only", Duration::from_secs(86_400), Kind::Unknown);
    let outbox = down.outbox(Vec::new()).await;
    for n in 1..FAILURES {
        outbox.queue(n).await;
    }
    walk(&outbox, &down, 0).await;
    assert_eq!(down.calls(), FAILURES);
    let waiting = [outbox.queue(50).await, outbox.queue(51).await];
    walk(&outbox, &down, 0).await;
    for verification in &waiting {
        let message = outbox.message_of(verification).await;
        assert_eq!((message.state, message.submissions), (MessageState::Queued, 0));
    }
    outbox.clock.advance(Duration::from_secs(1));
    walk(&outbox, &down, 0).await;
    assert_eq!(down.calls(), FAILURES + 1);
    let probed = outbox.message_of(&waiting[0]).await;
    assert_eq!(probed.state, MessageState::Abandoned { reason: Abandoned::Unknown });
    assert_eq!(outbox.message_of(&waiting[1]).await.state, MessageState::Queued);
}

/// A stranger who makes a provider refuse closes the route for nobody.
#[tokio::test]
async fn refusals_leave_a_route_in_use() {
    for (kind, retry) in [(Kind::Recipient, Retry::Never), (Kind::Configuration, Retry::OtherRoute)] {
        let provider = RecordingProvider::new("only");
        let outbox = Outbox::over(provider.clone(), provider.clone(), provider.routes()).await;
        for n in 1..100 {
            provider.answer_next(Err(DeliveryError::new(kind, retry, "refused")));
            outbox.step_after(Duration::ZERO).await;
            outbox.queue(n).await;
        }
        outbox.step_after(Duration::ZERO).await;
        assert_eq!(provider.sent().len(), 1);
    }
}
