//! The native API, under `/v1`.
//!
//! One file per call, each in the same order: the problems it may answer, what it takes, what it gives,
//! the handler. [`openapi()`] is made from the handlers and these lists.

mod auth;
mod cancel;
mod check;
mod client;
mod get;
mod held;
mod limits;
mod list;
mod openapi;
mod outcome;
mod recipients;
mod request;
mod resend;
mod resource;
mod schema;
mod start;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use countersign_core::names::DialectName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::{ApiKey, ApiKeys, Scope};
pub use openapi::openapi;

use crate::observe::Observe;
use crate::problem::{Kind, Problem};
use crate::services::Services;

/// The native API's name in logs, metrics, templates and stored verifications.
pub const NAME: &str = "native";

/// What every handler has: one pointer, because axum clones it several times per request.
#[derive(Clone)]
struct Api(Arc<Parts>);

struct Parts {
    services: Services,
    keys: Arc<ApiKeys>,
    dialect: DialectName,
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The native API's routes, and `/v1/openapi.json`.
pub(crate) fn routes(services: Services, keys: Arc<ApiKeys>) -> Router {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let dialect = DialectName::parse(NAME).expect("a good name");
    let (router, _) = calls().split_for_parts();
    let document = openapi().to_json().expect("the document is JSON");
    let document = bytes::Bytes::from(document);
    let serve_document = move || std::future::ready(([(CONTENT_TYPE, JSON)], document));
    router
        .with_state(Api(Arc::new(Parts { services, keys, dialect })))
        .route("/v1/openapi.json", axum::routing::get(serve_document))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Observe { dialect: NAME, refusal })
}

fn calls() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(start::start, list::list))
        .routes(routes!(check::check_by_recipient))
        .routes(routes!(get::get))
        .routes(routes!(resend::resend))
        .routes(routes!(check::check))
        .routes(routes!(cancel::cancel))
        .routes(routes!(held::held))
        .routes(routes!(recipients::get, recipients::erase))
        .routes(routes!(recipients::release))
}

/// The method is not one of those in `Allow`, which axum adds.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "see the `Allow` header")
}

/// What was refused before it was read, and panics.
fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => request::body_too_large().into_response(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Kind::UnsupportedMediaType, "the body must not have a content encoding")
                .into_response()
        }
        StatusCode::INTERNAL_SERVER_ERROR => {
            Problem::new(Kind::Internal, "the service met a state that it did not expect").into_response()
        }
        status => status.into_response(),
    }
}
