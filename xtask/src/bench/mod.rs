//! `cargo xtask bench`: the real program in release mode, on a real disk, under load from this process.
//!
//! Absolute numbers say as much about the machine as about the program. So each round measures, one
//! after the other, a bare answer (`GET /livez`), a start and a check on the same front over the same
//! connections; what counts is the ratio between them.

#![expect(clippy::cast_precision_loss, reason = "counts of answers are far below 2^52")]

mod load;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use load::{Load, Measured};
use server::Server;

use crate::process::target;

const DEMO_KEY: &str = "csk_dev_demo_000000000000000000000000000000";
const ROUNDS: u32 = 3;

/// What one kind of request came to, over all rounds.
#[derive(Default)]
struct Total {
    measured: Measured,
    server_cpu: Duration,
}

/// One build of the program, and what was measured of it.
struct Build {
    name: &'static str,
    server: Server,
    load: Load,
    at_rest_mb: u64,
    under_load_mb: u64,
    counters_before: BTreeMap<String, f64>,
    hello: Total,
    start: Total,
    check: Total,
}

/// Measures and prints. `arguments`: `--seconds N` is the length of one measurement; `--against FILE`
/// measures another build of the program in the same rounds, to compare them on a noisy machine.
///
/// # Errors
/// The program does not build, start or answer as expected.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (mut seconds, mut against) = (5, None);
    let mut rest = arguments;
    while let [name, value, more @ ..] = rest {
        match *name {
            "--seconds" => seconds = value.parse().context("--seconds takes a whole number")?,
            "--against" => against = Some(PathBuf::from(value)),
            _ => bail!("bench knows --seconds N and --against FILE only"),
        }
        rest = more;
    }
    ensure!(rest.is_empty(), "bench knows --seconds N and --against FILE only");
    crate::process::run(&mut crate::process::cargo(&["build", "--release", "--package", "countersign"]))?;
    let mut builds = vec![Build::start("this build", &target().join("release/countersign"), seconds)?];
    if let Some(program) = against {
        builds.push(Build::start("the other", &program, seconds)?);
    }
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for build in &mut builds {
            build.round(round, seconds)?;
        }
    }
    println!("\n64 connections, {ROUNDS} rounds of {seconds} s, release build, durable SQLite");
    builds.into_iter().try_for_each(Build::report)
}

impl Build {
    fn start(name: &'static str, program: &Path, seconds: u64) -> Result<Self> {
        let server = Server::start(program)?;
        let load = Load { address: server.address, connections: 64, lasting: Duration::from_secs(seconds) };
        Ok(Self {
            name,
            load,
            at_rest_mb: server.resident_mb()?,
            under_load_mb: 0,
            counters_before: server.counters()?,
            server,
            hello: Total::default(),
            start: Total::default(),
            check: Total::default(),
        })
    }

    fn round(&mut self, round: u32, seconds: u64) -> Result<()> {
        let Self { server, load, .. } = self;
        measure(&mut self.hello, server, || load.run(200, |_, out| load::get(out, "/livez")))?;
        measure(&mut self.start, server, || {
            load.run(201, |i, out| load::post(out, "/v1/verifications", &start_body(round, i)))
        })?;
        self.under_load_mb = self.under_load_mb.max(server.resident_mb()?);
        let ready = prepare(load, round, seconds)?;
        measure(&mut self.check, server, || load.run_all(200, &ready))
    }

    fn report(mut self) -> Result<()> {
        println!(
            "\n{:<10}{:>10}{:>8}{:>12}{:>10}{:>10}",
            self.name, "req/s", "ratio", "CPU µs/req", "p50 µs", "p99 µs"
        );
        let bare = self.hello.measured.per_second();
        for (name, total) in
            [("hello", &mut self.hello), ("start", &mut self.start), ("check", &mut self.check)]
        {
            let per_second = total.measured.per_second();
            println!(
                "{name:<10}{per_second:>10.0}{:>8.2}{:>12.1}{:>10}{:>10}",
                per_second / bare,
                total.server_cpu.as_secs_f64() * 1e6 / total.measured.answers() as f64,
                total.measured.percentile(50),
                total.measured.percentile(99),
            );
        }
        println!("resident: {} MB at rest, {} MB under load", self.at_rest_mb, self.under_load_mb);
        let counters = self.server.counters()?;
        let grown = |name: &str| {
            let value = |all: &BTreeMap<String, f64>| all.get(name).copied().unwrap_or_default();
            value(&counters) - value(&self.counters_before)
        };
        let (commands, fsyncs) =
            (grown("countersign_store_batch_commands_sum"), grown("countersign_store_fsyncs_total"));
        println!("{commands:.0} commands in {fsyncs:.0} commits: {:.1} answers per fsync", commands / fsyncs);
        Ok(())
    }
}

fn measure(total: &mut Total, server: &Server, run: impl FnOnce() -> Result<Measured>) -> Result<()> {
    let before = server.cpu()?;
    let measured = run()?;
    total.server_cpu += server.cpu()?.saturating_sub(before);
    total.measured.add(measured);
    Ok(())
}

/// Every start has a recipient of its own: limits per recipient are not what is measured.
fn start_body(round: u32, i: usize) -> String {
    format!(r#"{{"to":"bench-{round}-{i}@example.com","purpose":"login"}}"#)
}

/// Opens verifications whose code comes back, and makes the request that checks it of each.
fn prepare(load: &Load, round: u32, seconds: u64) -> Result<Vec<Vec<u8>>> {
    let wanted = 10_000 * seconds;
    let starts: Vec<Vec<u8>> = (0..wanted)
        .map(|i| {
            let body =
                format!(r#"{{"to":"check-{round}-{i}@example.com","purpose":"login","delivery":"return"}}"#);
            let mut request = Vec::new();
            load::post(&mut request, "/v1/verifications", &body);
            request
        })
        .collect();
    let answers = load.answers(201, &starts)?;
    answers
        .iter()
        .map(|answer| {
            let answer: serde_json::Value = serde_json::from_slice(answer)?;
            let field =
                |name: &str| answer[name].as_str().with_context(|| format!("no {name} in the answer"));
            let mut request = Vec::new();
            let path = format!("/v1/verifications/{}/check", field("id")?);
            load::post(&mut request, &path, &format!(r#"{{"code":"{}"}}"#, field("code")?));
            Ok(request)
        })
        .collect()
}
