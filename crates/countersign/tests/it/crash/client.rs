//! One client under a node that may die at any moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::journal::{Entry, Journal};
use super::node::API_KEY;
use super::phone::Phone;

/// A keep-alive connection. Any error means: no answer.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads its answer; `None` when there was none.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {API_KEY}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut status, mut length) = (0, 0);
        for n in 0.. {
            let line = read_line(&mut self.0)?;
            if line.is_empty() {
                break;
            }
            if n == 0 {
                status = line.split(' ').nth(1)?.parse().ok()?;
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        (status != 0).then(|| (status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

/// The next line without its break; `None` when the connection is gone.
fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).is_ok();
    (read && line.ends_with('\n')).then(|| line.trim_end().to_owned())
}

/// Starts, guesses wrong, guesses right, asks again: until told to stop. The journal says what was
/// acknowledged.
pub(crate) fn press(address: SocketAddr, phone: &Phone, stop: &AtomicBool, seed: u64) -> Journal {
    let (mut journal, mut chance) = (Journal::default(), StdRng::seed_from_u64(seed));
    let mut connection = Connection::open(address);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Some(alive) = connection.as_mut() else {
            std::thread::sleep(Duration::from_millis(5));
            connection = Connection::open(address);
            continue;
        };
        let kind = ["quick", "quick", "quick", "flaky", "late", "down"][chance.random_range(0..6)];
        let to = format!("{kind}-{seed}-{n}@example.com");
        let Some((status, started)) = alive.call("POST", "/v1/verifications", Some(&json!({ "to": to })))
        else {
            connection = None;
            continue;
        };
        assert!(status == 201 || status == 503, "{status} {started}");
        if status == 503 {
            continue;
        }
        let mut entry = Entry::started(&to, &started);
        if guess_until_done(alive, phone, &mut entry, &mut chance).is_none() {
            connection = None;
        }
        journal.push(entry);
    }
    journal
}

/// Some wrong guesses, then the right one twice; `None` as soon as an answer is missing.
fn guess_until_done(
    connection: &mut Connection,
    phone: &Phone,
    entry: &mut Entry,
    chance: &mut StdRng,
) -> Option<()> {
    let Some(code) = wait_for_code(phone, &entry.to) else { return Some(()) };
    for _ in 0..chance.random_range(0..3) {
        entry.check(connection, if code == "000000" { "000001" } else { "000000" })?;
    }
    if chance.random_bool(0.5) {
        entry.check(connection, &code)?;
        entry.check(connection, &code)?;
    }
    Some(())
}

fn wait_for_code(phone: &Phone, to: &str) -> Option<String> {
    let patience = Instant::now() + Duration::from_millis(if to.starts_with("quick") { 500 } else { 0 });
    loop {
        if let Some(code) = phone.code_for(to) {
            return Some(code);
        }
        if Instant::now() >= patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
