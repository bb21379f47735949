//! Clears up what has run out, in small batches, so that no request waits behind a large one.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::engine::Engine;
use countersign_core::time::Clock;

use super::Stop;

/// How often there is a look for something to clear.
const EVERY: Duration = Duration::from_secs(5);

/// The pause between two batches while there is more.
const BETWEEN: Duration = Duration::from_millis(20);

/// Rows per batch: a few milliseconds of the store's time.
const BATCH: u32 = 256;

/// Works until told to stop.
pub async fn run(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>, mut stop: Stop) {
    while !stop.raised() {
        let pause = match engine.sweep(BATCH, clock.now()).await {
            Ok(report) if report.did_something() => {
                tracing::debug!(?report, "cleared up");
                BETWEEN
            }
            Ok(_) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "what has run out cannot be cleared up now");
                EVERY
            }
        };
        stop.sleep(pause).await;
    }
}
