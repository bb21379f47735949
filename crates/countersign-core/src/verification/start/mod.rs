//! Opening a verification, or sending again because one is pending.

mod fits;

use self::fits::{
    asks_for_another, belong_together, is_anothers, is_same_send, is_too_old, may_revive, owners,
    refuse_by_intent, sent_for, until_too_old, would_join_reserved,
};
use super::issue::{Addressed, Issuer};
use super::limits::Limits;
use super::reserve::{Opening, may_use_reserve, opening, refuse_held};
use super::sealed::metadata_place;
use super::{Changes, ClientLedger, Damaged, Decision, DropMessages, Ledgers, Status, Verification};
use crate::codec;
use crate::engine::{
    Accepted, AcceptedKind, Delivery, DestinationRequest, Intent, Refusal, SendOutcome, StartCommand,
    UserAddress,
};
use crate::ids::VerificationId;
use crate::keys::KeyRing;
use crate::outbox::Abandoned;
use crate::pairs::Pairs;

/// How many addresses one verification may have.
const MAX_DESTINATIONS: usize = 8;

/// What a start reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StartState {
    /// Per destination, the verification in the command's topic that its identity joined last,
    /// however it stands. Ids do not tell: several may be drawn within one millisecond, and an address
    /// may join one that is older than its own last.
    pub latest: Vec<Option<Verification>>,
    /// The ledgers: one per destination, the client's, the tenant's.
    pub ledgers: Ledgers,
}

/// Decides a start.
///
/// In order: holds; a running verification, which sends again, waits, or gives
/// way (it has another context or code, or is older than the command's terms allow); then the caps on
/// new ones. Where holds and caps leave no room, a trusted start may use one that is kept for such.
///
/// # Errors
/// A stored address does not open.
pub fn start(
    state: StartState,
    command: &StartCommand,
    keys: &KeyRing,
) -> Result<Decision<SendOutcome>, Damaged> {
    let now = command.now;
    let budgets = command.destinations.iter().map(|d| d.keys.budget);
    let mut limits = Limits::new(
        command.caps,
        command.is_test(),
        budgets.zip(state.ledgers.recipients),
        state.ledgers.tenant,
        now,
    );
    let held = limits.refuse_held();
    if let Some(refusal) = held.filter(|_| !may_use_reserve(command, &limits)) {
        return Ok(refused(refusal));
    }

    let owners = owners(&state.latest, command);
    let mut newest_first: Vec<Verification> = state.latest.into_iter().flatten().collect();
    newest_first.sort_unstable_by_key(|v| std::cmp::Reverse(v.id));
    newest_first.dedup_by_key(|v| v.id);
    newest_first.retain(|v| v.tenant == command.tenant);
    if command.intent.is_resend() {
        // A code of another wire API, or bound to something else, is no good here, however often it is sent.
        let is_bound = |v: &Verification| command.context.is_none() || v.context == command.context;
        newest_first.retain(|v| v.dialect == command.dialect && is_bound(v) && !is_anothers(v, command));
    }
    let refused_by_intent = refuse_by_intent(&newest_first, command);
    let may_open = match command.intent {
        Intent::Start | Intent::StartOrResend => true,
        Intent::ResendOnly => false,
        Intent::ResendOrRevive => newest_first.first().is_some_and(|v| may_revive(v, now)),
    };
    newest_first.retain(|v| v.status_at(now) == Status::Pending);
    let reserved = newest_first.iter().filter(|v| v.reserved);
    let refusal = reserved.filter_map(|v| refuse_held(v, command.trusted, &limits, now)).max();
    if let Some(retry_after) = refusal {
        return Ok(refused(Refusal::RecipientHeld { retry_after }));
    }
    let mut running = newest_first.into_iter();

    let mut changes = Changes::default();
    let base = running.next();
    // Several addresses with running verifications of their own become one; the newest stays.
    for mut older in running {
        cancel(&mut older, &mut changes, command);
    }
    let mut issuer = Issuer {
        keys,
        delivery: command.delivery,
        link: command.link.as_ref(),
        now,
        rng: command.seed.rng(),
        known: Vec::new(),
    };
    // What nobody reserved takes no guess of a held recipient's.
    let gives_way = |base: &Verification| {
        asks_for_another(base, command, keys)
            || is_too_old(base, &limits, command)
            || would_join_reserved(base, command)
            || (held.is_some() && !base.reserved)
    };
    match base {
        Some(base) if !gives_way(&base) => {
            send_again(base, command, &owners, &mut issuer, &mut limits, changes)
        }
        base => {
            let nothing_pending = (!may_open).then_some(Refusal::NothingPending);
            let opening = match refused_by_intent.or(nothing_pending) {
                Some(refusal) => Err(refusal),
                None => how_to_open(held, &limits, command, &state.ledgers.client),
            };
            let opening = match opening {
                Ok(opening) => opening,
                Err(refusal) => return Ok(refused(refusal)),
            };
            if let Some(mut base) = base {
                cancel(&mut base, &mut changes, command);
            }
            open(command, opening, &owners, &mut issuer, &mut limits, state.ledgers.client, changes)
        }
    }
}

