//! The tenant's failure budget: what many wrong guesses at many recipients change.
//!
//! One guess at each of many recipients stays below every limit per recipient. So failures are counted
//! per tenant as well, and the count raises the price of a guess: longer codes, then fewer guesses per
//! recipient. It refuses nobody, because a limit that refuses everybody is an outage that an attacker can
//! buy with a few thousand wrong guesses.

use minicbor::{Decode, Encode};

use crate::code::Code;
use crate::policy::{FailureBudget, RecipientCaps, Terms};

/// How many characters codes have more from [`FailureLevel::Raised`] on.
const MORE_CHARACTERS: u8 = 2;
/// How long a code may get.
const LONGEST_CODE: u8 = 10;
/// How many guesses a verification allows from [`FailureLevel::Raised`] on, where its codes cannot get
/// longer.
const FEWER_CHECKS: u8 = 3;
/// After how many failed checks in 24 hours a recipient is held at [`FailureLevel::Severe`].
const SEVERE_FAILED_CHECKS: u32 = 2;

/// How much is guessed at a tenant's codes without success.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum FailureLevel {
    /// No more than people mistype.
    #[default]
    #[n(0)]
    Normal,
    /// Somebody should look.
    #[n(1)]
    Alert,
    /// Verifications opened now have longer codes, or fewer guesses.
    #[n(2)]
    Raised,
    /// Besides, few failures hold a recipient for the day.
    #[n(3)]
    Severe,
}

impl FailureLevel {
    /// The levels above [`FailureLevel::Normal`], lowest first.
    pub const ABOVE_NORMAL: [Self; 3] = [Self::Alert, Self::Raised, Self::Severe];

    /// The level's name in the audit log and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Alert => "alert",
            Self::Raised => "raised",
            Self::Severe => "severe",
        }
    }
}

/// The level of a tenant that had so many open failures and starts in the last 24 hours.
///
/// ```
/// use countersign_core::policy::FailureBudget;
/// use countersign_core::verification::{FailureLevel, level};
///
/// let budget = FailureBudget::default();
/// assert_eq!(level(12_000, 3_000, &budget), FailureLevel::Raised);
/// assert_eq!(level(12_000, 1_000_000, &budget), FailureLevel::Alert, "a large tenant's people mistype as much");
/// ```
pub fn level(open_failures: u64, starts: u64, budget: &FailureBudget) -> FailureLevel {
    let reached = |level: &FailureLevel| open_failures >= threshold(*level, starts, budget);
    FailureLevel::ABOVE_NORMAL.into_iter().rfind(reached).unwrap_or_default()
}

/// From how many open failures on a level holds: so many, or a share of the starts if that is more. A
/// large tenant's people mistype more codes than a small one's attacker guesses.
pub(super) fn threshold(level: FailureLevel, starts: u64, budget: &FailureBudget) -> u64 {
    match level {
        FailureLevel::Normal => 0,
        FailureLevel::Alert => u64::from(budget.alert).max(starts / 100),
        FailureLevel::Raised => u64::from(budget.raised).max(starts / 20),
        FailureLevel::Severe => u64::from(budget.severe).max(starts / 2),
    }
}

impl Terms {
    /// What a verification that is opened at this level runs under. A code of the caller's own is as long
    /// as it is.
    #[must_use]
    pub(super) fn at(mut self, level: FailureLevel, own_code: Option<&Code>) -> Self {
        if let Some(own) = own_code {
            self.code.length = u8::try_from(own.expose().len()).unwrap_or(u8::MAX);
        }
        if level >= FailureLevel::Raised {
            if self.fixed_length || own_code.is_some() {
                self.max_checks = self.max_checks.min(FEWER_CHECKS);
            } else {
                self.code.length = self.code.length.max(LONGEST_CODE.min(self.code.length + MORE_CHARACTERS));
            }
        }
        self
    }
}

impl RecipientCaps {
    /// The limits that hold at this level.
    #[must_use]
    pub fn at(self, level: FailureLevel) -> Self {
        match level {
            FailureLevel::Normal | FailureLevel::Alert | FailureLevel::Raised => self,
            FailureLevel::Severe => {
                Self { failed_checks_per_day: self.failed_checks_per_day.min(SEVERE_FAILED_CHECKS), ..self }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::TenantLedger;
    use super::*;
    use crate::code::CodeFormat;
    use crate::time::Timestamp;

    fn at(open_failures: u64, starts: u64) -> FailureLevel {
        level(open_failures, starts, &FailureBudget::default())
    }

    #[test]
    fn a_small_tenants_levels_begin_at_the_figures_and_a_large_ones_at_shares_of_its_starts() {
        use FailureLevel::{Alert, Normal, Raised, Severe};
        let small = [0, 1_999, 2_000, 9_999, 10_000, 99_999, 100_000].map(|failures| at(failures, 500));
        assert_eq!(small, [Normal, Normal, Alert, Alert, Raised, Raised, Severe]);
        let large = [9_999, 10_000, 49_999, 50_000, 499_999, 500_000].map(|n| at(n, 1_000_000));
        assert_eq!(large, [Normal, Alert, Alert, Raised, Raised, Severe]);
    }

    #[test]
    fn codes_get_two_characters_longer_and_where_they_cannot_guesses_get_fewer() {
        use FailureLevel::{Alert, Raised, Severe};
        let terms = |length, fixed_length| Terms {
            code: CodeFormat { length, ..Terms::default().code },
            fixed_length,
            ..Terms::default()
        };
        let own = Code::parse("1234567").expect("a code");
        let at = |terms: Terms, level, is_own: bool| {
            let terms = terms.at(level, is_own.then_some(&own));
            (terms.code.length, terms.max_checks)
        };
        assert_eq!(at(terms(6, false), Alert, false), (6, 5));
        assert_eq!(at(terms(6, false), Raised, false), (8, 5));
        assert_eq!(at(terms(6, false), Severe, false), (8, 5));
        assert_eq!([9, 10].map(|n| at(terms(n, false), Raised, false).0), [10, 10]);
        assert_eq!(at(terms(6, true), Raised, false), (6, 3));
        assert_eq!(at(terms(6, false), Raised, true), (7, 3), "the caller's own code stays as it is");
    }

    /// A million verifications in a day, evenly spread; every twelfth or so begins with a typo, most
    /// people try again a moment later, and one in twenty of those who mistype gives up.
    /// Shows: F5.
    #[test]
    fn f5_an_honest_day_of_a_million_verifications_never_leaves_the_normal_level() {
        const VERIFICATIONS: u64 = 1_000_000;
        const BEGIN: Timestamp = Timestamp::from_millis(1_795_161_600_000);
        let (budget, mut ledger) = (FailureBudget::default(), TenantLedger::default());
        let (mut typos, mut most) = (0_u64, 0_u64);
        // A quarter of the next day, too: the window is full from there on.
        for i in 0..VERIFICATIONS * 5 / 4 {
            let now = BEGIN + Duration::from_micros(i * 86_400);
            ledger.record_start(now);
            if i % 25 < 2 {
                typos += 1;
                ledger.record_failure(now + Duration::from_secs(10));
                let gives_up = typos.is_multiple_of(20);
                if !gives_up {
                    ledger.give_back([now + Duration::from_secs(10)].into_iter());
                }
            }
            if i % 1_000 == 0 {
                assert_eq!(ledger.level(&budget, now), FailureLevel::Normal, "at {i}");
                most = most.max(ledger.open_failures(now));
            }
        }
        assert_eq!(typos, VERIFICATIONS / 10, "eight in a hundred mistype");
        assert!(most > 3_900, "those who gave up are counted: {most}");
    }
}
