//! What was presented once: the model of it, and the step that compares.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prop_assert_eq;

use super::walk::{Result, Walk};
use crate::engine::{NonceCommand, NonceKind, NonceOutcome};
use crate::testkit::bench::EngineFixture;
use crate::testkit::commands::nonce;
use crate::time::Timestamp;

/// So few that a short sequence meets it.
const BUDGET: u32 = 2;

/// A nonce out of few, which of two requests it comes with, and for how long that would be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spend {
    pub(super) tenant: u8,
    pub(super) nonce: u8,
    pub(super) request: u8,
    /// From a minute ago on, so that it may be over.
    pub(super) life: Duration,
    pub(super) undated: bool,
    pub(super) keep: bool,
}

/// By tenant and nonce: the request, until when it would be taken, and whether it had a time.
#[derive(Default)]
pub(super) struct Spent(BTreeMap<(u8, u8), (u8, Timestamp, bool)>);

impl Spent {
    fn spend(
        &mut self,
        Spend { tenant, nonce, request, undated, keep, .. }: Spend,
        until: Timestamp,
        now: Timestamp,
    ) -> NonceOutcome {
        let earlier = self.0.get(&(tenant, nonce)).copied();
        if let Some((with, kept, _)) = earlier
            && now <= kept
        {
            return NonceOutcome::Seen { same_request: with == request };
        }
        let is_other = |((owner, other), (_, _, kind)): &(&(u8, u8), &(u8, Timestamp, bool))| {
            *owner == tenant && *other != nonce && *kind == undated
        };
        let others = self.0.iter().filter(is_other).count();
        if now > until {
            NonceOutcome::Over
        } else if keep && earlier.is_none_or(|(_, _, kind)| kind != undated) && others >= BUDGET as usize {
            NonceOutcome::Full
        } else {
            if keep {
                self.0.insert((tenant, nonce), (request, until, undated));
            }
            NonceOutcome::Fresh
        }
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.0.retain(|_, (_, until, _)| now <= *until);
    }

    /// The first instants at which they are over.
    pub(super) fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.0.values().map(|(_, until, _)| *until + Duration::from_millis(1))
    }
}

impl<F: EngineFixture> Walk<'_, F> {
    pub(super) async fn spend(&mut self, spend: Spend) -> Result {
        let now = self.model.now();
        let until = now - Duration::from_secs(60) + spend.life;
        let command = NonceCommand {
            request: [spend.request; 16],
            budget: BUDGET,
            kind: if spend.undated { NonceKind::Undated } else { NonceKind::Dated },
            keep: spend.keep,
            ..nonce(self.tenant(spend.tenant), spend.nonce, until, self.now())
        };
        let outcome = self.engine().spend_nonce(command).await?;
        self.see(&outcome);
        prop_assert_eq!(outcome, self.model.spent.spend(spend, until, now));
        Ok(())
    }
}
