//! A second opinion: the rules once more, written from their description in the plainest way.
//!
//! It keeps all that ever happened and counts when asked, so there is no counter that could be
//! forgotten, reset or double. It calls no rule of the core.

use std::collections::BTreeSet;
use std::time::Duration;

use super::book::{Book, Event, Party};
use super::nonces::Spent;
use super::steps::Who;
use crate::code::Code;
use crate::engine::{Delivery, Intent, Refusal, Rejection};
use crate::ids::{MessageId, VerificationId};
use crate::outbox::Abandoned;
use crate::policy::{Caps, CodeSharing, ResendCode, Terms};
use crate::time::Timestamp;
use crate::verification::Status;

const LEASE: Duration = Duration::from_secs(30);

/// One verification.
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
pub(super) struct Proof {
    pub(super) id: Option<VerificationId>,
    pub(super) tenant: u8,
    pub(super) context: u8,
    /// Whose it is; 0 is nobody's.
    user: u8,
    pretended: bool,
    client: u8,
    /// For trusted calls alone.
    pub(super) reserved: bool,
    pub(super) opened: Timestamp,
    pub(super) deadline: Timestamp,
    ended: Option<(Status, Timestamp)>,
    pub(super) sends: u8,
    pub(super) last_send: Option<Timestamp>,
    pub(super) checks: u8,
    pub(super) max_checks: u8,
    pub(super) own_code: bool,
    pub(super) addresses: Vec<Address>,
    pub(super) messages: Vec<Note>,
    pub(super) deleted: bool,
}

/// An address of a verification.
pub(super) struct Address {
    pub(super) who: Who,
    /// Nobody's address gets no message and proves nothing.
    somebody: bool,
    /// The live code; `None` while the model has not seen it.
    pub(super) code: Option<Code>,
    pub(super) past: Vec<Code>,
    pub(super) dies: Timestamp,
    /// Whether the code is kept for another send.
    kept: bool,
}

/// One message.
pub(super) struct Note {
    pub(super) id: Option<MessageId>,
    pub(super) address: usize,
    pub(super) state: NoteState,
    pub(super) submissions: u8,
    /// How often it was leased.
    attempts: u32,
    expires: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoteState {
    Waiting { at: Timestamp },
    Leased { until: Timestamp },
    Sent,
    Gone(Abandoned),
}

/// Who asks to send what to whom.
pub(super) struct Ask {
    pub(super) tenant: u8,
    pub(super) purpose: u8,
    pub(super) to: Vec<Who>,
    pub(super) user: u8,
    pub(super) intent: Intent,
    pub(super) delivery: Delivery,
    pub(super) context: u8,
    pub(super) own_code: Option<Code>,
    pub(super) client: u8,
    pub(super) trusted: bool,
    pub(super) cost: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    Opened(usize),
    Resent(usize),
    CoolingDown(usize),
    Refused(Refusal),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Checked {
    Right(usize),
    Rejected(usize, Rejection, Duration),
    NotFound,
}

/// Everything that is known.
pub(super) struct Model {
    pub(super) book: Book,
    terms: Terms,
    pub(super) proofs: Vec<Proof>,
    pub(super) spent: Spent,
    /// Which address joined which verification for which purpose, in order.
    joined: Vec<(Party, u8, usize)>,
}

impl Proof {
    pub(super) fn end(&self, now: Timestamp) -> Option<(Status, Timestamp)> {
        self.ended.or((now >= self.deadline).then_some((Status::Expired, self.deadline)))
    }

    pub(super) fn status(&self, now: Timestamp) -> Status {
        self.end(now).map_or(Status::Pending, |(status, _)| status)
    }

    fn finish(&mut self, status: Status, now: Timestamp) {
        self.ended = Some((status, now));
        self.drop_notes(None, Abandoned::Superseded);
    }

