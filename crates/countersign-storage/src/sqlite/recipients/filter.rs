//! Which recipients' keys may stand in their tree, told by memory alone.
//!
//! Most starts are for recipients that nothing is known of. To find that out in the tree costs two
//! descents to a random page each; here it costs a look at 64 bytes.

use countersign_core::keys::RecipientKey;

/// 1 MiB: with half a million keys it errs for fewer than one in a hundred, with more it errs more
/// often, which costs time and nothing else.
const BLOCKS: usize = 1 << 14;

/// A Bloom filter in blocks of a cache line. It knows every key it was told, and takes some others
/// for known as well.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<[u64; 8]>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { blocks: vec![[0; 8]; BLOCKS] }
    }
}

impl Filter {
    /// Takes note of a key.
    pub(super) fn insert(&mut self, key: &RecipientKey) {
        let (block, bits) = place(key);
        for (word, bit) in bits {
            self.blocks[block][word] |= bit;
        }
    }

    /// Whether it may have been told of the key; `false` is certain.
    pub(super) fn may_have(&self, key: &RecipientKey) -> bool {
        let (block, bits) = place(key);
        let block = &self.blocks[block];
        bits.into_iter().all(|(word, bit)| block[word] & bit != 0)
    }
}

/// A key's block, and six bits in it. Keys are keyed hashes: their own bytes are as good as any hash of
/// them, and nobody can choose them.
fn place(key: &RecipientKey) -> (usize, [(usize, u64); 6]) {
    let bytes = key.as_bytes();
    let pair = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let bits = [2, 4, 6, 8, 10, 12].map(|at| (pair(at) % 8, 1 << (pair(at) / 8 % 64)));
    (pair(0) % BLOCKS, bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn keys(seed: u64, count: usize) -> impl Iterator<Item = RecipientKey> {
        let mut rng = StdRng::seed_from_u64(seed);
        (0..count).map(move |_| {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            RecipientKey::from_bytes(bytes)
        })
    }

    #[test]
    fn it_knows_every_key_it_was_told_and_hardly_any_other() {
        let mut filter = Filter::default();
        keys(1, 500_000).for_each(|key| filter.insert(&key));
        assert!(keys(1, 500_000).all(|key| filter.may_have(&key)));
        let mistaken = keys(2, 100_000).filter(|key| filter.may_have(key)).count();
        assert!(mistaken < 1_000, "{mistaken} of 100,000");
    }
}
