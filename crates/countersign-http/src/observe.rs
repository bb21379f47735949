//! What every answer has in common: its headers, its line in the access log, its metrics, and that a
//! panic ends one request and not the node.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_core::engine::StorageError;
use futures_util::FutureExt;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::front::{ClientAddr, Refused};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request: in its answer, in the access log, and in every log line about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// 16 hexadecimal digits: the count of requests under a keyed hash of this process. Unique enough
    /// to find a log line by; it protects nothing.
    fn generate() -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = format!("{:016x}", KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)));
        Self(HeaderValue::from_str(&id).expect("hexadecimal digits"))
    }

    /// The id a trusted proxy gave. Anybody else's could be a phone number meant for our logs.
    fn received(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(&X_REQUEST_ID)?;
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
        let sane = (8..=64).contains(&id.len()) && id.as_bytes().iter().all(plain);
        sane.then(|| Self(id.clone()))
    }
}

/// In an answer's extensions: what really happened. It is logged once, with the request's id, and
/// never sent.
#[derive(Clone, Debug)]
pub struct Cause(pub Cow<'static, str>);

impl Cause {
    /// What is worth a line of its own about a failure of the store. Being asked too much is not: that
    /// line would come as often as the requests, and the status is in the access log and the metrics.
    pub fn of(error: &StorageError) -> Option<Self> {
        match error {
            StorageError::Overloaded => None,
            StorageError::Unavailable(_) | StorageError::Corrupt { .. } => {
                Some(Self(error.to_string().into()))
            }
        }
    }
}

/// Notes in an answer why the store failed, for the log.
pub fn with_cause(mut response: Response, error: &StorageError) -> Response {
    if let Some(cause) = Cause::of(error) {
        response.extensions_mut().insert(cause);
    }
    response
}

/// Wraps the routes of one wire API.
#[derive(Clone, Copy)]
pub(crate) struct Observe {
    /// The wire API's name in logs and metrics.
    pub(crate) dialect: &'static str,
    /// Its answer to what was refused before it was read, and to a panic. The usual one is empty.
    pub(crate) refusal: fn(StatusCode) -> Response,
}

impl Observe {
    /// With empty refusals.
    pub(crate) fn plain(dialect: &'static str) -> Self {
        Self { dialect, refusal: IntoResponse::into_response }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { observe: *self, inner }
    }
}

#[derive(Clone)]
pub(crate) struct Observed<S> {
    observe: Observe,
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let seen = Seen::of(&request, self.observe.dialect);
        let refused = request.extensions().get::<Refused>().copied();
        request.extensions_mut().insert(seen.id.clone());
        let refusal = self.observe.refusal;
        let inner = refused.is_none().then(|| self.inner.call(request));
        Box::pin(async move {
            let response = match (refused, inner) {
                (Some(Refused(status)), _) => refusal(status),
                (None, Some(inner)) => match AssertUnwindSafe(inner).catch_unwind().await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    // The panic hook has told where; this line tells for whom.
                    Err(_) => {
                        tracing::error!(request_id = seen.id.as_str(), "the request's handler panicked");
                        refusal(StatusCode::INTERNAL_SERVER_ERROR)
                    }
                },
                (None, None) => unreachable!("a request that is not refused is called"),
            };
            Ok(seen.finish(response))
        })
    }
}

/// What is remembered of a request until its answer.
struct Seen {
    started: Instant,
    id: RequestId,
    dialect: &'static str,
    method: Method,
    route: Option<MatchedPath>,
    client: Option<ClientAddr>,
}

impl Seen {
    fn of(request: &Request, dialect: &'static str) -> Self {
        let client = request.extensions().get::<ClientAddr>().copied();
        let received = || RequestId::received(request.headers());
        let id = client.filter(|c| c.through_proxy).and_then(|_| received());
        Self {
            started: Instant::now(),
            id: id.unwrap_or_else(RequestId::generate),
            dialect,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            client,
        }
    }

    fn finish(self, mut response: Response) -> Response {
        // The route as configured: a path itself may hold a recipient.
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let status = response.status();
        let took = self.started.elapsed();
        if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
            tracing::error!(
                request_id = self.id.as_str(), dialect = self.dialect, route, %cause, "a request failed"
            );
        }
        tracing::info!(
            target: "countersign::access",
            method = %self.method,
            route,
            status = status.as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            request_id = self.id.as_str(),
            client = self.client.map(|c| tracing::field::display(c.ip)),
            dialect = self.dialect,
        );
        crate::ops::count_request(self.dialect, route, status, took);
        let headers = response.headers_mut();
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.insert(X_REQUEST_ID.clone(), self.id.0);
        response
    }
}
