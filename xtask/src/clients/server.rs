//! The service that a client drives.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::cache;
use crate::process::target;

/// The built program in dev mode with an empty store; dropping it ends it and removes the store.
pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:…`
    pub(super) url: String,
}

/// What the service said last: kept for whoever looks into a failure.
pub(super) fn log() -> PathBuf {
    cache("service.log")
}

impl Server {
    pub(super) fn start(arguments: &[&str]) -> Result<Self> {
        let folder = cache(&format!("store-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut child = Command::new(target().join("debug/countersign"))
            .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log())?)
            .spawn()
            .context("cannot start the program; was it built?")?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped above")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("listening on http://")?;
            Some(format!("http://{}", address.trim().trim_end_matches('/')))
        });
        std::thread::spawn(move || lines.count()); // nobody else reads what it prints
        // From here on, dropping it cleans up.
        let server = Self { child, folder, url: url.clone().unwrap_or_default() };
        url.map(|_| server).context("the program did not say where it listens")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
