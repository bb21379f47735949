//! What the program does besides answering requests.
//!
//! A task ends by itself soon after its [`Stop`] is raised, with nothing half done.

pub mod audit_head;
pub mod dispatch;
pub mod sweep;
pub mod usage;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

/// Tells tasks that it is time to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A signal, and the way to raise it. Dropping the sender raises it too.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (raise, stop) = watch::channel(false);
        (raise, Self(stop))
    }

    /// Whether it was raised.
    pub fn raised(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until it is raised.
    pub async fn wait(&mut self) {
        // An error means that the sender is gone.
        let _raised_or_gone = self.0.wait_for(|raised| *raised).await;
    }

    /// Waits for `time` at most; answers whether it was raised.
    pub async fn sleep(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.wait()).await.is_ok()
    }
}

/// Runs a task that is not to end before it is told to: one that panics is started again.
pub async fn keep_running<F>(name: &'static str, mut stop: Stop, start: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(start()).await {
        tracing::error!(task = name, %error, "a task ended unexpectedly; it is started again");
        if stop.sleep(Duration::from_secs(1)).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_raised_stop_ends_every_wait() {
        let (raise, mut stop) = Stop::new();
        assert!(!stop.raised());
        assert!(!stop.sleep(Duration::from_millis(1)).await);
        raise.send_replace(true);
        assert!(stop.raised() && stop.sleep(Duration::from_secs(600)).await);
    }

    #[tokio::test]
    async fn a_task_that_panics_is_started_again() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let (_raise, stop) = Stop::new();
        keep_running("test", stop, || async {
            assert!(STARTS.fetch_add(1, Ordering::Relaxed) > 0, "the first start fails");
        })
        .await;
        assert_eq!(STARTS.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_lost_sender_is_a_raised_stop() {
        let (raise, mut stop) = Stop::new();
        drop(raise);
        assert!(stop.raised());
        stop.wait().await;
    }
}
