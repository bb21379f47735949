//! The wire APIs' port to tenants' own endpoints, over the providers' signed call.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::time::Clock;
use countersign_http::hooks::{
    ForwardHook, HookClient, HookError, HookReply, HookTarget, InvalidHook, LookupHook, NoAnswer,
};
use countersign_providers::hook::{self, HookAnswer, SignedPost, SigningKey};
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

impl SignedHooks {
    fn ready(&self, target: &HookTarget) -> Result<SignedHook, InvalidHook> {
        let wrong = |error: hook::HookError| InvalidHook(error.to_string());
        let keys = target.signing_keys.iter().map(|key| SigningKey::new(key.expose().to_owned()));
        let config = hook::Config {
            url: target.url.clone(),
            signing_keys: keys.collect::<Result<_, _>>().map_err(wrong)?,
            allow_private: target.allow_private,
            call: target.call,
        };
        let post = SignedPost::new(config).map_err(wrong)?;
        Ok(SignedHook { post, clock: Arc::clone(&self.clock) })
    }
}

impl HookClient for SignedHooks {
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        Ok(Arc::new(self.ready(target)?))
    }

    fn connect_lookup(&self, target: &HookTarget) -> Result<Arc<dyn LookupHook>, InvalidHook> {
        Ok(Arc::new(self.ready(target)?))
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
        match self.exchange(id, body).await? {
            HookReply::Taken(_) => Ok(()),
            HookReply::Refused(_) => Err(HookError::Refused),
        }
    }

    async fn exchange(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<HookReply, HookError> {
        match self.post.post(body, id, self.clock.wall()).await {
            Ok(answer) if answer.is_success() => Ok(HookReply::Taken(answer.body.into())),
            // It understood and said no. Anything else may be better at another time.
            Ok(answer) if (400..500).contains(&answer.status) && !matches!(answer.status, 408 | 429) => {
                Ok(HookReply::Refused(answer.body.into()))
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

#[async_trait]
impl LookupHook for SignedHook {
    async fn ask(&self, question: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        match self.post.ask(question, self.clock.wall()).await {
            Ok(answer) if answer.status == 200 && answer.complete => Ok(Zeroizing::new(answer.body)),
            Ok(answer) => {
                let HookAnswer { status, complete, .. } = answer;
                tracing::warn!(status, complete, "a tenant's hook does not work");
                Err(NoAnswer)
            }
            Err(error) => {
                tracing::warn!(%error, "a tenant's hook cannot be reached");
                Err(NoAnswer)
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

    /// What asking an endpoint comes to that answers one call with these bytes and is gone.
    async fn asked(answer: String) -> Result<String, NoAnswer> {
        let endpoint = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = hook(endpoint.local_addr().unwrap().port()).unwrap();
        let serve = async {
            let (mut stream, _) = endpoint.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(br#"{"q":1}"#) {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the question did not come");
            }
            // Who has read enough hangs up before everything is written.
            let _written = stream.write_all(answer.as_bytes()).await;
        };
        let (answer, ()) = tokio::join!(hook.ask(br#"{"q":1}"#.to_vec().into()), serve);
        answer.map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    fn hook(port: u16) -> Result<SignedHook, InvalidHook> {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let target = format!("url = 'http://127.0.0.1:{port}/'\nsigning_keys = ['0123456789abcdef']");
        SignedHooks::new(Arc::new(ManualClock::default())).ready(&toml::from_str(&target).unwrap())
    }

    #[tokio::test]
    async fn only_a_whole_answer_with_status_200_is_one() {
        let whole = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        };
        assert_eq!(asked(whole("200", "{}")).await.as_deref(), Ok("{}"));
        for status in ["201", "204", "302", "400", "404", "500"] {
            assert_eq!(asked(whole(status, "{}")).await, Err(NoAnswer), "{status}");
        }
        let cut = whole("200", "{}").replace("Content-Length: 2", "Content-Length: 3");
        assert_eq!(asked(cut).await, Err(NoAnswer), "an answer that breaks off");
        let long = " ".repeat(hook::MAX_ANSWER + 1);
        assert_eq!(asked(whole("200", &long)).await, Err(NoAnswer), "an answer without end");
        assert_eq!(asked(String::new()).await, Err(NoAnswer), "none");
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
