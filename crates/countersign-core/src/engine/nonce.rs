//! What must be presented once only.

use crate::names::TenantId;
use crate::time::Timestamp;

/// How long a nonce is kept, which decides what it is counted with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NonceKind {
    /// The request says when it was signed: minutes later it is too old to come again.
    Dated,
    /// It does not, so that its nonce is kept for long. Counted apart: few such requests could otherwise
    /// take the place of all others.
    Undated,
}

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
    /// What it is counted with.
    pub kind: NonceKind,
    /// How many nonces of the tenant and kind may be kept.
    pub budget: u32,
    /// Whether it is kept if it is fresh. A request that changes nothing need not be remembered.
    pub keep: bool,
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
    /// What it is counted with.
    pub kind: NonceKind,
}

impl StoredNonce {
    /// What is kept when a command comes to [`NonceOutcome::Fresh`].
    pub const fn new(command: &NonceCommand) -> Self {
        Self { request: command.request, keep_until: command.keep_until, kind: command.kind }
    }

    /// Whether it has run out at `now`. It may be forgotten then, and counts until it is.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.keep_until < now
    }
}

/// Decides about a nonce, given what is stored under its key and how many rows of the tenant and its kind
/// there are. On [`NonceOutcome::Fresh`] the engine writes [`StoredNonce::new`] over what stood there, if
/// the command says to keep it.
pub fn spend(stored: Option<&StoredNonce>, rows: u32, command: &NonceCommand) -> NonceOutcome {
    if let Some(live) = stored.filter(|stored| !stored.is_over(command.now)) {
        return NonceOutcome::Seen { same_request: live.request == command.request };
    }
    if StoredNonce::new(command).is_over(command.now) {
        return NonceOutcome::Over;
    }
    // What has run out makes room for its successor.
    let makes_room = stored.is_some_and(|stored| stored.kind == command.kind);
    if command.keep && !makes_room && rows >= command.budget {
        return NonceOutcome::Full;
    }
    NonceOutcome::Fresh
}
