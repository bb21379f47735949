//! The dev provider: keeps the last messages in memory and shows them instead of sending them.
//!
//! **Invariants: nothing is contacted, and nothing is written to disk — the codes are in clear.** The
//! oldest message makes room for the newest.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use countersign_core::ids::MessageId;
use countersign_core::names::{Channel, ProviderName};
use countersign_core::provider::{DeliveryError, Provider, RenderedMessage, Submitted};
use tokio::sync::broadcast;

/// How many messages are kept.
pub const CAPACITY: usize = 1_000;

/// How many events a slow watcher may fall behind before it is told that it missed some.
const BACKLOG: usize = 256;

/// What watchers of the inbox learn.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrived.
    Arrived(Arc<RenderedMessage>),
    /// Somebody emptied the inbox.
    Cleared,
    /// The watcher was too slow: it has to list the inbox again.
    Missed,
}

#[derive(Default)]
struct Messages {
    /// Newest first.
    list: VecDeque<Arc<RenderedMessage>>,
    /// Whose they are, to find a repeated one without looking at all.
    ids: HashSet<MessageId>,
}

/// The messages of a development service.
pub struct Inbox {
    name: ProviderName,
    /// A standard mutex: it is held for a few pointer moves and never across an await.
    messages: Mutex<Messages>,
    events: broadcast::Sender<Event>,
}

impl Inbox {
    /// An empty inbox.
    pub fn new(name: ProviderName) -> Self {
        Self { name, messages: Mutex::default(), events: broadcast::Sender::new(BACKLOG) }
    }

    /// All messages, newest first.
    pub fn list(&self) -> Vec<Arc<RenderedMessage>> {
        self.lock().list.iter().cloned().collect()
    }

    /// Forgets all messages.
    pub fn clear(&self) {
        let mut messages = self.lock();
        *messages = Messages::default();
        self.announce(Event::Cleared);
    }

    /// Everything that happens from now on.
    pub fn watch(&self) -> Watch {
        Watch(self.events.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        // No panic can leave the list half changed.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called under the lock, so that watchers see events in the order of the list's changes.
    fn announce(&self, event: Event) {
        let _nobody_is_watching = self.events.send(event);
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("messages", &self.lock().list.len()).finish_non_exhaustive()
    }
}

/// A watcher's end.
#[derive(Debug)]
pub struct Watch(broadcast::Receiver<Event>);

impl Watch {
    /// Waits for the next event; `None` once the inbox is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[async_trait]
impl Provider for Inbox {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn channels(&self) -> &[Channel] {
        &Channel::ALL
    }

    /// Keeps the message. A repeated submission of a message that is there is accepted once more and
    /// not shown twice.
    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let mut messages = self.lock();
        if messages.ids.insert(message.id) {
            let message = Arc::new(message.clone());
            messages.list.push_front(Arc::clone(&message));
            if messages.list.len() > CAPACITY
                && let Some(oldest) = messages.list.pop_back()
            {
                messages.ids.remove(&oldest.id);
            }
            self.announce(Event::Arrived(message));
        }
        Ok(Submitted::default())
    }
}

#[cfg(test)]
mod tests;
