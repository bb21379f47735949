//! The machine's clock is far from what the store has seen.

use std::fs;
use std::time::Duration;

use countersign::clock::{SystemTime, TimeSource};

use crate::support::Installation;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A start under a clock that was a year ahead deleted every record within seconds.
///
/// Shows: E7.
#[test]
fn e7_a_clock_that_is_a_year_ahead_of_the_store_starts_only_when_it_is_accepted() {
    let installation = Installation::new("server.drain_seconds = 0");
    let seen = SystemTime.wall() - 365 * DAY;
    installation.store_that_saw(seen);
    let database = installation.path("countersign.db");
    let before = fs::read(&database).unwrap();
    let refused = installation.refused(&[]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{why}");
    let year = seen.to_string();
    assert!(why.contains(&year) && why.contains("365 days") && why.contains("--accept-clock"), "{why}");
    assert_eq!(fs::read(&database).unwrap(), before, "nothing was changed");

    installation.serve_with(&["--accept-clock"]).stop();
    installation.serve().stop(); // once is enough
}

/// Shows: E7.
#[test]
fn e7_a_store_from_the_day_after_tomorrow_starts_only_when_it_is_accepted() {
    let installation = Installation::new("server.drain_seconds = 0");
    installation.store_that_saw(SystemTime.wall() + 2 * DAY);
    let refused = installation.refused(&[]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains("later") && why.contains("--accept-clock"), "{why}");
    installation.serve_with(&["--accept-clock"]).stop();
}
