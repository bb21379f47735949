//! HTTP/2 frame by frame, for clients that do not follow the rules.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// How many bytes of an answer a client takes before it is asked (RFC 9113, section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// What a connection begins with, for a client that takes so many bytes of an answer.
pub(crate) fn hello(window: u32) -> Vec<u8> {
    let settings = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &settings)].concat()
}

/// A whole request without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(0x82, path))
}

/// A request whose body is still to come.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &head(0x83, path))
}

/// A head in HPACK without compression: the method by its number, http, the path, the authority `a`.
fn head(method: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    [&[method, 0x86, 0x04, length], path.as_bytes(), &[0x01, 1, b'a']].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// A connection on which this was sent.
pub(crate) fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    begin(TcpStream::connect(address).unwrap(), bytes)
}

fn begin(mut stream: TcpStream, bytes: &[u8]) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Reads on until a head comes.
fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    loop {
        let frame = read(stream)?;
        if frame.kind == HEADERS {
            return Ok(frame.content);
        }
    }
}

/// Reads on until each of these streams was answered or refused. Returns how many were answered.
pub(crate) fn hear_of(stream: &mut TcpStream, mut streams: HashSet<u32>) -> std::io::Result<usize> {
    let mut answered = 0;
    while !streams.is_empty() {
        let frame = read(stream)?;
        let is_news = [HEADERS, RST_STREAM].contains(&frame.kind) && streams.remove(&frame.stream);
        answered += usize::from(is_news && frame.kind == HEADERS);
    }
    Ok(answered)
}

struct Frame {
    kind: u8,
    stream: u32,
    content: Vec<u8>,
}

fn read(stream: &mut TcpStream) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let mut content = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut content)?;
    let [.., a, b, c, d] = head;
    Ok(Frame { kind: head[3], stream: u32::from_be_bytes([a, b, c, d]), content })
}

/// A good client: asks for a path over a connection of its own, and says whether it was answered 200 with a body.
pub(crate) fn is_served(address: SocketAddr, path: &str) -> bool {
    is_served_on(TcpStream::connect(address).unwrap(), path)
}

/// The same, from this address of the machine.
pub(crate) fn is_served_at(from: IpAddr, address: SocketAddr, path: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        socket.connect(address).await?.into_std()
    });
    let stream = stream.unwrap();
    stream.set_nonblocking(false).unwrap();
    is_served_on(stream, path)
}

fn is_served_on(stream: TcpStream, path: &str) -> bool {
    let served = || {
        let mut stream = begin(stream, &[hello(65_535), get(1, path)].concat());
        let head = read_head(&mut stream)?;
        let ok = head.first() == Some(&0x88); // `:status: 200`, by its number in HPACK
        loop {
            let frame = read(&mut stream)?;
            match frame.kind {
                DATA => return Ok(ok && !frame.content.is_empty()),
                RST_STREAM => return Ok(false),
                _ => {}
            }
        }
    };
    served().unwrap_or_else(|error: std::io::Error| {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "no answer");
        false
    })
}
