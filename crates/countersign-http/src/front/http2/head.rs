//! Heads over HTTP/2, judged as strictly as HTTP/1's.

use axum::http::Uri;
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use axum::http::request::Parts;

use crate::front::framing::{Fault, MAX_FIELDS, MAX_HEAD, is_target};

/// Judges a head by the rules of HTTP/1's, and gives it HTTP/1's form: a path as its target and a
/// `Host` field. A service so sees one form of request.
pub(super) fn judge(parts: &mut Parts) -> Result<(), Fault> {
    // `CONNECT` has no path; nothing here is a tunnel.
    let Some(target) = parts.uri.path_and_query().cloned() else { return Err(Fault::Malformed) };
    let authority = parts.uri.authority().cloned();
    let length: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let addressed = target.as_str().len() + authority.as_ref().map_or(0, |a| a.as_str().len());
    if parts.headers.len() > MAX_FIELDS || length + addressed > MAX_HEAD {
        return Err(Fault::HeadTooLarge);
    }
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    if parts.method == "CONNECT" || !is_target(target.as_str().as_bytes()) || lengths > 1 {
        return Err(Fault::Malformed);
    }
    // RFC 9113, section 8.3.1: who is asked is told once, or twice alike, and without a user's name.
    let hosts: Vec<_> = parts.headers.get_all(HOST).iter().collect();
    match (&authority, &hosts[..]) {
        (Some(authority), _) if authority.as_str().contains('@') => return Err(Fault::Malformed),
        (Some(authority), []) => {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::Malformed)?;
            parts.headers.insert(HOST, host);
        }
        (None, [_]) => {}
        (Some(authority), [host]) if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
        _ => return Err(Fault::Malformed),
    }
    parts.uri = Uri::from(target);
    Ok(())
}
