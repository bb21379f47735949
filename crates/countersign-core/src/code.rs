//! The secret that is sent, and how it is drawn.

use std::fmt;

use minicbor::{Decode, Encode};
use rand::{Rng, RngExt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The characters a code is drawn from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Alphabet {
    /// `0`–`9`.
    #[n(0)]
    Digits,
    /// `A`–`Z` and `0`–`9`.
    #[n(1)]
    UpperAlphanumeric,
}

/// How a drawn code looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CodeFormat {
    /// Where its characters come from.
    #[n(0)]
    pub alphabet: Alphabet,
    /// How many there are, 4 to 10. Fewer than 6 only where the tenant said `allow_short_codes`.
    #[n(1)]
    pub length: u8,
}

/// A one-time code in clear. It prints as `Code(******)` and is wiped when dropped.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

/// In constant time, like every comparison of a secret.
impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Code {}

/// Why a text is no code. None of these costs a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// Nothing was left after removing spaces and hyphens.
    #[error("the code is empty")]
    Empty,
    /// Something else than ASCII letters and digits.
    #[error("a code has ASCII letters and digits only")]
    Characters,
    /// Longer than any code could be.
    #[error("the code is too long")]
    TooLong,
}

impl Code {
    /// The most characters that a guess may have. Longer texts are refused as malformed: no code is
    /// longer than 10, and a bound keeps the comparison's cost constant.
    pub const MAX_LEN: usize = 32;

    /// Draws a code uniformly (NIST SP 800-63B-4 §3.1.3.2). `random_range` rejects instead of taking
    /// a remainder, so that no character is likelier than another.
    pub fn generate(format: CodeFormat, rng: &mut impl Rng) -> Self {
        let alphabet: &[u8] = match format.alphabet {
            Alphabet::Digits => b"0123456789",
            Alphabet::UpperAlphanumeric => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        };
        Self(Zeroizing::new(
            (0..format.length).map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())])).collect(),
        ))
    }

    /// Reads what a person typed: ASCII spaces and hyphens are dropped, case is kept.
    ///
    /// # Errors
    /// What is left is empty, longer than [`Code::MAX_LEN`], or not ASCII letters and digits.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        if text.len() > 4 * Self::MAX_LEN {
            return Err(InvalidCode::TooLong);
        }
        let code: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !matches!(c, ' ' | '-')).collect());
        if code.is_empty() {
            return Err(InvalidCode::Empty);
        }
        if !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(InvalidCode::Characters);
        }
        if code.len() > Self::MAX_LEN {
            return Err(InvalidCode::TooLong);
        }
        Ok(Self(code))
    }

    /// The clear code. For rendering, digests and the answer of a return-code call; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(******)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// Shows: A12.
    #[test]
    fn a_typed_code_loses_spaces_and_hyphens_and_nothing_else() {
        assert_eq!(Code::parse(" 123-456 ").unwrap().expose(), "123456");
        assert_eq!(Code::parse("aB12").unwrap().expose(), "aB12");
        for (bad, why) in [
            ("", InvalidCode::Empty),
            (" - ", InvalidCode::Empty),
            ("12345\u{0660}", InvalidCode::Characters),
            ("１２３４５６", InvalidCode::Characters),
            ("123456\n", InvalidCode::Characters),
            ("12\u{200d}3456", InvalidCode::Characters),
            ("123.456", InvalidCode::Characters),
        ] {
            assert_eq!(Code::parse(bad), Err(why), "{bad:?}");
        }
        assert_eq!(Code::parse(&"1".repeat(33)), Err(InvalidCode::TooLong));
    }

    #[test]
    fn debug_shows_no_digit() {
        assert_eq!(format!("{:?}", Code::parse("123456").unwrap()), "Code(******)");
    }

    /// Peers drew from `len - 1` characters, so that no code had a 9, or took a remainder, so that low
    /// characters were likelier (peer fault 24). χ² over 10^6 codes, per position and per pair of
    /// neighbours, below the bounds for p = 0.001.
    fn is_uniform(alphabet: Alphabet, characters: &[u8], bound_of_singles: f64, bound_of_pairs: f64) {
        let mut rng = StdRng::seed_from_u64(7);
        let (format, n) = (CodeFormat { alphabet, length: 6 }, characters.len());
        let (mut single, mut pair) = (vec![0u32; 6 * n], vec![0u32; 5 * n * n]);
        for _ in 0..1_000_000 {
            let code = Code::generate(format, &mut rng);
            let place = |b: u8| characters.iter().position(|c| *c == b).expect("of its alphabet");
            let drawn: Vec<usize> = code.expose().bytes().map(place).collect();
            drawn.iter().enumerate().for_each(|(position, c)| single[position * n + c] += 1);
            drawn
                .windows(2)
                .enumerate()
                .for_each(|(position, c)| pair[(position * n + c[0]) * n + c[1]] += 1);
        }
        let chi = |counts: &[u32], expected: f64| -> f64 {
            counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum()
        };
        let characters = f64::from(u32::try_from(n).expect("a few characters"));
        let single = chi(&single, 1e6 / characters);
        let pair = chi(&pair, 1e6 / characters / characters);
        assert!(single < bound_of_singles, "χ² of single characters: {single}");
        assert!(pair < bound_of_pairs, "χ² of pairs: {pair}");
    }

    /// 6 × 9 and 5 × 99 degrees of freedom.
    /// Shows: N1, P24.
    #[test]
    fn every_digit_is_equally_likely_at_every_position_and_after_every_other() {
        is_uniform(Alphabet::Digits, b"0123456789", 91.87, 597.0);
    }

    /// 6 × 35 and 5 × 1,295 degrees of freedom.
    /// Shows: N1, P24.
    #[test]
    fn every_letter_and_digit_is_equally_likely_at_every_position_and_after_every_other() {
        is_uniform(Alphabet::UpperAlphanumeric, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 279.0, 6_832.0);
    }
}
