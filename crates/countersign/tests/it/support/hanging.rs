//! A webhook receiver on loopback that reads every message and answers none, until it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct State {
    answers: AtomicBool,
    /// Whose caller waits.
    under_way: AtomicUsize,
    most: AtomicUsize,
    /// The `Idempotency-Key` of each call, in order.
    calls: Mutex<Vec<String>>,
}

pub(crate) struct Hanging {
    address: SocketAddr,
    state: Arc<State>,
}

impl Hanging {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hanging = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&hanging.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || while take(&stream, &state).is_some() {});
            }
        });
        hanging
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on.
    pub(crate) fn recover(&self) {
        self.state.answers.store(true, Ordering::SeqCst);
    }

    /// How many calls wait for an answer.
    pub(crate) fn under_way(&self) -> usize {
        self.state.under_way.load(Ordering::SeqCst)
    }

    /// How many waited at the same time, at most.
    pub(crate) fn most(&self) -> usize {
        self.state.most.load(Ordering::SeqCst)
    }

    /// The messages of all calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.calls.lock().unwrap().clone()
    }

    /// Waits until it is so.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Takes one message; `None` at the connection's end.
fn take(mut stream: &TcpStream, state: &State) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut key, mut line) = (0, String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "idempotency-key" => value.trim().clone_into(&mut key),
                _ => {}
            }
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    state.calls.lock().unwrap().push(key);
    if state.answers.load(Ordering::SeqCst) {
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok();
    }
    let now = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    state.most.fetch_max(now, Ordering::SeqCst);
    // Ends when the caller has hung up.
    let ended = reader.read(&mut [0]);
    state.under_way.fetch_sub(1, Ordering::SeqCst);
    ended.ok().filter(|read| *read > 0).map(drop)
}
