//! How old a signed request may be, and how long it must be remembered.
//!
//! The rule by itself: the instants are arguments. What was taken once is remembered by the engine.

use std::time::Duration;

use crate::time::Timestamp;

/// A scheme's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freshness {
    /// How far the signer's clock may be from ours, either way; exactly so far is still good.
    pub tolerance: Duration,
    /// How long after its own time a request is remembered. At least the tolerance: until then it could
    /// be sent again.
    pub keep: Duration,
    /// How long after its arrival a request without a time is remembered. Such a scheme has no other
    /// limit: whoever kept a request for longer may send it once more.
    pub keep_undated: Duration,
}

/// The request's time is too far from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's time is too far from the service's")]
pub struct Stale;

impl Freshness {
    /// Judges the time that a request was signed with, `None` where the scheme has none. Answers until when
    /// the request has to be remembered. `now` and the answer are by [`Clock::wall`](crate::time::Clock::wall),
    /// which is what the signer's clock can be compared with.
    ///
    /// # Errors
    /// It was signed too long ago, or for too far in the future.
    pub fn judge(&self, dated: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Stale> {
        let Some(dated) = dated else { return Ok(now + self.keep_undated) };
        if now.apart(dated) > self.tolerance {
            return Err(Stale);
        }
        Ok(dated + self.keep)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const RULE: Freshness = Freshness {
        tolerance: Duration::from_secs(600),
        keep: Duration::from_secs(1200),
        keep_undated: Duration::from_secs(86_400),
    };
    const NOW: Timestamp = Timestamp::from_millis(1_744_773_894_369);

    fn judge(millis_from_now: i64) -> Result<Timestamp, Stale> {
        RULE.judge(Some(Timestamp::from_millis(NOW.as_millis() + millis_from_now)), NOW)
    }

    /// Shows: A9.
    #[test]
    fn both_edges_of_the_window_are_inside_to_the_millisecond() {
        let kept = |millis: i64| Ok(Timestamp::from_millis(NOW.as_millis() + millis));
        assert_eq!(judge(-600_000), kept(600_000));
        assert_eq!(judge(0), kept(1_200_000));
        assert_eq!(judge(600_000), kept(1_800_000));
        for outside in [-600_001, 600_001, i64::MIN / 2, i64::MAX / 2] {
            assert_eq!(judge(outside), Err(Stale), "{outside}");
        }
    }

    #[test]
    fn a_request_is_remembered_longer_than_it_is_good() {
        for dated in [NOW - RULE.tolerance, NOW, NOW + RULE.tolerance] {
            let until = RULE.judge(Some(dated), NOW).unwrap();
            assert_eq!(RULE.judge(Some(dated), until), Err(Stale));
        }
        assert_eq!(RULE.judge(None, NOW), Ok(NOW + Duration::from_secs(86_400)));
    }
}
