//! The program as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use countersign_core::engine::Engine;
use countersign_core::time::Timestamp;
use countersign_storage::sqlite::{SqliteEngine, SqliteOptions};
use serde_json::{Value, json};

use super::http::{Answer, call, exchange, request};

/// How long the program may take to start or to end before that is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with these arguments, run to its end.
pub(crate) fn program(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).env_remove("COUNTERSIGN_KEYS");
    command
}

/// A fresh key file.
pub(crate) fn keys(path: &Path) {
    let made = program(&["keys", "generate", "--out", path.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A folder with a configuration, keys and, once it ran, a store.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    /// An installation of a tenant `acme` with the API key `csk_test`, and `more` configuration.
    pub(crate) fn new(more: &str) -> Self {
        let installation = Self { folder: tempfile::tempdir().unwrap() };
        keys(&installation.path("keys"));
        installation.configure(&format!(
            "server.listen = '127.0.0.1:0'\n\
             {more}\n\
             [keys]\nfile = 'keys'\n\
             [[providers]]\nkind = 'webhook'\nname = 'nobody'\nurl = 'http://127.0.0.1:9/'\n\
             signing_keys = ['0123456789abcdef']\nchannels = ['sms', 'email']\n\
             [[tenants]]\nid = 'acme'\nbrand = 'Acme'\n\
             [[tenants.api_keys]]\nname = 'test'\nsha256 = '{}'\nscopes = ['verify', 'read-code', 'admin']\n",
            sha256("csk_test")
        ));
        installation
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.path("c.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds to its configuration.
    pub(crate) fn configure_more(&self, text: &str) {
        let before = std::fs::read_to_string(self.path("c.toml")).unwrap();
        self.configure(&format!("{before}\n{text}"));
    }

    /// The bytes of its store: the database and what stands beside it.
    pub(crate) fn store(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let store = files.filter(|file| file.to_string_lossy().contains(".db"));
        store.flat_map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Runs a command on it to its end.
    pub(crate) fn run(&self, before: &[&str], after: &[&str]) -> Output {
        let config = self.path("c.toml");
        program(&[before, &["--config", config.to_str().unwrap()], after].concat())
    }

    /// Serves from it.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Serves from it, with more arguments.
    pub(crate) fn serve_with(&self, more: &[&str]) -> Server {
        self.serve_by(|command| {
            command.args(more);
        })
    }

    /// Serves from it by a command that was changed.
    pub(crate) fn serve_by(&self, change: impl FnOnce(&mut Command)) -> Server {
        let mut command = command(&["serve", "--config", self.path("c.toml").to_str().unwrap()]);
        change(&mut command);
        Server::run(command, "csk_test")
    }

    /// Tries to serve from it, which has to be refused; one that is not is ended.
    pub(crate) fn refused(&self, more: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["60", env!("CARGO_BIN_EXE_countersign"), "serve", "--config"]);
        command.arg(self.path("c.toml")).args(more).env_remove("COUNTERSIGN_KEYS").output().unwrap()
    }

    /// Makes its store, as one that was used last at `seen`.
    pub(crate) fn store_that_saw(&self, seen: Timestamp) {
        let keys = Arc::new(countersign::keyfile::read(&self.path("keys")).unwrap());
        let path = self.path("countersign.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let engine = SqliteEngine::open(&path, keys, SqliteOptions::default(), seen).unwrap();
        runtime.block_on(engine.probe(seen)).unwrap();
    }
}

/// The SHA-256 of a text, in hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// A running process. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    authorization: String,
    /// What it prints after the line with its address.
    output: Receiver<String>,
    /// What it has logged.
    log: Arc<Mutex<String>>,
    /// Writes that down, to the end.
    logger: Option<JoinHandle<()>>,
}

impl Server {
    /// `countersign dev` with its data in `folder`.
    pub(crate) fn dev(folder: &Path, more: &[&str]) -> Self {
        let folder = folder.to_str().unwrap();
        let listen: &[&str] = if more.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let arguments = [&["dev", "--data-dir", folder], listen, more].concat();
        Self::spawn(&arguments, super::DEMO)
    }

    fn spawn(arguments: &[&str], key: &str) -> Self {
        Self::run(command(arguments), key)
    }

    /// Runs a command that serves.
    fn run(mut command: Command, key: &str) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, output) = channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|l| line.send(l)));
        let first = output.recv_timeout(PATIENCE);
        let address = first.ok().and_then(|l| l.strip_prefix("listening on http://")?.parse().ok());
        let Some(address) = address else {
            let _already_gone = process.kill();
            let mut why = String::new();
            process.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("the program does not listen: {why}");
        };
        // Whether or not somebody reads its log, it must go somewhere.
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let log: Arc<Mutex<String>> = Arc::default();
        let lines = Arc::clone(&log);
        let logger = std::thread::spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&String::from_utf8_lossy(&line));
                log.push('\n');
            }
        });
        Self {
            process,
            address,
            authorization: format!("Authorization: Bearer {key}"),
            output,
            log,
            logger: Some(logger),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has printed since the line with its address.
    pub(crate) fn printed(&self) -> String {
        let mut text = String::new();
        while let Ok(line) = self.output.recv_timeout(Duration::from_millis(500)) {
            text += &line;
            text.push('\n');
        }
        text
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it logged to its end, after that.
    pub(crate) fn end_of_log(&mut self) -> String {
        self.logger.take().unwrap().join().unwrap();
        self.log()
    }

    /// A look, unless it has gone meanwhile.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        call(self.address, "GET", path, &[&self.authorization], "").ok()
    }

    /// A call, unless it has gone meanwhile.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        let headers = [&*self.authorization, "Content-Type: application/json"];
        call(self.address, "POST", path, &headers, &body.to_string()).ok()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        call(self.address, "GET", path, &[&self.authorization], "").unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[&self.authorization, "Content-Type: application/json"], &body.to_string())
    }

    /// A call with exactly these headers.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        call(self.address, method, path, headers, body).unwrap()
    }

    /// The code of the latest message to an address, from the inbox, as soon as it is there.
    pub(crate) fn code_for(&self, to: &str) -> String {
        let query = format!("/dev/inbox?limit=1&to={}", to.replace('+', "%2B"));
        let patience = Instant::now() + PATIENCE;
        loop {
            let inbox = self.get(&query).json();
            if let Some(code) = inbox["messages"][0]["code"].as_str() {
                return code.to_owned();
            }
            assert!(Instant::now() < patience, "no message arrived");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The bytes of a call with this installation's key.
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value, more: &[&str]) -> Vec<u8> {
        let own = [&*self.authorization, "Content-Type: application/json"];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(method, path, &[&own, more].concat(), body.as_bytes())
    }

    /// Sends these bytes over a connection of their own.
    pub(crate) fn exchange(&self, request: &[u8]) -> Answer {
        exchange(self.address, request).unwrap()
    }

    /// Pushes the clock of dev mode.
    pub(crate) fn advance(&self, seconds: u64) {
        let pushed = self.post("/dev/clock", &json!({ "advance_seconds": seconds }));
        assert_eq!(pushed.status, 200, "{pushed:?}");
    }

    /// How many messages went to an address, counted when nothing is on its way any more.
    pub(crate) fn messages_to(&self, to: &str) -> usize {
        let patience = Instant::now() + PATIENCE;
        let to = to.replace('+', "%2B");
        loop {
            let list = self.get(&format!("/v1/verifications?to={to}")).json();
            let ids = list["data"].as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap().to_owned());
            let deliveries = ids.flat_map(|id| {
                let one = self.get(&format!("/v1/verifications/{id}")).json();
                one["deliveries"].as_array().unwrap().clone()
            });
            if deliveries.into_iter().all(|delivery| delivery["status"] != "queued") {
                let inbox = self.get(&format!("/dev/inbox?to={to}")).json();
                return inbox["messages"].as_array().unwrap().len();
            }
            assert!(Instant::now() < patience, "a message stays queued");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// What the system tells of it: a file of its folder in `/proc`.
    pub(crate) fn told_by_the_system(&self, file: &str) -> std::io::Result<String> {
        let told = std::fs::read(format!("/proc/{}/{file}", self.process.id()))?;
        Ok(String::from_utf8_lossy(&told).into_owned())
    }

    /// Whose its folder in `/proc` is.
    pub(crate) fn owner_in_proc(&self) -> u32 {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(format!("/proc/{}/environ", self.process.id())).unwrap().uid()
    }

    /// How much memory it has now.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = self.told_by_the_system("status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < patience, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and a good end.
    pub(crate) fn stop(self) {
        self.stop_and_tell();
    }

    /// SIGTERM, and a good end; then everything it wrote to standard output and standard error.
    pub(crate) fn stop_and_tell(mut self) -> String {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "{status}");
        self.logger.take().unwrap().join().unwrap();
        let printed: String = self.output.iter().map(|line| line + "\n").collect();
        printed + &self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
