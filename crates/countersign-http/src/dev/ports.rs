//! What the dev endpoints need of the program around them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::names::ProviderName;
use countersign_core::provider::RenderedMessage;
use countersign_core::time::{Clock, Timestamp};
use serde::Serialize;

/// The messages that were shown instead of sent.
pub trait Inbox: Send + Sync + 'static {
    /// The name of the provider that collects them.
    fn provider(&self) -> &ProviderName;

    /// All of them, newest first.
    fn list(&self) -> Vec<Arc<RenderedMessage>>;

    /// Forgets all of them.
    fn clear(&self);

    /// Everything that happens from now on.
    fn watch(&self) -> Box<dyn InboxEvents>;
}

/// A watcher's end of an [`Inbox`].
#[async_trait]
pub trait InboxEvents: Send + 'static {
    /// Waits for the next event; `None` once there can be no more.
    async fn next(&mut self) -> Option<InboxEvent>;
}

/// What happened to an [`Inbox`].
#[derive(Clone, Debug)]
pub enum InboxEvent {
    /// A message arrived.
    Arrived(Arc<RenderedMessage>),
    /// It was emptied.
    Cleared,
    /// The watcher was too slow: it has to list again.
    Missed,
}

/// What has become of a message's code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeState {
    /// It was sent, and is good.
    Sent,
    /// It was used, or the verification was approved by another one.
    Used,
    /// A later message to the same address has another one.
    Replaced,
    /// Its verification was given up.
    Canceled,
    /// Its verification has had all its guesses.
    Exhausted,
    /// Its time is over.
    Expired,
}

/// A code that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SentCode {
    /// What has become of it.
    pub state: CodeState,
    /// How many guesses its verification has left.
    pub guesses_left: u8,
}

/// Knows what has become of the codes that were sent.
#[async_trait]
pub trait SentCodes: Send + Sync + 'static {
    /// As its verification stands now; `None` if that is gone. [`CodeState::Replaced`] is not its to say.
    async fn of(&self, message: &RenderedMessage) -> Option<SentCode>;
}

/// A service's clock that can be pushed.
pub trait DevClock: Clock {
    /// Moves it forward; answers what it then shows.
    fn advance(&self, by: Duration) -> Timestamp;

    /// Whether it moves by itself; `false` stands still until it is pushed.
    fn is_running(&self) -> bool;
}

/// One command that can be run as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sample {
    /// The wire API's name, e.g. `zap`.
    pub name: String,
    /// What that API is, in a sentence; the same for all of its samples.
    pub about: String,
    /// What it does, in a few words.
    pub title: String,
    /// The command, with the address of this service in it.
    pub curl: String,
}

/// The [`Sample`]s of all wire APIs, those of one API next to each other.
pub trait Samples: Send + Sync + 'static {
    /// Draws them afresh: signed ones carry the time and a number used once. The first one is what an
    /// empty inbox shows.
    fn draw(&self) -> Vec<Sample>;
}
