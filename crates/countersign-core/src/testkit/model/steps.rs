//! What may happen: sequences of steps, and how they are drawn and shrunk.

use std::fmt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::nonces::Spend;
use crate::code::CodeFormat;
use crate::engine::{Delivery, Intent};
use crate::policy::{Caps, CodeSharing, FailureBudget, RecipientCaps, ResendCode, Terms};

/// An address: 0 and 2 are numbers, 1 a mailbox, [`GHOST`] nobody's name.
pub(super) type Who = u8;
pub(super) const GHOST: Who = 3;

/// One run: what it runs under, and what happens.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub(super) terms: Terms,
    pub(super) caps: Caps,
    pub(super) steps: Vec<Step>,
}

/// One line per step.
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}\n{:?}", self.terms, self.caps)?;
        self.steps.iter().enumerate().try_for_each(|(number, step)| writeln!(f, "{number}: {step:?}"))
    }
}

/// What somebody guesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guess {
    /// The live code of the verification's n-th address.
    Live(u8),
    /// The first code it ever had.
    First,
    /// The live code of the newest verification.
    Newest,
    /// Nothing that was ever sent.
    Wrong,
}

/// What becomes of a claimed message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Taken,
    Failed {
        submitted: bool,
        retry_after: Duration,
    },
    GivenUp,
    /// The dispatcher dies without a word.
    Silence,
}

/// An idempotency key out of few, and which of two requests it stands for.
pub(super) type Claim = Option<(u8, u8)>;

/// One thing that happens. `nth` counts verifications from the newest; `foreign` asks in the other
/// tenant's name.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Start {
        tenant: u8,
        purpose: u8,
        to: Vec<Who>,
        /// For which user; 0 does not say.
        user: u8,
        intent: Intent,
        delivery: Delivery,
        context: u8,
        own_code: u8,
        client: u8,
        trusted: bool,
        cost: u64,
        claim: Claim,
    },
    Resend {
        nth: u8,
        foreign: bool,
        delivery: Delivery,
        trusted: bool,
        cost: u64,
        claim: Claim,
    },
    CheckById {
        nth: u8,
        foreign: bool,
        guess: Guess,
        other_context: bool,
        consume: bool,
        client: u8,
        trusted: bool,
        claim: Claim,
    },
    CheckByAddress {
        tenant: u8,
        purpose: u8,
        who: Who,
        guess: Guess,
        client: u8,
    },
    Cancel {
        nth: u8,
        foreign: bool,
    },
    Wait(Duration),
    /// Until the n-th next instant at which something runs out, or to the millisecond before it.
    WaitUntil {
        nth: u8,
        just_before: bool,
    },
    /// The clock is set back by this much until time passes again.
    SetBack(Duration),
    Dispatch(Fate),
    /// A dispatcher reports on the n-th newest submission that was met with silence.
    ReportLate {
        nth: u8,
        fate: Fate,
    },
    Spend(Spend),
    Sweep,
    Reopen,
    Release {
        tenant: u8,
        who: Who,
    },
    Erase {
        tenant: u8,
        who: Who,
    },
}

/// Sequences of up to `length` steps.
pub(super) fn sequences(length: usize) -> impl Strategy<Value = Sequence> {
    (terms(), caps(), proptest::collection::vec(step(), 1..=length))
        .prop_map(|(terms, caps, steps)| Sequence { terms, caps, steps })
}

/// Codes are long, so that two of them are equal only on purpose.
fn terms() -> impl Strategy<Value = Terms> {
    let seconds = |all: &'static [u64]| select(all).prop_map(Duration::from_secs);
    (
        select(vec![ResendCode::Same, ResendCode::New]),
        select(vec![CodeSharing::Shared, CodeSharing::Separate]),
        seconds(&[600, 600, 90]),
        any::<bool>(),
        select(vec![5_u8, 5, 2]),
        select(vec![5_u8, 5, 2]),
        any::<bool>(),
    )
        .prop_map(
            |(resend_code, sharing, code_life, cools_down, max_checks, max_sends, fixed_length)| {
                let terms = Terms::default();
                let code = CodeFormat { length: 10, ..terms.code };
                let cool_downs = if cools_down { terms.cool_downs } else { Vec::new() };
                Terms {
                    code,
                    code_life,
                    max_checks,
                    max_sends,
                    cool_downs,
                    resend_code,
                    sharing,
                    fixed_length,
                    ..terms
                }
            },
        )
}

