//! The wire APIs, driven by clients that know nothing of Countersign: reference clients in Python's
//! standard library, one per document, the published clients of ZITADEL, unmodified, and Schemathesis, which knows
//! the native API's OpenAPI document and nothing else.
//!
//! They lie in `tests/clients`. What they need is installed under `target/clients`, at the versions that
//! are pinned beside them. Each gets a service of its own: dev mode on a free port, with an empty store.

mod install;
mod server;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, root, run, target};
use crate::tally::Tally;
use server::Server;

/// One program that drives the service, and how to get it.
struct Client {
    /// The wire API that it speaks.
    dialect: &'static str,
    /// What is run.
    about: &'static str,
    /// What the service is started with besides.
    service: &'static [&'static str],
    /// Installs what is missing; answers the command that runs the tests.
    ready: fn() -> Result<Command>,
}

const CLIENTS: &[Client] = &[
    client("native", "by its OpenAPI document", native_schema),
    client("zap", "by its document", || reference("zap_test.py")),
    client("zap", "its samples", || reference("zap_samples_test.py")),
    client("crypterium", "by its document", || reference("crypterium_test.py")),
    client("crypterium", "its sample", || reference("crypterium_samples_test.py")),
    client("enduserapi", "by its document", || reference("enduserapi_test.py")),
    // The `ts` of the example.
    client("enduserapi", "its example", || reference("enduserapi_samples_test.py"))
        .served_with(&["--fixed-clock", "2025-04-16T03:24:54.369Z"]),
    client("zitadel", "its samples", || reference("zitadel_samples_test.py")),
    client("zitadel", "Connect, by Python", zitadel_python),
    client("zitadel", "gRPC, by JavaScript", || zitadel_javascript("grpc.test.js")),
    client("zitadel", "gRPC-Web, by JavaScript", || zitadel_javascript("grpc_web.test.js")),
    client("zitadel", "gRPC, by Rust", zitadel_rust),
];

const fn client(dialect: &'static str, about: &'static str, ready: fn() -> Result<Command>) -> Client {
    Client { dialect, about, service: &[], ready }
}

impl Client {
    const fn served_with(self, service: &'static [&'static str]) -> Self {
        Self { service, ..self }
    }

    fn drive(&self, counted: impl Fn(&mut Command) -> Tally) -> Result<Tally> {
        let mut command = (self.ready)()?;
        let server = Server::start(self.service)?;
        let tally = counted(command.env("COUNTERSIGN_URL", &server.url));
        if tally.failed > 0 {
            eprintln!("{}: the service said:\n{}", self.dialect, std::fs::read_to_string(server::log())?);
        }
        Ok(tally)
    }
}

/// Runs them all, one after the other; `counted` runs a command and counts the tests that it reports.
pub(crate) fn drive(counted: impl Fn(&mut Command) -> Tally) -> Tally {
    let mut total = Tally::default();
    for client in CLIENTS {
        eprintln!("\n-- {}: {}", client.dialect, client.about);
        total += client.drive(&counted).unwrap_or_else(|error| {
            eprintln!("error: {}: {error:#}", client.about);
            Tally::FAILED
        });
    }
    total
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

fn native_schema() -> Result<Command> {
    let mut command = Command::new(install::python_with("native-schema", "Schemathesis")?);
    python_tests(&mut command, "native-schema", "schema_test.py");
    Ok(command)
}

fn zitadel_python() -> Result<Command> {
    let mut command = Command::new(install::python_with("zitadel-python", "ZITADEL's Python client")?);
    python_tests(&mut command, "zitadel-python", "zitadel_test.py");
    Ok(command)
}

fn zitadel_javascript(tests: &str) -> Result<Command> {
    let folder = install::zitadel_javascript()?;
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter", "tap", tests]).current_dir(folder);
    Ok(command)
}

/// A crate of its own, with its own lock file: what it is built from is nothing to the program. So no other
/// step lints it.
fn zitadel_rust() -> Result<Command> {
    let manifest = source("zitadel-rust/Cargo.toml");
    install::zitadel_rust(&manifest)?;
    let its_own = |verb: &str, words: &[&str]| {
        let mut command = cargo(&[verb, "--locked", "--manifest-path"]);
        command.arg(&manifest).args(words).env("CARGO_TARGET_DIR", cache("zitadel-rust"));
        command
    };
    run(&mut its_own("clippy", &["--all-targets", "--", "-D", "warnings"]))?;
    run(&mut its_own("test", &["--no-run"]))?;
    // One at a time: they share a clock.
    Ok(its_own("test", &["--test", "flow", "--", "--test-threads", "1"]))
}

/// Whether the clients that are Rust are formatted: they are no members of the workspace.
///
/// # Errors
/// One is not.
pub(crate) fn fmt() -> Result<()> {
    let words = ["fmt", "--check", "--manifest-path"];
    run(cargo(&words).arg(source("zitadel-rust/Cargo.toml")))
}

fn python_tests(command: &mut Command, folder: &str, tests: &str) {
    command.args(["-m", "unittest", "discover", "--verbose", "--pattern", tests, "--start-directory"]);
    command.arg(source(folder)).env("PYTHONDONTWRITEBYTECODE", "1");
}
