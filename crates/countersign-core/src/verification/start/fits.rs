//! Whether what is running is what a start asks for.

use std::time::Duration;

use crate::engine::{Delivery, DestinationRequest, Intent, Refusal, StartCommand, UserAddress, UserKey};
use crate::keys::KeyRing;
use crate::link::LinkTemplate;
use crate::time::Timestamp;
use crate::verification::limits::Limits;
use crate::verification::{Destination, Status, Verification};

/// How long after its end an expired verification can be asked for again by a resend.
const REVIVAL: Duration = Duration::from_secs(24 * 3600);

/// For whom each address is asked: for whom the caller says; if it does not say, for whom the address is being
/// verified, or was until a verification expired that may be asked for again.
pub(super) fn owners(latest: &[Option<Verification>], command: &StartCommand) -> Vec<Option<UserAddress>> {
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
pub(super) fn is_anothers(verification: &Verification, command: &StartCommand) -> bool {
    let mut named = command.destinations.iter().filter_map(|request| request.owner.as_ref());
    named.any(|owner| Some(&owner.user) != verification.owner())
        || verification.is_test() != command.is_test()
        || verification.pretended != (command.delivery == Delivery::Pretend)
}

/// Whether addresses may be verified together: they are one user's. Each of nobody's is verified by itself, for
/// nobody knows whether they are one person's, and the right code of one ends the others'.
pub(super) fn belong_together<'a>(
    owners: impl IntoIterator<Item = Option<&'a UserKey>>,
    tests: impl IntoIterator<Item = bool>,
) -> bool {
    let mut owners = owners.into_iter();
    let first = owners.next().flatten();
    let mut tests = tests.into_iter();
    let test = tests.next();
    owners.all(|other| first.is_some() && other == first) && tests.all(|other| Some(other) == test)
}

/// A code bound to something else, asked for through another wire API or for another user, or another code of
/// the caller's own, is another verification; so is one whose approval ends somebody's hold. A resend never asks for one.
pub(super) fn asks_for_another(base: &Verification, command: &StartCommand, keys: &KeyRing) -> bool {
    if command.intent.is_resend() {
        return false;
    }
    let other_code = command.custom_code.as_ref().is_some_and(|code| {
        let is_live = |d: &Destination| {
            d.digest.is_some_and(|digest| keys.code_matches(&digest, base.code_context(d), code))
        };
        !base.destinations.iter().any(is_live)
    });
    let other_hold = command.ends_hold.is_some() && command.ends_hold != base.ends_hold;
    base.context != command.context
        || base.dialect != command.dialect
        || is_anothers(base, command)
        || other_code
        || other_hold
}

/// What a reserved start opened is for the addresses that paid for it: none joins.
pub(super) fn would_join_reserved(base: &Verification, command: &StartCommand) -> bool {
    let is_new = |request: &DestinationRequest| base.destination(&request.keys.identity).is_none();
    base.reserved && command.destinations.iter().any(is_new)
}

/// Whether a resend may open a new verification in the place of one that nobody finished.
pub(super) fn may_revive(last: &Verification, now: Timestamp) -> bool {
    last.status_at(now) == Status::Expired && now < last.expires_at + REVIVAL
}

/// A start may want a verification that has at least so much of its window left. The waiting time
/// after the last message holds all the same.
pub(super) fn is_too_old(base: &Verification, limits: &Limits, command: &StartCommand) -> bool {
    let Some(join_within) = command.terms.join_within else { return false };
    !command.intent.is_resend()
        && command.now.since(base.created_at) > join_within
        && !matches!(limits.refuse_sending(base, command.delivery), Some(Refusal::CoolDown { .. }))
}

/// Whether a start is the request of the last message come twice. That message must have the live code: one that
/// was handed back since has voided it, and nobody would get a code that is good.
pub(super) fn is_same_send(base: &Verification, command: &StartCommand, keys: &KeyRing) -> bool {
    let (Some(time), Some(last)) = (command.terms.same_within, base.last_send_at) else { return false };
    command.now.since(last) <= time && base.sent_for.is_some() && base.sent_for == sent_for(command, keys)
}

/// Stands for everything that matters of a start that sends; a code that is handed back is never the same.
pub(super) fn sent_for(command: &StartCommand, keys: &KeyRing) -> Option<[u8; 16]> {
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
pub(super) fn until_too_old(base: &Verification, command: &StartCommand) -> Duration {
    match command.terms.join_within {
        Some(age) if !command.intent.is_resend() => {
            command.now.until(base.created_at + age + Duration::from_millis(1))
        }
        _ => Duration::MAX,
    }
}

/// Where the last checks of an address were used up, nothing but an explicit start opens another
/// verification of it before that window has closed: a resend must not buy new checks.
pub(super) fn refuse_by_intent(latest: &[Verification], command: &StartCommand) -> Option<Refusal> {
    if command.intent == Intent::Start {
        return None;
    }
    let exhausted = latest.iter().filter(|v| v.status == Status::Exhausted);
    let window = exhausted.map(|v| command.now.until(v.expires_at)).max().filter(|left| !left.is_zero());
    window.map(|retry_after| Refusal::ChecksExhausted { retry_after })
}
