//! Opening a verification, or sending again because one is pending.

use std::time::Duration;

use super::issue::{Addressed, Issuer};
use super::limits::Limits;
use super::sealed::metadata_place;
use super::{Changes, Damaged, Decision, DropMessages, Ledgers, Status, Verification};
use crate::codec;
use crate::engine::{
    Accepted, AcceptedKind, Delivery, DestinationRequest, Intent, Refusal, SendOutcome, StartCommand,
    UserAddress, UserKey,
};
use crate::ids::VerificationId;
use crate::keys::KeyRing;
use crate::link::LinkTemplate;
use crate::outbox::Abandoned;
use crate::pairs::Pairs;
use crate::time::Timestamp;

/// How long after its end an expired verification can be asked for again by a resend.
const REVIVAL: Duration = Duration::from_secs(24 * 3600);

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
/// new ones.
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
    if let Some(refusal) = limits.refuse_held() {
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
    let mut running = newest_first.into_iter().filter(|v| v.status_at(now) == Status::Pending);

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
    match base {
        Some(mut base) if asks_for_another(&base, command, keys) || is_too_old(&base, &limits, command) => {
            let refusal =
                refused_by_intent.or_else(|| refuse_opening(&limits, command, &state.ledgers.client));
            if let Some(refusal) = refusal {
                return Ok(refused(refusal));
            }
            cancel(&mut base, &mut changes, command);
            open(command, &owners, &mut issuer, &mut limits, state.ledgers.client, changes)
        }
        Some(base) => send_again(base, command, &owners, &mut issuer, &mut limits, changes),
        None => {
            let nothing_pending = (!may_open).then_some(Refusal::NothingPending);
            let refusal = refused_by_intent
                .or(nothing_pending)
                .or_else(|| refuse_opening(&limits, command, &state.ledgers.client));
            if let Some(refusal) = refusal {
                return Ok(refused(refusal));
            }
            open(command, &owners, &mut issuer, &mut limits, state.ledgers.client, changes)
        }
    }
}

/// For whom each address is asked: for whom the caller says; if it does not say, for whom the address is being
/// verified, or was until a verification expired that may be asked for again.
fn owners(latest: &[Option<Verification>], command: &StartCommand) -> Vec<Option<UserAddress>> {
    let goes_on = |v: &&Verification| {
        let theirs = v.tenant == command.tenant && v.dialect == command.dialect;
        theirs && (v.status_at(command.now) == Status::Pending || may_revive(v, command.now))
    };
    let before = |request: &DestinationRequest, latest: Option<&Verification>| {
        latest.filter(goes_on)?.destination(&request.keys.identity)?.owner.clone()
    };
    let latest = latest.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let requests = command.destinations.iter().zip(latest);
    requests.map(|(request, latest)| request.owner.clone().or_else(|| before(request, latest))).collect()
}

/// Whether a verification is for another user than the caller names, for a test number where the caller names
/// a real one, or pretended where something shall be sent; or each the other way round. Nothing of the one is
/// ever good for the other.
fn is_anothers(verification: &Verification, command: &StartCommand) -> bool {
    let mut named = command.destinations.iter().filter_map(|request| request.owner.as_ref());
    named.any(|owner| Some(&owner.user) != verification.owner())
        || verification.is_test() != command.is_test()
        || verification.pretended != (command.delivery == Delivery::Pretend)
}

/// Whether addresses may be verified together: they are one user's. Each of nobody's is verified by itself, for
/// nobody knows whether they are one person's, and the right code of one ends the others'.
fn belong_together<'a>(
    owners: impl IntoIterator<Item = Option<&'a UserKey>>,
    tests: impl IntoIterator<Item = bool>,
) -> bool {
    let mut owners = owners.into_iter();
    let first = owners.next().flatten();
    let mut tests = tests.into_iter();
    let test = tests.next();
    owners.all(|other| first.is_some() && other == first) && tests.all(|other| Some(other) == test)
}

fn refused(refusal: Refusal) -> Decision<SendOutcome> {
    Decision::unchanged(SendOutcome::Refused(refusal))
}