    fn drop_notes(&mut self, address: Option<usize>, reason: Abandoned) {
        for note in &mut self.messages {
            if note.is_open() && address.is_none_or(|only| note.address == only) {
                note.state = NoteState::Gone(reason);
            }
        }
    }
}

impl Note {
    fn is_open(&self) -> bool {
        matches!(self.state, NoteState::Waiting { .. } | NoteState::Leased { .. })
    }
}

impl Model {
    pub(super) fn new(terms: Terms, caps: Caps, now: Timestamp) -> Self {
        Self {
            book: Book::new(caps, now),
            terms,
            proofs: Vec::new(),
            spent: Spent::default(),
            joined: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.book.now
    }

    /// The coming instants at which something runs out, in order.
    pub(super) fn edges(&self) -> BTreeSet<Timestamp> {
        let mut edges = self.book.edges();
        edges.extend(self.spent.ends());
        for proof in self.proofs.iter().filter(|p| p.status(self.now()) == Status::Pending) {
            edges.insert(proof.deadline);
            edges.extend(proof.addresses.iter().map(|a| a.dies));
            edges.extend(self.next_send(proof));
            edges.extend(proof.messages.iter().filter_map(|note| match note.state {
                NoteState::Waiting { at: due } | NoteState::Leased { until: due } => Some(due),
                NoteState::Sent | NoteState::Gone(_) => None,
            }));
        }
        edges.split_off(&(self.now() + Duration::from_millis(1)))
    }

    fn next_send(&self, proof: &Proof) -> Option<Timestamp> {
        let cool_downs = &self.terms.cool_downs;
        let cool_down = cool_downs.get(usize::from(proof.sends).saturating_sub(1)).or(cool_downs.last());
        Some(proof.last_send? + *cool_down?)
    }

    /// Whether a start has to be one of those that are kept for trusted calls; or why there is none.
    fn room(&self, ask: &Ask, held: Option<Refusal>) -> Result<bool, Refusal> {
        let own = held.or_else(|| self.book.forbids_newcomers(ask.tenant, &ask.to, ask.delivery));
        let wait = self.book.wait_for_reserved(ask.tenant, &ask.to);
        match (own, wait) {
            (None, _) => Ok(false),
            (Some(_), None) if self.may_use_reserve(ask) => Ok(true),
            (Some(Refusal::RecipientHeld { retry_after }), Some(wait)) if self.may_use_reserve(ask) => {
                Err(Refusal::RecipientHeld { retry_after: retry_after.min(wait) })
            }
            (Some(Refusal::RecipientLimit { retry_after }), Some(wait)) if self.may_use_reserve(ask) => {
                Err(Refusal::RecipientLimit { retry_after: retry_after.min(wait) })
            }
            (Some(refusal), _) => Err(refusal),
        }
    }

    fn may_use_reserve(&self, ask: &Ask) -> bool {
        ask.trusted && ask.intent == Intent::Start && !self.book.is_held_for_good(ask.tenant, &ask.to)
    }

    /// For how long such a caller gets nothing of a running verification.
    fn held(&self, proof: &Proof, to: &[Who], trusted: bool) -> Option<Duration> {
        let hold = self.book.held(proof.tenant, to);
        match (proof.reserved, trusted && !self.book.is_held_for_good(proof.tenant, to)) {
            (false, _) => hold,
            (true, true) => None,
            (true, false) => Some(hold.unwrap_or(self.now().until(proof.deadline))),
        }
    }

    fn forbids_opening(&self, ask: &Ask, held: Option<Refusal>) -> Option<Refusal> {
        self.room(ask, held)
            .err()
            .or_else(|| self.book.forbids_client(ask.tenant, ask.client))
            .or_else(|| self.book.forbids_cost(ask.tenant, ask.delivery, ask.cost))
    }

    /// Codes that are handed back know no cool-down and are no sends.
    fn forbids_sending(&self, proof: &Proof, to: &[Who], delivery: Delivery) -> Option<Refusal> {
        if delivery == Delivery::Return {
            return self.book.forbids_newcomers(proof.tenant, to, delivery);
        }
        if proof.sends >= self.terms.max_sends {
            return Some(Refusal::SendsExhausted { retry_after: self.now().until(proof.deadline) });
        }
        let next = self.next_send(proof)?;
        (self.now() < next).then(|| Refusal::CoolDown { retry_after: self.now().until(next) })
    }

    // -- the verbs --

    pub(super) fn latest(&self, tenant: u8, purpose: u8, who: Who) -> Option<usize> {
        let mine = |(party, why, proof): &&(Party, u8, usize)| {
            (*party, *why) == ((tenant, who), purpose) && !self.proofs[*proof].deleted
        };
        self.joined.iter().rev().find(mine).map(|(_, _, proof)| *proof)
    }

    pub(super) fn start(&mut self, ask: &Ask) -> Sent {
        let now = self.now();
        let held = self.book.forbids_anything(ask.tenant, &ask.to);
        if let Some(refusal) = held.filter(|_| !self.may_use_reserve(ask)) {
            return Sent::Refused(refusal);
        }
        let mut latest: BTreeSet<usize> =
            ask.to.iter().filter_map(|who| self.latest(ask.tenant, ask.purpose, *who)).collect();
        // A resend in one user's name, or for one context, knows nothing of another's.
        let is_known =
            |proof: &Proof| !is_anothers(proof, ask) && (ask.context == 0 || proof.context == ask.context);
        latest.retain(|p| !ask.intent.is_resend() || is_known(&self.proofs[*p]));
        let standing = |wanted: Status| {
            let stands = |p: &&usize| self.proofs[**p].status(now) == wanted;
            latest.iter().filter(stands).copied().collect::<Vec<usize>>()
        };
        let windows = standing(Status::Exhausted).into_iter().map(|p| now.until(self.proofs[p].deadline));
        let exhausted = windows.max().filter(|wait| !wait.is_zero() && ask.intent != Intent::Start);
        let exhausted = exhausted.map(|retry_after| Refusal::ChecksExhausted { retry_after });
        let running = standing(Status::Pending);
        let reserved = running.iter().map(|p| &self.proofs[*p]).filter(|p| p.reserved);
        let others = reserved.filter_map(|p| self.held(p, &ask.to, ask.trusted)).max();
        if let Some(retry_after) = others {
            return Sent::Refused(Refusal::RecipientHeld { retry_after });
        }
        let newest = running.iter().copied().max_by_key(|p| self.proofs[*p].id);
        let same = newest.filter(|p| ask.intent.is_resend() || is_meant(&self.proofs[*p], ask));
        let same = same.filter(|p| match (self.proofs[*p].reserved, held) {
            (true, _) => ask.to.iter().all(|who| self.proofs[*p].addresses.iter().any(|a| a.who == *who)),
            (false, held) => held.is_none(),
        });
        let last = latest.iter().copied().max_by_key(|p| self.proofs[*p].id).map(|p| &self.proofs[p]);
        let day = Duration::from_secs(86_400);
        let late = last.is_some_and(|p| p.status(now) == Status::Expired && now < p.deadline + day);
        let refusal = match (same, ask.intent) {
            (Some(proof), _) => self.forbids_sending_again(&self.proofs[proof], ask),
            (None, Intent::ResendOnly) => exhausted.or(Some(Refusal::NothingPending)),
            (None, Intent::ResendOrRevive) if !late => exhausted.or(Some(Refusal::NothingPending)),
            (None, _) => exhausted.or_else(|| self.forbids_opening(ask, held)),
        };
        let users: BTreeSet<u8> = ask.to.iter().map(|who| self.user_of(ask, *who)).collect();
        // Several addresses of nobody's are not verified together.
        let alone = ask.to.len() == 1;
        let strangers = same.is_none() && (users.len() > 1 || (users.contains(&0) && !alone));
        let refusal = refusal.or(strangers.then_some(Refusal::NotTogether));
        match (refusal, same) {
            (Some(Refusal::CoolDown { .. }), Some(proof)) => return Sent::CoolingDown(proof),
            (Some(refusal), _) => return Sent::Refused(refusal),
            (None, _) => {}
        }
        let user = self.user_of(ask, ask.to[0]);
        let reserved = same.is_none() && self.room(ask, held) == Ok(true);
        for other in running.into_iter().filter(|p| Some(*p) != same) {
            self.proofs[other].finish(Status::Canceled, now);
        }
        let proof = same.unwrap_or_else(|| self.open(ask, user, reserved));
        let indexes = ask.to.iter().map(|who| self.join(proof, *who, ask)).collect();
        self.issue(proof, indexes, ask.delivery, ask.own_code.as_ref().filter(|_| same.is_none()), ask.cost);
        if same.is_some() { Sent::Resent(proof) } else { Sent::Opened(proof) }
    }

    fn forbids_sending_again(&self, proof: &Proof, ask: &Ask) -> Option<Refusal> {
        let is_new = |who: &&Who| proof.addresses.iter().all(|a| a.who != **who);
        let newcomers: Vec<Who> = ask.to.iter().filter(is_new).copied().collect();
        let mut users: BTreeSet<u8> = newcomers.iter().map(|who| self.user_of(ask, *who)).collect();
        users.insert(proof.user);
        let strangers = users.len() > 1 || (users.contains(&0) && !newcomers.is_empty());
        let strangers = strangers.then_some(Refusal::NotTogether);
        strangers
            .or_else(|| self.forbids_sending(proof, &ask.to, ask.delivery))
            .or_else(|| self.book.forbids_newcomers(ask.tenant, &newcomers, ask.delivery))
            .or_else(|| self.book.forbids_cost(ask.tenant, ask.delivery, ask.cost))
    }

    /// For which user an address is asked: who does not say it means whom it was asked for before, if that is
    /// not over or ran out less than a day ago.
    fn user_of(&self, ask: &Ask, who: Who) -> u8 {
        let goes_on = |p: &&Proof| match p.status(self.now()) {
            Status::Pending => true,
            Status::Expired => self.now().since(p.deadline) < Duration::from_secs(86_400),
            Status::Approved | Status::Canceled | Status::Exhausted => false,
        };
        let before = || self.latest(ask.tenant, ask.purpose, who).map(|p| &self.proofs[p]).filter(goes_on);
        if ask.user > 0 { ask.user } else { before().map_or(0, |p| p.user) }
    }

    fn open(&mut self, ask: &Ask, user: u8, reserved: bool) -> usize {
        for who in ask.to.iter().filter(|_| reserved) {
            self.book.write((ask.tenant, *who), Event::ReservedStart);
        }
        self.book.write_client(ask.tenant, ask.client);
        let raised = self.book.level(ask.tenant) >= 2;
        let fewer = raised && (self.terms.fixed_length || ask.own_code.is_some());
        if ask.delivery != Delivery::Pretend {
            self.book.write_opening(ask.tenant);
        }
        self.proofs.push(Proof {
            id: None,
            tenant: ask.tenant,
            context: ask.context,
            user,
            pretended: ask.delivery == Delivery::Pretend,
            client: ask.client,
            reserved,
            opened: self.now(),
            deadline: self.now() + self.terms.window,
            ended: None,
            sends: 0,
            last_send: None,
            checks: 0,
            max_checks: if fewer { self.terms.max_checks.min(3) } else { self.terms.max_checks },
            own_code: ask.own_code.is_some(),
            addresses: Vec::new(),
            messages: Vec::new(),
            deleted: false,
        });
        self.proofs.len() - 1
    }

    /// The address' place in the verification; a newcomer is charged a start, unless a reserved one was charged.
    fn join(&mut self, proof: usize, who: Who, ask: &Ask) -> usize {
        let (now, addresses) = (self.now(), &mut self.proofs[proof].addresses);
        if let Some(known) = addresses.iter().position(|a| a.who == who) {
            return known;
        }
        let somebody = ask.delivery != Delivery::Pretend;
        addresses.push(Address { who, somebody, code: None, past: Vec::new(), dies: now, kept: false });
        let place = addresses.len() - 1;
        self.joined.push(((ask.tenant, who), ask.purpose, proof));
        if ask.delivery != Delivery::Return && !self.proofs[proof].reserved {
            self.book.write((ask.tenant, who), Event::Start);
        }
        place
    }

    fn issue(&mut self, proof: usize, to: Vec<usize>, delivery: Delivery, own: Option<&Code>, cost: u64) {
        let (now, terms, proof) = (self.now(), &self.terms, &mut self.proofs[proof]);
        if delivery != Delivery::Return {
            proof.sends += 1;
            proof.last_send = Some(now);
        }
        self.book.write_cost(proof.tenant, delivery, cost);
        let repeats = terms.resend_code == ResendCode::Same || proof.own_code;
        let deadline = proof.deadline.min(now + terms.code_life);
        let groups: Vec<Vec<usize>> = match terms.sharing {
            CodeSharing::Shared => vec![(0..proof.addresses.len()).collect()],
            CodeSharing::Separate => to.iter().map(|place| vec![*place]).collect(),
        };
        for group in groups {
            let lives = |a: &&Address| now < a.dies || proof.own_code;
            let kept = group.iter().map(|place| &proof.addresses[*place]).find(|a| a.kept);
            let again =
                kept.filter(lives).map(|a| (a.code.clone(), if now < a.dies { a.dies } else { deadline }));
            let is_new = again.is_none();
            let (code, dies) = again.unwrap_or((own.cloned(), deadline));
            for place in group {
                if is_new {
                    proof.drop_notes(Some(place), Abandoned::Superseded);
                }
                let address = &mut proof.addresses[place];
                address.past.extend(address.code.take().filter(|_| is_new));
                (address.code, address.dies) = (code.clone(), dies);
                address.kept = repeats && proof.sends < terms.max_sends;
            }
        }
        for place in to {
            let Address { who, somebody, dies, .. } = proof.addresses[place];
            let event = if delivery == Delivery::Return { Event::Return } else { Event::Send };
            self.book.write((proof.tenant, who), event);
            if delivery == Delivery::Send && somebody {
                proof.drop_notes(Some(place), Abandoned::Superseded);
                let state = NoteState::Waiting { at: now };
                proof.messages.push(Note {
                    id: None,
                    address: place,
                    state,
                    submissions: 0,
                    attempts: 0,
                    expires: dies,
                });
            }
        }
    }

    pub(super) fn resend(
        &mut self,
        tenant: u8,
        proof: usize,
        delivery: Delivery,
        trusted: bool,
        cost: u64,
    ) -> Sent {
        let known = self.known(tenant, proof);
        let Some(running) = known else { return Sent::Refused(Refusal::NotFound) };
        let delivery = if running.pretended { Delivery::Pretend } else { delivery };
        let status = running.status(self.now());
        if status != Status::Pending {
            return Sent::Refused(Refusal::NotPending { status });
        }
        let to: Vec<Who> = running.addresses.iter().map(|a| a.who).collect();
        let refusal = self
            .held(running, &to, trusted)
            .map(|retry_after| Refusal::RecipientHeld { retry_after })
            .or_else(|| self.forbids_sending(running, &to, delivery))
            .or_else(|| self.book.forbids_cost(tenant, delivery, cost));
        if let Some(refusal) = refusal {
            return Sent::Refused(refusal);
        }
        self.issue(proof, (0..to.len()).collect(), delivery, None, cost);
        Sent::Resent(proof)
    }

    fn known(&self, tenant: u8, proof: usize) -> Option<&Proof> {
        self.proofs.get(proof).filter(|p| p.tenant == tenant && !p.deleted)
    }

    /// `only` is the address that the guess names.
    #[expect(clippy::too_many_arguments, reason = "all that a guess says")]
    pub(super) fn check(
        &mut self,
        tenant: u8,
        proof: usize,
        only: Option<Who>,
        guess: &Code,
        context: u8,
        consume: bool,
        (client, trusted): (u8, bool),
    ) -> Checked {
        let now = self.now();
        let Some(found) = self.known(tenant, proof) else { return Checked::NotFound };
        let rejected = |reason, retry_after| Checked::Rejected(proof, reason, retry_after);
        let window = now.until(found.deadline);
        match found.status(now) {
            Status::Pending => {}
            Status::Approved => return rejected(Rejection::AlreadyUsed, Duration::ZERO),
            Status::Canceled => return rejected(Rejection::Canceled, Duration::ZERO),
            Status::Expired => return rejected(Rejection::Expired, Duration::ZERO),
            Status::Exhausted => return rejected(Rejection::Exhausted, window),
        }
        let parties: Vec<Party> = found.addresses.iter().map(|a| (tenant, a.who)).collect();
        let to: Vec<Who> = found.addresses.iter().map(|a| a.who).collect();
        if let Some(wait) = self.held(found, &to, trusted) {
            return rejected(Rejection::RecipientHeld, wait);
        }
        let named = |a: &&Address| only.is_none_or(|who| a.who == who) && now < a.dies;
        let live: Vec<&Address> = found.addresses.iter().filter(named).collect();
        if live.is_empty() {
            return rejected(Rejection::Expired, Duration::ZERO);
        }
        let fits = found.context == context;
        let right = |a: &&&Address| fits && a.somebody && a.code.as_ref() == Some(guess);
        let proven: Vec<Party> = live.iter().filter(right).map(|a| (tenant, a.who)).collect();
        let (used_up, reserved) = (found.checks + 1 >= found.max_checks, found.reserved);
        if proven.is_empty() {
            if live.iter().any(|a| a.somebody) {
                self.book.write_tenant_failure(tenant, proof);
            }
            self.book.write_failure(&parties, client, reserved);
        } else if consume {
            let (started_by, opened) = (found.client, found.opened);
            self.book.forgive(proof, tenant, started_by, opened);
            self.book.write_approval(&proven, client);
        }
        self.book.write_success(&proven);
        let found = &mut self.proofs[proof];
        found.checks += 1;
        match (proven.is_empty(), consume) {
            (false, true) => found.finish(Status::Approved, now),
            _ if used_up => found.finish(Status::Exhausted, now),
            _ => {}
        }
        let reason = if fits { Rejection::WrongCode } else { Rejection::ContextMismatch };
        let wait = if used_up { window } else { Duration::ZERO };
        if proven.is_empty() { rejected(reason, wait) } else { Checked::Right(proof) }
    }

    /// How it stands afterwards; `None` when there is none.
    pub(super) fn cancel(&mut self, tenant: u8, proof: usize) -> Option<Status> {
        let now = self.now();
        if self.known(tenant, proof)?.status(now) == Status::Pending {
            self.proofs[proof].finish(Status::Canceled, now);
        }
        Some(self.proofs[proof].status(now))
    }

    pub(super) fn erase(&mut self, (tenant, who): Party) {
        self.book.erase((tenant, who));
        let now = self.now();
        let theirs = |p: &&mut Proof| p.tenant == tenant && p.addresses.iter().any(|a| a.who == who);
        for proof in self.proofs.iter_mut().filter(theirs) {
            if proof.status(now) == Status::Pending {
                proof.finish(Status::Canceled, now);
            }
            proof.drop_notes(None, Abandoned::Superseded);
        }
    }

    // -- messages and time --

    /// Every message that is due is leased, or is over. Answers which are leased, and for the how many-th
    /// time.
    pub(super) fn claim(&mut self) -> Vec<(MessageId, u32)> {
        let now = self.now();
        let mut leased = Vec::new();
        for note in self.proofs.iter_mut().filter(|p| !p.deleted).flat_map(|p| &mut p.messages) {
            match note.state {
                NoteState::Waiting { at: due } | NoteState::Leased { until: due } if due <= now => {}
                _ => continue,
            }
            if now >= note.expires {
                note.state = NoteState::Gone(Abandoned::Expired);
            } else if note.submissions == 3 {
                note.state = NoteState::Gone(Abandoned::Submissions);
            } else {
                note.submissions += 1;
                note.attempts += 1;
                note.state = NoteState::Leased { until: now + LEASE };
                leased.push((note.id.expect("seen when it was queued"), note.attempts));
            }
        }
        leased
    }

    fn note(&mut self, id: MessageId) -> Option<&mut Note> {
        let notes = self.proofs.iter_mut().filter(|p| !p.deleted).flat_map(|p| &mut p.messages);
        notes.into_iter().find(|note| note.id == Some(id))
    }

    /// That it was taken is true whatever was decided meanwhile.
    pub(super) fn taken(&mut self, id: MessageId) {
        if let Some(note) = self.note(id) {
            note.state = NoteState::Sent;
        }
    }

    /// It was not: whether a provider may have it, and when to try again; or never. Only who holds the lease
    /// is believed.
    pub(super) fn not_taken(
        &mut self,
        id: MessageId,
        attempt: u32,
        again: Result<(bool, Duration), Abandoned>,
    ) {
        let now = self.now();
        let Some(note) = self.note(id) else { return };
        if !matches!(note.state, NoteState::Leased { .. }) || note.attempts != attempt {
            return;
        }
        if let Ok((false, _)) = again {
            note.submissions -= 1;
        }
        note.state = match again {
            Err(reason) => NoteState::Gone(reason),
            Ok(_) if note.submissions == 3 => NoteState::Gone(Abandoned::Submissions),
            Ok((_, wait)) if now + wait >= note.expires => NoteState::Gone(Abandoned::Expired),
            Ok((_, wait)) => NoteState::Waiting { at: now + wait },
        };
    }

    /// The process that had messages in hand is gone: they are due since it took them.
    pub(super) fn reopen(&mut self) {
        for note in self.proofs.iter_mut().filter(|p| !p.deleted).flat_map(|p| &mut p.messages) {
            if let NoteState::Leased { until } = note.state {
                note.state = NoteState::Waiting { at: until - LEASE };
            }
        }
    }

    /// Everything whose time has come is cleared up.
    pub(super) fn sweep(&mut self) {
        let (now, keep) = (self.now(), self.terms.keep_record);
        for proof in &mut self.proofs {
            let Some((_, ended)) = proof.end(now) else { continue };
            proof.drop_notes(None, Abandoned::Expired);
            proof.deleted |= ended + keep <= now;
        }
        self.book.forget();
        self.spent.sweep(now);
    }
}

/// Another context, another user, or another code of the caller's own, means another verification.
fn is_meant(proof: &Proof, ask: &Ask) -> bool {
    let has = |code: &Code| proof.addresses.iter().any(|a| a.code.as_ref() == Some(code));
    proof.context == ask.context && !is_anothers(proof, ask) && ask.own_code.as_ref().is_none_or(has)
}

/// Another user's than the one named, or one that only pretends where something is to be sent.
fn is_anothers(proof: &Proof, ask: &Ask) -> bool {
    let pretends = ask.delivery == Delivery::Pretend;
    (ask.user > 0 && proof.user != ask.user) || proof.pretended != pretends
}
