//! What is counted for one client address.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::HOUR;
use super::events::Events;
use crate::policy::Caps;
use crate::time::Timestamp;

/// What is known of one client address of one tenant: the front door, not the proof. IPv6 addresses
/// share a ledger per /64.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct ClientLedger {
    #[n(0)]
    starts: Events,
}

impl ClientLedger {
    /// How long until another start has room; `None` when it has now.
    pub fn wait_for_start(&self, caps: &Caps, now: Timestamp) -> Option<Duration> {
        self.starts.wait_for_room(caps.client_starts_per_hour, HOUR, now)
    }

    pub(in crate::verification) fn record_start(&mut self, caps: &Caps, now: Timestamp) {
        self.starts.record(now, HOUR, caps.client_starts_per_hour);
    }

    /// An approval gives the start of its verification back: who proves an address is no flood. `true`
    /// when it still counted.
    pub(in crate::verification) fn give_back(&mut self, started_at: Timestamp) -> bool {
        let place = self.starts.0.iter().rposition(|at| *at == started_at);
        place.map(|index| self.starts.0.remove(index)).is_some()
    }

    /// When nothing in here counts any longer.
    pub fn forget_at(&self) -> Option<Timestamp> {
        self.starts.newest().map(|newest| newest + HOUR)
    }
}
