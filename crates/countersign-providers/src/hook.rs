//! A signed POST to a configured URL: what the webhook provider and the dialects' forward hooks are
//! made of.
//!
//! Every call carries two signatures in the header `ZITADEL-Signature: t=<unix seconds>,v1=<hex>,v2=<hex>`,
//! each once per key while keys are being rotated. Receivers allow 300 s of age.
//!
//! - `v1` is ZITADEL's (`pkg/actions/signing.go` of <https://github.com/zitadel/zitadel>, which ignores other
//!   versions): HMAC-SHA-256(signing key, `t` + `.` + raw body). It says nothing about the rest of the call.
//! - `v2` is ours, over all that matters: HMAC-SHA-256(signing key, `v2`, `t`, the call's name, the
//!   `Idempotency-Key` or nothing, and the raw body, with a line feed between them). So nobody who sees a
//!   call can repeat it under another key, or at an endpoint for other calls that knows the same signing key.
//!
//! **Invariants: one call is at most one request; no redirect is followed; at most
//! [`MAX_ANSWER`] bytes of an answer are read; where the call goes is decided by [`egress`](crate::egress).**

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_core::time::Timestamp;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::egress::{AddressRefused, Endpoint, EndpointError, GuardedResolver, Lookup, SystemLookup};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "ZITADEL-Signature";

/// The header by which a receiver recognises a repetition
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
pub const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";

/// The header that says what a call is for: `message`, or the name of a dialect's hook. Signed by `v2`.
pub const CALL_HEADER: &str = "Countersign-Call";

/// The most bytes of an answer that are read; whatever follows is left unread and the connection closed.
pub const MAX_ANSWER: usize = 64 * 1024;

/// Resolving, connecting and the TLS handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The whole call, the answer included. ZITADEL's own client gives up after the same time.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept. Shorter than the 5 s after which common servers (Node.js)
/// close it: a request written just as the peer closes would end as "no answer".
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest `Retry-After` taken at its word.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A key that signs calls. It never prints and is wiped when dropped.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct SigningKey(Zeroizing<String>);

impl SigningKey {
    /// The fewest characters of a key.
    pub const MIN_LEN: usize = 16;

    /// Takes a key.
    ///
    /// # Errors
    /// It is shorter than [`SigningKey::MIN_LEN`] characters: 128 bits are the least that a signature
    /// may stand on.
    pub fn new(key: impl Into<Zeroizing<String>>) -> Result<Self, HookError> {
        let key = key.into();
        if key.chars().count() < Self::MIN_LEN { Err(HookError::ShortKey) } else { Ok(Self(key)) }
    }

    /// The signature of the time and the body.
    fn v1(&self, seconds: i64, body: &[u8]) -> String {
        self.mac(&[seconds.to_string().as_bytes(), b".", body])
    }

    /// The signature of all of a call. None of its parts but the last can hold a line feed.
    fn v2(&self, seconds: i64, call: &str, idempotency_key: &str, body: &[u8]) -> String {
        self.mac(&[format!("v2\n{seconds}\n{call}\n{idempotency_key}\n").as_bytes(), body])
    }

    fn mac(&self, parts: &[&[u8]]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

impl TryFrom<String> for SigningKey {
    type Error = HookError;
    fn try_from(key: String) -> Result<Self, HookError> {
        Self::new(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(******)")
    }
}

/// Why a configured call cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The URL.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Nothing to sign with.
    #[error("signing_keys must hold at least one key")]
    NoKey,
    /// A key that could be guessed.
    #[error("a signing key must have at least {} characters", SigningKey::MIN_LEN)]
    ShortKey,
    /// TLS could not be set up, for example because the machine has no root certificates.
    #[error("the HTTPS client could not be set up: {0}")]
    Client(String),
}

/// A signed call's part of the configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to call: `https://…`, or `http://` on this machine.
    pub url: String,
    /// The keys that sign, newest first. Give two while the receiver changes over from one to the other.
    pub signing_keys: Vec<SigningKey>,
    /// Whether the URL may lead into private networks (RFC 1918, RFC 6598, RFC 4193) and to this
    /// machine under any name.
    #[serde(default)]
    pub allow_private: bool,
    /// What the calls are for, in ASCII letters, digits, `_` and `.`: [`CALL_HEADER`].
    #[serde(skip)]
    pub call: &'static str,
}

/// The URL is left out: its path may hold a token.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// What came back.
pub struct HookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body's first [`MAX_ANSWER`] bytes; what was received of it, if the connection broke.
    pub body: Vec<u8>,
    /// Whether `body` is all of it.
    pub complete: bool,
    /// What `Retry-After` said in seconds, an hour at most. Its date form counts as absent.
    pub retry_after: Option<Duration>,
}

