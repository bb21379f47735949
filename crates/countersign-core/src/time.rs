//! Instants and the clock port.
//!
//! Nothing in core reads a clock: every rule takes `now` as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] i64);

impl Timestamp {
    /// Builds an instant from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How far apart two instants are.
    pub fn apart(self, other: Self) -> Duration {
        self.since(other).max(other.since(self))
    }

    /// How long until `later`; zero when it has passed.
    pub fn until(self, later: Self) -> Duration {
        later.since(self)
    }

    /// Parses RFC 3339, e.g. `2026-11-20T08:00:00Z`.
    ///
    /// # Errors
    /// The text is not an RFC 3339 instant (RFC 3339, section 5.6).
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Ok(Self(instant.as_millisecond()))
    }
}

/// RFC 3339 in UTC with `Z`; milliseconds only where there are any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{}ms", self.0), // outside the years −9999..9999: only a corrupt row gets here
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 instant such as 2026-11-20T08:00:00Z")]
pub struct InvalidTimestamp;

/// Whole seconds, rounded up: what `Retry-After` carries, so that a client that waits
/// exactly that long is never early.
pub fn seconds_rounded_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// How far the two readings of a [`Clock`] may be apart before the service is not ready.
pub const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Where the service learns what time it is.
///
/// It has two readings. They are one while the machine keeps time, and differ where the store has seen
/// a later instant or somebody set the machine's clock.
pub trait Clock: Send + Sync + 'static {
    /// The present instant for all that the service counts and lets expire. It never runs backwards
    /// within a process.
    fn now(&self) -> Timestamp;

    /// The present instant for all that has to agree with others: how old a signed request is, and what
    /// time our own signatures name. Nobody else knows [`Clock::now`]. This one is the machine's and may
    /// jump.
    fn wall(&self) -> Timestamp {
        self.now()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn wall(&self) -> Timestamp {
        (**self).wall()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_second_prints_without_a_fraction() {
        let t = Timestamp::parse_rfc3339("2026-11-20T08:00:00Z").unwrap();
        assert_eq!(t.to_string(), "2026-11-20T08:00:00Z");
        assert_eq!((t + Duration::from_millis(5)).to_string(), "2026-11-20T08:00:00.005Z");
    }

    #[test]
    fn waiting_times_round_up_and_never_go_negative() {
        assert_eq!(seconds_rounded_up(Duration::from_millis(29_001)), 30);
        assert_eq!(seconds_rounded_up(Duration::from_secs(30)), 30);
        let (a, b) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(a.since(b), Duration::ZERO);
    }
}