fn refused(refusal: Refusal) -> Decision<SendOutcome> {
    Decision::unchanged(SendOutcome::Refused(refusal))
}

/// How the recipients' own limits, and then all others, let a verification be opened.
fn how_to_open(
    held: Option<Refusal>,
    limits: &Limits,
    command: &StartCommand,
    client: &ClientLedger,
) -> Result<Opening, Refusal> {
    let own = held
        .or_else(|| limits.refuse_opening(command.delivery))
        .or_else(|| limits.refuse_messages(command.delivery, &command.terms));
    let opening = opening(own, command, limits)?;
    let client_wait = command
        .client
        .filter(|_| command.caps.client_limit_refuses)
        .and_then(|_| client.wait_for_start(&command.caps, command.now));
    let others = client_wait
        .map(|retry_after| Refusal::ClientLimit { retry_after })
        .or_else(|| limits.refuse_cost(command.delivery, command.cost_micros));
    others.map_or(Ok(opening), Err)
}

fn cancel(verification: &mut Verification, changes: &mut Changes, command: &StartCommand) {
    verification.end(Status::Canceled, command.now);
    changes.drop_messages.push(DropMessages {
        verification: verification.id,
        destination: None,
        reason: Abandoned::Superseded,
    });
    changes.verifications.push(verification.clone());
}

fn open(
    command: &StartCommand,
    opening: Opening,
    owners: &[Option<UserAddress>],
    issuer: &mut Issuer<'_>,
    limits: &mut Limits,
    mut client: ClientLedger,
    mut changes: Changes,
) -> Result<Decision<SendOutcome>, Damaged> {
    let now = command.now;
    let users = owners.iter().map(|owner| owner.as_ref().map(|owner| &owner.user));
    let tests = command.destinations.iter().map(|request| request.test);
    if !belong_together(users, tests) {
        return Ok(refused(Refusal::NotTogether));
    }
    let mut opened = Verification {
        id: VerificationId::generate(now, &mut issuer.rng),
        tenant: command.tenant.clone(),
        purpose: command.purpose.clone(),
        dialect: command.dialect.clone(),
        locale: command.locale.clone(),
        status: Status::Pending,
        created_at: now,
        expires_at: now + command.terms.window,
        ended_at: None,
        terms: command.terms.clone().at(limits.level(), command.custom_code.as_ref()),
        sends_used: 0,
        last_send_at: None,
        checks_used: 0,
        destinations: Vec::with_capacity(command.destinations.len()),
        context: command.context,
        custom_code: command.custom_code.is_some(),
        metadata: None,
        test: command.is_test(),
        pretended: command.delivery == Delivery::Pretend,
        sent_for: sent_for(command, issuer.keys),
        failures: Vec::new(),
        client: command.client,
        reserved: opening == Opening::Reserved,
        ends_hold: command.ends_hold.clone(),
    };
    opened.metadata = seal_metadata(&opened, &command.metadata, issuer);
    for (request, owner) in command.destinations.iter().zip(owners) {
        issuer.add_destination(&mut opened, request, owner.clone());
    }
    let to: Vec<Addressed> = (command.destinations.iter().enumerate())
        .map(|(index, request)| Addressed { index, channel: request.channel })
        .collect();
    let codes = issuer.issue(&mut opened, &to, command.custom_code.as_ref())?;
    let mut client_is_over = false;
    if let Some(key) = command.client {
        client_is_over = client.wait_for_start(&command.caps, now).is_some();
        client.record_start(&command.caps, now);
        changes.client = Some((key, client));
    }
    limits.record_opening(command.delivery, opened.reserved);
    limits.record_issue(
        command.delivery,
        command.cost_micros,
        command.destinations.iter().map(|d| d.keys.budget),
    );
    limits.write_into(&mut changes);
    changes.messages = codes.messages;
    let mut outcome = accepted(AcceptedKind::Opened, &opened, command.delivery, codes.code);
    if let SendOutcome::Accepted(accepted) = &mut outcome {
        accepted.client_is_over = client_is_over;
    }
    changes.verifications.push(opened);
    Ok(Decision { outcome, changes })
}

