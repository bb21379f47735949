//! Doubles of the ports: a clock that is pushed, chance that repeats, a provider that remembers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::entropy::{Entropy, Seed};
use crate::names::{Channel, ProviderName};
use crate::provider::{DeliveryError, Provider, RenderedMessage, Route, Routes, Submitted};
use crate::time::{Clock, Timestamp};

/// A clock that stands until it is pushed forward.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    /// How far the machine's clock is ahead, in milliseconds.
    machine_ahead: AtomicI64,
}

impl ManualClock {
    /// Where the hands stand first: 2026-11-20T08:00:00Z.
    pub const START: Timestamp = Timestamp::from_millis(1_795_161_600_000);

    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.as_millis()), machine_ahead: AtomicI64::new(0) }
    }

    /// Pushes the hands forward; answers the new instant.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let millis = i64::try_from(by.as_millis()).expect("tests do not walk beyond 292 million years");
        Timestamp::from_millis(self.now.fetch_add(millis, Ordering::SeqCst) + millis)
    }

    /// Sets the machine's clock so many milliseconds ahead of this one, or behind it.
    pub fn set_machine_ahead(&self, millis: i64) {
        self.machine_ahead.store(millis, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Self::START)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        let ahead = self.machine_ahead.load(Ordering::SeqCst);
        Timestamp::from_millis(self.now().as_millis() + ahead)
    }
}

/// Chance that repeats: equal seeds give equal draws.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// The `seed`-th sequence of draws.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Entropy for SeededEntropy {
    fn seed(&self) -> Seed {
        let mut seed = [0; 32];
        self.0.lock().expect("a draw does not panic").fill_bytes(&mut seed);
        Seed::new(seed)
    }
}

/// A provider that takes every message and remembers it, or answers what the test told it to.
#[derive(Debug)]
pub struct RecordingProvider {
    name: ProviderName,
    channels: Vec<Channel>,
    taken: Mutex<Vec<RenderedMessage>>,
    answers: Mutex<VecDeque<Result<Submitted, DeliveryError>>>,
}

impl RecordingProvider {
    /// A provider that carries every channel.
    pub fn new(name: &str) -> Arc<Self> {
        Self::carrying(name, &Channel::ALL)
    }

    /// A provider that carries some channels.
    pub fn carrying(name: &str, channels: &[Channel]) -> Arc<Self> {
        Arc::new(Self {
            name: name.parse().expect("the test's provider name"),
            channels: channels.to_vec(),
            taken: Mutex::default(),
            answers: Mutex::default(),
        })
    }

    /// Answers the next call that no earlier answer waits for. Without any, calls succeed.
    pub fn answer_next(&self, answer: Result<Submitted, DeliveryError>) {
        self.answers.lock().expect("no test panics in here").push_back(answer);
    }

    /// Every message that was handed over and not refused, oldest first.
    pub fn sent(&self) -> Vec<RenderedMessage> {
        self.taken.lock().expect("no test panics in here").clone()
    }

    /// The same, and begins anew.
    pub fn take_sent(&self) -> Vec<RenderedMessage> {
        std::mem::take(&mut *self.taken.lock().expect("no test panics in here"))
    }

    /// Routes of every tenant to this provider alone, free of charge.
    pub fn routes(self: &Arc<Self>) -> Routes {
        Routes::shared(vec![self.route(0)])
    }

    /// A route to this provider.
    pub fn route(self: &Arc<Self>, price_micros: u64) -> Route {
        Route { provider: self.clone(), price_micros }
    }
}

#[async_trait]
impl Provider for RecordingProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let answer = self.answers.lock().expect("no test panics in here").pop_front();
        let submitted = answer.unwrap_or_else(|| Ok(Submitted::default()))?;
        self.taken.lock().expect("no test panics in here").push(message.clone());
        Ok(submitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_starts_on_a_round_hour_and_moves_when_pushed() {
        let clock = ManualClock::default();
        assert_eq!(clock.now().to_string(), "2026-11-20T08:00:00Z");
        assert_eq!(clock.advance(Duration::from_millis(5)), clock.now());
        assert_eq!(clock.now().to_string(), "2026-11-20T08:00:00.005Z");
    }

    #[test]
    fn equal_seeds_draw_equal_chances() {
        let (a, b, c) = (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        assert_eq!((a.seed(), a.seed()), (b.seed(), b.seed()));
        assert_ne!(a.seed(), c.seed());
    }
}
