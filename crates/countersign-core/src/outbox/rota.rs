//! Whose turn it is.

use std::collections::{BTreeMap, VecDeque};

use super::Lane;
use crate::names::TenantId;

/// Hands out turns: one per tenant and round, and among a tenant's lanes in turn. However much one
/// tenant has waiting, another one's next message is at most a round away.
///
/// Take a lane with [`Rota::next`]; give it back with [`Rota::again`] after one message, if it may have
/// more.
#[derive(Debug, Default)]
pub struct Rota {
    /// Whose turn comes next, first. Who has just had one is last, also if nothing is left there.
    tenants: VecDeque<(TenantId, VecDeque<Lane>)>,
}

impl Rota {
    /// Turns for these lanes, beginning behind the tenant who had the last turn before.
    pub fn new(lanes: impl IntoIterator<Item = Lane>, after: Option<&TenantId>) -> Self {
        let mut by_tenant: BTreeMap<TenantId, VecDeque<Lane>> = BTreeMap::new();
        for lane in lanes {
            by_tenant.entry(lane.tenant.clone()).or_default().push_back(lane);
        }
        let mut tenants: VecDeque<_> = by_tenant.into_iter().collect();
        let before = tenants.partition_point(|(tenant, _)| after.is_some_and(|after| tenant <= after));
        tenants.rotate_left(if before == tenants.len() { 0 } else { before });
        Self { tenants }
    }

    /// The next lane, which leaves the rota.
    #[expect(clippy::should_implement_trait, reason = "an iterator is not given items back")]
    pub fn next(&mut self) -> Option<Lane> {
        loop {
            let (tenant, mut lanes) = self.tenants.pop_front()?;
            if let Some(lane) = lanes.pop_front() {
                self.tenants.push_back((tenant, lanes));
                return Some(lane);
            }
        }
    }

    /// Puts the lane back that had the last turn, behind everybody else.
    pub fn again(&mut self, lane: Lane) {
        match self.tenants.back_mut() {
            Some((tenant, lanes)) if *tenant == lane.tenant => lanes.push_back(lane),
            _ => self.tenants.push_back((lane.tenant.clone(), VecDeque::from([lane]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Channel;

    fn lane(tenant: &str, channel: Channel) -> Lane {
        Lane { tenant: TenantId::parse(tenant).unwrap(), channel, test: false }
    }

    fn turns(mut rota: Rota, count: usize) -> Vec<String> {
        let turns = std::iter::from_fn(|| {
            let lane = rota.next()?;
            rota.again(lane.clone());
            Some(format!("{}/{}", lane.tenant, lane.channel))
        });
        turns.take(count).collect()
    }

    #[test]
    fn a_tenant_with_several_lanes_has_no_more_turns_than_others() {
        let lanes = [lane("a", Channel::Sms), lane("a", Channel::Email), lane("b", Channel::Sms)];
        assert_eq!(turns(Rota::new(lanes, None), 5), ["a/sms", "b/sms", "a/email", "b/sms", "a/sms"]);
    }

    #[test]
    fn a_round_begins_where_the_last_one_ended() {
        let lanes = || [lane("a", Channel::Sms), lane("b", Channel::Sms), lane("c", Channel::Sms)];
        for (after, first) in [("a", "b/sms"), ("b", "c/sms"), ("c", "a/sms"), ("aa", "b/sms")] {
            let after = TenantId::parse(after).unwrap();
            assert_eq!(turns(Rota::new(lanes(), Some(&after)), 1), [first]);
        }
    }

    #[test]
    fn what_is_not_given_back_has_no_more_turns() {
        let mut rota = Rota::new([lane("a", Channel::Sms)], None);
        assert!(rota.next().is_some() && rota.next().is_none());
    }
}
