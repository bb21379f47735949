//! What is under way: how many messages, of whom, on which routes, and how these routes do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Pace;
use crate::breaker::{Admits, Breaker, Call, Heard};
use crate::names::{ProviderName, TenantId};
use crate::outbox::{Slots, Way};
use crate::provider::Routes;
use crate::time::{Clock, Timestamp};

/// All that is under way through one dispatcher.
#[derive(Debug)]
pub(super) struct Traffic {
    pace: Pace,
    ways: Arc<Routes>,
    in_all: u32,
    tenants: HashMap<TenantId, u32>,
    routes: HashMap<ProviderName, Line>,
    /// Who had the last turn.
    after: Option<TenantId>,
}

/// One route.
#[derive(Debug, Default)]
struct Line {
    in_flight: u32,
    breaker: Breaker,
    /// The state that the metrics show.
    shown: Option<Admits>,
}

impl Line {
    /// How many calls may be begun.
    fn left(&self, per_route: u32, now: Timestamp) -> u32 {
        let left = per_route.saturating_sub(self.in_flight);
        match self.breaker.admits(now) {
            Admits::All => left,
            Admits::Probe => left.min(1),
            Admits::None => 0,
        }
    }
}

impl Traffic {
    pub(super) fn new(pace: Pace, ways: Arc<Routes>) -> Self {
        let names = ways.all().map(|route| route.provider.name().clone());
        let routes = names.map(|name| (name, Line::default())).collect();
        Self { pace, ways, in_all: 0, tenants: HashMap::new(), routes, after: None }
    }

    /// Who had the last turn.
    pub(super) fn after(&self) -> Option<TenantId> {
        self.after.clone()
    }

    /// What is free now, for one claim.
    pub(super) fn slots(&mut self, now: Timestamp) -> Slots {
        let Pace { batch, in_flight, per_route, per_tenant, .. } = self.pace;
        let free = in_flight.saturating_sub(self.in_all).min(batch);
        let left = self.routes.iter_mut().map(|(name, line)| {
            show(name, line, now);
            (name.clone(), line.left(per_route, now))
        });
        Slots::in_all(free)
            .over(Arc::clone(&self.ways), left.collect())
            .per_tenant(per_tenant, self.tenants.clone())
    }

    /// Whether one of these routes could take a message now.
    pub(super) fn has_room(&self, names: &[&ProviderName], now: Timestamp) -> bool {
        let mut lines = names.iter().filter_map(|name| self.routes.get(*name));
        lines.any(|line| line.left(self.pace.per_route, now) > 0)
    }

    fn begin(&mut self, tenant: &TenantId, route: Option<&ProviderName>, now: Timestamp) -> Option<Call> {
        self.in_all += 1;
        *self.tenants.entry(tenant.clone()).or_default() += 1;
        self.after = Some(tenant.clone());
        let name = route?;
        let line = self.routes.entry(name.clone()).or_default();
        line.in_flight += 1;
        let call = line.breaker.begin(now);
        show_in_flight(name, line.in_flight);
        show(name, line, now);
        Some(call)
    }

    fn end(&mut self, tenant: &TenantId, call: Option<(&ProviderName, Call)>, heard: Heard, now: Timestamp) {
        self.in_all = self.in_all.saturating_sub(1);
        if let Some(taken) = self.tenants.get_mut(tenant) {
            *taken -= 1;
            if *taken == 0 {
                self.tenants.remove(tenant);
            }
        }
        let Some((name, call)) = call else { return };
        let Some(line) = self.routes.get_mut(name) else { return };
        line.in_flight -= 1;
        let was_closed = line.breaker.is_closed();
        line.breaker.end(call, heard, now);
        match (was_closed, line.breaker.is_closed()) {
            (true, false) => {
                tracing::warn!(provider = %name, "a route does not answer; its messages take others, or wait");
            }
            (false, true) => tracing::info!(provider = %name, "a route answers again"),
            (true, true) | (false, false) => {}
        }
        show_in_flight(name, line.in_flight);
        show(name, line, now);
    }
}

fn show_in_flight(name: &ProviderName, in_flight: u32) {
    metrics::gauge!("countersign_route_in_flight", "provider" => name.to_string()).set(in_flight);
}

/// Tells the metrics when a route's state is another than they show.
fn show(name: &ProviderName, line: &mut Line, now: Timestamp) {
    let admits = line.breaker.admits(now);
    if line.shown != Some(admits) {
        line.shown = Some(admits);
        metrics::gauge!("countersign_route_state", "provider" => name.to_string()).set(admits.number());
    }
}

/// The traffic that a dispatcher's parts share. No lock is held across an await.
#[derive(Clone)]
pub(super) struct Shared {
    traffic: Arc<Mutex<Traffic>>,
    clock: Arc<dyn Clock>,
}

impl Shared {
    pub(super) fn new(traffic: Traffic, clock: Arc<dyn Clock>) -> Self {
        Self { traffic: Arc::new(Mutex::new(traffic)), clock }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Traffic> {
        // What was counted before a panic is still true.
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message's place on its way.
    pub(super) fn begin(&self, tenant: &TenantId, way: &Way) -> UnderWay {
        let route = match way {
            Way::Route(route) => Some(route.provider.name().clone()),
            Way::Dropped | Way::Nobody => None,
        };
        let call = self.lock().begin(tenant, route.as_ref(), self.clock.now());
        UnderWay {
            shared: self.clone(),
            tenant: tenant.clone(),
            call: route.zip(call),
            heard: Heard::NoMatter,
        }
    }
}

/// A message's place. It is free again when this is dropped, however the delivery ends.
pub(super) struct UnderWay {
    shared: Shared,
    tenant: TenantId,
    call: Option<(ProviderName, Call)>,
    heard: Heard,
}

impl UnderWay {
    /// Notes what was heard of the provider.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.heard = heard;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let call = self.call.as_ref().map(|(name, call)| (name, *call));
        let now = self.shared.clock.now();
        self.shared.lock().end(&self.tenant, call, self.heard, now);
    }
}
