//! What a tenant allows: code format, lifetimes, limits.
//!
//! A [`Policy`] belongs to a tenant (a dialect may bring other defaults). What a running verification
//! needs of it is frozen into its [`Terms`] when it starts, so that a change of configuration never
//! moves a deadline or refreshes a counter in the middle of a proof.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::code::{Alphabet, Code, CodeFormat};

/// What a resend does to the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ResendCode {
    /// The same code goes out again: people type the first message that arrives.
    #[n(0)]
    Same,
    /// A new code; the older one dies in the same commit.
    #[n(1)]
    New,
}

/// What several destinations of one verification have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum CodeSharing {
    /// One code goes to all; either destination verifies.
    #[n(0)]
    Shared,
    /// Each destination has a code of its own; one budget of checks for all.
    #[n(1)]
    Separate,
}

/// Limits per recipient and tenant. They outlive verifications, resends, restarts and dialects.
///
/// Twenty failed checks a day against six digits are a chance of 0.7 % a year; NIST SP 800-63B-4
/// §3.2.2 allows 100 consecutive failures at most. A failed check from another network than the one from
/// which the recipient was approved last counts half, so that twice as many of those are compared: 40 a day, and
/// never more than 100 in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecipientCaps {
    /// New verifications in a rolling hour.
    pub starts_per_hour: u32,
    /// New verifications in rolling 24 hours.
    pub starts_per_day: u32,
    /// Failed checks in rolling 24 hours; at the cap the recipient is held until the window moves on.
    pub failed_checks_per_day: u32,
    /// Consecutive failed checks after which the hold lasts until somebody ends it.
    pub hold_after: u32,
    /// Codes handed back to the caller instead of sent, in a rolling hour.
    pub returns_per_hour: u32,
    /// Starts in rolling 24 hours that are kept for trusted calls, for when everybody else has used up the
    /// recipient's starts and guesses.
    pub reserved_starts_per_day: u32,
}

impl Default for RecipientCaps {
    fn default() -> Self {
        Self {
            starts_per_hour: 5,
            starts_per_day: 10,
            failed_checks_per_day: 20,
            hold_after: 50,
            returns_per_hour: 60,
            reserved_starts_per_day: 2,
        }
    }
}

impl RecipientCaps {
    /// The limits of test numbers: they cost nothing and prove nobody, so that only runaway
    /// scripts meet them.
    pub const TEST_NUMBERS: Self = Self {
        starts_per_hour: 1_000,
        starts_per_day: 10_000,
        failed_checks_per_day: 2_000,
        hold_after: 10_000,
        returns_per_hour: 1_000,
        reserved_starts_per_day: 1_000,
    };
}

/// From how many open failures of the whole tenant in rolling 24 hours each
/// [`FailureLevel`](crate::verification::FailureLevel) holds. An open failure is a failed check of a
/// verification that was not approved in the end. A tenant with many starts has more: 1, 5 and 50 % of
/// them, if that is above the figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailureBudget {
    /// Somebody should look.
    pub alert: u32,
    /// New verifications have longer codes, or fewer guesses.
    pub raised: u32,
    /// Besides, few failures hold a recipient.
    pub severe: u32,
}

impl FailureBudget {
    /// `severe`, where it is not named, in terms of `raised`.
    pub const SEVERE_PER_RAISED: u32 = 10;
}

impl Default for FailureBudget {
    /// 10,000 guesses at six digits are a chance of 1 % that one of them hits.
    fn default() -> Self {
        Self { alert: 2_000, raised: 10_000, severe: 100_000 }
    }
}

/// Every limit that a decision counts against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Per recipient.
    pub recipient: RecipientCaps,
    /// New verifications per client address in a rolling hour, not counting those that were approved.
    pub client_starts_per_hour: u32,
    /// Whether a start beyond them is refused. A school or a carrier's gateway is one address for
    /// thousands of people, so that this is for tenants who know that theirs is none.
    pub client_limit_refuses: bool,
    /// From how many failed checks of the whole tenant on guessing gets more expensive.
    pub tenant_failures: FailureBudget,
    /// What the tenant may spend on messages in rolling 24 hours, in millionths of its currency;
    /// `None` is no cap.
    pub tenant_spend_per_day_micros: Option<u64>,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            recipient: RecipientCaps::default(),
            client_starts_per_hour: 20,
            client_limit_refuses: false,
            tenant_failures: FailureBudget::default(),
            tenant_spend_per_day_micros: None,
        }
    }
}

