//! When a route is left alone because it does not work.
//!
//! A breaker is closed while calls are answered. [`FAILURES`] calls in a row without an answer open it:
//! nothing goes that way, until one message, the probe, shows whether it works again. Refusals are answers:
//! a recipient, or a key that was revoked, says nothing about whether the provider works, and a
//! stranger who can provoke refusals must not be able to close a route for everybody.

use std::time::Duration;

use crate::time::Timestamp;

/// So many calls in a row without an answer open a breaker.
pub const FAILURES: u32 = 8;

/// The first probe goes after this time; the time doubles with every probe that fails.
pub const FIRST_PROBE: Duration = Duration::from_secs(1);

/// The longest time between two probes.
pub const PROBE_EVERY: Duration = Duration::from_secs(30);

/// A probe that nobody has heard of for so long is lost.
const PROBE_LOST: Duration = Duration::from_secs(30);

/// How a call ended, as far as the route is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The provider answered, whatever it said.
    Answer,
    /// It did not: no connection, no answer in time, or an answer that says that it is not working.
    Nothing,
    /// The call ended for a reason of our own.
    NoMatter,
}

/// A call that was begun, to be given back with what was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Call {
    is_probe: bool,
}

/// How many calls may be begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admits {
    /// Any number.
    All,
    /// One, to see.
    Probe,
    /// None.
    None,
}

impl Admits {
    /// Its number in metrics: 0 closed, 1 half-open, 2 open.
    pub const fn number(self) -> u8 {
        match self {
            Self::All => 0,
            Self::Probe => 1,
            Self::None => 2,
        }
    }
}

/// A route's breaker. A state machine: time is an argument, and nothing happens by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Breaker(State);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Calls go out; so many in a row were not answered.
    Closed { failures: u32 },
    /// None goes out for `wait` after `since`.
    Open { since: Timestamp, wait: Duration },
    /// A probe went out at `since`, after having waited for `wait`.
    Probing { since: Timestamp, wait: Duration },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// How many calls may be begun now.
    pub fn admits(&self, now: Timestamp) -> Admits {
        match self.0 {
            State::Closed { .. } => Admits::All,
            State::Open { since, wait } if is_over(since, wait, now) => Admits::Probe,
            State::Probing { since, .. } if is_over(since, PROBE_LOST, now) => Admits::Probe,
            State::Open { .. } | State::Probing { .. } => Admits::None,
        }
    }

    /// Whether the route is in use without restriction.
    pub fn is_closed(&self) -> bool {
        matches!(self.0, State::Closed { .. })
    }

    /// A call begins.
    pub fn begin(&mut self, now: Timestamp) -> Call {
        match self.0 {
            State::Closed { .. } => Call { is_probe: false },
            State::Open { wait, .. } | State::Probing { wait, .. } => {
                self.0 = State::Probing { since: now, wait };
                Call { is_probe: true }
            }
        }
    }

    /// A call has ended. Calls that began before the breaker opened may close it and do not keep it open
    /// longer.
    pub fn end(&mut self, call: Call, heard: Heard, now: Timestamp) {
        self.0 = match (self.0, heard) {
            (_, Heard::Answer) => State::Closed { failures: 0 },
            (State::Closed { failures }, Heard::Nothing) if failures + 1 >= FAILURES => {
                State::Open { since: now, wait: FIRST_PROBE }
            }
            (State::Closed { failures }, Heard::Nothing) => State::Closed { failures: failures + 1 },
            (State::Probing { wait, .. }, Heard::Nothing) if call.is_probe => {
                State::Open { since: now, wait: (wait * 2).min(PROBE_EVERY) }
            }
            // The probe has told nothing: the next message is one.
            (State::Probing { wait, .. }, Heard::NoMatter) if call.is_probe => {
                State::Open { since: now - wait, wait }
            }
            (state, Heard::Nothing | Heard::NoMatter) => state,
        };
    }
}

/// Whether `wait` has passed. A clock that was set back must not keep a route closed for a day.
fn is_over(since: Timestamp, wait: Duration, now: Timestamp) -> bool {
    now < since || now.since(since) >= wait
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn fail(breaker: &mut Breaker, now: Timestamp) {
        let call = breaker.begin(now);
        breaker.end(call, Heard::Nothing, now);
    }

    fn opened(now: Timestamp) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admits(now), Admits::All);
            fail(&mut breaker, now);
        }
        breaker
    }

    /// Shows: R8.
    #[test]
    fn a_breaker_opens_after_at_most_ten_failures_and_lets_one_probe_through_within_thirty_seconds() {
        const { assert!(FAILURES <= 10 && PROBE_EVERY.as_secs() <= 30) };
        let (mut breaker, mut now) = (opened(at(0)), at(0));
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            let almost = now + Duration::from_millis(seconds * 1_000 - 1);
            assert_eq!(breaker.admits(almost), Admits::None, "{seconds} s");
            now = now + Duration::from_secs(seconds);
            assert_eq!(breaker.admits(now), Admits::Probe, "{seconds} s");
            let probe = breaker.begin(now);
            assert_eq!(breaker.admits(now), Admits::None, "one is enough");
            breaker.end(probe, Heard::Nothing, now);
        }
        let probe = breaker.begin(now + PROBE_EVERY);
        breaker.end(probe, Heard::Answer, now + PROBE_EVERY);
        assert!(breaker.is_closed() && breaker.admits(now) == Admits::All);
    }

    #[test]
    fn answers_in_between_keep_it_closed() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            (1..FAILURES).for_each(|_| fail(&mut breaker, at(0)));
            let call = breaker.begin(at(0));
            breaker.end(call, Heard::Answer, at(0));
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn calls_of_before_neither_lengthen_the_wait_nor_pass_for_the_probe() {
        let mut late = Breaker::default();
        let earlier = late.begin(at(0));
        (0..FAILURES).for_each(|_| fail(&mut late, at(0)));
        late.end(earlier, Heard::Nothing, at(900));
        assert_eq!(late.admits(at(1_000)), Admits::Probe);
        let probe = late.begin(at(1_000));
        late.end(earlier, Heard::Nothing, at(1_100));
        assert_eq!(late.admits(at(2_000)), Admits::None, "the probe is still out");
        late.end(probe, Heard::Nothing, at(2_000));
        assert_eq!((late.admits(at(3_999)), late.admits(at(4_000))), (Admits::None, Admits::Probe));
        late.end(earlier, Heard::Answer, at(4_000));
        assert!(late.is_closed(), "an answer is an answer");
    }

    #[test]
    fn a_probe_that_told_nothing_or_was_lost_is_followed_by_another() {
        let mut breaker = opened(at(0));
        let probe = breaker.begin(at(1_000));
        breaker.end(probe, Heard::NoMatter, at(1_500));
        assert_eq!(breaker.admits(at(1_500)), Admits::Probe);
        let _lost = breaker.begin(at(2_000));
        assert_eq!((breaker.admits(at(31_999)), breaker.admits(at(32_000))), (Admits::None, Admits::Probe));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_route_closed() {
        let day = 24 * 3_600 * 1_000;
        let mut breaker = opened(at(day));
        assert_eq!(breaker.admits(at(0)), Admits::Probe);
        let _probe = breaker.begin(at(day));
        assert_eq!(breaker.admits(at(0)), Admits::Probe);
    }
}
