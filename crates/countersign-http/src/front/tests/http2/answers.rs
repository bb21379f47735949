//! Answers over HTTP/2 that their clients do not take.

use std::collections::HashSet;

use super::*;

const WINDOW_UPDATE: u8 = 8;

/// What an answer of five bytes (`hello`) takes of the room.
const HELLO: usize = 4 * 1024 + 5;

/// The largest window (RFC 9113, section 6.9.1).
const OPEN: u32 = (1 << 31) - 1;

/// A client's settings: how many bytes of an answer it takes before it is asked.
fn window(bytes: u32) -> Vec<u8> {
    let setting = [&4_u16.to_be_bytes()[..], &bytes.to_be_bytes()].concat();
    [&PREFACE[..], &frame(SETTINGS, 0, 0, &setting)].concat()
}

/// More room for a stream's answer, or for those of a whole connection (0).
fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// A client that asks so often and takes nothing, as soon as it has heard of each of its streams. Also how many of them
/// were reset meanwhile, some before their head could be written.
async fn asks_and_takes_nothing(server: &Server, requests: u32) -> (TcpStream, usize) {
    let mut stream = server.connect().await;
    let requests: Vec<_> = (0..requests).map(|n| request(2 * n + 1, "/")).collect();
    stream.write_all(&[window(0), requests.concat()].concat()).await.unwrap();
    let (mut heard_of, mut resets) = (HashSet::new(), 0);
    while heard_of.len() < requests.len() {
        let frame = Frame::read(&mut stream).await.expect("the connection goes on");
        if [HEADERS, RST_STREAM].contains(&frame.kind) {
            heard_of.insert(frame.stream);
        }
        if frame.kind == RST_STREAM {
            assert_eq!(frame.reason(), Reason::ENHANCE_YOUR_CALM);
            resets += 1;
        }
    }
    (stream, resets)
}

async fn reset(stream: &mut TcpStream) -> Frame {
    let waiting = async {
        loop {
            let frame = Frame::read(stream).await.expect("the connection goes on");
            if frame.kind == RST_STREAM {
                return frame;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("the stream ends")
}

/// Shows: F9.
#[tokio::test]
async fn f9_an_answer_that_its_client_does_not_take_ends_after_a_while() {
    for bytes in [0, 1] {
        let server =
            Server::start(FrontOptions { answer_timeout: Duration::from_millis(200), ..quick() }).await;
        let mut stream = server.connect().await;
        stream.write_all(&[window(bytes), request(1, "/")].concat()).await.unwrap();
        let ended = reset(&mut stream).await;
        assert_eq!((ended.stream, ended.reason()), (1, Reason::CANCEL));
    }
}

/// Shows: F9.
#[tokio::test]
async fn f9_a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    stream.write_all(&[window(1), request(1, "/")].concat()).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < 5 {
        let frame = Frame::read(&mut stream).await.expect("more of it");
        if frame.kind == DATA {
            taken.extend(frame.content);
            stream.write_all(&window_update(1, 1)).await.unwrap();
        }
    }
    assert_eq!(taken, b"hello");
}

/// Shows: F9.
#[tokio::test]
async fn f9_answers_that_nobody_takes_make_room_for_a_client_at_the_same_address() {
    let server = Server::start(FrontOptions { answer_room: 10 * HELLO, ..FrontOptions::default() }).await;
    let client = Client::connect(&server).await;
    // It is slow, and it was there before all others.
    let mut slow = server.connect().await;
    slow.write_all(&[window(1), request(1, "/")].concat()).await.unwrap();
    while Frame::read(&mut slow).await.unwrap().kind != DATA {}
    let mut attackers = Vec::new();
    let mut displaced = 0;
    for _ in 0..3 {
        let (attacker, resets) = asks_and_takes_nothing(&server, 30).await;
        displaced += resets;
        attackers.push(attacker);
        for _ in 0..100 {
            assert_eq!(client.get("/").await.unwrap().body, "hello");
        }
    }
    for attacker in &mut attackers {
        while let Ok(frame) = tokio::time::timeout(Duration::from_millis(50), Frame::read(attacker)).await {
            let frame = frame.expect("the connection goes on");
            assert_eq!((frame.kind, frame.reason()), (RST_STREAM, Reason::ENHANCE_YOUR_CALM));
            displaced += 1;
        }
    }
    assert!(displaced >= 81, "{displaced} of 90: there is room for nine beside the slow one's");
    slow.write_all(&window_update(1, 4)).await.unwrap();
    assert_eq!(Frame::read(&mut slow).await.unwrap().content, b"ello");
}

/// A client whose window is open and who reads nothing: a long answer fills what the system buffers.
async fn reads_nothing(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    let open = window_update(0, OPEN - 65_535);
    stream.write_all(&[window(OPEN), open, request(1, "/long")].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream
}

/// Shows: F9.
#[tokio::test]
async fn f9_a_client_that_does_not_read_makes_room_likewise() {
    let server =
        Server::start(FrontOptions { answer_room: LONG + 4 * HELLO, ..FrontOptions::default() }).await;
    let mut stream = reads_nothing(&server).await;
    let (_attacker, resets) = asks_and_takes_nothing(&server, 3).await;
    assert_eq!(resets, 0, "there is room");
    let client = Client::connect(&server).await;
    assert_eq!(client.send(get("/half"), "").await.unwrap().body.len(), LONG / 2);
    let ended = reset(&mut stream).await;
    assert_eq!((ended.stream, ended.reason()), (1, Reason::ENHANCE_YOUR_CALM));
    // The connection is as good as before.
    stream.write_all(&request(3, "/")).await.unwrap();
    loop {
        let frame = Frame::read(&mut stream).await.expect("the connection goes on");
        if frame.kind == DATA {
            break assert_eq!((frame.stream, &frame.content[..]), (3, &b"hello"[..]));
        }
    }
}

/// Shows: F9.
#[tokio::test]
async fn f9_a_connection_that_holds_on_to_an_answer_that_had_to_go_is_closed() {
    let server =
        Server::start(FrontOptions { answer_room: LONG + 4 * HELLO, ..FrontOptions::default() }).await;
    let mut stream = reads_nothing(&server).await;
    let client = Client::connect(&server).await;
    assert_eq!(client.send(get("/half"), "").await.unwrap().body.len(), LONG / 2);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let frames = Frame::rest(&mut stream).await;
    assert!(frames.iter().any(|frame| frame.kind == DATA));
    assert!(!frames.iter().any(|frame| frame.kind == RST_STREAM), "nothing could be written any more");
    assert_eq!(client.get("/").await.unwrap().body, "hello");
}
