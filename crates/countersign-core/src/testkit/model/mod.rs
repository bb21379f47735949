//! A model that every engine must agree with.
//!
//! Sequences of up to 50 steps, drawn by chance, walk through an engine and through a second,
//! independent writing of the rules; everything that can be seen of both is compared. A failure is
//! shrunk to the shortest sequence that still differs and printed with the seed it was drawn from.
//!
//! - `COUNTERSIGN_MODEL_CASES`: how many sequences (10 000), in two tests.
//! - `COUNTERSIGN_MODEL_SEED`: from which seed the first half is drawn (0); the other from the next.

mod book;
mod cast;
mod compare;
mod nonces;
mod reference;
mod steps;
mod walk;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::steps::{Sequence, sequences};
use self::walk::{Walk, clear};
use super::ManualClock;
use super::bench::EngineFixture;
use crate::time::Timestamp;

/// How long a sequence may be.
const LENGTH: usize = 50;

/// From how many sequences on each of [`EVERYTHING`] must have come up.
const ENOUGH: u64 = 2_000;

/// What sequences may come to.
const EVERYTHING: [&str; 40] = [
    "Opened",
    "Resent",
    "CoolingDown",
    "NotFound",
    "NotPending",
    "NothingPending",
    "CoolDown",
    "SendsExhausted",
    "ChecksExhausted",
    "RecipientLimit",
    "RecipientHeld",
    "ClientLimit",
    "TenantBudget",
    "NotTogether",
    "Right",
    "Rejected",
    "WrongCode",
    "Expired",
    "Exhausted",
    "AlreadyUsed",
    "Canceled",
    "ContextMismatch",
    "Replayed",
    "Mismatch",
    "Waiting",
    "Leased",
    "Sent",
    "Gone:Expired",
    "Gone:Superseded",
    "Gone:Submissions",
    "Gone:Unknown",
    "Fresh",
    "Seen",
    "Over",
    "Full",
    "a deleted verification",
    "a hold",
    "a row of failures",
    "a reserved start",
    "half a failure",
];

/// Writes the test that an engine agrees with the model, for the engines of a fixture.
#[macro_export]
macro_rules! storage_model {
    ($fixture:ty) => {
        /// Shows: I2, I5, I6, R5, A1, A3.
        #[test]
        fn the_engine_agrees_with_the_model() {
            $crate::testkit::model::run::<$fixture>(0);
        }

        /// The other half of the sequences: two cores are busy with both.
        #[test]
        fn the_engine_agrees_with_the_model_again() {
            $crate::testkit::model::run::<$fixture>(1);
        }
    };
}

/// Draws one half of the sequences and walks an engine through them.
///
/// # Panics
/// The engine and the model differ.
pub fn run<F: EngineFixture>(half: u64) {
    let number = |name: &str| -> Option<u64> {
        std::env::var(name).ok().map(|text| text.parse().expect("a number of sequences, or a seed"))
    };
    let cases = number("COUNTERSIGN_MODEL_CASES").unwrap_or(10_000) / 2;
    let seed = number("COUNTERSIGN_MODEL_SEED").unwrap_or(0) + half;
    let config = Config {
        cases: u32::try_from(cases).expect("fewer sequences than that"),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let stage = RefCell::new(Stage::<F>::new());
    let result = TestRunner::new_with_rng(config, rng)
        .run(&sequences(LENGTH), |sequence| stage.borrow_mut().play(&sequence));
    match result {
        Ok(()) if cases >= ENOUGH => {
            let stage = stage.into_inner();
            let missing: Vec<_> = EVERYTHING.iter().filter(|what| !stage.seen.contains(**what)).collect();
            assert!(missing.is_empty(), "seed {seed}: never came up: {missing:?}");
        }
        Ok(()) => {}
        Err(TestError::Fail(why, sequence)) => panic!("COUNTERSIGN_MODEL_SEED={seed}: {why}\n{sequence}"),
        Err(TestError::Abort(why)) => panic!("COUNTERSIGN_MODEL_SEED={seed}: {why}"),
    }
}

/// One store for many sequences: each has tenants of its own and begins a month after the one before
/// it, when nothing of that is left.
struct Stage<F> {
    runtime: tokio::runtime::Runtime,
    fixture: F,
    now: Timestamp,
    played: u64,
    seen: BTreeSet<String>,
}

impl<F: EngineFixture> Stage<F> {
    /// After that nothing is kept of a verification or a counter (30 days).
    const PAUSE: Duration = Duration::from_secs(31 * 24 * 3600);

    /// Sequences per store: a month and more for each would leave the years that ids can tell.
    const PER_STORE: u64 = 10_000;

    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let fixture = runtime.block_on(F::fresh_for_model());
        Self { runtime, fixture, now: ManualClock::START, played: 0, seen: BTreeSet::new() }
    }

    fn play(&mut self, sequence: &Sequence) -> Result<(), TestCaseError> {
        self.played += 1;
        if self.played.is_multiple_of(Self::PER_STORE) {
            self.fixture = self.runtime.block_on(F::fresh_for_model());
            self.now = ManualClock::START;
        }
        let begin = self.next_beginning();
        self.runtime.block_on(async {
            clear(self.fixture.engine().as_ref(), begin).await?;
            let mut walk = Walk::new(&mut self.fixture, sequence, self.played, begin);
            let result = walk.through(&sequence.steps).await;
            self.now = walk.model.now();
            self.seen.append(&mut walk.seen);
            result
        })
    }

    /// A round hour, so that a sequence plays the same wherever it stands in the run.
    fn next_beginning(&self) -> Timestamp {
        const HOUR: i64 = 3_600_000;
        let later = (self.now + Self::PAUSE).as_millis();
        Timestamp::from_millis(later.div_euclid(HOUR) * HOUR)
    }
}
