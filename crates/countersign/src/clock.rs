//! The service's clocks.
//!
//! Invariant: what a clock here shows for [`Clock::now`] never runs backwards or jumps. [`ServiceClock`]
//! counts elapsed time, not wall time, so that setting the machine's clock lengthens no code's life and
//! resets no counter. [`Clock::wall`] is the machine's clock as it is; dev mode's clock is both, so that
//! pushing it makes signed requests stale as well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::time::{Clock, Timestamp};

/// How fast the service's clock is pulled towards the machine's: 5 ms per second at most. Over a
/// verification's longest window (600 s) that is 3 s; an hour's difference is gone after 8.3 days.
pub const SLEW_DIVISOR: u128 = 200;

/// When this version was released: a machine whose clock shows an earlier time has a wrong one, for
/// example because it has just been switched on and knows no better. Not the time of the build, so that
/// the same source gives the same program. Moved on with each release.
pub const RELEASED: Timestamp = Timestamp::from_millis(1_793_491_200_000);

/// What a [`ServiceClock`] is built on.
pub trait TimeSource: Send + Sync + 'static {
    /// Time since some fixed instant. It never runs backwards, and counts while the machine sleeps
    /// where the system can tell.
    fn elapsed(&self) -> Duration;

    /// What the machine takes for the present instant; it may jump.
    fn wall(&self) -> Timestamp;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTime;

impl TimeSource for SystemTime {
    fn elapsed(&self) -> Duration {
        // Not `Instant`: on Linux it stands still while the machine is suspended, and a code would
        // outlive its deadline by the length of a laptop's sleep.
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let t = rustix::time::clock_gettime(id);
        Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn wall(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(0) + since_epoch.unwrap_or_default()
    }
}

/// The clock of `serve`: elapsed time on top of a start value, drawn slowly towards the machine's
/// clock ([`SLEW_DIVISOR`]).
pub struct ServiceClock {
    source: Box<dyn TimeSource>,
    state: Mutex<Reading>,
}

/// The latest reading.
#[derive(Clone, Copy)]
struct Reading {
    /// The source's elapsed time then.
    at: Duration,
    /// What the clock showed, in nanoseconds since the Unix epoch. Finer than a [`Timestamp`], so
    /// that the slewing of many close readings is not lost in rounding.
    shown: i128,
}

const NANOS_PER_MILLI: i128 = 1_000_000;

impl ServiceClock {
    /// Starts at the later of the machine's clock and `high_water`, the latest instant that the store
    /// has seen: what was counted before a restart must not come back because the clock was set back.
    pub fn start(source: impl TimeSource, high_water: Option<Timestamp>) -> Self {
        let start = source.wall().max(high_water.unwrap_or_default());
        let state = Reading { at: source.elapsed(), shown: i128::from(start.as_millis()) * NANOS_PER_MILLI };
        Self { source: Box::new(source), state: Mutex::new(state) }
    }

    /// How far the machine's clock is ahead of this one (negative: behind), to the millisecond.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries fit into 53 bits")]
    pub fn lag_seconds(&self) -> f64 {
        (self.source.wall().as_millis() - self.now().as_millis()) as f64 / 1_000.0
    }
}

impl Clock for ServiceClock {
    fn now(&self) -> Timestamp {
        // Readings are plain numbers: a panic elsewhere cannot have left them half-written.
        let mut last = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.source.elapsed().max(last.at);
        let passed = at.saturating_sub(last.at).as_nanos();
        let most = i128::try_from(passed / SLEW_DIVISOR).unwrap_or(i128::MAX);
        let shown = last.shown + i128::try_from(passed).unwrap_or(0);
        let behind = i128::from(self.source.wall().as_millis()) * NANOS_PER_MILLI - shown;
        *last = Reading { at, shown: shown + behind.clamp(-most, most) };
        Timestamp::from_millis(i64::try_from(last.shown / NANOS_PER_MILLI).unwrap_or(i64::MAX))
    }

    fn wall(&self) -> Timestamp {
        self.source.wall()
    }
}

impl std::fmt::Debug for ServiceClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClock").finish_non_exhaustive()
    }
}

/// The clock of `dev`: another clock, or a fixed instant, that can be pushed forward.
pub struct PushableClock {
    base: Box<dyn Clock>,
    running: bool,
    pushed: Mutex<Duration>,
}

impl PushableClock {
    /// A clock that runs like `base` until it is pushed.
    pub fn over(base: impl Clock) -> Arc<Self> {
        Self::new(base, true)
    }

    /// A clock that stands still at `start` except when it is pushed.
    pub fn fixed(start: Timestamp) -> Arc<Self> {
        Self::new(Standing(start), false)
    }

    fn new(base: impl Clock, running: bool) -> Arc<Self> {
        Arc::new(Self { base: Box::new(base), running, pushed: Mutex::new(Duration::ZERO) })
    }

    /// Whether it moves by itself.
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// Moves it forward; answers what it then shows.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let mut pushed = self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
        *pushed = pushed.saturating_add(by);
        self.base.now() + *pushed
    }
}

impl Clock for PushableClock {
    fn now(&self) -> Timestamp {
        let pushed = self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
        self.base.now() + *pushed
    }
}

impl std::fmt::Debug for PushableClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushableClock").finish_non_exhaustive()
    }
}

