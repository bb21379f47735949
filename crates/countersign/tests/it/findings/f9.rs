//! Answers that nobody reads.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use countersign::process::room_for_connections;

use crate::support::{Installation, frames};

/// Where the attackers are, and a good client with them.
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Where another good client is.
const ANOTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// What an attacker asks for: an answer of some kilobytes.
const ASKED: &str = "/problems";

/// A client that takes no bytes: its window is 0.
struct Attacker {
    stream: TcpStream,
    /// Of its next request.
    number: u32,
}

impl Attacker {
    fn connect(address: SocketAddr) -> Self {
        let mut attacker = Self { stream: frames::connect(address, &frames::hello(0)), number: 1 };
        // Some more than are answered at a time.
        let answered = attacker.ask(40).unwrap();
        assert!(answered > 0, "it is being answered");
        attacker
    }

    /// Asks so often, and waits until it has heard of each request: how fast it asks is for the service to say.
    fn ask(&mut self, times: u32) -> std::io::Result<usize> {
        let streams = (self.number..).step_by(2).take(times as usize);
        let requests: Vec<u8> = streams.clone().flat_map(|stream| frames::get(stream, ASKED)).collect();
        self.number += 2 * times;
        self.stream.write_all(&requests)?;
        frames::hear_of(&mut self.stream, streams.collect())
    }
}

/// Has so many attackers at it, who ask again and again for a while.
fn attack(address: SocketAddr, connections: usize) {
    let begun = Instant::now();
    let mut attackers: Vec<_> = (0..connections).map(|_| Attacker::connect(address)).collect();
    println!("{connections} connections after {:?}", begun.elapsed());
    let until = Instant::now() + Duration::from_secs(20);
    for n in (0..connections).cycle().take_while(|_| Instant::now() < until) {
        if attackers[n].ask(8).is_err() {
            attackers[n] = Attacker::connect(address);
        }
    }
}

/// Ends the others when whoever holds it ends, well or badly.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long a good client waited, for each of its requests.
fn ask_until(over: &AtomicBool, from: IpAddr, address: SocketAddr) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.len() < 200 || !over.load(Ordering::Relaxed) {
        for path in ["/livez", ASKED] {
            let begun = Instant::now();
            assert!(frames::is_served_at(from, address, path), "a good client at {from} is refused {path}");
            times.push(begun.elapsed());
            sleep(Duration::from_millis(10));
        }
    }
    times
}

/// A client that takes no bytes had all its answers kept for it, for as long as it liked: 1 GB for 3,000 such
/// connections. Bounding that let their answers take all the room there was, and those of good clients found none.
///
/// How long a good client waits is asserted of a release build alone: a debug build takes many times as long for each
/// request, so that its figure says more of the build than of the rule. `cargo xtask test long` runs both.
///
/// Shows: F9.
#[test]
#[ignore = "3,000 connections that ask without end keep the machine busy for a minute; run by `cargo xtask test long`"]
fn f9_answers_that_nobody_takes_do_not_pile_up() {
    room_for_connections();
    let installation = Installation::new("log.filter = 'warn'");
    let server = installation.serve();
    let address = server.address();
    println!("{} MiB before", server.resident_kib() / 1024);
    let over = &AtomicBool::new(false);
    let (largest, waits) = scope(|threads| {
        let ends = Ends(over);
        let good =
            [THEIRS, ANOTHER].map(|from| threads.spawn(move || (from, ask_until(over, from, address))));
        let watched = threads.spawn(move || {
            let mut largest = 0;
            while !over.load(Ordering::Relaxed) {
                largest = largest.max(server.resident_kib() / 1024);
                sleep(Duration::from_millis(50));
            }
            (largest, server)
        });
        let attacks = [(); 4].map(|()| threads.spawn(move || attack(address, 3_000 / 4)));
        for attack in attacks {
            attack.join().unwrap();
        }
        drop(ends);
        let waits = good.map(|client| client.join().unwrap());
        let (largest, _server_until_now) = watched.join().unwrap();
        (largest, waits)
    });
    println!("{largest} MiB at most");
    assert!(largest < 512, "{largest} MiB");
    for (from, mut times) in waits {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        let (min, median, p99, max) = (at(0), at(50), at(99), at(100));
        println!(
            "a good client at {from} waits {min:?} at least, {median:?} (median), {p99:?} (p99), {max:?} at most, of {} \
             requests",
            times.len()
        );
        if !cfg!(debug_assertions) {
            let bound = Duration::from_millis(100);
            assert!(median < bound && p99 < bound, "a good client at {from} waits {median:?}, {p99:?}");
        }
    }
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
