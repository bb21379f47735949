//! Killed under load over all wire APIs, again and again: nothing that was acknowledged is lost, no code is good
//! twice, no sixth guess is compared, no sixth message is accepted, no signed request is taken twice, no message
//! is submitted more than three times or after its code is dead.
//!
//! The clients keep a journal of what was acknowledged to them; the phone (a webhook receiver of the
//! test's own) keeps one of what was submitted. After each restart both are compared with the store,
//! through the API.

pub(crate) mod client;
mod journal;
pub(crate) mod node;
pub(crate) mod phone;
mod ways;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use journal::Journal;
use node::Node;
use phone::Phone;
use ways::Way;

/// How many clients press at the same time.
const CLIENTS: usize = 8;

/// Kill-and-restart cycles: 50 by default, more for a release run.
fn cycles() -> u32 {
    std::env::var("COUNTERSIGN_CRASH_CYCLES")
        .map_or(50, |n| n.parse().expect("COUNTERSIGN_CRASH_CYCLES is a number"))
}

/// Shows: I1, I2, I3, I4, R1, A8.
#[test]
fn nothing_acknowledged_is_lost_and_nothing_happens_twice_when_the_node_is_killed_under_load() {
    let phone = Arc::new(Phone::start());
    let node = Node::prepare(phone.address());
    let mut chance = StdRng::seed_from_u64(50);
    let mut journals: Vec<Journal> = Vec::new();
    for cycle in 0..cycles() {
        let running = node.start();
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let (phone, stop, address) = (Arc::clone(&phone), Arc::clone(&stop), running.address());
                let seed = u64::from(cycle) * 1_000 + n as u64;
                std::thread::spawn(move || client::press(address, &phone, &stop, seed))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(chance.random_range(150..600)));
        running.kill();
        stop.store(true, Ordering::Relaxed);
        let mut fresh: Vec<Journal> =
            clients.into_iter().map(|c| c.join().expect("a client does not panic")).collect();
        let survivor = node.start();
        for journal in &mut fresh {
            journal.compare_with(survivor.address(), &phone);
            journal.go_on(survivor.address(), &phone);
        }
        survivor.kill();
        journals.extend(fresh);
    }
    let started: usize = journals.iter().map(Journal::len).sum();
    assert!(started > 20 * cycles() as usize, "the load was too thin to prove anything: {started} starts");
    for way in Way::LOAD {
        let of_way: usize = journals.iter().map(|journal| journal.count(way)).sum();
        assert!(of_way > cycles() as usize / 2, "{way:?}: {of_way} starts");
    }
    let used_up: usize = journals.iter().map(Journal::used_up).sum();
    assert!(used_up > cycles() as usize, "{used_up} used their guesses up");

    // Everything comes to an end: within two minutes of the last restart each message is with the
    // phone, given up with a reason, or expired (codes live 30 seconds here).
    let last = node.start();
    for journal in &mut journals {
        journal.compare_with(last.address(), &phone);
    }
    for journal in &journals {
        journal.wait_for_every_message_to_end(last.address(), Duration::from_secs(120));
    }
    phone.submitted_at_most_three_times_each();
    for journal in &journals {
        journal.nothing_was_submitted_after_its_code_was_dead(last.address(), &phone);
    }
    println!("{} cycles, {started} starts, {} submissions", cycles(), phone.len());
}
