//! Hands messages to a receiver of your own: a signed JSON POST.
//!
//! Body and signature are those of ZITADEL's HTTP notification provider, so that a receiver written for
//! it works unchanged (see `wire.rs` and [`hook`] for the sources). `Idempotency-Key` is
//! the message's id: equal whenever the same message is submitted again. Any 2xx means accepted; the
//! table of the other answers stands at `error.rs`'s `parse_error`.

mod config;
mod error;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::names::{Channel, ProviderName};
use countersign_core::provider::{DeliveryError, Provider, RenderedMessage, Submitted};

pub use config::Config;

use crate::egress::{Lookup, SystemLookup};
use crate::hook::{self, HookError, SignedPost};

/// The name of these calls: see [`hook::CALL_HEADER`].
const CALL: &str = "message";

/// A receiver of your own.
pub struct Webhook {
    name: ProviderName,
    description: String,
    channels: Vec<Channel>,
    post: SignedPost,
}

impl Webhook {
    /// Makes a configured receiver ready. Nothing is connected yet.
    ///
    /// # Errors
    /// The URL is none that may be called, there is no key, or TLS cannot be set up.
    pub fn new(name: ProviderName, config: Config) -> Result<Self, HookError> {
        Self::with_lookup(name, config, Arc::new(SystemLookup))
    }

    fn with_lookup(name: ProviderName, config: Config, lookup: Arc<dyn Lookup>) -> Result<Self, HookError> {
        let Config { url, signing_keys, channels, description, allow_private } = config;
        let post =
            SignedPost::with_lookup(hook::Config { url, signing_keys, allow_private, call: CALL }, lookup)?;
        Ok(Self { name, description, channels, post })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).field("post", &self.post).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Webhook {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    async fn deliver(&self, message: &RenderedMessage) -> Result<Submitted, DeliveryError> {
        let body = wire::Notification::new(self.name.as_str(), &self.description, message).to_json();
        let answer = self.post.post(body, &message.id.to_string(), message.now).await;
        let answer = answer.map_err(|error| error::parse_call_error(&error))?;
        if answer.is_success() {
            Ok(Submitted { reference: wire::reference(&answer.body) })
        } else {
            Err(error::parse_error(&answer))
        }
    }
}
