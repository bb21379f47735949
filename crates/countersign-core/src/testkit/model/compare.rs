//! Compares all that can be seen of an engine with the model, and learns the codes and ids that only
//! the engine can draw.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use proptest::{prop_assert, prop_assert_eq};

use super::book::Event;
use super::cast::{address, is_own_code};
use super::reference::NoteState;
use super::steps::{GHOST, Who};
use super::walk::{Result, Walk, fail};
use crate::code::Code;
use crate::engine::HeldQuery;
use crate::outbox::{Message, MessageState, Payload};
use crate::policy::{CodeSharing, RecipientCaps};
use crate::testkit::bench::EngineFixture;
use crate::verification::{Hold, Verification};

impl<F: EngineFixture> Walk<'_, F> {
    pub(super) async fn compare_everything(&mut self) -> Result {
        for proof in 0..self.model.proofs.len() {
            self.compare_stored(proof).await?;
        }
        for tenant in 0..2 {
            for who in 0..=GHOST {
                self.compare_ledger(tenant, who).await?;
            }
            self.compare_held(tenant).await?;
        }
        Ok(())
    }

    /// Who is listed is held, and the reverse.
    async fn compare_held(&self, tenant: u8) -> Result {
        let (caps, now) = (self.caps_in_force(tenant).await?, self.model.now());
        let query = HeldQuery { caps, before: None, limit: 10, looks: HeldQuery::LOOKS, now };
        let page = self.engine().held(self.tenant(tenant), query).await?;
        prop_assert_eq!(page.go_on, None, "all were looked at");
        let places: Vec<_> = page.found.iter().map(|held| held.place).collect();
        prop_assert!(places.is_sorted_by(|a, b| a > b), "newest first");
        let listed: BTreeSet<_> = places.iter().map(|place| place.budget).collect();
        let is_held = |who: &Who| self.model.book.hold((tenant, *who)).is_some();
        let held = (0..=GHOST).filter(is_held).map(|who| self.recipient(tenant, who).budget);
        prop_assert_eq!(listed, held.collect::<BTreeSet<_>>(), "who is held");
        Ok(())
    }

    pub(super) async fn compare_stored(&mut self, proof: usize) -> Result {
        let expected = &self.model.proofs[proof];
        let id = expected.id.expect("known since it was opened");
        let record = self.engine().verification(self.tenant(expected.tenant), id).await?;
        prop_assert_eq!(record.is_none(), expected.deleted, "deleted");
        let Some(record) = record else { return Ok(()) };
        self.compare_verification(proof, &record.verification)?;
        prop_assert_eq!(record.messages.len(), self.model.proofs[proof].messages.len(), "messages");
        record.messages.iter().try_for_each(|message| self.compare_message(proof, message))
    }

    pub(super) fn compare_verification(&self, proof: usize, seen: &Verification) -> Result {
        let (expected, now) = (&self.model.proofs[proof], self.model.now());
        prop_assert_eq!(Some(seen.id), expected.id, "which one");
        prop_assert_eq!(seen.status_at(now), expected.status(now), "status");
        prop_assert_eq!(seen.ended_at(now), expected.end(now).map(|(_, at)| at), "its end");
        prop_assert_eq!((seen.created_at, seen.expires_at), (expected.opened, expected.deadline), "its time");
        prop_assert_eq!((seen.sends_used, seen.last_send_at), (expected.sends, expected.last_send), "sends");
        prop_assert_eq!(seen.checks_used, expected.checks, "checks");
        prop_assert_eq!(seen.reserved, expected.reserved, "reserved");
        prop_assert_eq!(seen.terms.max_checks, expected.max_checks, "checks in all");
        let key = |who| self.recipient(expected.tenant, who).identity;
        let places: Vec<_> = seen.destinations.iter().map(|d| (d.identity, d.code_expires_at)).collect();
        let wanted: Vec<_> = expected.addresses.iter().map(|a| (key(a.who), a.dies)).collect();
        prop_assert_eq!(places, wanted, "addresses");
        Ok(())
    }

    fn compare_message(&mut self, proof: usize, message: &Message) -> Result {
        let expected = &mut self.model.proofs[proof];
        let place = usize::from(message.destination);
        // A message that was queued just now has no id in the model yet; there is one per address.
        let known = expected.messages.iter().any(|note| note.id == Some(message.id));
        let id = known.then_some(message.id);
        let note = expected.messages.iter_mut().find(|note| note.id == id && note.address == place);
        let note = note.ok_or_else(|| fail("a message that nobody asked for"))?;
        let state = match &message.state {
            MessageState::Queued => NoteState::Waiting { at: message.queued_at },
            MessageState::Retrying { at } => NoteState::Waiting { at: *at },
            MessageState::Leased { until } => NoteState::Leased { until: *until },
            MessageState::Sent { .. } => NoteState::Sent,
            MessageState::Abandoned { reason } => NoteState::Gone(*reason),
        };
        prop_assert_eq!((state, message.submissions), (note.state, note.submissions), "message");
        let is_final = matches!(state, NoteState::Sent | NoteState::Gone(_));
        prop_assert_eq!(message.payload.is_none(), is_final, "its payload is wiped");
        if !known {
            note.id = Some(message.id);
            let who = expected.addresses[place].who;
            let payload = Payload::open(message, &self.keys)?;
            prop_assert_eq!(payload.recipient.expose(), address(who), "who gets it");
            self.learn(proof, place, &payload.code)?;
        }
        Ok(())
    }

    pub(super) async fn compare_ledger(&self, tenant: u8, who: Who) -> Result {
        let (now, party) = (self.model.now(), (tenant, who));
        let budget = self.recipient(tenant, who).budget;
        let ledger = self.engine().recipient(self.tenant(tenant), &budget).await?;
        let seen = ledger.windows(now);
        let hour = |event| self.model.book.count(party, event, Duration::from_secs(3_600));
        let day = |event| self.model.book.count(party, event, Duration::from_secs(86_400));
        let both = |event| (hour(event), day(event));
        prop_assert_eq!((seen.starts_hour, seen.starts_day), both(Event::Start), "starts");
        prop_assert_eq!((seen.sends_hour, seen.sends_day), both(Event::Send), "messages");
        let failed = (seen.failed_checks_hour, seen.failed_checks_day);
        let expected = [3_600, 86_400].map(|s| self.model.book.failures(party, Duration::from_secs(s)));
        prop_assert_eq!([failed.0, failed.1], expected, "failed checks");
        prop_assert_eq!(seen.reserved_starts_day, day(Event::ReservedStart), "reserved starts");
        prop_assert_eq!(seen.consecutive_failures, self.model.book.row_of_failures(party), "row of failures");
        let hold = ledger.hold(&self.caps_in_force(tenant).await?, now).map(Hold::retry_after);
        prop_assert_eq!(hold, self.model.book.hold(party), "hold");
        Ok(())
    }

    /// The limits per recipient, at the level that the engine counts; the model counts the same.
    pub(super) async fn caps_in_force(&self, tenant: u8) -> Result<RecipientCaps> {
        let ledger = self.engine().tenant_usage(self.tenant(tenant)).await?.ledger;
        let level = ledger.level(&self.caps.tenant_failures, self.model.now());
        prop_assert_eq!(level as u8, self.model.book.level(tenant), "level");
        Ok(self.caps.recipient.at(level))
    }

    /// The code handed back is the first address'. With codes of their own, and several addresses, the
    /// model need not know which was asked first.
    pub(super) fn learn_returned(&mut self, proof: usize, code: &Code) -> Result {
        let one_for_all = self.terms.sharing == CodeSharing::Shared;
        if one_for_all || self.model.proofs[proof].addresses.len() == 1 {
            self.learn(proof, 0, code)?;
        }
        Ok(())
    }

    /// Where the model says that a code is repeated it is the same; where it says that it is new, none
    /// that there was before.
    fn learn(&mut self, proof: usize, place: usize, code: &Code) -> Result {
        let addresses = &mut self.model.proofs[proof].addresses;
        let whose = match self.terms.sharing {
            CodeSharing::Shared => 0..addresses.len(),
            CodeSharing::Separate => place..place + 1,
        };
        for address in &mut addresses[whose] {
            prop_assert!(is_own_code(code) || !address.past.contains(code), "an old code lives again");
            let live = address.code.get_or_insert_with(|| code.clone());
            prop_assert!(live == code, "another code than the live one");
        }
        Ok(())
    }

    /// Notes by its name what something came to.
    pub(super) fn see(&mut self, what: &dyn Debug) {
        let text = format!("{what:?}");
        let name = text.split([' ', '(']).next().unwrap_or_default();
        if !self.seen.contains(name) {
            self.seen.insert(name.to_owned());
        }
    }

    /// Notes how everything stands in the end.
    pub(super) fn see_the_end(&mut self) {
        let is_held = |who| (0..2).any(|tenant| self.model.book.hold((tenant, who)).is_some());
        let has_failed = |who| (0..2).any(|tenant| self.model.book.row_of_failures((tenant, who)) > 0);
        let half = |party| self.model.book.count(party, Event::FailureElsewhere, Duration::from_secs(86_400));
        let has_half_failed = |who| (0..2).any(|tenant| half((tenant, who)) > 0);
        let there_is = [
            ("a deleted verification", self.model.proofs.iter().any(|proof| proof.deleted)),
            ("a hold", (0..=GHOST).any(is_held)),
            ("a row of failures", (0..=GHOST).any(has_failed)),
            ("a reserved start", self.model.proofs.iter().any(|proof| proof.reserved)),
            ("half a failure", (0..=GHOST).any(has_half_failed)),
        ];
        self.seen.extend(there_is.iter().filter(|(_, is)| *is).map(|(what, _)| (*what).to_owned()));
        let proofs = &self.model.proofs;
        let states: Vec<NoteState> = proofs.iter().flat_map(|p| &p.messages).map(|note| note.state).collect();
        for state in states {
            match state {
                NoteState::Gone(reason) => self.see(&format_args!("Gone:{reason:?}")),
                state => self.see(&state),
            }
        }
    }
}
