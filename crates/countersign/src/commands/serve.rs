//! `countersign serve`

use std::sync::Arc;

use super::{ConfigArgs, Failure, high_water, keys_of};
use crate::clock::{ServiceClock, SystemTime, TimeSource};
use crate::config::Config;
use crate::launch::{Launch, launch};
use crate::{logging, store};

pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let Config { server, storage, keys, log, service, warnings } = args.load()?;
    logging::start(log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let keys = Arc::new(keys_of(&keys)?);
    let wall = SystemTime.wall();
    let store = store::open(&storage, Arc::clone(&keys), wall)?;
    let high_water = high_water(&*store)?;
    if let Some(high_water) = high_water.filter(|seen| *seen > wall) {
        tracing::warn!(store = %high_water, machine = %wall, "the store has seen a later time than the machine's clock shows; going on from there, slowly drawn back");
    }
    let clock = Arc::new(ServiceClock::start(SystemTime, high_water));
    let watched_clock = Some(Arc::clone(&clock));
    launch(Launch { server, config: service, keys, store, clock, watched_clock, dev: None })
}
