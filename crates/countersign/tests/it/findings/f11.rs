//! Connections that do nothing.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::Installation;

const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";

async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of an answer on a connection that stays open.
async fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..read]).split(' ').nth(1).unwrap_or_default().to_owned())
}

/// Whoever held all the connections there may be kept everybody else out.
///
/// Shows: F11.
#[tokio::test]
async fn f11_idle_connections_of_one_address_keep_nobody_out() {
    let installation = Installation::new("server.max_connections = 32");
    let server = installation.serve();
    let (honest, greedy) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    // The honest client was there first and is idle longest of all.
    let mut early = connect(honest, server.address()).await;
    assert_eq!(ask(&mut early).await.unwrap(), "200");
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut stream = connect(greedy, server.address()).await;
        assert_eq!(ask(&mut stream).await.unwrap(), "200", "the newcomer is served");
        idle.push(stream);
    }
    let mut late = connect(honest, server.address()).await;
    assert_eq!(ask(&mut late).await.unwrap(), "200");
    assert_eq!(ask(&mut early).await.unwrap(), "200", "a share of one address is not taken by another");
    assert_eq!(idle[0].read(&mut [0]).await.unwrap(), 0, "the one idle longest went");
    assert_eq!(ask(&mut idle[99]).await.unwrap(), "200");
}
