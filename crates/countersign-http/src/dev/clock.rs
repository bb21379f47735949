//! `POST /dev/clock`.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DevState, json};
use crate::headers::is_json;
use crate::problem::{Kind, Problem};

/// The furthest push: a leap year, beyond every retention time.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

/// 9999-12-31T00:00:00Z: later instants have no RFC 3339 form, and the clock cannot come back.
const LAST: Timestamp = Timestamp::from_millis(253_402_214_400_000);

const MEMBER: &str = "advance_seconds";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    advance_seconds: u64,
}

/// What the clock shows.
#[derive(Serialize)]
struct Shown {
    now: String,
}

/// JSON that says so only: an old browser's form can be submitted by any page, and says nothing of where it comes from.
pub(super) async fn advance(
    State(state): State<DevState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    if !is_json(&headers) {
        let how =
            "the body must be application/json: `curl --json`, or with `-H 'Content-Type: application/json'`";
        return Err(Problem::new(Kind::UnsupportedMediaType, how));
    }
    let rule = || Problem::malformed(MEMBER, format!("must be a whole number from 1 to {MAX_SECONDS}"));
    let push = crate::json::parse(&body).map_err(|bad| match bad.field.as_deref() {
        Some(MEMBER) => rule(),
        _ => bad.into(),
    });
    let Push { advance_seconds } = push?;
    if !(1..=MAX_SECONDS).contains(&advance_seconds) {
        return Err(rule());
    }
    let by = Duration::from_secs(advance_seconds);
    if state.dev.clock.now() + by > LAST {
        return Err(Problem::malformed(MEMBER, "the clock would leave the year 9999"));
    }
    let now = state.dev.clock.advance(by);
    state.pushes.send_replace(());
    Ok(json(&Shown { now: now.to_string() }))
}
