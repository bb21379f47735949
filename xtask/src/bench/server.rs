//! The program under measurement: started, watched through `/proc`, and stopped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::load::{self, Connection};
use crate::process::target;

/// A running server with a store of its own; dropping it ends the process and removes the store.
pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) fn start(program: &Path) -> Result<Self> {
        // Beside the build, not under a temporary folder: that may be memory, whose fsync is free.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = target().join(format!("bench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut child = Command::new(program)
            .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the program")?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped above")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on http://")?;
            rest.split_whitespace().next()?.trim_end_matches('/').parse().ok()
        });
        std::thread::spawn(move || lines.count()); // nobody else reads what it prints
        // From here on, dropping it cleans up.
        let server = Self { child, folder, address: address.unwrap_or(SocketAddr::from(([0; 4], 0))) };
        address.is_some().then_some(server).context("the program did not say where it listens")
    }

    /// The processor time it has used.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        ticks(&stat).map(|ticks| Duration::from_millis(ticks * 10)).context("unreadable /proc/<pid>/stat")
    }

    /// The memory it occupies, in megabytes.
    pub(super) fn resident_mb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.map(|kb| kb / 1024).context("no VmRSS")
    }

    /// The store's counters.
    pub(super) fn counters(&self) -> Result<BTreeMap<String, f64>> {
        let mut request = Vec::new();
        load::get(&mut request, "/metrics");
        let mut connection = Connection::open(self.address)?;
        let page = String::from_utf8(connection.exchange(&request, 200)?.to_vec())?;
        let store = page.lines().filter(|line| line.starts_with("countersign_store_"));
        Ok(store.filter_map(|line| line.rsplit_once(' ')).filter_map(counter).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn counter((name, value): (&str, &str)) -> Option<(String, f64)> {
    (!name.contains("quantile=") && !name.contains("le=")).then_some(())?;
    Some((name.to_owned(), value.parse().ok()?))
}

/// User and system time of a `/proc/<pid>/stat` line (proc(5)), in hundredths of a second: Linux has
/// reported them so on every architecture that matters here.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_with_spaces_does_not_move_the_fields() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 3 0 100 1 1";
        assert_eq!(super::ticks(stat), Some(12));
    }
}
