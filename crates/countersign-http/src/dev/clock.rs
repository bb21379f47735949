//! `POST /dev/clock`.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DevState, json};
use crate::problem::Problem;

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

/// Any content type is taken: `curl -d` sends JSON as a form.
pub(super) async fn advance(State(state): State<DevState>, body: Bytes) -> Result<Response, Problem> {
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
