//! The port to tenants' own endpoints, for calls that end in the tenant's hands.
//!
//! A hook gets what it is meant to act on only after the proof is done. What goes there may hold a
//! secret (a new password), so nothing in here keeps, logs or prints a body.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A key that signs calls to a hook. It never prints and is wiped when dropped.
#[derive(Clone)]
pub struct HookKey(Zeroizing<String>);

impl HookKey {
    /// The key itself. For signing; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookKey(******)")
    }
}

impl<'de> Deserialize<'de> for HookKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// A hook's part of the configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookTarget {
    /// Where it listens.
    pub url: String,
    /// The keys that sign, newest first.
    pub signing_keys: Vec<HookKey>,
    /// Whether the URL may lead into private networks.
    #[serde(default)]
    pub allow_private: bool,
    /// What it is called for, such as `zap.forgot_password`: told to it and signed, so that a call for one hook
    /// is none for another that knows the same key. The dialect's, not the configuration's.
    #[serde(skip)]
    pub call: &'static str,
}

impl HookTarget {
    /// The same, called for this.
    #[must_use]
    pub fn called(&self, call: &'static str) -> Self {
        Self { call, ..self.clone() }
    }
}

/// The URL is left out: its path may hold a token.
impl fmt::Debug for HookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookTarget").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// A hook's part of the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidHook(pub String);

/// A hook did not take what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It answered that it will not do it. Asking again changes nothing.
    #[error("the hook refused")]
    Refused,
    /// It did not answer, or answered that something is wrong at its side.
    #[error("the hook is unavailable")]
    Unavailable,
}

/// A hook that is ready to be called.
#[async_trait]
pub trait ForwardHook: fmt::Debug + Send + Sync + 'static {
    /// Posts a signed JSON body, once. `Ok` means that the hook took it. `id` is equal for every
    /// repetition of the same thing.
    async fn forward(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<(), HookError>;

    /// The same for a hook that has something to say about it. Where only yes and no come through, the
    /// bodies are empty.
    async fn exchange(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<HookReply, HookError> {
        match self.forward(id, body).await {
            Ok(()) => Ok(HookReply::Taken(Zeroizing::default())),
            Err(HookError::Refused) => Ok(HookReply::Refused(Zeroizing::default())),
            Err(HookError::Unavailable) => Err(HookError::Unavailable),
        }
    }
}

/// What a hook said to what it was given. The bodies are not shown: they may name people.
pub enum HookReply {
    /// It took it, and says this.
    Taken(Zeroizing<Vec<u8>>),
    /// It will not do it, and says this. Asking again changes nothing.
    Refused(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for HookReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken(_) => "Taken(******)",
            Self::Refused(_) => "Refused(******)",
        })
    }
}

/// A hook that was asked something gave no answer that can be used: none in time, too long a one, or
/// any other status than 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hook gave no answer")]
pub struct NoAnswer;

/// A hook that is ready to be asked.
#[async_trait]
pub trait LookupHook: fmt::Debug + Send + Sync + 'static {
    /// Posts a signed JSON question, once, and answers all of what came back with status 200. Asking
    /// changes nothing at the other end. Time and size are bounded.
    ///
    /// # Errors
    /// There is no such answer.
    async fn ask(&self, question: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NoAnswer>;
}

/// Makes hooks ready.
pub trait HookClient: fmt::Debug + Send + Sync + 'static {
    /// Makes a configured hook ready. Nothing is resolved or connected yet.
    ///
    /// # Errors
    /// The URL or the keys cannot be used.
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook>;

    /// Makes a configured hook ready to be asked. Nothing is resolved or connected yet. A client
    /// that only forwards need not know how.
    ///
    /// # Errors
    /// The URL or the keys cannot be used.
    fn connect_lookup(&self, _: &HookTarget) -> Result<Arc<dyn LookupHook>, InvalidHook> {
        Err(InvalidHook("this program asks no hooks".into()))
    }
}

/// For installations without an HTTP client: a hook cannot be configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl HookClient for NoHooks {
    fn connect(&self, _: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        Err(InvalidHook("this program has no HTTP client for hooks".into()))
    }
}