/// A code bound to something else, asked for through another wire API or for another user, or another code of
/// the caller's own, is another verification. A resend never asks for one.
fn asks_for_another(base: &Verification, command: &StartCommand, keys: &KeyRing) -> bool {
    if command.intent.is_resend() {
        return false;
    }
    let other_code = command.custom_code.as_ref().is_some_and(|code| {
        let is_live = |d: &super::Destination| {
            d.digest.is_some_and(|digest| keys.code_matches(&digest, base.code_context(d), code))
        };
        !base.destinations.iter().any(is_live)
    });
    base.context != command.context
        || base.dialect != command.dialect
        || is_anothers(base, command)
        || other_code
}

/// Whether a resend may open a new verification in the place of one that nobody finished.
fn may_revive(last: &Verification, now: Timestamp) -> bool {
    last.status_at(now) == Status::Expired && now < last.expires_at + REVIVAL
}

/// A start may want a verification that has at least so much of its window left. The waiting time
/// after the last message holds all the same.
fn is_too_old(base: &Verification, limits: &Limits, command: &StartCommand) -> bool {
    let Some(join_within) = command.terms.join_within else { return false };
    !command.intent.is_resend()
        && command.now.since(base.created_at) > join_within
        && !matches!(limits.refuse_sending(base, command.delivery), Some(Refusal::CoolDown { .. }))
}

/// Whether a start is the request of the last message come twice. That message must have the live code: one that
/// was handed back since has voided it, and nobody would get a code that is good.
fn is_same_send(base: &Verification, command: &StartCommand, keys: &KeyRing) -> bool {
    let (Some(time), Some(last)) = (command.terms.same_within, base.last_send_at) else { return false };
    command.now.since(last) <= time && base.sent_for.is_some() && base.sent_for == sent_for(command, keys)
}

/// Stands for everything that matters of a start that sends; a code that is handed back is never the same.
fn sent_for(command: &StartCommand, keys: &KeyRing) -> Option<[u8; 16]> {
    let mut asked = match command.delivery {
        Delivery::Return => return None,
        Delivery::Send => vec![0],
        Delivery::Pretend => vec![1],
    };
    asked.push(match command.intent {
        Intent::Start => 0,
        Intent::StartOrResend => 1,
        Intent::ResendOnly => 2,
        Intent::ResendOrRevive => 3,
    });
    for destination in &command.destinations {
        asked.extend_from_slice(destination.keys.identity.as_bytes());
        asked.extend_from_slice(destination.channel.as_str().as_bytes());
    }
    for text in [Some(command.locale.as_str()), command.link.as_ref().map(LinkTemplate::identity).as_deref()]
    {
        // A space ends each: neither has one within, but the link between its parts, and it comes last.
        asked.push(b' ');
        asked.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
    Some(keys.lookup_key(&command.tenant, "sent for", &asked))
}

/// How long until a start like this one opens another verification instead.
fn until_too_old(base: &Verification, command: &StartCommand) -> Duration {
    match command.terms.join_within {
        Some(age) if !command.intent.is_resend() => {
            command.now.until(base.created_at + age + Duration::from_millis(1))
        }
        _ => Duration::MAX,
    }
}

/// Where the last checks of an address were used up, nothing but an explicit start opens another
/// verification of it before that window has closed: a resend must not buy new checks.
fn refuse_by_intent(latest: &[Verification], command: &StartCommand) -> Option<Refusal> {
    if command.intent == Intent::Start {
        return None;
    }
    let exhausted = latest.iter().filter(|v| v.status == Status::Exhausted);
    let window = exhausted.map(|v| command.now.until(v.expires_at)).max().filter(|left| !left.is_zero());
    window.map(|retry_after| Refusal::ChecksExhausted { retry_after })
}

fn refuse_opening(limits: &Limits, command: &StartCommand, client: &super::ClientLedger) -> Option<Refusal> {
    let client_wait = command
        .client
        .filter(|_| command.caps.client_limit_refuses)
        .and_then(|_| client.wait_for_start(&command.caps, command.now));
    limits
        .refuse_opening(command.delivery)
        .or_else(|| limits.refuse_messages(command.delivery, &command.terms))
        .or(client_wait.map(|retry_after| Refusal::ClientLimit { retry_after }))
        .or_else(|| limits.refuse_cost(command.delivery, command.cost_micros))
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
    owners: &[Option<UserAddress>],
    issuer: &mut Issuer<'_>,
    limits: &mut Limits,
    mut client: super::ClientLedger,
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
    limits.record_opening(command.delivery);
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
