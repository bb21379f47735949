//! The inbox page, the page of commands, and what they are made of.
//!
//! A few files by hand, no framework, nothing from elsewhere. The content security policy allows
//! scripts, styles and calls of this origin only, and nothing inline.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{DevState, docs, json};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { file(HTML, include_str!("assets/index.html")) }))
        .route("/dev/assets/inbox.css", get(|| async { file(CSS, include_str!("assets/inbox.css")) }))
        .route("/dev/assets/common.js", get(|| async { file(SCRIPT, include_str!("assets/common.js")) }))
        .route("/dev/assets/docs.js", get(|| async { file(SCRIPT, include_str!("assets/docs.js")) }))
        .route("/dev/assets/inbox.js", get(|| async { file(SCRIPT, include_str!("assets/inbox.js")) }))
        .route("/dev/assets/icon.svg", get(|| async { file(SVG, include_str!("assets/icon.svg")) }))
}

fn file(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text).into_response()
}

/// `GET /docs`: the commands, drawn for this request; works without scripts.
pub(super) async fn docs(State(state): State<DevState>) -> Response {
    file(HTML, docs::page(&state.dev.samples.draw()))
}

/// `GET /dev/samples`.
pub(super) async fn samples(State(state): State<DevState>) -> Response {
    json(&state.dev.samples.draw())
}
