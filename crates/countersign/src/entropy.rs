//! Randomness from the operating system.

use countersign_core::entropy::{Entropy, Seed};
use rand::TryRng;
use rand::rngs::SysRng;

/// The operating system's generator (`getrandom(2)` on Linux).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn seed(&self) -> Seed {
        let mut seed = [0; 32];
        // A predictable code is worse than none: without the system's generator there is nothing to
        // go on with, and the request that asked fails.
        SysRng.try_fill_bytes(&mut seed).expect("the operating system's random generator does not answer");
        Seed::new(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_differ() {
        assert_ne!(OsEntropy.seed(), OsEntropy.seed());
    }
}
