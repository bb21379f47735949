//! How many deliveries are under way, and who waits for whom: counted, not timed. Providers answer when
//! the test lets them.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::*;

/// Answers one call per permit; mails to `hang@…`, and everything to hanging tenants, never.
struct Gate {
    taken: Arc<RecordingProvider>,
    permits: Semaphore,
    under_way: AtomicU32,
    begun: AtomicU32,
    most: AtomicU32,
    hangs: fn(&RenderedMessage) -> bool,
}

impl Gate {
    fn new(name: &str, permits: usize, hangs: fn(&RenderedMessage) -> bool) -> Arc<Self> {
        Arc::new(Self {
            taken: RecordingProvider::new(name),
            permits: Semaphore::new(permits),
            under_way: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            most: AtomicU32::new(0),
            hangs,
        })
    }

    fn route(self: &Arc<Self>) -> Route {
        Route { provider: self.clone(), price_micros: 0 }
    }

    fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::SeqCst)
    }

    fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    fn sent(&self) -> usize {
        self.taken.sent().len()
    }
}

#[async_trait]
impl Provider for Gate {
    fn name(&self) -> &ProviderName {
        self.taken.name()
    }

    fn channels(&self) -> &[Channel] {
        self.taken.channels()
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        if (self.hangs)(message) {
            std::future::pending::<()>().await;
        }
        self.permits.acquire().await.unwrap().forget();
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.taken.deliver(message).await
    }
}

/// A dispatcher at work. Dropping it lets go of what hangs.
struct AtWork {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl AtWork {
    fn of(outbox: &Outbox) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let dispatcher = outbox.dispatcher.clone();
        let task = tokio::spawn(async move {
            dispatcher.run(async { _ = stopped.await }).await;
        });
        Self { stop: Some(stop), task }
    }

    /// Lets it finish what is under way.
    async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until it is so. Fails by hanging for a minute.
async fn until(what: &str, so: impl Fn() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(), "{what}");
}

const NOBODY: fn(&RenderedMessage) -> bool = |_| false;

async fn over(routes: Vec<Route>) -> Outbox {
    let unused = RecordingProvider::new("unused");
    Outbox::over(unused.clone(), unused, Routes::shared(routes)).await
}

/// A batch waited for its slowest message, and four batches for four of them.
///
/// Shows: E1, F7.
#[tokio::test]
async fn e1_a_slot_is_free_for_the_next_message_as_soon_as_its_own_has_ended() {
    let gate = Gate::new("carrier", 0, NOBODY);
    let outbox = over(vec![gate.route()]).await;
    for n in 1..600 {
        outbox.queue(n).await;
    }
    let at_work = AtWork::of(&outbox);
    until("a route's slots fill up", || gate.under_way() == 256).await;
    for done in 1..=20 {
        gate.permits.add_permits(1);
        until("the next one begins", || gate.begun() == 256 + done && gate.under_way() == 256).await;
    }
    gate.permits.add_permits(1_000);
    until("all are sent", || gate.sent() == 600).await;
    assert_eq!(gate.most.load(Ordering::SeqCst), 256, "the bound of a route");
    at_work.stop().await;
    let message = outbox.message().await;
    assert!(matches!(message.state, MessageState::Sent { .. }), "{message:?}");
}

/// Shows: E1, F7.
#[tokio::test]
async fn e1_what_hangs_keeps_nothing_else_from_leaving_or_from_being_recorded() {
    let gate = Gate::new("carrier", 10_000, |message| message.recipient.expose().ends_with('0'));
    let outbox = over(vec![gate.route()]).await;
    let at_work = AtWork::of(&outbox);
    let mut good = Vec::new();
    for n in 1..=500 {
        let queued = outbox.queue(n).await;
        if n % 10 != 0 {
            good.push(queued);
        }
    }
    until("all the good ones leave", || gate.sent() == good.len() + 1).await;
    for queued in &good {
        // Recorded while the others still hang.
        for _ in 0..30_000 {
            if matches!(outbox.message_of(queued).await.state, MessageState::Sent { .. }) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(matches!(outbox.message_of(queued).await.state, MessageState::Sent { .. }));
    }
    assert_eq!(gate.under_way(), 50);
    drop(at_work);
}

/// Shows: F7.
#[tokio::test]
async fn f7_a_tenant_whose_route_hangs_keeps_no_other_waiting() {
    let (hanging, healthy) = (Gate::new("hanging", 0, |_| true), Gate::new("healthy", 10_000, NOBODY));
    let unused = RecordingProvider::new("unused");
    let mut routes = Routes::shared(vec![hanging.route()]);
    let other: TenantId = "other".parse().unwrap();
    routes.set_own(other.clone(), vec![healthy.route()]);
    let outbox = Outbox::over(unused.clone(), unused, routes).await;
    for n in 1..1_000 {
        outbox.queue(n).await;
    }
    let at_work = AtWork::of(&outbox);
    until("the hanging route is full", || hanging.under_way() == 256).await;
    for n in 1..=300 {
        outbox.queue_for(&other, n).await;
    }
    until("all of the other tenant's leave", || healthy.sent() == 300).await;
    assert_eq!((hanging.under_way(), hanging.begun()), (256, 256), "nobody was tried in vain");
    drop(at_work);
}

/// Shows: F7.
#[tokio::test]
async fn f7_a_tenant_takes_no_more_than_its_share_of_all_slots() {
    let gates: Vec<_> = ["a", "b", "c"].map(|name| Gate::new(name, 0, NOBODY)).to_vec();
    let outbox = over(gates.iter().map(Gate::route).collect()).await;
    for n in 1..800 {
        outbox.queue(n).await;
    }
    let at_work = AtWork::of(&outbox);
    let under_way = || gates.iter().map(|gate| gate.under_way()).sum::<u32>();
    until("its slots fill up", || under_way() == 512).await;
    let other: TenantId = "other".parse().unwrap();
    outbox.queue_for(&other, 1).await;
    until("another tenant still has one", || under_way() == 513).await;
    drop(at_work);
}

/// Shows: E1.
#[tokio::test]
async fn e1_a_dispatcher_that_is_stopped_finishes_what_is_under_way() {
    let gate = Gate::new("carrier", 0, NOBODY);
    let outbox = over(vec![gate.route()]).await;
    let at_work = AtWork::of(&outbox);
    until("it is under way", || gate.under_way() == 1).await;
    let stopping = tokio::spawn(at_work.stop());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!stopping.is_finished());
    gate.permits.add_permits(1);
    stopping.await.unwrap();
    assert!(matches!(outbox.message().await.state, MessageState::Sent { .. }));
}
