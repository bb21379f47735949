//! Starting other programs and saying so.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = xtask.as_deref().and_then(|folder| folder.parent());
    root.expect("cargo sets CARGO_MANIFEST_DIR, and xtask lies in the workspace").to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A `cargo` command in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Prints the command, runs it with our own output, and fails if it fails.
///
/// # Errors
/// The program cannot be started, or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    succeeded(command, status)
}

/// As [`run`], but shows the program's output line by line and hands each line to `seen`.
///
/// # Errors
/// The program cannot be started or read, or does not succeed.
pub(crate) fn run_seeing(command: &mut Command, mut seen: impl FnMut(&str) + Send) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let stdout = BufReader::new(child.stdout.take().expect("piped above"));
    let stderr = BufReader::new(child.stderr.take().expect("piped above"));
    std::thread::scope(|scope| {
        let (send, lines) = std::sync::mpsc::channel::<String>();
        let send_too = send.clone();
        scope.spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        scope.spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send_too.send(line)));
        for line in lines {
            eprintln!("{line}");
            seen(&line);
        }
    });
    let status = child.wait()?;
    succeeded(command, status)
}

/// What the program prints.
///
/// # Errors
/// The program cannot be started, does not succeed, or prints something else than UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    succeeded(command, output.status)?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program of that name is on the path.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or_default()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
