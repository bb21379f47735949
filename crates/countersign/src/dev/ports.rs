//! The dev endpoints' ports, over the inbox provider, the clock and the samples.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::names::ProviderName;
use countersign_core::provider::{Provider, RenderedMessage};
use countersign_core::time::{Clock as _, Timestamp};
use countersign_http::dev::{DevClock, Inbox, InboxEvent, InboxEvents, Sample, Samples};
use countersign_providers::inbox;

use super::samples::{Moment, commands};
use crate::clock::PushableClock;
use crate::entropy::OsEntropy;

/// The inbox provider's messages.
#[derive(Debug)]
pub struct InboxView(pub Arc<inbox::Inbox>);

impl Inbox for InboxView {
    fn provider(&self) -> &ProviderName {
        self.0.name()
    }

    fn list(&self) -> Vec<Arc<RenderedMessage>> {
        self.0.list()
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn watch(&self) -> Box<dyn InboxEvents> {
        Box::new(Watch(self.0.watch()))
    }
}

struct Watch(inbox::Watch);

#[async_trait]
impl InboxEvents for Watch {
    async fn next(&mut self) -> Option<InboxEvent> {
        Some(match self.0.next().await? {
            inbox::Event::Arrived(message) => InboxEvent::Arrived(message),
            inbox::Event::Cleared => InboxEvent::Cleared,
            inbox::Event::Missed => InboxEvent::Missed,
        })
    }
}

impl DevClock for PushableClock {
    fn advance(&self, by: Duration) -> Timestamp {
        Self::advance(self, by)
    }

    fn is_running(&self) -> bool {
        Self::is_running(self)
    }
}

/// The commands, for a service at this address, at the time of its clock.
pub struct ShownSamples {
    /// Where it listens.
    pub address: SocketAddr,
    /// What time it is there.
    pub clock: Arc<PushableClock>,
}

impl std::fmt::Debug for ShownSamples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownSamples").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Samples for ShownSamples {
    fn draw(&self) -> Vec<Sample> {
        let sample = |command: super::Command| Sample {
            name: command.api.to_owned(),
            title: command.title.to_owned(),
            curl: command.curl,
        };
        let moment = Moment::new(self.clock.now(), &OsEntropy);
        commands(self.address, &moment).into_iter().map(sample).collect()
    }
}
