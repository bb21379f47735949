//! The other end of the webhook: takes messages, sometimes late, sometimes not at once, sometimes not
//! at all, and remembers every submission.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Submission {
    message: String,
    to: String,
    at_millis: i64,
}

/// A webhook receiver on loopback.
pub(crate) struct Phone {
    address: SocketAddr,
    submissions: Arc<Mutex<Vec<Submission>>>,
    codes: Arc<Mutex<HashMap<String, String>>>,
}

impl Phone {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (submissions, codes) = (Arc::default(), Arc::default());
        let phone = Self { address, submissions: Arc::clone(&submissions), codes: Arc::clone(&codes) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (submissions, codes) = (Arc::clone(&submissions), Arc::clone(&codes));
                std::thread::spawn(move || while take(&stream, &submissions, &codes).is_some() {});
            }
        });
        phone
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.submissions.lock().unwrap().len()
    }

    /// The code that arrived for an address.
    pub(crate) fn code_for(&self, to: &str) -> Option<String> {
        self.codes.lock().unwrap().get(to).cloned()
    }

    /// When messages to an address were submitted, in Unix milliseconds.
    pub(crate) fn submissions_to(&self, to: &str) -> Vec<i64> {
        let submissions = self.submissions.lock().unwrap();
        submissions.iter().filter(|s| s.to == to).map(|s| s.at_millis).collect()
    }

    pub(crate) fn submitted_at_most_three_times_each(&self) {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for submission in self.submissions.lock().unwrap().iter() {
            *counts.entry(submission.message.clone()).or_default() += 1;
        }
        assert!(counts.values().any(|&n| n > 1), "nothing was ever submitted twice: the test proves little");
        let most = counts.iter().max_by_key(|(_, n)| **n).expect("there were submissions");
        assert!(*most.1 <= 3, "message {} was submitted {} times", most.0, most.1);
    }
}

/// Reads one request, remembers it and answers as its recipient's kind says; `None` at the end.
fn take(
    stream: &TcpStream,
    submissions: &Mutex<Vec<Submission>>,
    codes: &Mutex<HashMap<String, String>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut message, mut line) = (0, String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "idempotency-key" => value.trim().clone_into(&mut message),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: serde_json::Value = serde_json::from_slice(&body).expect("the webhook posts JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let context = &body["contextInfo"];
    let to = context.get("recipientEmailAddress").unwrap_or(&context["recipientPhoneNumber"]);
    let (to, code) = (text(to), text(&body["args"]["code"]));
    let seen = {
        let mut all = submissions.lock().unwrap();
        let seen = all.iter().filter(|s| s.message == message).count();
        #[expect(clippy::disallowed_methods, reason = "the receiver's own clock: that of the machine")]
        let at_millis = jiff::Timestamp::now().as_millisecond();
        all.push(Submission { message, to: to.clone(), at_millis });
        seen
    };
    if to.starts_with("late") {
        std::thread::sleep(Duration::from_millis(200));
    }
    let taken = !(to.starts_with("down") || to.starts_with("flaky") && seen == 0);
    if taken {
        codes.lock().unwrap().insert(to, code);
    }
    let status = if taken { "200 OK" } else { "500 Internal Server Error" };
    let mut stream = stream;
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).ok()
}
