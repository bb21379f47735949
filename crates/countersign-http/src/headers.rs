//! Headers that several wire APIs read or write alike.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use axum::response::Response;
use countersign_core::time::seconds_rounded_up;

/// The value of a header that may stand once at most.
///
/// # Errors
/// It stands there more than once, or is not visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, NotSingle> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| NotSingle),
        (Some(_), Some(_)) => Err(NotSingle),
    }
}

/// The header is repeated or unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header may stand once, in visible ASCII")]
pub struct NotSingle;

/// The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1); `None` when there is none,
/// or something else.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = single(headers, &AUTHORIZATION).ok()??;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let fits = (1..=4096).contains(&token.len()) && !token.contains(' ');
    (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(token)
}

/// An answer with a body of known length, which nobody may keep. What `more` says goes before the rest.
pub fn respond(status: StatusCode, content_type: &'static str, more: HeaderMap, body: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(more);
    headers.insert(CONTENT_LENGTH, body.len().into());
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether the body says that it is JSON: `application/json`, with any parameters.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = single(headers, &CONTENT_TYPE) else { return false };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case("application/json")
}

/// Whole seconds for `Retry-After`, rounded up: who waits that long is never early. At least 1, since 0
/// would mean "at once".
pub fn retry_after_seconds(wait: Duration) -> u64 {
    seconds_rounded_up(wait).max(1)
}

/// A little randomness, so that clients turned away together do not come back together. Good for
/// nothing else.
#[derive(Debug)]
pub struct Jitter;

impl Jitter {
    /// A whole number of seconds from the range.
    pub fn seconds(range: RangeInclusive<u64>) -> Duration {
        // Every `RandomState` has other keys.
        let random = RandomState::new().hash_one(0u8);
        let width = range.end().saturating_sub(*range.start()) + 1;
        Duration::from_secs(range.start() + random % width)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_bearer_token_is_read_strictly() {
        let token = |value: &str| bearer(&headers(&[("authorization", value)])).map(str::to_owned);
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer  abc").as_deref(), Some("abc"));
        for bad in ["", "Bearer", "Bearer ", "Bearer a b", "Basic abc", "abc"] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
        let mut twice = headers(&[("authorization", "Bearer abc")]);
        twice.append("authorization", "Bearer abc".parse().unwrap());
        assert_eq!(bearer(&twice), None);
    }

    #[test]
    fn json_is_json_with_or_without_parameters() {
        for (value, is) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json;", true),
            ("application/jsonx", false),
            ("application/problem+json", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(&headers(&[("content-type", value)])), is, "{value:?}");
        }
    }

    #[test]
    fn jitter_stays_in_its_range_and_moves() {
        let draws: std::collections::BTreeSet<u64> =
            (0..200).map(|_| Jitter::seconds(1..=3).as_secs()).collect();
        assert_eq!(draws.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
