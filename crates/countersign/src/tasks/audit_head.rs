//! Tells every minute where the audit log ends.
//!
//! Whoever can write to the store can put all of it back to an older state. The program's own log is
//! usually kept elsewhere, and what it says here is what `audit verify --at-least` takes.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::engine::Engine;
use data_encoding::HEXLOWER;

use super::Stop;

const EVERY: Duration = Duration::from_secs(60);

/// Works until told to stop.
pub async fn run(engine: Arc<dyn Engine>, mut stop: Stop) {
    loop {
        match engine.audit_head().await {
            Ok(Some(sealed)) => {
                let (seq, seal) = (sealed.head.seq, HEXLOWER.encode(sealed.head.mac.as_bytes()));
                tracing::info!(seq, %seal, "audit head");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the end of the audit log cannot be read now"),
        }
        if stop.sleep(EVERY).await {
            return;
        }
    }
}