fn seal_metadata(
    verification: &Verification,
    pairs: &Pairs,
    issuer: &mut Issuer<'_>,
) -> Option<crate::keys::Sealed> {
    let place = metadata_place(&verification.tenant, &verification.id);
    (!pairs.is_empty()).then(|| issuer.keys.seal(place, &codec::to_row(&**pairs), &mut issuer.rng))
}

/// A start while one is running: it sends again, or waits, and may bring further addresses along.
fn send_again(
    mut base: Verification,
    command: &StartCommand,
    owners: &[Option<UserAddress>],
    issuer: &mut Issuer<'_>,
    limits: &mut Limits,
    mut changes: Changes,
) -> Result<Decision<SendOutcome>, Damaged> {
    let now = command.now;
    let is_new = |request: &&DestinationRequest| base.destination(&request.keys.identity).is_none();
    let newcomers = command.destinations.iter().zip(owners).filter(|(request, _)| is_new(request));
    let users = newcomers.clone().map(|(_, owner)| owner.as_ref().map(|owner| &owner.user));
    let users = std::iter::once(base.owner()).chain(users);
    let tests = std::iter::once(base.is_test()).chain(newcomers.map(|(request, _)| request.test));
    if !belong_together(users, tests) {
        return Ok(refused(Refusal::NotTogether));
    }
    if let Some(refusal) = limits.refuse_sending(&base, command.delivery) {
        return Ok(match refusal {
            Refusal::CoolDown { .. } => {
                let kind = if is_same_send(&base, command, issuer.keys) {
                    AcceptedKind::Repeated
                } else {
                    AcceptedKind::CoolingDown
                };
                Decision::unchanged(accepted_without_code(kind, &base))
            }
            Refusal::SendsExhausted { retry_after } => refused(Refusal::SendsExhausted {
                retry_after: retry_after.min(until_too_old(&base, command)),
            }),
            other => refused(other),
        });
    }
    let mut to = Vec::with_capacity(command.destinations.len());
    let mut joining = Vec::new();
    for (request, owner) in command.destinations.iter().zip(owners) {
        let known = base.destinations.iter().position(|d| d.identity == request.keys.identity);
        let index = known.unwrap_or(base.destinations.len() + joining.len());
        if known.is_none() {
            joining.push((request, owner.clone()));
        }
        to.push(Addressed { index, channel: request.channel });
    }
    // An address that joins is charged like a start: otherwise one known address would open the way
    // to any number of others.
    let joining_budgets: Vec<_> = joining.iter().map(|(request, _)| request.keys.budget).collect();
    let full = base.destinations.len() + joining.len() > MAX_DESTINATIONS;
    let refusal = limits
        .refuse_joining(command.delivery, &joining_budgets)
        .or_else(|| limits.refuse_messages(command.delivery, &command.terms))
        .or(full.then(|| Refusal::SendsExhausted { retry_after: now.until(base.expires_at) }))
        .or_else(|| limits.refuse_cost(command.delivery, command.cost_micros));
    if let Some(refusal) = refusal {
        return Ok(refused(refusal));
    }
    for (request, owner) in joining {
        issuer.add_destination(&mut base, request, owner);
    }
    let codes = issuer.issue(&mut base, &to, None)?;
    base.sent_for = sent_for(command, issuer.keys);
    limits.record_joining(command.delivery, &joining_budgets);
    limits.record_issue(
        command.delivery,
        command.cost_micros,
        command.destinations.iter().map(|d| d.keys.budget),
    );
    limits.write_into(&mut changes);
    changes.messages = codes.messages;
    changes.drop_messages.extend(codes.drop_messages);
    let outcome = accepted(AcceptedKind::Resent, &base, command.delivery, codes.code);
    changes.verifications.push(base);
    Ok(Decision { outcome, changes })
}

pub(super) fn accepted(
    kind: AcceptedKind,
    verification: &Verification,
    delivery: Delivery,
    code: crate::code::Code,
) -> SendOutcome {
    let code = (delivery == Delivery::Return).then_some(code);
    SendOutcome::Accepted(Box::new(Accepted {
        kind,
        verification: verification.snapshot(),
        code,
        client_is_over: false,
    }))
}

fn accepted_without_code(kind: AcceptedKind, verification: &Verification) -> SendOutcome {
    SendOutcome::Accepted(Box::new(Accepted {
        kind,
        verification: verification.snapshot(),
        code: None,
        client_is_over: false,
    }))
}
