//! What a person does by hand in dev mode: reads the inbox, pushes the clock.
//!
//! No HTTP client is needed for that, and none is wanted: what is tested here speaks gRPC.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Delivery is not part of the request. Generous: only waited for when something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the service is, e.g. `http://127.0.0.1:8025`.
pub fn url() -> String {
    std::env::var("COUNTERSIGN_URL").expect("COUNTERSIGN_URL says where the service is")
}

/// Moves the service's clock forward, as if everybody had waited.
pub fn push_clock(seconds: u64) {
    let body = format!(r#"{{"advance_seconds":{seconds}}}"#);
    assert!(call("POST", "/dev/clock", &body)["now"].is_string(), "the clock was not pushed");
}

/// The codes sent to a recipient, newest first.
pub fn codes(to: &str) -> Vec<String> {
    let path = format!("/dev/inbox?to={}", to.replace('+', "%2B"));
    let inbox = call("GET", &path, "");
    let messages = inbox["messages"].as_array().expect("the inbox is a list");
    messages.iter().map(|message| message["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until this many messages were sent to a recipient; the newest one's code.
pub fn code(to: &str, messages: usize) -> String {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let codes = codes(to);
        if codes.len() >= messages {
            return codes[0].clone();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{to} did not get {messages} messages");
}

fn call(method: &str, path: &str, body: &str) -> Value {
    let url = url();
    let address = url.trim_start_matches("http://");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.write_all(request.as_bytes()).expect("the service reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the service answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    serde_json::from_str(body).expect("dev mode answers JSON")
}
