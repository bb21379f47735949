//! The wire APIs' port to tenants' own endpoints, over the providers' signed call.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::time::Clock;
use countersign_http::hooks::{ForwardHook, HookClient, HookError, HookTarget, InvalidHook};
use countersign_providers::hook::{self, SignedPost, SigningKey};
use zeroize::Zeroizing;

/// Makes hooks ready.
pub struct SignedHooks {
    clock: Arc<dyn Clock>,
}

impl SignedHooks {
    /// Hooks whose signatures are dated by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl fmt::Debug for SignedHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHooks").finish_non_exhaustive()
    }
}

impl HookClient for SignedHooks {
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        let wrong = |error: hook::HookError| InvalidHook(error.to_string());
        let keys = target.signing_keys.iter().map(|key| SigningKey::new(key.expose().to_owned()));
        let config = hook::Config {
            url: target.url.clone(),
            signing_keys: keys.collect::<Result<_, _>>().map_err(wrong)?,
            allow_private: target.allow_private,
        };
        let post = SignedPost::new(config).map_err(wrong)?;
        Ok(Arc::new(SignedHook { post, clock: Arc::clone(&self.clock) }))
    }
}

/// A hook that is ready.
struct SignedHook {
    post: SignedPost,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SignedHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHook").finish_non_exhaustive()
    }
}

#[async_trait]
impl ForwardHook for SignedHook {
    async fn forward(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<(), HookError> {
        match self.post.post(body, id, self.clock.now()).await {
            Ok(answer) if answer.is_success() => Ok(()),
            // It understood and said no. Anything else may be better at another time.
            Ok(answer) if (400..500).contains(&answer.status) && !matches!(answer.status, 408 | 429) => {
                Err(HookError::Refused)
            }
            Ok(answer) => {
                tracing::warn!(status = answer.status, "a tenant's hook does not work");
                Err(HookError::Unavailable)
            }
            Err(error) => {
                tracing::warn!(%error, "a tenant's hook cannot be reached");
                Err(HookError::Unavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use countersign_core::testkit::ManualClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A hook whose endpoint answers one call with this status, and what it was sent.
    async fn forwarded(status: &str) -> (Result<(), HookError>, String) {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let endpoint = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = hook(endpoint.local_addr().unwrap().port()).unwrap();
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let serve = async {
            let (mut stream, _) = endpoint.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(br#"{"a":1}"#) {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the body did not come");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        tokio::join!(hook.forward("id-1", br#"{"a":1}"#.to_vec().into()), serve)
    }

    fn hook(port: u16) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        let target = format!("url = 'http://127.0.0.1:{port}/'\nsigning_keys = ['0123456789abcdef']");
        SignedHooks::new(Arc::new(ManualClock::default())).connect(&toml::from_str(&target).unwrap())
    }

    #[tokio::test]
    async fn a_hook_that_says_no_is_told_apart_from_one_that_does_not_work() {
        for (status, expected) in [
            ("204", Ok(())),
            ("400", Err(HookError::Refused)),
            ("422", Err(HookError::Refused)),
            ("408", Err(HookError::Unavailable)),
            ("429", Err(HookError::Unavailable)),
            ("302", Err(HookError::Unavailable)),
            ("500", Err(HookError::Unavailable)),
        ] {
            let (result, request) = forwarded(status).await;
            assert_eq!(result, expected, "{status}");
            let head = request.to_ascii_lowercase();
            assert!(
                head.contains("zitadel-signature: t=1795161600,v1=")
                    && head.contains("idempotency-key: id-1")
            );
        }
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_a_hook_that_does_not_work() {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let result = hook(port).unwrap().forward("id-1", b"{}".to_vec().into()).await;
        assert_eq!(result, Err(HookError::Unavailable));
    }

    #[test]
    fn a_hook_that_could_not_be_called_is_refused_with_the_configuration() {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let target = "url = 'https://a.example/'\nsigning_keys = ['short']";
        let hooks = SignedHooks::new(Arc::new(ManualClock::default()));
        let error = hooks.connect(&toml::from_str(target).unwrap()).err().unwrap().to_string();
        assert!(error.contains("at least 16") && !error.contains("short"), "{error}");
    }
}
