//! What dev mode adds: an inbox that shows the codes, and a clock that can be pushed.
//!
//! | call | answer |
//! |---|---|
//! | `GET /` | the inbox page |
//! | `GET /docs` | the commands to try, one section per wire API |
//! | `GET /dev/inbox[?to=…][&limit=n]` | `{"messages": […]}`, newest first |
//! | `DELETE /dev/inbox` | 204, and the inbox is empty |
//! | `POST /dev/clock {"advance_seconds": 61}` | `{"now": "…"}` |
//! | `GET /dev/inbox/events` | the page's event stream: `snapshot`, then `message`, `codes`, `cleared`, `clock` |
//! | `GET /dev/samples` | the same commands as JSON |
//!
//! **Invariant: never part of a production service.** Whoever reaches these endpoints reads every code.
//! A page of another site cannot: nothing here allows cross-origin reads, and [`guard`](mod@guard) refuses what comes
//! by another name than this machine's, and changes that come from elsewhere.

mod clock;
mod codes;
mod docs;
mod events;
mod guard;
mod inbox;
mod page;
mod ports;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::watch;

pub use ports::{CodeState, DevClock, Inbox, InboxEvent, InboxEvents, Sample, Samples, SentCode, SentCodes};

/// What the dev endpoints show and move.
#[derive(Clone)]
pub struct Dev {
    /// The messages.
    pub inbox: Arc<dyn Inbox>,
    /// What has become of their codes.
    pub codes: Arc<dyn SentCodes>,
    /// The service's clock.
    pub clock: Arc<dyn DevClock>,
    /// The commands to try.
    pub samples: Arc<dyn Samples>,
    /// Turns true when the program is about to end: event streams end then, so that nothing waits for
    /// a page that is still open.
    pub closing: watch::Receiver<bool>,
}

impl fmt::Debug for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dev").finish_non_exhaustive()
    }
}

/// The dev endpoints.
pub fn routes(dev: Dev) -> Router {
    let state = DevState { dev, pushes: Arc::new(watch::Sender::new(())) };
    Router::new()
        .route("/dev/inbox", get(inbox::list).delete(inbox::clear))
        .route("/dev/inbox/events", get(events::stream))
        .route("/dev/clock", post(clock::advance))
        .route("/dev/samples", get(page::samples))
        .route("/docs", get(page::docs))
        .with_state(state)
        .merge(page::routes())
        .layer(middleware::from_fn(guard::guard))
}

/// What the handlers share.
#[derive(Clone)]
struct DevState {
    dev: Dev,
    /// Tells open pages that the clock was pushed.
    pushes: Arc<watch::Sender<()>>,
}

fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("strings and structs serialise");
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
