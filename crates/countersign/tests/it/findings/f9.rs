//! Answers that nobody reads.

use std::time::{Duration, Instant};

use countersign::process::room_for_connections;

use crate::support::{Installation, frames};

/// A client that takes no bytes (its window is 0) had all its answers kept for it, for as long as it liked: 1 GB
/// for 3,000 such connections.
///
/// Shows: F9.
#[test]
#[ignore = "a debug build on a busy machine keeps its good client waiting for seconds; run by `cargo xtask test long`"]
fn f9_answers_that_nobody_takes_do_not_pile_up() {
    room_for_connections();
    let installation = Installation::new("log.filter = 'warn'");
    let server = installation.serve();
    let address = server.address();
    let questions = (0..40).flat_map(|n| frames::get(2 * n + 1, "/problems"));
    let attack: Vec<u8> = frames::hello(0).into_iter().chain(questions).collect();
    let (mut largest, mut times) = (0, Vec::new());
    let mut look = || {
        let begun = Instant::now();
        assert!(frames::is_served(address, "/livez"), "a good client is refused");
        times.push(begun.elapsed());
        largest = largest.max(server.resident_kib());
    };
    let mut attackers = Vec::new();
    for n in 1..=3_000 {
        attackers.push(frames::connect(address, &attack));
        if n % 50 == 0 {
            look();
        }
    }
    // Every one of them is being answered.
    for attacker in &mut attackers {
        frames::read_head(attacker).unwrap();
    }
    look();
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{} MiB at most, a good client waits {median:?}, {:?} at most", largest / 1024, times.last());
    assert!(largest < 512 * 1024, "{} MiB", largest / 1024);
    assert!(median < Duration::from_secs(1), "a good client waits {median:?}");
}

/// Its figures tell how busy the service is and with what; they are nobody's business who can reach the API.
///
/// Shows: F9.
#[test]
fn f9_metrics_are_not_on_the_public_listener_unless_asked() {
    let installation = Installation::new("");
    assert_eq!(installation.serve().get("/metrics").status, 404);
    let installation = Installation::new("server.metrics_beside_api = true");
    assert_eq!(installation.serve().get("/metrics").status, 200);
}
