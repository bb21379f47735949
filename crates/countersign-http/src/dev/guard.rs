//! Who may use the dev endpoints: programs on this machine, and the pages that come from here.
//!
//! Whoever reaches these endpoints reads every code, and a web page that is open in the developer's browser
//! reaches this machine. Three ways in are shut:
//!
//! - A page whose name was made to point here (DNS rebinding) is of one origin with us, as far as the browser
//!   knows. It gives itself away by its name in `Host`: 421 unless that is an address or name of this machine.
//!   The port does not matter: it may be forwarded.
//! - A page of another origin may send changes without reading their answers. Browsers say so in
//!   `Sec-Fetch-Site` or `Origin`: 403.
//! - Old browsers say neither when a form is submitted, which a form can only do as a form or as plain text: a
//!   change with a body has to be JSON.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::headers::single;
use crate::problem::{Kind, Problem};

/// Answers those who may, and keeps every answer out of caches.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if !is_of_this_machine(request.headers()) {
        let why = "dev mode answers to the names of this machine only: localhost, 127.0.0.1 or [::1]\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    } else if changes && is_foreign(request.headers()) {
        Problem::new(Kind::Forbidden, "this call came from another site's page").into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let Ok(Some(host)) = single(headers, &HOST) else { return false };
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()))
}

/// Whether a browser says that another origin's page asks for it. What cannot be read says nothing good.
fn is_foreign(headers: &HeaderMap) -> bool {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let host = single(headers, &HOST).ok().flatten().unwrap_or_default();
    let is_ours =
        |origin: &str| origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
    let from_here = single(headers, &ORIGIN).is_ok_and(|origin| origin.is_none_or(is_ours));
    let same_site = single(headers, &SITE)
        .is_ok_and(|site| site.is_none_or(|site| ["same-origin", "none"].contains(&site)));
    !(from_here && same_site)
}
