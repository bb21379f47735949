//! The work in hand: claims, deliveries and reports, all under way at the same time.
//!
//! Everything is one set of futures, so that nothing waits for anything else: a delivery goes on while
//! messages are claimed, and what has ended is recorded while others are still out. At most one claim and
//! one record are under way, and take along what came up meanwhile: that is how they become few under load.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::delivery::report;
use super::{Dispatcher, StepReport};
use crate::engine::StorageError;
use crate::outbox::{ClaimCommand, DeliveryReport, DeliveryResult, Message, Slots};

/// How long a message that comes due by time alone (a retry, an orphaned lease, an open breaker's probe)
/// may wait, and how long the store is left alone after a failure.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a message waits that found no way after all.
const NO_WAY: Duration = Duration::from_secs(1);

/// Something ended.
pub(super) enum Event {
    Claimed {
        slots: Slots,
        claimed: Result<Vec<Message>, StorageError>,
    },
    Delivered(DeliveryReport),
    Recorded {
        reports: Vec<DeliveryReport>,
        recorded: Result<(), StorageError>,
    },
    /// Messages may be due.
    Due,
}

/// The work in hand.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Work<'a> {
    dispatcher: &'a Dispatcher,
    events: FuturesUnordered<BoxFuture<'a, Event>>,
    /// What ended and is not recorded yet.
    owed: Vec<DeliveryReport>,
    out: usize,
    claiming: bool,
    recording: bool,
    /// The store failed: it is left alone for a while.
    held: bool,
    /// Something will come up by time alone, also when nothing is out any more.
    watching: bool,
    /// Messages may be due that nobody has looked for.
    look: bool,
    /// The last claim met a bound, so that the next free slot is a reason to look.
    tight: bool,
    done: StepReport,
    failure: Option<StorageError>,
}

impl<'a> Work<'a> {
    pub(super) fn new(dispatcher: &'a Dispatcher) -> Self {
        Self {
            dispatcher,
            events: FuturesUnordered::new(),
            owed: Vec::new(),
            out: 0,
            claiming: false,
            recording: false,
            held: false,
            watching: false,
            look: true,
            tight: false,
            done: StepReport::default(),
            failure: None,
        }
    }

    /// The next thing that ends, and all else that has ended by then; `false` when nothing is under way.
    pub(super) async fn advance(&mut self) -> bool {
        let Some(event) = self.events.next().await else { return false };
        self.take(event);
        while let Some(Some(event)) = self.events.next().now_or_never() {
            self.take(event);
        }
        true
    }

    /// Whether everything that was begun has ended and is recorded.
    pub(super) fn is_done(&self) -> bool {
        self.out == 0 && !self.claiming && !self.recording && self.owed.is_empty()
    }

    /// Watches for messages to come due, from now on.
    pub(super) fn watch(&mut self) {
        self.watching = true;
        let engine = &self.dispatcher.engine;
        let due = async {
            engine.messages_queued(LOOK_AGAIN).await;
            Event::Due
        };
        self.events.push(due.boxed());
    }

    /// Claims messages, if any may be due and there is room for them.
    pub(super) fn claim(&mut self) {
        if self.claiming || self.held || !self.look {
            return;
        }
        let Dispatcher { engine, clock, shared, pace, .. } = self.dispatcher;
        let now = clock.now();
        let (slots, after) = {
            let mut traffic = shared.lock();
            (traffic.slots(now), traffic.after())
        };
        self.look = false;
        self.tight = slots.is_tight();
        if slots.free() == 0 {
            return;
        }
        self.claiming = true;
        let command = ClaimCommand { slots: slots.clone(), after, lease: pace.lease, now };
        let claim = async move { Event::Claimed { slots, claimed: engine.claim_messages(command).await } };
        self.events.push(claim.boxed());
    }

    /// Records what has ended.
    pub(super) fn record(&mut self) {
        if self.recording || self.held || self.owed.is_empty() {
            return;
        }
        self.recording = true;
        let Dispatcher { engine, clock, .. } = self.dispatcher;
        let (reports, now) = (std::mem::take(&mut self.owed), clock.now());
        let record = async move {
            let recorded = engine.record_deliveries(reports.clone(), now).await;
            Event::Recorded { reports, recorded }
        };
        self.events.push(record.boxed());
    }

    /// What was done, once nothing is under way any more.
    pub(super) async fn finish(mut self) -> Result<StepReport, StorageError> {
        if !self.owed.is_empty() {
            let (reports, now) = (std::mem::take(&mut self.owed), self.dispatcher.clock.now());
            self.dispatcher.engine.record_deliveries(reports.clone(), now).await?;
            self.count(&reports);
        }
        match self.failure {
            Some(error) if self.done.claimed == 0 => Err(error),
            _ => Ok(self.done),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Claimed { slots, claimed } => {
                self.claiming = false;
                match claimed {
                    Ok(messages) => self.send(messages, slots),
                    Err(error) => self.hold("messages cannot be taken from the outbox", error),
                }
            }
            Event::Delivered(report) => {
                self.out -= 1;
                self.look |= self.tight;
                self.held &= self.watching;
                self.owed.push(report);
            }
            Event::Recorded { reports, recorded } => {
                self.recording = false;
                match recorded {
                    Ok(()) => self.count(&reports),
                    Err(error) => {
                        // A result that is never written down is a message sent twice.
                        self.owed.splice(..0, reports);
                        self.hold("results of deliveries are written down late", error);
                    }
                }
            }
            Event::Due => {
                self.held = false;
                self.look = true;
                self.watch();
            }
        }
    }

    /// Sends claimed messages on their ways.
    fn send(&mut self, messages: Vec<Message>, mut slots: Slots) {
        let (dispatcher, bound) = (self.dispatcher, slots.free() as usize);
        self.look |= messages.len() >= bound;
        self.done.claimed += u32::try_from(messages.len()).unwrap_or(u32::MAX);
        for message in messages {
            // The engine asked the same copy in the same order, so that there is a way.
            let Some(way) = slots.take(&message) else {
                let result = DeliveryResult::Failed { provider: None, submitted: false, retry_after: NO_WAY };
                self.owed.push(report(&message, result));
                continue;
            };
            let place = dispatcher.shared.begin(&message.tenant, &way);
            let delivery = async move { Event::Delivered(dispatcher.hand_over(message, way, place).await) };
            self.events.push(delivery.boxed());
            self.out += 1;
        }
        self.tight |= slots.is_tight();
    }

    fn count(&mut self, reports: &[DeliveryReport]) {
        for report in reports {
            match report.result {
                DeliveryResult::Accepted { .. } => self.done.sent += 1,
                DeliveryResult::Failed { .. } => self.done.retrying += 1,
                DeliveryResult::GivenUp { .. } => self.done.abandoned += 1,
            }
        }
    }

    fn hold(&mut self, what: &'static str, error: StorageError) {
        tracing::error!(%error, "{what}");
        self.held = true;
        self.look = true;
        self.failure = Some(error);
    }
}
