//! Hands queued messages to providers, as long as there are any.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::dispatcher::Dispatcher;
use countersign_core::engine::Engine;

use super::{BackOff, Stop};

/// How many batches are under way at the same time: one batch waits for its slowest provider, and the
/// others must not wait with it.
pub const WORKERS: usize = 4;

/// How long a message that comes due by time alone (a retry, an orphaned lease) may wait.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Works until told to stop, and then until the batch in hand is recorded.
pub async fn run(dispatcher: Arc<Dispatcher>, engine: Arc<dyn Engine>, mut stop: Stop) {
    let mut back_off = BackOff::new(Duration::from_millis(100), Duration::from_secs(5));
    while !stop.raised() {
        match dispatcher.step().await {
            Ok(report) => {
                back_off.reset();
                if report.claimed == 0 {
                    tokio::select! {
                        () = engine.messages_queued(LOOK_AGAIN) => {}
                        () = stop.wait() => {}
                    }
                }
            }
            Err(error) => {
                let wait = back_off.next();
                tracing::error!(%error, retry_after_millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "messages cannot be taken from the outbox");
                stop.sleep(wait).await;
            }
        }
    }
}
