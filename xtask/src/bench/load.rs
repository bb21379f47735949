//! Load over keep-alive connections: one thread each, one request at a time on each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::DEMO_KEY;

/// How to put the server under load.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    /// How long one measurement takes.
    pub(super) lasting: Duration,
}

/// What was measured.
#[derive(Default)]
pub(super) struct Measured {
    elapsed: Duration,
    /// Microseconds from each request to its answer.
    latencies: Vec<u32>,
}

impl Measured {
    pub(super) fn answers(&self) -> usize {
        self.latencies.len()
    }

    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
    }

    /// The latency that so many of a hundred requests stayed within.
    pub(super) fn percentile(&mut self, percent: usize) -> u32 {
        self.latencies.sort_unstable();
        let place = self.latencies.len() * percent / 100;
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends the requests that `write` makes of 0, 1, 2, … until the time is up. An answer of another
    /// status ends the measurement: refusals are fast, and not what is measured.
    pub(super) fn run(&self, status: u16, write: impl Fn(usize, &mut Vec<u8>) + Sync) -> Result<Measured> {
        let next = AtomicUsize::new(0);
        let deadline = Instant::now() + self.lasting;
        self.on_all_connections(|connection, measured| {
            let mut request = Vec::with_capacity(512);
            while Instant::now() < deadline {
                request.clear();
                write(next.fetch_add(1, Ordering::Relaxed), &mut request);
                connection.timed(&request, status, measured)?;
            }
            Ok(())
        })
    }

    /// Sends each of these requests once, for at most the measurement's time.
    pub(super) fn run_all(&self, status: u16, requests: &[Vec<u8>]) -> Result<Measured> {
        let next = AtomicUsize::new(0);
        let deadline = Instant::now() + self.lasting;
        self.on_all_connections(|connection, measured| {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                if Instant::now() >= deadline {
                    break;
                }
                connection.timed(request, status, measured)?;
            }
            Ok(())
        })
    }

    /// The bodies of the answers to these requests, in no order.
    pub(super) fn answers(&self, status: u16, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        let next = AtomicUsize::new(0);
        let bodies = std::sync::Mutex::new(Vec::with_capacity(requests.len()));
        self.on_all_connections(|connection, _| {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let body = connection.exchange(request, status)?.to_vec();
                bodies.lock().expect("no thread panics with it").push(body);
            }
            Ok(())
        })?;
        Ok(bodies.into_inner().expect("no thread panics with it"))
    }

    fn on_all_connections(
        &self,
        work: impl Fn(&mut Connection, &mut Vec<u32>) -> Result<()> + Sync,
    ) -> Result<Measured> {
        let connections: Vec<Connection> =
            (0..self.connections).map(|_| Connection::open(self.address)).collect::<Result<_>>()?;
        let started = Instant::now();
        let results: Vec<Result<Vec<u32>>> = std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = connections
                .into_iter()
                .map(|mut connection| {
                    scope.spawn(move || {
                        let mut latencies = Vec::new();
                        work(&mut connection, &mut latencies).map(|()| latencies)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("the work does not panic")).collect()
        });
        let mut measured = Measured { elapsed: started.elapsed(), latencies: Vec::new() };
        for result in results {
            measured.latencies.extend(result?);
        }
        Ok(measured)
    }
}

/// Writes a `GET`.
pub(super) fn get(out: &mut Vec<u8>, path: &str) {
    write!(out, "GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").expect("a Vec takes everything");
}

/// Writes a `POST` of JSON by the demo tenant.
pub(super) fn post(out: &mut Vec<u8>, path: &str, body: &str) {
    write!(
        out,
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {DEMO_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("a Vec takes everything");
}

/// One keep-alive connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("the server does not accept")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    fn timed(&mut self, request: &[u8], status: u16, latencies: &mut Vec<u32>) -> Result<()> {
        let started = Instant::now();
        self.exchange(request, status)?;
        latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Sends a request and reads its answer; the body.
    pub(super) fn exchange(&mut self, request: &[u8], status: u16) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 4096];
        loop {
            if let Some(head) = Head::parse(&self.buffer)?
                && self.buffer.len() >= head.length + head.body
            {
                if head.status != status {
                    let answer = String::from_utf8_lossy(&self.buffer);
                    bail!("answer {} instead of {status}: {answer}", head.status);
                }
                return Ok(&self.buffer[head.length..]);
            }
            match self.stream.read(&mut chunk)? {
                0 => bail!("the server closed the connection"),
                n => self.buffer.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

/// What matters of an answer's head.
#[derive(PartialEq, Eq, Debug)]
struct Head {
    status: u16,
    /// Bytes of the head itself.
    length: usize,
    /// Bytes of the body.
    body: usize,
}

impl Head {
    /// `None` while the head is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end])?;
        let status = text.get(9..12).and_then(|digits| digits.parse().ok()).context("no status line")?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        Ok(Some(Self { status, length: end + 4, body: length.unwrap_or(0) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_where_its_body_ends() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(Head::parse(answer).unwrap(), Some(Head { status: 201, length: 43, body: 2 }));
        assert_eq!(Head::parse(&answer[..30]).unwrap(), None);
    }

    #[test]
    fn a_quantile_is_a_latency_that_was_measured() {
        let mut measured = Measured { elapsed: Duration::from_secs(2), latencies: (1..=100).rev().collect() };
        assert_eq!((measured.percentile(50), measured.percentile(99)), (51, 100));
        assert!((measured.per_second() - 50.0).abs() < f64::EPSILON);
    }
}
