//! What dev mode adds: an inbox that shows the codes, and a clock that can be pushed.
//!
//! | call | answer |
//! |---|---|
//! | `GET /` | the inbox page (`GET /docs` leads to its second half, the commands to try) |
//! | `GET /dev/inbox[?to=…][&limit=n]` | `{"messages": […]}`, newest first |
//! | `DELETE /dev/inbox` | 204, and the inbox is empty |
//! | `POST /dev/clock {"advance_seconds": 61}` | `{"now": "…"}` |
//! | `GET /dev/inbox/events` | the page's event stream: `snapshot`, then `message`, `cleared`, `clock` |
//! | `GET /dev/samples` | the commands to try |
//!
//! **Invariant: never part of a production service.** Whoever reaches these endpoints reads every code.
//! A page of another site cannot: nothing here allows cross-origin reads, and calls that change
//! something are refused when a browser says that they come from elsewhere.

mod clock;
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
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::watch;

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
        refuse(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Forbidden",
            None,
            "This call came from another site's page.",
        )
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error as the native API writes them (RFC 9457).
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

fn malformed(field: Option<&str>, detail: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, "malformed-request", "Malformed request", field, detail)
}

fn refuse(status: StatusCode, name: &str, title: &str, field: Option<&str>, detail: &str) -> Response {
    let problem =
        Problem { r#type: format!("/problems/{name}"), title, status: status.as_u16(), detail, field };
    let mut response = json(&problem);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("strings and structs serialise");
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
