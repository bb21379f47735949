//! The port to chance.

/// Where randomness comes from.
pub trait Entropy: Send + Sync + 'static {
    /// 32 fresh secret bytes.
    fn seed(&self) -> [u8; 32];
}