/// A clock that shows one instant.
#[derive(Clone, Copy, Debug)]
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    const DAY: i64 = 86_400_000;
    const START: i64 = 1_795_161_600_000;

    /// Two hands that a test moves by itself.
    #[derive(Clone)]
    struct Hands(Arc<(AtomicU64, AtomicI64)>);

    impl Hands {
        fn new() -> Self {
            Self(Arc::new((AtomicU64::new(0), AtomicI64::new(START))))
        }
        fn pass(&self, millis: u64) {
            self.0.0.fetch_add(millis, Ordering::Relaxed);
            self.set_wall(i64::try_from(millis).unwrap());
        }
        fn set_wall(&self, by: i64) {
            self.0.1.fetch_add(by, Ordering::Relaxed);
        }
    }

    impl TimeSource for Hands {
        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.0.load(Ordering::Relaxed))
        }
        fn wall(&self) -> Timestamp {
            Timestamp::from_millis(self.0.1.load(Ordering::Relaxed))
        }
    }

    fn millis(clock: &impl Clock) -> i64 {
        clock.now().as_millis() - START
    }

    #[test]
    fn the_clock_follows_a_machine_that_keeps_time() {
        let hands = Hands::new();
        let clock = ServiceClock::start(hands.clone(), None);
        for _ in 0..1_000 {
            hands.pass(7);
        }
        assert_eq!(millis(&clock), 7_000);
    }

    /// Shows: I6.
    #[test]
    fn a_jump_of_a_day_moves_a_ten_minute_deadline_by_three_seconds_at_most() {
        for jump in [-DAY, -DAY / 24, DAY / 24, DAY] {
            let hands = Hands::new();
            let clock = ServiceClock::start(hands.clone(), None);
            hands.set_wall(jump);
            assert_eq!(millis(&clock), 0, "nothing happens at once");
            for _ in 0..600_000 {
                hands.pass(1);
                clock.now();
            }
            assert_eq!(millis(&clock), 600_000 + 3_000 * jump.signum());
        }
    }

    #[test]
    fn a_small_difference_is_worked_off_and_then_gone() {
        let hands = Hands::new();
        let clock = ServiceClock::start(hands.clone(), None);
        hands.set_wall(-1_000);
        assert!((clock.lag_seconds() + 1.0).abs() < f64::EPSILON);
        let mut before = millis(&clock);
        for _ in 0..300 {
            hands.pass(1_000);
            assert!(millis(&clock) > before, "it never stands still or runs backwards");
            before = millis(&clock);
        }
        assert!(clock.lag_seconds().abs() < f64::EPSILON);
    }

    /// Shows: I6.
    #[test]
    fn a_restart_under_a_clock_that_was_set_back_goes_on_from_the_stores_latest_instant() {
        let hands = Hands::new();
        hands.set_wall(-DAY);
        let clock = ServiceClock::start(hands.clone(), Some(Timestamp::from_millis(START)));
        assert_eq!(millis(&clock), 0);
        hands.pass(1_000);
        assert_eq!(millis(&clock), 995);
    }

    #[test]
    fn a_store_from_the_past_does_not_hold_the_clock_back() {
        let clock = ServiceClock::start(Hands::new(), Some(Timestamp::from_millis(START - DAY)));
        assert_eq!(millis(&clock), 0);
    }

    /// A store that had seen tomorrow dated signatures by it.
    ///
    /// Shows: F18.
    #[test]
    fn f18_others_are_met_by_the_machines_clock_also_when_the_stores_is_ahead() {
        let hands = Hands::new();
        let clock = ServiceClock::start(hands.clone(), Some(Timestamp::from_millis(START + DAY)));
        hands.pass(1_000);
        assert_eq!(clock.wall().as_millis(), START + 1_000);
        assert_eq!(millis(&clock), DAY + 995);
        let shared: Arc<dyn Clock> = Arc::new(Arc::new(clock));
        assert_eq!(shared.wall().as_millis(), START + 1_000, "also through its pointers");
    }

    #[test]
    fn dev_modes_clock_is_both() {
        let clock = PushableClock::over(ServiceClock::start(Hands::new(), None));
        clock.advance(Duration::from_secs(61));
        assert_eq!((clock.wall(), millis(&clock)), (clock.now(), 61_000));
    }

    #[test]
    fn this_version_was_released_before_now() {
        assert_eq!(RELEASED.to_string(), "2026-11-01T00:00:00Z");
        assert!(SystemTime.wall() > RELEASED);
    }

    #[test]
    fn a_pushed_clock_goes_forward_and_runs_on() {
        let hands = Hands::new();
        let clock = PushableClock::over(ServiceClock::start(hands.clone(), None));
        assert_eq!(clock.advance(Duration::from_secs(61)).as_millis(), START + 61_000);
        hands.pass(500);
        assert_eq!(millis(&clock), 61_500);
    }

    #[test]
    fn a_fixed_clock_moves_only_when_pushed() {
        let clock = PushableClock::fixed(Timestamp::from_millis(START));
        assert_eq!((millis(&clock), millis(&clock)), (0, 0));
        clock.advance(Duration::from_secs(1));
        assert_eq!(millis(&clock), 1_000);
    }

    #[test]
    fn the_machines_elapsed_time_does_not_run_backwards() {
        let first = SystemTime.elapsed();
        assert!(SystemTime.elapsed() >= first);
    }
}
