//! Where messages may go right now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Message;
use crate::names::{Channel, ProviderName, TenantId};
use crate::provider::{Route, Routes};
use crate::time::Timestamp;

/// Messages that may take the same routes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lane {
    /// Whose they are.
    pub tenant: TenantId,
    /// How they travel.
    pub channel: Channel,
    /// Whether they go to test numbers.
    pub test: bool,
}

impl Lane {
    /// The lane that a message waits in.
    pub fn of(message: &Message) -> Self {
        Self { tenant: message.tenant.clone(), channel: message.channel, test: message.test }
    }
}

/// Asks for messages to hand over: [`crate::engine::Engine::claim_messages`].
#[derive(Clone, Debug)]
pub struct ClaimCommand {
    /// Where they may go. A message that may go nowhere stays where it is, and its submission is not
    /// counted.
    pub slots: Slots,
    /// Who had the last turn.
    pub after: Option<TenantId>,
    /// How long the messages are out of reach of others.
    pub lease: Duration,
    /// The present instant.
    pub now: Timestamp,
}

/// Where one message goes.
#[derive(Clone, Debug)]
pub enum Way {
    /// To a provider.
    Route(Route),
    /// Nowhere: it goes to a test number, and nothing shows those.
    Dropped,
    /// Nobody carries its channel.
    Nobody,
}

/// Free slots: of each route, of each tenant, and in all. Engines ask it which messages they may hand
/// out; whoever asked the engine gives the same messages to the same copy again and so learns their ways.
#[derive(Clone, Debug)]
pub struct Slots {
    routes: Arc<Routes>,
    in_all: u32,
    per_tenant: u32,
    /// What tenants have taken of theirs.
    taken: HashMap<TenantId, u32>,
    /// What is left of routes; a route that is not named has no bound.
    left: HashMap<ProviderName, u32>,
}

impl Slots {
    /// So many slots, of whatever tenant and route.
    pub fn in_all(free: u32) -> Self {
        Self {
            routes: Arc::default(),
            in_all: free,
            per_tenant: u32::MAX,
            taken: HashMap::new(),
            left: HashMap::new(),
        }
    }

    /// Bounds each tenant, who have taken some already.
    #[must_use]
    pub fn per_tenant(self, per_tenant: u32, taken: HashMap<TenantId, u32>) -> Self {
        Self { per_tenant, taken, ..self }
    }

    /// Bounds routes by what is left of them.
    #[must_use]
    pub fn over(self, routes: Arc<Routes>, left: HashMap<ProviderName, u32>) -> Self {
        Self { routes, left, ..self }
    }

    /// How many messages may be taken at most.
    pub fn free(&self) -> u32 {
        self.in_all
    }

    /// Whether some bound is reached: a slot that becomes free may then be the one that a message waits for.
    pub fn is_tight(&self) -> bool {
        self.in_all == 0
            || self.left.values().any(|left| *left == 0)
            || self.taken.values().any(|taken| *taken >= self.per_tenant)
    }

    /// Whether a message of this lane may be taken. Which route it takes depends on the message,
    /// whether there is one does not.
    pub fn is_open(&self, lane: &Lane) -> bool {
        self.has_room(&lane.tenant) && self.way(lane, &[]).is_some()
    }

    /// Takes a slot for a message; `None` where [`Slots::is_open`] says no.
    pub fn take(&mut self, message: &Message) -> Option<Way> {
        if !self.has_room(&message.tenant) {
            return None;
        }
        let way = self.way(&Lane::of(message), &message.tried)?;
        self.in_all -= 1;
        *self.taken.entry(message.tenant.clone()).or_default() += 1;
        if let Way::Route(route) = &way
            && let Some(left) = self.left.get_mut(route.provider.name())
        {
            *left -= 1;
        }
        Some(way)
    }

    fn has_room(&self, tenant: &TenantId) -> bool {
        self.in_all > 0 && self.taken.get(tenant).is_none_or(|taken| *taken < self.per_tenant)
    }

