//! `cargo xtask bench`: the real program in release mode, on a real disk, under load from this process.
//!
//! Absolute numbers say as much about the machine as about the program. So each round measures, one
//! after the other, a bare answer (`GET /livez`), a start and a check on the same front over the same
//! connections; what counts is the ratio between them.

#![expect(clippy::cast_precision_loss, reason = "counts of answers are far below 2^52")]

mod load;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use load::{Load, Measured};
use server::Server;

const DEMO_KEY: &str = "csk_dev_demo_000000000000000000000000000000";
const ROUNDS: u32 = 3;

/// What one kind of request came to, over all rounds.
#[derive(Default)]
struct Total {
    measured: Measured,
    server_cpu: Duration,
}

/// Measures and prints. `arguments`: `--seconds N` is the length of one measurement.
///
/// # Errors
/// The program does not build, start or answer as expected.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let seconds = match arguments {
        [] => 5,
        ["--seconds", seconds] => seconds.parse().context("--seconds takes a whole number")?,
        _ => bail!("bench knows --seconds N only"),
    };
    crate::process::run(&mut crate::process::cargo(&["build", "--release", "--package", "countersign"]))?;
    let server = Server::start()?;
    let load = Load { address: server.address, connections: 64, lasting: Duration::from_secs(seconds) };
    let rest = server.resident_mb()?;
    let counters_before = server.counters()?;
    let (mut hello, mut start, mut check) = (Total::default(), Total::default(), Total::default());
    let mut under_load = 0;
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        measure(&mut hello, &server, || load.run(200, |_, out| load::get(out, "/livez")))?;
        measure(&mut start, &server, || {
            load.run(201, |i, out| load::post(out, "/v1/verifications", &start_body(round, i)))
        })?;
        under_load = under_load.max(server.resident_mb()?);
        let ready = prepare(&load, round, seconds)?;
        measure(&mut check, &server, || load.run_all(200, &ready))?;
    }
    println!(
        "\n{} connections, {ROUNDS} rounds of {seconds} s, release build, durable SQLite",
        load.connections
    );
    println!("{:<8}{:>10}{:>8}{:>12}{:>10}{:>10}", "", "req/s", "ratio", "CPU µs/req", "p50 µs", "p99 µs");
    let bare = hello.measured.per_second();
    for (name, total) in [("hello", &mut hello), ("start", &mut start), ("check", &mut check)] {
        let per_second = total.measured.per_second();
        println!(
            "{name:<8}{per_second:>10.0}{:>8.2}{:>12.1}{:>10}{:>10}",
            per_second / bare,
            total.server_cpu.as_secs_f64() * 1e6 / total.measured.answers() as f64,
            total.measured.percentile(50),
            total.measured.percentile(99),
        );
    }
    println!("\nresident: {rest} MB at rest, {under_load} MB under load");
    let counters = server.counters()?;
    let grown = |name: &str| {
        let value = |all: &BTreeMap<String, f64>| all.get(name).copied().unwrap_or_default();
        value(&counters) - value(&counters_before)
    };
    let (commands, fsyncs) =
        (grown("countersign_store_batch_commands_sum"), grown("countersign_store_fsyncs_total"));
    println!("{commands:.0} commands in {fsyncs:.0} commits: {:.1} answers per fsync", commands / fsyncs);
    Ok(())
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
