//! `countersign serve`

use std::sync::Arc;
use std::time::Duration;

use super::{ConfigArgs, Failure, high_water, keys_of};
use crate::clock::{RELEASED, ServiceClock, SystemTime, TimeSource};
use crate::config::Config;
use crate::launch::{Launch, launch};
use crate::{logging, store};

/// How far the machine's clock may be from the latest instant that the store has seen, unless the
/// operator says that it is right.
const LONGEST_JUMP: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigArgs,
    /// Takes the machine's clock for right although the store was last used more than a day before or
    /// after it. For one start, by hand: records are deleted by this clock
    #[arg(long)]
    accept_clock: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Options { config, accept_clock } = options;
    let Config { server, storage, keys, log, service, warnings } = config.load_secretly()?;
    logging::start(log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let keys = Arc::new(keys_of(&keys)?);
    let wall = SystemTime.wall();
    if wall < RELEASED && !accept_clock {
        return Err(Failure::configuration(format!(
            "the machine's clock shows {wall}, but this version was released at {RELEASED}: set the clock. \
             If it is right all the same, start once with --accept-clock"
        )));
    }
    let longest_jump = (!accept_clock).then_some(LONGEST_JUMP);
    let store = store::open(&storage, Arc::clone(&keys), wall, longest_jump)?;
    let high_water = high_water(&*store)?;
    if let Some(high_water) = high_water.filter(|seen| *seen > wall) {
        tracing::warn!(store = %high_water, machine = %wall, "the store has seen a later time than the machine's clock shows; going on from there, slowly drawn back");
    }
    let clock = Arc::new(ServiceClock::start(SystemTime, high_water));
    let watched_clock = Some(Arc::clone(&clock));
    launch(Launch { server, config: service, keys, store, clock, watched_clock, dev: None })
}
