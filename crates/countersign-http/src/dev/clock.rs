//! `POST /dev/clock`.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DevState, json, malformed};

/// The furthest push: a leap year, beyond every retention time.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

/// 9999-12-31T00:00:00Z: later instants have no RFC 3339 form, and the clock cannot come back.
const LAST: Timestamp = Timestamp::from_millis(253_402_214_400_000);

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
pub(super) async fn advance(State(state): State<DevState>, body: Bytes) -> Response {
    let rule = format!("send {{\"advance_seconds\": n}}, n a whole number from 1 to {MAX_SECONDS}");
    if !body.trim_ascii_start().starts_with(b"{") {
        // serde would take a list of the members' values as well.
        return malformed(Some("advance_seconds"), &rule);
    }
    let Push { advance_seconds } = match serde_json::from_slice(&body) {
        Ok(push) => push,
        Err(error) => return malformed(Some("advance_seconds"), &format!("{rule}: {error}")),
    };
    if !(1..=MAX_SECONDS).contains(&advance_seconds) {
        return malformed(Some("advance_seconds"), &rule);
    }
    let by = Duration::from_secs(advance_seconds);
    if state.dev.clock.now() + by > LAST {
        return malformed(Some("advance_seconds"), "the clock would leave the year 9999");
    }
    let now = state.dev.clock.advance(by);
    state.pushes.send_replace(());
    json(&Shown { now: now.to_string() })
}
