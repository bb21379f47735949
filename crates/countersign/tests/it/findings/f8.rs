//! Requests whose bodies never come.

use std::time::Duration;

use countersign::process::room_for_connections;

use crate::support::{Installation, frames};

/// 20,000 requests over HTTP/2 were begun and left so, which took every place there was: whoever else came over
/// HTTP/2 was answered 503.
///
/// Shows: F8.
#[test]
fn f8_requests_without_their_bodies_refuse_nobody_over_http_2() {
    room_for_connections();
    let installation = Installation::new("log.filter = 'warn'");
    let server = installation.serve();
    let address = server.address();
    let heads = (0..100).flat_map(|n| frames::post(2 * n + 1, "/v1/verifications"));
    let attack: Vec<u8> = frames::hello(65_535).into_iter().chain(heads).collect();
    let attackers: Vec<_> = (0..200).map(|_| frames::connect(address, &attack)).collect();
    for _ in 0..20 {
        assert!(frames::is_served(address, "/livez"), "a good client is refused");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(attackers);
}