impl HookAnswer {
    /// Whether the receiver said yes.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// The body may repeat what was sent: it is not shown.
impl fmt::Debug for HookAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookAnswer")
            .field("status", &self.status)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// Why there is no answer. The texts hold nothing of the request but the host's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host's name leads to where this call must not go. Nothing was sent.
    #[error("{AddressRefused}")]
    AddressRefused,
    /// No connection: name, network or TLS. Nothing was sent.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// Whether the receiver acted is not known.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// A URL that may be called with signed bodies.
pub struct SignedPost {
    client: reqwest::Client,
    endpoint: Endpoint,
    keys: Vec<SigningKey>,
    call: &'static str,
}

impl SignedPost {
    /// Makes a configured call ready. Nothing is resolved or connected yet.
    ///
    /// # Errors
    /// The URL is none that may be called, there is no key, or TLS cannot be set up.
    ///
    /// # Panics
    /// No rustls crypto provider is installed in this process.
    pub fn new(config: Config) -> Result<Self, HookError> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// The same with another source of addresses.
    ///
    /// # Errors
    /// As for [`SignedPost::new`].
    pub fn with_lookup(config: Config, lookup: Arc<dyn Lookup>) -> Result<Self, HookError> {
        let endpoint = Endpoint::parse(&config.url, config.allow_private)?;
        if config.signing_keys.is_empty() {
            return Err(HookError::NoKey);
        }
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .dns_resolver(GuardedResolver::new(lookup, endpoint.reach()));
        if !endpoint.is_encrypted() {
            // Never used; without this, a machine without root certificates could not call itself.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| HookError::Client(root_cause(&error)))?;
        Ok(Self { client, endpoint, keys: config.signing_keys, call: config.call })
    }

    /// Where it calls.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Signs a JSON body and posts it, once. `now` is what receivers judge the signature's age by;
    /// `idempotency_key` is equal for every repetition of the same request.
    ///
    /// # Errors
    /// There is no answer; [`CallError`] says whether the receiver may have acted nevertheless. Any
    /// status is an answer, redirects and server errors included.
    pub async fn post(
        &self,
        body: Zeroizing<Vec<u8>>,
        idempotency_key: &str,
        now: Timestamp,
    ) -> Result<HookAnswer, CallError> {
        Self::call(self.signed(body, Some(idempotency_key), now)).await
    }

    /// Signs a JSON question and posts it, once. It changes nothing at the other end, so that it has no
    /// key to recognise a repetition by: a receiver that stores answers under such keys would answer from
    /// the past.
    ///
    /// # Errors
    /// As for [`SignedPost::post`].
    pub async fn ask(&self, body: Zeroizing<Vec<u8>>, now: Timestamp) -> Result<HookAnswer, CallError> {
        Self::call(self.signed(body, None, now)).await
    }

    fn signed(
        &self,
        body: Zeroizing<Vec<u8>>,
        idempotency_key: Option<&str>,
        now: Timestamp,
    ) -> RequestBuilder {
        let signature = self.signature(&body, idempotency_key.unwrap_or_default(), now);
        let mut request = self
            .client
            .post(self.endpoint.expose().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .header(CALL_HEADER, self.call);
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_HEADER, key);
        }
        request.body(Bytes::from_owner(body))
    }

    async fn call(request: RequestBuilder) -> Result<HookAnswer, CallError> {
        let mut response = request.send().await.map_err(call_error)?;
        let mut answer = HookAnswer {
            status: response.status().as_u16(),
            body: Vec::new(),
            complete: false,
            retry_after: retry_after(response.headers()),
        };
        // The status is the answer; a body that breaks off or never ends does not take it back.
        while let Ok(chunk) = response.chunk().await {
            let Some(chunk) = chunk else {
                answer.complete = true;
                break;
            };
            let room = MAX_ANSWER - answer.body.len();
            answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                break;
            }
        }
        Ok(answer)
    }

    fn signature(&self, body: &[u8], idempotency_key: &str, now: Timestamp) -> String {
        let seconds = now.as_millis().div_euclid(1000);
        let first = self.keys.iter().map(|key| format!(",v1={}", key.v1(seconds, body)));
        let second =
            self.keys.iter().map(|key| format!(",v2={}", key.v2(seconds, self.call, idempotency_key, body)));
        first.chain(second).fold(format!("t={seconds}"), |header, signature| header + &signature)
    }
}

impl fmt::Debug for SignedPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedPost")
            .field("endpoint", &self.endpoint)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // Digits that do not fit are simply very long.
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)).min(MAX_RETRY_AFTER))
}

fn call_error(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    if AddressRefused::caused(&error) {
        CallError::AddressRefused
    } else if error.is_connect() || error.is_builder() {
        CallError::NotSent(root_cause(&error))
    } else if error.is_timeout() {
        CallError::NoAnswer(format!("none within {} s", TOTAL_TIMEOUT.as_secs()))
    } else {
        // Anything that is not certainly "before the first byte" may have been received.
        CallError::NoAnswer(root_cause(&error))
    }
}

/// The innermost error's text: what happened, without the layers that say where.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
