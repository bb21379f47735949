//! The kinds of values that settings have. Each refuses what cannot be while the file is read, so
//! that the error names the place.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A value with a text form of its own, e.g. a tenant's id.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
            type Value = Parsed<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Parsed<T>, E> {
                text.parse().map(Parsed).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// The number. `N` holds `MAX`, or this does not compile into anything that works: see the tests.
    pub(super) fn get<N: TryFrom<u64>>(self) -> N {
        N::try_from(self.0).ok().expect("the setting's upper bound fits the type it is read into")
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Number<MIN, MAX> {
            type Value = Count<MIN, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                if (MIN..=MAX).contains(&number) {
                    Ok(Count(number))
                } else {
                    Err(E::custom(format_args!("must be from {MIN} to {MAX}")))
                }
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::custom(format_args!("must be from {MIN} to {MAX}"))),
                }
            }
        }
        deserializer.deserialize_u64(Number)
    }
}

/// Whole seconds from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds<const MIN: u64, const MAX: u64>(Count<MIN, MAX>);

impl<const MIN: u64, const MAX: u64> Seconds<MIN, MAX> {
    /// The span of time.
    pub(super) fn get(self) -> Duration {
        Duration::from_secs(self.0.0)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Seconds<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Count::deserialize(deserializer).map(Self)
    }
}

/// An amount of money, e.g. `0.0075`, kept in millionths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Money(u64);

impl Money {
    /// The largest amount that a setting may name.
    const MAX: f64 = 1e9;

    /// Millionths.
    pub(super) const fn micros(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = Money;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as 0.0075")
            }
            fn visit_f64<E: Error>(self, amount: f64) -> Result<Money, E> {
                if !(0.0..=Money::MAX).contains(&amount) {
                    return Err(E::custom("must be an amount from 0 to 1000000000"));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "rounded, not negative, and below 10^15"
                )]
                Ok(Money((amount * 1e6).round() as u64))
            }
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is refused anyway")]
            fn visit_i64<E: Error>(self, amount: i64) -> Result<Money, E> {
                self.visit_f64(amount as f64)
            }
        }
        deserializer.deserialize_f64(Amount)
    }
}

/// A SHA-256 in 64 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sha256Hex(pub [u8; 32]);

impl FromStr for Sha256Hex {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be a SHA-256 in 64 hexadecimal digits, as `countersign api-key generate` prints it";
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong)?;
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

/// A region, e.g. `SE` (ISO 3166-1 alpha-2), in capitals.
#[derive(Clone, Debug)]
pub(super) struct Region(pub(super) String);

impl FromStr for Region {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err("must be the two letters of a country, such as SE (ISO 3166-1)")
        }
    }
}

/// A number, or the first and last number of a range: `+447700900000-+447700900999`.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberRange(pub(super) u64, pub(super) u64);

impl FromStr for NumberRange {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |number: &str| {
            let digits = number.strip_prefix('+')?;
            let fits = (5..=15).contains(&digits.len()) && !digits.starts_with('0');
            if fits && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (digits(first), digits(last)) {
            (Some(a), Some(b)) if first.len() == last.len() && a <= b => Ok(Self(a, b)),
            _ => Err("must be a number such as +15005550006, or a range of equally long ones such as \
                      +447700900000-+447700900999"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(value: &str) -> Result<T, String> {
        T::deserialize(toml::de::ValueDeserializer::parse(value).unwrap()).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        assert_eq!(read::<Count<1, 10>>("10").unwrap().get::<u8>(), 10);
        for bad in ["0", "11", "-1", "1.0", "'1'"] {
            assert!(read::<Count<1, 10>>(bad).is_err(), "{bad}");
        }
        assert_eq!(read::<Count<1, 10>>("11").unwrap_err(), "must be from 1 to 10");
    }

    #[test]
    fn money_is_exact_to_a_millionth() {
        assert_eq!(read::<Money>("0.0075").unwrap().micros(), 7_500);
        assert_eq!(read::<Money>("0.1").unwrap().micros(), 100_000);
        assert_eq!(read::<Money>("50").unwrap().micros(), 50_000_000);
        for bad in ["-0.01", "nan", "inf", "1e10", "'1'"] {
            assert!(read::<Money>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_of_numbers_has_equal_lengths_and_an_order() {
        let range: NumberRange = "+447700900000-+447700900999".parse().unwrap();
        assert_eq!((range.0, range.1), (447_700_900_000, 447_700_900_999));
        for bad in [
            "447700900000",
            "+0123456",
            "+1234",
            "+4477-+4478",
            "+447700900999-+447700900000",
            "+12345-+123456",
        ] {
            assert!(bad.parse::<NumberRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        assert!("00".repeat(32).parse::<Sha256Hex>().is_ok());
        for bad in ["", "00", &"0g".repeat(32), &"00".repeat(33)] {
            assert!(bad.parse::<Sha256Hex>().is_err(), "{bad}");
        }
    }
}