/// The part of a policy that is frozen into a verification when it starts.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Terms {
    /// How drawn codes look.
    #[n(0)]
    pub code: CodeFormat,
    /// How long one code lives from its own send; never beyond the window.
    #[cbor(n(1), with = "crate::codec::duration")]
    pub code_life: Duration,
    /// How long the verification may run from its first send. A resend never extends it.
    #[cbor(n(2), with = "crate::codec::duration")]
    pub window: Duration,
    /// Guesses in all. A resend never refreshes them.
    #[n(3)]
    pub max_checks: u8,
    /// Sends in all, the first included.
    #[n(4)]
    pub max_sends: u8,
    /// Waiting times after the first, second, … send; the last one repeats. Empty is no waiting.
    #[cbor(n(5), with = "crate::codec::durations")]
    pub cool_downs: Vec<Duration>,
    /// Same or new code on resend.
    #[n(6)]
    pub resend_code: ResendCode,
    /// One code for all destinations, or one each.
    #[n(7)]
    pub sharing: CodeSharing,
    /// How long after its end a verification still knows the full recipient.
    #[cbor(n(8), with = "crate::codec::duration")]
    pub keep_recipient: Duration,
    /// How long after its end a verification is kept at all.
    #[cbor(n(9), with = "crate::codec::duration")]
    pub keep_record: Duration,
    /// How old a running verification may be for a start with these terms to send within it. An older
    /// one has to give way to a new one, which is charged like any start: for callers who promise that
    /// the end of a window shortens no code's life. `None`: it may be as old as its window allows.
    #[cbor(n(10), with = "crate::codec::optional_duration", has_nil)]
    pub join_within: Option<Duration>,
    /// How long after a message a start that asks for the very same again (through the same call, to the same
    /// addresses over the same channels, with the same link, in the same language) is that message's own request
    /// come twice: a double click. It is answered like the first, and nothing is sent. `None`: such a start waits
    /// like any other.
    #[cbor(n(11), with = "crate::codec::optional_duration", has_nil)]
    pub same_within: Option<Duration>,
    /// Whether codes keep their length, because the tenant's app or the wire API's document fixes it. They do not
    /// get longer then while much is guessed at; there are fewer guesses instead.
    #[n(12)]
    #[cbor(default)]
    pub fixed_length: bool,
    /// How many messages one recipient gets, over all verifications.
    #[n(13)]
    #[cbor(default)]
    pub messages: MessageCaps,
}

/// How many messages one recipient gets, where the wire API's contract or the tenant says so. They are
/// counted over all verifications and wire APIs. At most 500 each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct MessageCaps {
    /// In a rolling hour; `None` for as many as starts and resends allow.
    #[n(0)]
    pub per_hour: Option<u16>,
    /// In rolling 24 hours.
    #[n(1)]
    pub per_day: Option<u16>,
}

impl Default for Terms {
    /// The native API's defaults.
    fn default() -> Self {
        Self {
            code: CodeFormat { alphabet: Alphabet::Digits, length: 6 },
            code_life: Duration::from_secs(600),
            window: Duration::from_secs(600),
            max_checks: 5,
            max_sends: 5,
            cool_downs: [30, 60, 120, 240].map(Duration::from_secs).to_vec(),
            resend_code: ResendCode::Same,
            sharing: CodeSharing::Separate,
            keep_recipient: Duration::from_secs(24 * 3600),
            keep_record: Duration::from_secs(30 * 24 * 3600),
            join_within: None,
            same_within: None,
            fixed_length: false,
            messages: MessageCaps::default(),
        }
    }
}

impl Terms {
    /// The waiting time after the `sends`-th send (1 is the first).
    pub fn cool_down_after(&self, sends: u8) -> Duration {
        let index = usize::from(sends).saturating_sub(1);
        self.cool_downs.get(index).or(self.cool_downs.last()).copied().unwrap_or_default()
    }
}

/// Which phone numbers are let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NumberCheck {
    /// The length fits the country's plan. Numbering plans change faster than metadata.
    #[default]
    Possible,
    /// The number matches a known range of the country's plan.
    Valid,
}

/// Numbers for tests: accepted before validation, never handed to a provider, under limits of
/// their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestNumbers {
    /// Inclusive ranges of E.164 digits of equal length, without the `+`.
    pub ranges: Vec<(u64, u64)>,
    /// The code these numbers always get; `None` draws one like for any other number.
    pub code: Option<Code>,
}

/// What a tenant allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// What is frozen into each verification.
    pub terms: Terms,
    /// Whether the tenant names its waiting times itself. Where it does not, a wire API's own hold.
    pub own_cool_downs: bool,
    /// What is counted across verifications.
    pub caps: Caps,
    /// Whether the caller may bring a code of its own.
    pub allow_custom_codes: bool,
    /// Whether codes of 4 or 5 characters are allowed.
    pub allow_short_codes: bool,
    /// How strictly phone numbers are judged.
    pub number_check: NumberCheck,
    /// ISO 3166 regions that may receive messages; empty is all of them.
    pub allowed_regions: Vec<String>,
    /// Numbers that are never contacted.
    pub test_numbers: TestNumbers,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            terms: Terms::default(),
            own_cool_downs: false,
            caps: Caps::default(),
            allow_custom_codes: false,
            allow_short_codes: false,
            number_check: NumberCheck::default(),
            allowed_regions: Vec::new(),
            test_numbers: TestNumbers { ranges: Vec::new(), code: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cool_down_repeats_and_none_means_no_waiting() {
        let mut terms = Terms::default();
        let waits: Vec<u64> = (1..=6).map(|n| terms.cool_down_after(n).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 240, 240]);
        terms.cool_downs.clear();
        assert_eq!(terms.cool_down_after(1), Duration::ZERO);
    }
}
