//! Recorded exchanges: a file is one as it goes over the wire, below a head of `#` lines.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use countersign_core::tenant::Tenant;
use serde_json::{Value, json};

/// What lines of the head begin with; all others are the title's.
const NAMES: [&str; 7] = ["section", "domain", "options", "tenant", "given", "sends", "forwards"];

/// A recorded exchange.
#[derive(Debug)]
pub(crate) struct Recorded {
    title: String,
    head: Vec<(String, String)>,
    pub(crate) request: String,
    response: String,
}

impl Recorded {
    fn parse(text: &str) -> Self {
        let (mut title, mut head) = (String::new(), Vec::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
            let line = line.trim_start_matches('#').trim();
            match line.split_once(": ") {
                Some((name, value)) if NAMES.contains(&name) => {
                    head.push((name.to_owned(), value.to_owned()));
                }
                _ => title.push_str(line),
            }
        }
        let wire: Vec<&str> = lines.collect();
        let answer = wire.iter().position(|line| line.starts_with("HTTP/1.1 ")).expect("an answer");
        assert!(!title.is_empty());
        let joined = |lines: &[&str]| lines.join("\n").trim().to_owned();
        Self { title, head, request: joined(&wire[..answer]), response: joined(&wire[answer..]) }
    }

    /// The values of the head's lines of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The settings of this name; an empty object without any.
    pub(crate) fn settings(&self, name: &str) -> Value {
        self.all(name).last().map_or_else(|| json!({}), |text| serde_json::from_str(text).unwrap())
    }

    /// What the exchange sends.
    pub(crate) fn sends(&self) -> Vec<&str> {
        self.all("sends").last().map_or_else(Vec::new, |what| what.split(", ").collect())
    }

    /// The answer that is expected where the one that came has these headers: `<1 to 3>` stands for a
    /// short wait.
    pub(crate) fn expected(&self, headers: &HeaderMap) -> String {
        let wait = headers.get("retry-after").map_or("", |value| value.to_str().unwrap());
        let soon = if ["1", "2", "3"].contains(&wait) { wait } else { "none of 1, 2, 3" };
        self.response.replace("<1 to 3>", soon)
    }
}

/// Runs every exchange in the folder, of which there are more than `fewest`. `run` answers what came instead of
/// the recorded answer, or was sent besides.
pub(crate) async fn run_all(folder: &str, fewest: usize, run: impl AsyncFn(&Recorded) -> Result<(), String>) {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > fewest, "only {} exchanges found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let recorded = Recorded::parse(&std::fs::read_to_string(&file).unwrap());
        if let Err(difference) = run(&recorded).await {
            wrong.push(format!("{}\n# {}\n{difference}", file.display(), recorded.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Makes the tenant what a line of the head says.
pub(crate) fn make(tenant: &mut Tenant, what: &str) {
    match what {
        "disabled" => tenant.disabled = true,
        "enforces the client limit" => tenant.policy.caps.client_limit_refuses = true,
        "sends to Sweden only" => tenant.policy.allowed_regions = vec!["SE".into()],
        "holds a recipient after four failed checks" => {
            tenant.policy.caps.recipient.failed_checks_per_day = 4;
        }
        other => panic!("no such tenant: {other}"),
    }
}

/// An answer as it is recorded.
pub(crate) fn written(status: StatusCode, headers: &HeaderMap, body: &str) -> String {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{}: {}", capitals(name.as_str()), value.to_str().unwrap())
    };
    let headers: Vec<String> = headers.iter().map(header).collect();
    format!("HTTP/1.1 {status}\n{}\n\n{body}", headers.join("\n"))
}

/// A recorded request, to be sent.
pub(crate) fn parse_request(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut start = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(start.next().unwrap()).uri(start.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Content-Length" {
            assert_eq!(value, body.len().to_string(), "{text}");
        }
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// `content-type` as people write it.
fn capitals(name: &str) -> String {
    let part = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
