//! One client under a node that may die at any moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::journal::{Entry, Journal};
use super::node::API_KEY;
use super::phone::Phone;
use super::ways::{Asked, Said, Way};

/// A keep-alive connection. Any error means: no answer.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// Sends a request of the native API and reads its answer; `None` when there was none.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        self.send(method, path, &format!("Authorization: Bearer {API_KEY}\r\n"), body.unwrap_or(&Value::Null))
    }

    /// Posts with these lines in the head; `null` is no body.
    pub(super) fn post(&mut self, path: &str, head: &str, body: &Value) -> Option<(u16, Value)> {
        self.send("POST", path, head, body)
    }

    fn send(&mut self, method: &str, path: &str, head: &str, body: &Value) -> Option<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\n{head}{kind}Content-Length: {}\r\n\r\n{body}",
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

/// Asks for codes over all wire APIs, sends them again, guesses, up to two guesses more than there may be:
/// until told to stop. The journal says what was acknowledged.
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
        let way = Way::LOAD[chance.random_range(0..Way::LOAD.len())];
        let kind = ["quick", "quick", "quick", "flaky", "late", "down"][chance.random_range(0..6)];
        let mailbox = format!("{kind}-{seed}-{n}@example.com");
        match Asked::ask(alive, way, &mailbox) {
            None => connection = None,
            Some(Err(_not_ready)) => {}
            Some(Ok(asked)) => {
                let mut entry = Entry::new(asked);
                if use_it(alive, phone, &mut entry, &mut chance).is_none() {
                    connection = None;
                }
                journal.push(entry);
            }
        }
    }
    journal
}

/// Some resends, some wrong guesses, then the right one twice; `None` as soon as an answer is missing.
fn use_it(connection: &mut Connection, phone: &Phone, entry: &mut Entry, chance: &mut StdRng) -> Option<()> {
    let patience = if entry.asked.to.starts_with(['q', '+']) { 500 } else { 0 };
    let Some(code) = entry.asked.code(phone, Duration::from_millis(patience)) else { return Some(()) };
    for _ in 0..[0, 0, 1, 6][chance.random_range(0..4)] {
        entry.resend(connection)?;
    }
    for _ in 0..[0, 1, 2, MOST_GUESSES + 2][chance.random_range(0..4)] {
        entry.guess_wrong(connection, &code)?;
    }
    if chance.random_bool(0.5) {
        for _ in 0..2 {
            if entry.guess_right(connection, &code)? == Said::Unavailable {
                break;
            }
        }
    }
    Some(())
}

/// How many guesses a verification may be charged for.
pub(super) const MOST_GUESSES: u64 = 5;
