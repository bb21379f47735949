//! `countersign dev`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::time::Timestamp;
use countersign_http::front::FrontOptions;

use super::{Failure, high_water};
use crate::clock::{PushableClock, ServiceClock, SystemTime, TimeSource};
use crate::config::{LISTEN, Log, Server, StorageUrl};
use crate::entropy::OsEntropy;
use crate::launch::{DevMode, Launch, launch};
use crate::{dev, logging, store};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// Where data is kept between runs
    #[arg(long, value_name = "DIR", default_value = "countersign-data")]
    data_dir: PathBuf,
    /// Where state lives, sqlite:PATH, if not in the data folder
    #[arg(long, value_name = "URL")]
    storage: Option<StorageUrl>,
    /// Starts the clock there and lets it move only when it is pushed, e.g. 2026-11-20T08:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = Timestamp::parse_rfc3339)]
    fixed_clock: Option<Timestamp>,
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    let Options { listen, data_dir, storage, fixed_clock } = options;
    if !listen.ip().to_canonical().is_loopback() {
        return Err(Failure::configuration(format!(
            "dev mode shows every code to whoever asks, so that it listens on this machine only, not on \
             {listen}: use 127.0.0.1 or [::1], or `countersign serve`"
        )));
    }
    logging::start(Log::default());
    let place = dev::Place::prepare(&data_dir, storage)?;
    let keys = Arc::new(place.keys(&OsEntropy)?);
    // Its clock is pushed as its user likes, so that no jump says anything.
    let now = fixed_clock.unwrap_or(SystemTime.wall());
    let store = store::open(&place.storage, Arc::clone(&keys), now, None)?;
    let seen = high_water(&*store)?;
    let (clock, watched_clock) = match (fixed_clock, seen) {
        (None, _) => {
            let machine = Arc::new(ServiceClock::start(SystemTime, seen));
            (PushableClock::over(Arc::clone(&machine)), Some(machine))
        }
        (Some(start), Some(seen)) if seen > start => {
            return Err(Failure::configuration(format!(
                "--fixed-clock {start} lies before {seen}, the latest time that the store in {} has seen, \
                 and its time never runs backwards: use another --data-dir",
                data_dir.display()
            )));
        }
        (Some(start), _) => (PushableClock::fixed(start), None),
    };
    let server = Server {
        listen,
        metrics_listen: None,
        metrics_beside_api: true,
        drain: Duration::ZERO,
        front: FrontOptions { drain_timeout: Duration::from_secs(2), ..FrontOptions::default() },
    };
    let mode = DevMode { clock: Arc::clone(&clock), folder: place.folder };
    launch(Launch { server, config: dev::config(), keys, store, clock, watched_clock, dev: Some(mode) })
}
