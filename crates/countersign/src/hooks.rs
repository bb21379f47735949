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
