//! A webhook receiver on loopback that remembers codes, and now and then is as careless as receivers
//! are: it refuses a message and repeats all of it in the refusal.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One refusal among so many messages.
const REFUSES_EVERY: usize = 16;

/// The codes of each recipient, oldest first.
type Codes = Arc<Mutex<HashMap<String, Vec<String>>>>;

pub(crate) struct Webhook {
    address: SocketAddr,
    codes: Codes,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let webhook = Self { address: listener.local_addr().unwrap(), codes: Codes::default() };
        let codes = Arc::clone(&webhook.codes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let codes = Arc::clone(&codes);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    while take(&mut reader, &stream, &codes).is_some() {}
                });
            }
        });
        webhook
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every code that arrived.
    pub(crate) fn codes(&self) -> Vec<String> {
        self.codes.lock().unwrap().values().flatten().cloned().collect()
    }

    /// The latest code for a recipient that is none of these, as soon as it is there.
    pub(crate) fn code_for(&self, to: &str, but: &[&str]) -> String {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let codes = self.codes.lock().unwrap().get(to).cloned().unwrap_or_default();
            if let Some(code) = codes.into_iter().rev().find(|code| !but.contains(&&**code)) {
                return code;
            }
            assert!(Instant::now() < patience, "no message arrived");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Takes one message; `None` at the connection's end.
fn take(reader: &mut impl BufRead, mut stream: &TcpStream, codes: &Codes) -> Option<()> {
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let message: Value = serde_json::from_slice(&body).unwrap();
    let context = &message["contextInfo"];
    let to = context["recipientPhoneNumber"].as_str().or(context["recipientEmailAddress"].as_str()).unwrap();
    let code = message["args"]["code"].as_str().unwrap().to_owned();
    let messages = {
        let mut codes = codes.lock().unwrap();
        codes.entry(to.to_owned()).or_default().push(code);
        codes.values().map(Vec::len).sum::<usize>()
    };
    let (status, said) = if messages.is_multiple_of(REFUSES_EVERY) {
        ("400 Bad Request", String::from_utf8(body).unwrap())
    } else {
        ("200 OK", r#"{"id":"SM-1"}"#.to_owned())
    };
    let length = said.len();
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{said}").as_bytes()).ok()
}
