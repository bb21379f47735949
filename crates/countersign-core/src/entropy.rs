//! The port to chance.

use rand::SeedableRng;
use rand::rngs::StdRng;
use zeroize::Zeroize;

/// Where randomness comes from.
pub trait Entropy: Send + Sync + 'static {
    /// 32 fresh secret bytes.
    fn seed(&self) -> Seed;
}

/// The randomness of one command. Whoever has it can draw the command's code again: it does not print and is
/// wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 32 bytes as drawn.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The generator that this seed begins.
    pub fn rng(&self) -> StdRng {
        StdRng::from_seed(self.0)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self::new(bytes)
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}
