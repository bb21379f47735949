//! Whose messages are handed out, when not all of them can be.

use std::collections::HashMap;
use std::sync::Arc;

use crate::names::{Channel, TenantId};
use crate::outbox::{ClaimCommand, Message, MessageState, Slots};
use crate::provider::Routes;
use crate::testkit::RecordingProvider;
use crate::testkit::bench::*;
use crate::testkit::commands;

fn tenant(id: &str) -> TenantId {
    id.parse().expect("a tenant id")
}

/// Queues so many messages of a tenant.
async fn queue<F: EngineFixture>(bench: &Bench<F>, id: &str, count: u32) {
    for number in 0..count {
        let to = format!("user-{number}@example.com");
        let start = commands::start(&tenant(id), &to, bench.now(), bench.seed());
        opened(fresh(bench.engine().start(start).await.expect("start")));
    }
}

async fn claim_after<F: EngineFixture>(bench: &Bench<F>, slots: Slots, after: &str) -> Vec<Message> {
    let command = ClaimCommand { after: Some(tenant(after)), ..commands::claim_into(slots, bench.now()) };
    bench.engine().claim_messages(command).await.expect("claim")
}

fn whose(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.tenant.as_str()).collect()
}

/// Shows: F7.
pub(super) async fn f7_tenants_take_turns_however_much_one_of_them_has_waiting<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    queue(&bench, "big", 30).await;
    bench.wait(SECOND);
    queue(&bench, "small", 2).await;
    let first = bench.claim_into(Slots::in_all(6)).await;
    assert_eq!(whose(&first), ["big", "small", "big", "small", "big", "big"]);
    let big: Vec<_> = first.iter().filter(|m| m.tenant == tenant("big")).map(|m| m.queued_at).collect();
    assert!(big.is_sorted(), "the oldest first");
    assert_eq!(bench.claim().await.len(), 26);
}

/// Shows: F7.
pub(super) async fn f7_a_round_begins_behind_who_had_the_last_turn<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for id in ["a", "b", "c"] {
        queue(&bench, id, 4).await;
    }
    assert_eq!(whose(&claim_after(&bench, Slots::in_all(1), "a").await), ["b"]);
    assert_eq!(whose(&claim_after(&bench, Slots::in_all(1), "b").await), ["c"]);
    assert_eq!(whose(&claim_after(&bench, Slots::in_all(2), "c").await), ["a", "b"]);
}

/// Shows: F7.
pub(super) async fn f7_a_tenant_at_its_bound_is_passed_over<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    queue(&bench, "big", 5).await;
    queue(&bench, "small", 5).await;
    let taken = HashMap::from([(tenant("big"), 2)]);
    let claimed = bench.claim_into(Slots::in_all(100).per_tenant(3, taken)).await;
    assert_eq!(whose(&claimed), ["big", "small", "small", "small"]);
}

/// A lane whose only route hangs: its messages stay as they are, and are all there when it works again.
///
/// Shows: F7.
pub(super) async fn f7_a_lane_without_a_slot_keeps_nobody_waiting_and_loses_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let stuck = bench.open(ALICE).await;
    bench.wait(SECOND);
    let free = bench.open(MAIL).await;
    let routes = [("phones", Channel::Sms), ("mails", Channel::Email)];
    let routes = routes.map(|(name, channel)| RecordingProvider::carrying(name, &[channel]).route(0));
    let routes = Arc::new(Routes::shared(routes.to_vec()));
    let slots = |phones| {
        let left =
            [("phones", phones), ("mails", 10)].map(|(name, left)| (name.parse().expect("a name"), left));
        Slots::in_all(100).over(Arc::clone(&routes), HashMap::from(left))
    };
    let claimed = bench.claim_into(slots(0)).await;
    assert_eq!(claimed.iter().map(|m| m.verification).collect::<Vec<_>>(), [free.id]);
    let waiting = &bench.record(stuck.id).await.messages[0];
    assert_eq!((&waiting.state, waiting.submissions), (&MessageState::Queued, 0));
    let claimed = bench.claim_into(slots(1)).await;
    assert_eq!(claimed.iter().map(|m| m.verification).collect::<Vec<_>>(), [stuck.id]);
}

/// Shows: F7.
pub(super) async fn f7_a_free_slot_is_taken_once<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    queue(&bench, "a", 3).await;
    queue(&bench, "b", 3).await;
    let only = RecordingProvider::new("only");
    let routes = Arc::new(only.routes());
    let slots = |left| {
        let left = HashMap::from([("only".parse().expect("a name"), left)]);
        Slots::in_all(100).over(Arc::clone(&routes), left)
    };
    assert_eq!(whose(&bench.claim_into(slots(3)).await), ["a", "b", "a"]);
    assert_eq!(bench.claim_into(slots(0)).await, []);
    assert_eq!(bench.claim_into(slots(100)).await.len(), 3);
}
