//! Pages of other sites, in the browser of whoever runs dev mode.

use crate::support::{Server, exchange};

fn request(method: &str, path: &str, host: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    )
    .into_bytes()
}

/// A page whose name was made to point here (DNS rebinding) read the codes; an old browser's form pushed the clock.
///
/// Shows: F16.
#[test]
fn f16_no_page_of_another_site_reads_a_code_or_pushes_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let (address, port) = (server.address(), server.address().port());
    let rebound = format!("evil.example:{port}");
    for path in ["/", "/docs", "/dev/inbox", "/dev/inbox/events", "/dev/samples"] {
        let answer = exchange(address, &request("GET", path, &rebound, "", "")).unwrap();
        assert_eq!(answer.status, 421, "{path}");
    }
    let push = r#"{"advance_seconds": 86400}"#;
    let here = format!("127.0.0.1:{port}");
    for (more, status) in [
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        ("Content-Type: application/json\r\nOrigin: http://evil.example\r\n", 403),
        ("Content-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n", 403),
    ] {
        let answer = exchange(address, &request("POST", "/dev/clock", &here, more, push)).unwrap();
        assert_eq!(answer.status, status, "{more}");
    }
}

/// Shows: F16.
#[test]
fn f16_a_command_line_on_this_machine_goes_on_working() {
    let folder = tempfile::tempdir().unwrap();
    for (listen, names) in [("127.0.0.1:0", &["localhost", "127.0.0.1"][..]), ("[::1]:0", &["[::1]"])] {
        let server = Server::dev(&folder.path().join(listen), &["--listen", listen]);
        for name in names {
            let url = format!("http://{name}:{}", server.address().port());
            for arguments in [
                vec![format!("{url}/dev/inbox")],
                vec!["--json".into(), r#"{"advance_seconds": 61}"#.into(), format!("{url}/dev/clock")],
                vec!["-X".into(), "DELETE".into(), format!("{url}/dev/inbox")],
            ] {
                let mut curl = std::process::Command::new("curl");
                curl.args(["-sS", "--fail"]).args(arguments).env("no_proxy", "*");
                let ran = curl.output().unwrap();
                assert!(ran.status.success(), "{curl:?}: {}", String::from_utf8_lossy(&ran.stderr));
            }
        }
    }
}
