//! `GET /dev/inbox/events`: what the page lives on.
//!
//! Each stream begins with a `snapshot` of everything, so that a page that comes back after a break
//! needs no other call and misses nothing. A message may be in the snapshot and follow as an event;
//! its id tells.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use countersign_core::provider::RenderedMessage;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::watch;

use super::inbox::Shown;
use super::{DevState, InboxEvent, InboxEvents};

/// A message as the page needs it: what everybody gets, and what its card shows beside.
#[derive(Serialize)]
struct Card<'a> {
    #[serde(flatten)]
    shown: Shown,
    purpose: &'a str,
    subject: Option<&'a str>,
    expires_at: String,
}

#[derive(Serialize)]
struct Time {
    now: String,
    running: bool,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    #[serde(flatten)]
    time: Time,
    messages: Vec<Card<'a>>,
}

impl DevState {
    fn card<'a>(&self, message: &'a RenderedMessage) -> Card<'a> {
        Card {
            shown: Shown::new(message, self.dev.inbox.provider()),
            purpose: message.purpose.as_str(),
            subject: message.subject.as_deref(),
            expires_at: message.expires_at.to_string(),
        }
    }

    fn time(&self) -> Time {
        Time { now: self.dev.clock.now().to_string(), running: self.dev.clock.is_running() }
    }

    fn snapshot(&self) -> Event {
        let messages = self.dev.inbox.list();
        let messages = messages.iter().map(|message| self.card(message)).collect();
        event("snapshot", &Snapshot { time: self.time(), messages })
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).expect("strings and structs serialise");
    Event::default().event(name).data(data)
}

/// One page's stream.
struct Watcher {
    state: DevState,
    inbox: Box<dyn InboxEvents>,
    pushes: watch::Receiver<()>,
    closing: watch::Receiver<bool>,
    begun: bool,
}

impl Watcher {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        if !self.begun {
            self.begun = true;
            return Some(self.state.snapshot());
        }
        tokio::select! {
            // Ends as well when the sender is gone.
            _ = self.closing.wait_for(|closing| *closing) => None,
            happened = self.inbox.next() => Some(match happened? {
                InboxEvent::Arrived(message) => event("message", &self.state.card(&message)),
                InboxEvent::Cleared => event("cleared", &()),
                InboxEvent::Missed => self.state.snapshot(),
            }),
            pushed = self.pushes.changed() => pushed.ok().map(|()| event("clock", &self.state.time())),
        }
    }
}

pub(super) async fn stream(
    State(state): State<DevState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Watching begins before the snapshot is taken: nothing falls between the two.
    let watcher = Watcher {
        inbox: state.dev.inbox.watch(),
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
