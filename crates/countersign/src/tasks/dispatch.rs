//! Hands queued messages to providers, as long as there are any.

use std::sync::Arc;

use countersign_core::dispatcher::Dispatcher;

use super::Stop;

/// Works until told to stop, and then until what is under way is recorded.
pub async fn run(dispatcher: Arc<Dispatcher>, mut stop: Stop) {
    dispatcher.run(stop.wait()).await;
}
