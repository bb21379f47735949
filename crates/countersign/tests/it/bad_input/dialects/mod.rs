//! The same for the dialects whose callers are end users' devices, and for ZITADEL's: what cannot be read is
//! answered in each one's own words, and nobody is charged for it.

mod crypterium;
mod enduserapi;
mod grpc;
mod zitadel;

use serde_json::Value;

use super::corpus::{broken, too_much};
use crate::support::{Answer, Server, request};

const JSON: &str = "Content-Type: application/json";
/// The time at which the service's clock stands.
const NOW: (&str, i64) = ("2030-01-01T00:00:00Z", 1_893_456_000_000);

/// A wire API with calls that take bodies.
struct Dialect {
    headers: Vec<String>,
    /// Method, path, a good body.
    calls: Vec<(&'static str, String, Value)>,
    /// The words of a refusal; fails the test if it is none, or has another form than all refusals.
    words: fn(&Answer) -> String,
    /// What it says of a body that is no JSON object.
    malformed: &'static str,
    /// Whether a body of another media type is one it does not read.
    needs_json: bool,
}

impl Dialect {
    fn send(&self, server: &Server, call: (&str, &str), headers: &[&str], body: &[u8]) -> Answer {
        let headers: Vec<&str> =
            self.headers.iter().map(String::as_str).chain(headers.iter().copied()).collect();
        server.exchange(&request(call.0, call.1, &headers, body))
    }

    /// A call that is understood and succeeds; `null` is no body.
    fn served(&self, server: &Server, call: (&str, &str), body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(server, call, &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

/// The wire APIs of dev mode beside those of [`super`].
fn all() -> [Dialect; 5] {
    [
        crypterium::phones(),
        enduserapi::signed_calls(),
        enduserapi::password_calls(),
        zitadel::rest(),
        zitadel::connect(),
    ]
}

fn open(folder: &tempfile::TempDir) -> Server {
    Server::dev(folder.path(), &["--fixed-clock", NOW.0])
}

/// Sends it; what came back is one of the API's own refusals, and shows nothing of the inside.
fn refused(server: &Server, dialect: &Dialect, call: (&str, &str), headers: &[&str], body: &[u8]) -> String {
    let answer = dialect.send(server, call, headers, body);
    let words = (dialect.words)(&answer);
    for inside in ["panick", ".rs:", "serde", "expected", "line 1", "column", "backtrace"] {
        assert!(!answer.body.contains(inside), "{}: {answer:?}", body.escape_ascii());
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    words
}

/// How many messages there were so far.
fn messages(server: &Server) -> usize {
    server.get("/dev/inbox?limit=1000").json()["messages"].as_array().unwrap().len()
}

fn says_what_it_cannot_read(server: &Server, dialect: &Dialect) {
    for (method, path, good) in &dialect.calls {
        for (why, body) in broken(good) {
            let words = refused(server, dialect, (method, path), &[JSON], &body);
            let unread = ["truncated", "no object", "not JSON", "a member twice", "17 deep"].contains(&why);
            let named = words == dialect.malformed || body.is_empty();
            assert!(!unread || named, "{path}: {why}: {}: {words}", body.escape_ascii());
        }
    }
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_dialect_says_in_its_own_words_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let before = messages(&server);
    for dialect in all() {
        says_what_it_cannot_read(&server, &dialect);
    }
    assert_eq!(messages(&server), before);
    server.stop();
}

#[test]
fn a_dialect_reads_no_body_of_another_media_type() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    for dialect in all().iter().filter(|dialect| dialect.needs_json) {
        for (method, path, good) in &dialect.calls {
            for header in [
                &[][..],
                &["Content-Type: text/plain"],
                &["Content-Type: application/jsonx"],
                &["Content-Type: multipart/form-data; boundary=application/json"],
                &["Content-Type:"],
                &[JSON, JSON],
            ] {
                let body = good.to_string();
                let words = refused(&server, dialect, (method, path), header, body.as_bytes());
                assert_eq!(words, dialect.malformed, "{path}: {header:?}");
            }
        }
    }
    server.stop();
}

/// What is not read has no body in any of them: there is nobody yet to put it into words.
#[test]
fn a_dialect_refuses_too_much_unread() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(&folder);
    let before = messages(&server);
    for dialect in all() {
        for (method, path, good) in &dialect.calls {
            for (status, headers, body) in too_much(good.to_string().as_bytes()) {
                let headers: Vec<&str> =
                    [JSON].into_iter().chain(headers.iter().map(String::as_str)).collect();
                let answer = dialect.send(&server, (method, path), &headers, &body);
                assert_eq!((answer.status, &*answer.body), (status, ""), "{path}: {headers:.1?}");
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}: {headers:.1?}");
            }
        }
    }
    assert_eq!(messages(&server), before);
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}
