//! The program under test.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::{PATIENCE, start};

/// The demo tenant's key.
const KEY: &str = "csk_dev_demo_000000000000000000000000000000";

/// The built program in dev mode, on a free port, in a folder of its own.
#[derive(Debug)]
pub struct Service {
    /// `http://127.0.0.1:…`
    pub url: String,
    address: String,
    child: Child,
    _folder: TempDir,
}

/// An answer of the program.
#[derive(Debug)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body; null if it has none.
    pub body: Value,
}

impl Service {
    /// Starts it.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(program());
        command.args(["dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
        let (child, address) = start(command, "listening on http://").await;
        let address = address.trim_end_matches('/').to_owned();
        Self { url: format!("http://{address}"), address, child, _folder: folder }
    }

    /// Opens a verification of the demo tenant; answers its id.
    pub async fn verify(&self, to: &str) -> String {
        let body = serde_json::json!({"to": to, "purpose": "login"});
        let answer = self.call("POST", "/v1/verifications", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// A verification as the API shows it.
    pub async fn verification(&self, id: &str) -> Value {
        let answer = self.call("GET", &format!("/v1/verifications/{id}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The messages in the inbox, newest first.
    pub async fn inbox(&self) -> Vec<Value> {
        let answer = self.call("GET", "/dev/inbox", &Value::Null).await;
        answer.body["messages"].as_array().unwrap().clone()
    }

    /// One call, by hand: the program must not be tested by its own HTTP client.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time").unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }

    /// Asks it to leave, as an operator or Ctrl-C would; answers how long that took.
    pub async fn leave(mut self) -> Duration {
        let begun = Instant::now();
        let id = self.child.id().expect("it is running").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let left = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        assert!(left.expect("it leaves").unwrap().success());
        begun.elapsed()
    }
}

/// `COUNTERSIGN_BIN`, or what `cargo build` put beside this test.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("COUNTERSIGN_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap(); // …/debug/deps/inbox-0123
    let program = test.ancestors().nth(2).unwrap().join("countersign");
    assert!(program.exists(), "{} is missing: run cargo build, or set COUNTERSIGN_BIN", program.display());
    program
}
