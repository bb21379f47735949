//! What dev mode adds: an inbox that shows the codes, and a clock that can be pushed.
//!
//! | call | answer |
//! |---|---|
//! | `GET /` | the inbox page |
//! | `GET /docs` | the commands to try, one section per wire API |
//! | `GET /dev/inbox[?to=…][&limit=n]` | `{"messages": […]}`, newest first |
//! | `DELETE /dev/inbox` | 204, and the inbox is empty |
//! | `POST /dev/clock {"advance_seconds": 61}` | `{"now": "…"}` |
//! | `GET /dev/inbox/events` | the page's event stream: `snapshot`, then `message`, `cleared`, `clock` |
//! | `GET /dev/samples` | the same commands as JSON |
//!
//! **Invariant: never part of a production service.** Whoever reaches these endpoints reads every code.
//! A page of another site cannot: nothing here allows cross-origin reads, and calls that change
//! something are refused when a browser says that they come from elsewhere.

mod clock;
mod docs;
mod events;
mod inbox;
mod page;
mod ports;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::watch;

use crate::problem::{Kind, Problem};

pub use ports::{DevClock, Inbox, InboxEvent, InboxEvents, Sample, Samples};

/// What the dev endpoints show and move.
#[derive(Clone)]
pub struct Dev {
    /// The messages.
    pub inbox: Arc<dyn Inbox>,
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
        .layer(middleware::from_fn(guard))
}

/// What the handlers share.
#[derive(Clone)]
struct DevState {
    dev: Dev,
    /// Tells open pages that the clock was pushed.
    pushes: Arc<watch::Sender<()>>,
}

/// Refuses changes that another site's page asks for, and keeps every answer out of caches.
async fn guard(request: Request, next: Next) -> Response {
    let foreign = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| !["same-origin", "none"].map(str::as_bytes).contains(&site.as_bytes()));
    let mut response = if foreign && !matches!(*request.method(), Method::GET | Method::HEAD) {
        Problem::new(Kind::Forbidden, "this call came from another site's page").into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("strings and structs serialise");
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
