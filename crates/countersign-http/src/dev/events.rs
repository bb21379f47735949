//! `GET /dev/inbox/events`: what the page lives on.
//!
//! Each stream begins with a `snapshot` of everything, so that a page that comes back after a break
//! needs no other call and misses nothing. A message may be in the snapshot and follow as an event;
//! its id tells.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use countersign_core::provider::RenderedMessage;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Interval, interval};

use super::codes::Known;
use super::inbox::Shown;
use super::{DevState, InboxEvent, InboxEvents, SentCode};

#[derive(Serialize)]
struct Time {
    now: String,
    running: bool,
}

#[derive(Serialize)]
struct Snapshot {
    #[serde(flatten)]
    time: Time,
    messages: Vec<Shown>,
}

/// What has become of a message's code.
#[derive(Serialize)]
struct Code {
    id: String,
    #[serde(flatten)]
    now: SentCode,
}

impl DevState {
    fn time(&self) -> Time {
        Time { now: self.dev.clock.now().to_string(), running: self.dev.clock.is_running() }
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).expect("strings and structs serialise");
    Event::default().event(name).data(data)
}

/// How often a page is told what has become of the codes on it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One page's stream.
struct Watcher {
    state: DevState,
    inbox: Box<dyn InboxEvents>,
    known: Known,
    looks: Interval,
    pushes: watch::Receiver<()>,
    closing: watch::Receiver<bool>,
    begun: bool,
}

impl Watcher {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        if !self.begun {
            self.begun = true;
            return Some(self.snapshot().await);
        }
        loop {
            tokio::select! {
                biased; // a message comes before what has become of its code
                // Ends as well when the sender is gone.
                () = async { drop(self.closing.wait_for(|closing| *closing).await) } => return None,
                happened = self.inbox.next() => return Some(match happened? {
                    InboxEvent::Arrived(message) => {
                        self.known.look(&self.state.dev, std::slice::from_ref(&message)).await;
                        event("message", &self.shown(&message))
                    }
                    InboxEvent::Cleared => {
                        self.known.clear();
                        event("cleared", &())
                    }
                    InboxEvent::Missed => self.snapshot().await,
                }),
                pushed = self.pushes.changed() => {
                    return pushed.ok().map(|()| event("clock", &self.state.time()));
                }
                _ = self.looks.tick() => {
                    if let Some(event) = self.codes().await {
                        return Some(event);
                    }
                }
            }
        }
    }

    async fn snapshot(&mut self) -> Event {
        let messages = self.state.dev.inbox.list();
        self.known.look(&self.state.dev, &messages).await;
        let messages = messages.iter().map(|message| self.shown(message)).collect();
        event("snapshot", &Snapshot { time: self.state.time(), messages })
    }

    fn shown(&self, message: &RenderedMessage) -> Shown {
        Shown::new(message, self.state.dev.inbox.provider(), self.known.of(message))
    }

    /// The codes of which something else is known than before.
    async fn codes(&mut self) -> Option<Event> {
        let messages = self.state.dev.inbox.list();
        let changed = self.known.look(&self.state.dev, &messages).await;
        let changed = messages.iter().filter(|message| changed.contains(&message.id));
        let codes: Vec<_> =
            changed.map(|message| Code { id: message.id.to_string(), now: self.known.of(message) }).collect();
        (!codes.is_empty()).then(|| event("codes", &codes))
    }
}

pub(super) async fn stream(
    State(state): State<DevState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Watching begins before the snapshot is taken: nothing falls between the two.
    let watcher = Watcher {
        inbox: state.dev.inbox.watch(),
        known: Known::default(),
        looks: interval(LOOK_EVERY),
        pushes: state.pushes.subscribe(),
        closing: state.dev.closing.clone(),
        state,
        begun: false,
    };
    let events = stream::unfold(watcher, |mut watcher| async {
        watcher.next().await.map(|event| (Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
