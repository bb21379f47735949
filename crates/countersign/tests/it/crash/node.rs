//! The program under test, as an operator runs it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

pub(crate) const API_KEY: &str = "csk_for_the_crash_test_only_0000000000000000";
pub(super) const ZAP_TOKEN: &str = "zap-for-the-crash-test-only";
pub(super) const ZITADEL_TOKEN: &str = "zitadel-for-the-crash-test-only";
pub(super) const MERCHANT: &str = "00000000-0000-0000-0000-000000000001";
pub(super) const USER_DOMAIN: &str = "crash";
pub(super) const USER_DOMAIN_SECRET: &str = "the secret of the user domain of the crash test";

/// A folder with configuration, keys and the store; survives its node.
pub(crate) struct Node {
    folder: tempfile::TempDir,
}

/// A running process. It never ends by itself.
pub(crate) struct Running {
    process: Child,
    address: SocketAddr,
}

impl Node {
    pub(crate) fn prepare(phone: SocketAddr) -> Self {
        let node = Self { folder: tempfile::tempdir().expect("a folder") };
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(API_KEY));
        let configuration = format!(
            r#"
            server.listen = "127.0.0.1:0"
            storage.url = "sqlite:store.db"
            keys.file = "keys"
            log.filter = "error"

            [[providers]]
            kind = "webhook"
            name = "phone"
            url = "http://{phone}/"
            signing_keys = ["a key for the crash test only"]
            channels = ["email", "sms"]

            [[tenants]]
            id = "t"
            brand = "Crash"
            api_keys = [{{ name = "test", sha256 = "{hash}", scopes = ["verify", "admin"] }}]
            [tenants.policy]
            window_seconds = 30
            cool_downs_seconds = [0]

            [dialects.zap]
            tokens = [{{ tenant = "t", token = "{ZAP_TOKEN}" }}]

            [[dialects.crypterium.merchants]]
            id = "{MERCHANT}"
            tenant = "t"
            signature = "off"

            [[dialects.enduserapi.user_domains]]
            user_domain = "{USER_DOMAIN}"
            tenant = "t"
            secret = "{USER_DOMAIN_SECRET}"
            countries = ["44"]

            [[dialects.zitadel.tokens]]
            tenant = "t"
            organization = "1"
            user = "service"
            role = "org_owner"
            token = "{ZITADEL_TOKEN}"
            "#
        );
        std::fs::write(node.path("c.toml"), configuration).expect("written");
        let keys = Self::program()
            .args(["keys", "generate", "--out"])
            .arg(node.path("keys"))
            .output()
            .expect("it runs");
        assert!(keys.status.success());
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program() -> Command {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, environment: &[(&str, PathBuf)]) -> Running {
        let mut process = Self::program()
            .args(["serve", "--config"])
            .arg(self.path("c.toml"))
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let address = (output.lines().map_while(Result::ok))
            .find_map(|line| line.split_once("listening on http://")?.1.trim().parse().ok())
            .expect("it says where it listens");
        Running { process, address }
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL: no goodbye of any kind.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it was running");
        self.process.wait().expect("it is gone");
    }

    /// Waits until it has left by itself.
    pub(crate) fn ends_within(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not leave");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A test that fails leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