/// The default limits, or ones so low that a short sequence meets them.
fn caps() -> impl Strategy<Value = Caps> {
    (
        select(vec![5_u32, 2]),
        select(vec![10_u32, 3]),
        select(vec![20_u32, 4]),
        select(vec![50_u32, 3, 6]),
        select(vec![(60_u32, 2_u32), (2, 1)]),
        select(vec![(20_u32, true), (2, true), (2, false)]),
        select(vec![FailureBudget::default(), FailureBudget { alert: 1, raised: 3, severe: 5 }]),
        select(vec![None, Some(100_u64)]),
    )
        .prop_map(|(hour, day, failed, hold_after, (returns, reserved), client, tenant, spend)| Caps {
            recipient: RecipientCaps {
                starts_per_hour: hour,
                starts_per_day: day,
                failed_checks_per_day: failed,
                hold_after,
                returns_per_hour: returns,
                reserved_starts_per_day: reserved,
            },
            client_starts_per_hour: client.0,
            client_limit_refuses: client.1,
            tenant_failures: tenant,
            tenant_spend_per_day_micros: spend,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let claim = || prop_oneof![5 => Just(None), 1 => (0..2_u8, 0..2_u8).prop_map(Some)];
    let delivery = || prop_oneof![4 => Just(Delivery::Send), 1 => Just(Delivery::Return)];
    let cost = || select(vec![0_u64, 30]);
    let nth = || prop_oneof![4 => Just(0_u8), 1 => 1..4_u8];
    let rarely = |one_in: u32| prop_oneof![one_in - 1 => Just(false), 1 => Just(true)];
    let tenant = || prop_oneof![3 => Just(0_u8), 1 => Just(1_u8)];
    let purpose = || prop_oneof![5 => Just(0_u8), 1 => Just(1_u8)];
    let to = prop_oneof![
        4 => Just(vec![0]), 2 => Just(vec![1]), 2 => Just(vec![0, 1]), 1 => Just(vec![2, 1]),
        2 => Just(vec![1, 0, 2]), 1 => Just(vec![GHOST])
    ];
    let intent = prop_oneof![
        4 => Just(Intent::Start), 2 => Just(Intent::StartOrResend), 1 => Just(Intent::ResendOnly),
        1 => Just(Intent::ResendOrRevive)
    ];
    let odd = || prop_oneof![6 => Just(0_u8), 1 => Just(1_u8), 1 => Just(2_u8)];
    // Nobody's name is no user's.
    let user = prop_oneof![3 => Just(0_u8), 3 => Just(1_u8), 1 => Just(2_u8)];
    let to = (to, user).prop_map(|(to, user)| if to == [GHOST] { (to, 0) } else { (to, user) });
    let from = || (0..3_u8, rarely(3));
    let start = (tenant(), purpose(), to, intent, delivery(), odd(), odd(), from(), cost(), claim())
        .prop_map(|(tenant, purpose, (to, user), intent, delivery, context, own_code, from, cost, claim)| {
            let (client, trusted) = from;
            Step::Start {
                tenant,
                purpose,
                to,
                user,
                intent,
                delivery,
                context,
                own_code,
                client,
                trusted,
                cost,
                claim,
            }
        });
    let guess = || {
        prop_oneof![
            3 => (0..3_u8).prop_map(Guess::Live), 1 => Just(Guess::First), 1 => Just(Guess::Newest),
            4 => Just(Guess::Wrong)
        ]
    };
    let by_id = (nth(), rarely(20), guess(), rarely(8), rarely(6), from(), claim()).prop_map(
        |(nth, foreign, guess, other_context, keep, (client, trusted), claim)| Step::CheckById {
            nth,
            foreign,
            guess,
            other_context,
            consume: !keep,
            client,
            trusted,
            claim,
        },
    );
    let by_address = (tenant(), purpose(), 0..=GHOST, guess(), 0..3_u8).prop_map(
        |(tenant, purpose, who, guess, client)| Step::CheckByAddress { tenant, purpose, who, guess, client },
    );
    let resend = (nth(), rarely(20), delivery(), rarely(3), cost(), claim()).prop_map(
        |(nth, foreign, delivery, trusted, cost, claim)| Step::Resend {
            nth,
            foreign,
            delivery,
            trusted,
            cost,
            claim,
        },
    );
    prop_oneof![
        10 => start,
        6 => resend,
        12 => by_id,
        4 => by_address,
        2 => (nth(), rarely(20)).prop_map(|(nth, foreign)| Step::Cancel { nth, foreign }),
        6 => wait().prop_map(Step::Wait),
        6 => (nth(), any::<bool>()).prop_map(|(nth, just_before)| Step::WaitUntil { nth, just_before }),
        1 => wait().prop_map(Step::SetBack),
        8 => fate().prop_map(Step::Dispatch),
        2 => (0..3_u8, fate()).prop_map(|(nth, fate)| Step::ReportLate { nth, fate }),
        4 => spend().prop_map(Step::Spend),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
        1 => (tenant(), 0..=GHOST).prop_map(|(tenant, who)| Step::Release { tenant, who }),
        1 => (tenant(), 0..=2_u8).prop_map(|(tenant, who)| Step::Erase { tenant, who }),
    ]
}

fn spend() -> impl Strategy<Value = Spend> {
    let life = select(vec![0_u64, 59, 60, 90, 660]).prop_map(Duration::from_secs);
    let (undated, keep) =
        (prop_oneof![3 => Just(false), 1 => Just(true)], prop_oneof![1 => Just(false), 4 => Just(true)]);
    (0..2_u8, 0..4_u8, 0..2_u8, life, undated, keep).prop_map(
        |(tenant, nonce, request, life, undated, keep)| Spend { tenant, nonce, request, life, undated, keep },
    )
}

/// Around every limit there is.
fn wait() -> impl Strategy<Value = Duration> {
    let millis = [
        1,
        999,
        1_000,
        14_999,
        15_000,
        29_999,
        30_000,
        30_001,
        60_000,
        90_000,
        120_000,
        240_000,
        300_000,
        599_999,
        600_000,
        900_000,
        3_599_999,
        3_600_000,
        86_399_999,
        86_400_000,
        90_000_000,
        2_592_000_000,
    ];
    let likely = [1_000, 30_000, 30_000, 60_000, 120_000, 240_000];
    prop_oneof![
        1 => select(millis.to_vec()),
        2 => select(likely.to_vec()),
    ]
    .prop_map(Duration::from_millis)
}

fn fate() -> impl Strategy<Value = Fate> {
    let retry_after = select(vec![0_u64, 0, 5, 60, 600]).prop_map(Duration::from_secs);
    prop_oneof![
        2 => Just(Fate::Taken),
        3 => (any::<bool>(), retry_after).prop_map(|(submitted, retry_after)| Fate::Failed { submitted, retry_after }),
        1 => Just(Fate::GivenUp),
        4 => Just(Fate::Silence),
    ]
}
