//! What must be presented once only.

use crate::names::TenantId;
use crate::time::Timestamp;

/// Spends a nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NonceCommand {
    /// Whose nonces: each tenant has a space of its own.
    pub tenant: TenantId,
    /// Stands for the nonce.
    pub key: [u8; 16],
    /// Stands for all of the request that carries it.
    pub request: [u8; 16],
    /// The last instant at which the request would be taken if it came again; this one included.
    pub keep_until: Timestamp,
    /// How many nonces of the tenant may be kept.
    pub budget: u32,
    /// When.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NonceOutcome {
    /// It was not seen before, and is from now on.
    Fresh,
    /// It was seen before.
    Seen {
        /// Whether it came with the same request.
        same_request: bool,
    },
    /// Its time was over already: kept by nobody, it could be spent again and again.
    Over,
    /// As many as may be are kept. None gives way to another: what is forgotten could be repeated.
    Full,
}

/// A nonce as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredNonce {
    /// The request that came with it.
    pub request: [u8; 16],
    /// The last instant at which it is kept.
    pub keep_until: Timestamp,
}

impl StoredNonce {
    /// What is kept when a command comes to [`NonceOutcome::Fresh`].
    pub const fn new(command: &NonceCommand) -> Self {
        Self { request: command.request, keep_until: command.keep_until }
    }

    /// Whether it has run out at `now`. It may be forgotten then, and counts until it is.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.keep_until < now
    }
}

/// Decides about a nonce, given what is stored under its key and how many rows of the tenant there
/// are. On [`NonceOutcome::Fresh`] the engine writes [`StoredNonce::new`], over what stood there.
pub fn spend(stored: Option<&StoredNonce>, rows: u32, command: &NonceCommand) -> NonceOutcome {
    if let Some(live) = stored.filter(|stored| !stored.is_over(command.now)) {
        return NonceOutcome::Seen { same_request: live.request == command.request };
    }
    if StoredNonce::new(command).is_over(command.now) {
        return NonceOutcome::Over;
    }
    // What has run out makes room for its successor.
    if stored.is_none() && rows >= command.budget {
        return NonceOutcome::Full;
    }
    NonceOutcome::Fresh
}
