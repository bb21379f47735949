//! The wire APIs, driven by clients that know nothing of Countersign: reference clients in Python's
//! standard library, one per document, and the published clients of ZITADEL, unmodified.
//!
//! They lie in `tests/clients`. What they need is installed under `target/clients`, at the versions that
//! are pinned beside them. Each gets a service of its own: dev mode on a free port, with an empty store.

mod install;
mod server;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{root, target};
use crate::tally::Tally;
use server::Server;

/// One program that drives the service, and how to get it.
struct Client {
    name: &'static str,
    /// What the service is started with besides.
    service: &'static [&'static str],
    /// Installs what is missing; answers the command that runs the tests.
    ready: fn() -> Result<Command>,
}

const CLIENTS: &[Client] = &[
    client("zap", &[], || reference("zap_test.py")),
    client("zap, samples", &[], || reference("zap_samples_test.py")),
];

const fn client(
    name: &'static str,
    service: &'static [&'static str],
    ready: fn() -> Result<Command>,
) -> Client {
    Client { name, service, ready }
}

/// Runs them all, one after the other; `counted` runs a command and counts the tests that it reports.
pub(crate) fn drive(counted: impl Fn(&mut Command) -> Tally) -> Tally {
    let mut total = Tally::default();
    for client in CLIENTS {
        eprintln!("\n-- {}", client.name);
        total += one(client, &counted).unwrap_or_else(|error| {
            eprintln!("error: {}: {error:#}", client.name);
            Tally::FAILED
        });
    }
    total
}

fn one(client: &Client, counted: impl Fn(&mut Command) -> Tally) -> Result<Tally> {
    let mut command = (client.ready)()?;
    let server = Server::start(client.service)?;
    let tally = counted(command.env("COUNTERSIGN_URL", &server.url));
    if tally.failed > 0 {
        eprintln!("{}: the service said:\n{}", client.name, std::fs::read_to_string(server::log())?);
    }
    Ok(tally)
}

/// Where the clients' tests are.
fn source(folder: &str) -> PathBuf {
    root().join("tests/clients").join(folder)
}

/// Where what they need is installed.
fn cache(folder: &str) -> PathBuf {
    target().join("clients").join(folder)
}

fn reference(tests: &str) -> Result<Command> {
    install::python()?;
    let mut command = Command::new("python3");
    python_tests(&mut command, "reference", tests);
    Ok(command)
}

fn python_tests(command: &mut Command, folder: &str, tests: &str) {
    command.args(["-m", "unittest", "discover", "--verbose", "--pattern", tests, "--start-directory"]);
    command.arg(source(folder)).env("PYTHONDONTWRITEBYTECODE", "1");
}
