//! The dev endpoints' ports, over the inbox provider, the clock and the samples.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::entropy::Entropy;
use countersign_core::names::ProviderName;
use countersign_core::provider::{Provider, RenderedMessage};
use countersign_core::tenant::Tenants;
use countersign_core::time::{Clock, Timestamp};
use countersign_core::verification::Status;
use countersign_core::verifications::Verifications;
use countersign_http::dev::{
    CodeState, DevClock, Inbox, InboxEvent, InboxEvents, Sample, Samples, SentCode, SentCodes,
};
use countersign_providers::inbox;

use super::samples::{Moment, commands};
use crate::clock::PushableClock;

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

/// The verifications behind the messages.
pub struct CodesView {
    /// Who knows them.
    pub verifications: Verifications,
    /// Whose they are.
    pub tenants: Arc<Tenants>,
    /// By which their times are over.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl SentCodes for CodesView {
    async fn of(&self, message: &RenderedMessage) -> Option<SentCode> {
        let tenant = self.tenants.get(&message.tenant)?;
        let record = self.verifications.get(tenant, message.verification).await.ok()??;
        let (verification, now) = (record.verification, self.clock.now());
        let state = match verification.status_at(now) {
            Status::Pending if now >= message.expires_at => CodeState::Expired,
            Status::Pending => CodeState::Sent,
            Status::Approved => CodeState::Used,
            Status::Canceled => CodeState::Canceled,
            Status::Expired => CodeState::Expired,
            Status::Exhausted => CodeState::Exhausted,
        };
        let guesses_left = verification.terms.max_checks.saturating_sub(verification.checks_used);
        Some(SentCode { state, guesses_left })
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

/// The commands for a service.
pub struct ShownSamples {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its clock, which it compares signed times with.
    pub clock: Arc<dyn Clock>,
    /// Where what is used once comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl ShownSamples {
    /// What commands drawn now are drawn with.
    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), seed: self.entropy.seed() }
    }
}

impl Samples for ShownSamples {
    fn draw(&self) -> Vec<Sample> {
        let sample = |command: super::Command| Sample {
            name: command.api.to_owned(),
            about: command.about.to_owned(),
            title: command.title.to_owned(),
            curl: command.curl,
        };
        commands(self.address, &self.moment()).into_iter().map(sample).collect()
    }
}