    /// Of the routes with a free slot, the one that failed least often with the message; among equals
    /// the best.
    fn way(&self, lane: &Lane, tried: &[ProviderName]) -> Option<Way> {
        let is_free = |route: &&Route| self.left.get(route.provider.name()).is_none_or(|left| *left > 0);
        if lane.test {
            // No provider ever sees a test number. In dev mode the inbox shows it.
            let Some(shown) = self.routes.test() else { return Some(Way::Dropped) };
            return is_free(&shown).then(|| Way::Route(shown.clone()));
        }
        let candidates = || self.routes.candidates(&lane.tenant, lane.channel);
        if candidates().next().is_none() {
            return Some(Way::Nobody);
        }
        let failures = |route: &&Route| tried.iter().filter(|name| *name == route.provider.name()).count();
        candidates().filter(is_free).min_by_key(failures).cloned().map(Way::Route)
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testkit::RecordingProvider;

    fn tenant(id: &str) -> TenantId {
        id.parse().unwrap()
    }

    fn lane(id: &str, channel: Channel) -> Lane {
        Lane { tenant: tenant(id), channel, test: false }
    }

    fn two_routes(first: u32, second: u32) -> Slots {
        let routes =
            ["first", "second"].map(|name| RecordingProvider::carrying(name, &[Channel::Sms]).route(0));
        let left = [("first", first), ("second", second)].map(|(name, left)| (name.parse().unwrap(), left));
        Slots::in_all(100).over(Arc::new(Routes::shared(routes.to_vec())), HashMap::from(left))
    }

    fn way(slots: &Slots, tried: &[&str]) -> Option<String> {
        let tried: Vec<ProviderName> = tried.iter().map(|name| name.parse().unwrap()).collect();
        match slots.way(&lane("t", Channel::Sms), &tried)? {
            Way::Route(route) => Some(route.provider.name().to_string()),
            Way::Dropped | Way::Nobody => panic!("there are routes"),
        }
    }

    #[test]
    fn a_message_takes_the_best_route_with_a_slot_that_failed_least_often() {
        for (first, second, tried, takes) in [
            (1, 1, &[][..], Some("first")),
            (0, 1, &[], Some("second")),
            (0, 0, &[], None),
            (1, 1, &["first"], Some("second")),
            (1, 0, &["first"], Some("first")),
            (1, 1, &["first", "second"], Some("first")),
            (1, 1, &["first", "second", "first"], Some("second")),
        ] {
            assert_eq!(
                way(&two_routes(first, second), tried).as_deref(),
                takes,
                "{first} {second} {tried:?}"
            );
        }
    }

    #[test]
    fn a_lane_is_open_while_its_tenant_and_one_of_its_routes_have_a_slot() {
        let slots = two_routes(0, 1);
        assert!(slots.is_open(&lane("t", Channel::Sms)));
        assert!(!two_routes(0, 0).is_open(&lane("t", Channel::Sms)));
        assert!(two_routes(0, 0).is_open(&lane("t", Channel::Email)), "nobody carries it: it ends");
        let bounded = slots.clone().per_tenant(2, HashMap::from([(tenant("t"), 2)]));
        assert!(!bounded.is_open(&lane("t", Channel::Sms)) && bounded.is_open(&lane("u", Channel::Sms)));
        assert!(!Slots::in_all(0).is_open(&lane("t", Channel::Sms)));
    }

    /// A dispatcher that does not know it would leave a message waiting beside a slot that became free.
    #[test]
    fn slots_are_tight_as_soon_as_one_bound_is_reached() {
        assert!(!two_routes(1, 1).is_tight());
        assert!(two_routes(0, 1).is_tight() && two_routes(1, 0).is_tight());
        assert!(Slots::in_all(0).is_tight());
        let taken = |t, u| HashMap::from([(tenant("t"), t), (tenant("u"), u)]);
        assert!(two_routes(1, 1).per_tenant(2, taken(2, 1)).is_tight());
        assert!(!two_routes(1, 1).per_tenant(2, taken(1, 1)).is_tight());
    }

    #[test]
    fn test_numbers_wait_for_no_provider() {
        let test = Lane { test: true, ..lane("t", Channel::Sms) };
        assert!(two_routes(0, 0).is_open(&test));
    }
}
