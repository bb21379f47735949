//! A client that shows what went over the wire: one connection per call, nothing added.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use serde_json::Value;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header; `None` without it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A text member of the body.
    pub(crate) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no text {member} in {self:?}")).to_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

/// One call; an error when there is no whole answer.
pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    exchange(address, &request(method, path, headers, body.as_bytes()))
}

/// One call over HTTP/2, by curl; an error when there is no whole answer.
pub(crate) fn call_over_http_2(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let url = format!("http://{address}{path}");
    let mut curl = Command::new("curl");
    curl.args(["--http2-prior-knowledge", "--noproxy", "*", "-sSig", "--path-as-is", "--max-time", "60"]);
    curl.args(["-X", method, &url]).args(headers.iter().flat_map(|header| ["-H", header]));
    if !body.is_empty() {
        curl.args(["--data-binary", "@-"]);
    }
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    curl.stdin.take().expect("piped").write_all(body.as_bytes())?;
    let output = curl.wait_with_output()?;
    let answer = output.stdout;
    if output.status.success() && answer.starts_with(b"HTTP/2 ") {
        parse(&answer)
    } else {
        Err(std::io::Error::other(format!("curl: {}", output.status)))
    }
}

/// The bytes of a request that ends its connection.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let own = ["Host: localhost", "Connection: close", &length];
    let lines = own.iter().take(if body.is_empty() { 2 } else { 3 }).chain(headers);
    let head: String = lines.flat_map(|line| [line, "\r\n"]).collect();
    [format!("{method} {path} HTTP/1.1\r\n{head}\r\n").as_bytes(), body].concat()
}

/// Sends these bytes over a connection of their own; an error when there is no whole answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    read(stream)
}

/// Sends these requests as close to the same moment as can be: each over a connection of its own, and
/// the last byte of any of them only after all but the last of all of them. The answers are in the
/// requests' order.
pub(crate) fn at_once(address: SocketAddr, requests: &[Vec<u8>]) -> Vec<Answer> {
    let gate = Barrier::new(requests.len());
    let send = |request: &[u8]| {
        let (last, rest) = request.split_last().expect("a request has bytes");
        let mut stream = connect(address).expect("the service accepts");
        stream.set_nodelay(true).expect("a connection");
        stream.write_all(rest).expect("the service reads");
        gate.wait();
        stream.write_all(&[*last]).expect("the service reads");
        read(stream).expect("a whole answer")
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests.iter().map(|request| scope.spawn(|| send(request))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

fn read(mut stream: TcpStream) -> std::io::Result<Answer> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer)
}

fn parse(answer: &[u8]) -> std::io::Result<Answer> {
    // gRPC-Web marks its last frame with a byte that is no text.
    let answer = String::from_utf8_lossy(answer);
    let incomplete = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(incomplete)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(incomplete)?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Ok(Answer { status, headers, body: body.to_owned() })
}
