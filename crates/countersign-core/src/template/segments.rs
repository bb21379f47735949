//! How many messages a text costs: GSM-7 and UCS-2 segments (3GPP TS 23.038 and TS 23.040).

/// How a text travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Seven-bit characters of the GSM default alphabet; units are septets.
    Gsm7,
    /// Sixteen-bit units of UTF-16, as soon as one character is outside that alphabet.
    Ucs2,
}

impl Encoding {
    /// Units that fit into a message that stands alone.
    pub const fn single(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units that fit into one of several messages, beside the six octets that number them.
    pub const fn part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 => gsm7_septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// The default alphabet of 3GPP TS 23.038, section 6.2.1, without the escape.
const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension table: these take an escape and a second septet.
const GSM7_EXTENSION: &str = "\u{c}^{}\\[~]|€";

fn gsm7_septets(c: char) -> Option<usize> {
    if GSM7.contains(c) {
        Some(1)
    } else if GSM7_EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// A text cut into the messages it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segments<'a> {
    /// How they travel.
    pub encoding: Encoding,
    /// What each carries. An empty text is one empty message.
    pub parts: Vec<&'a str>,
}

/// Cuts a text into messages. No escape is parted from its character, and no surrogate from its
/// pair: where the two do not fit, both go into the next message.
pub fn segments(text: &str) -> Segments<'_> {
    let gsm7 = text.chars().all(|c| gsm7_septets(c).is_some());
    let encoding = if gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 };
    if text.chars().map(|c| encoding.units(c)).sum::<usize>() <= encoding.single() {
        return Segments { encoding, parts: vec![text] };
    }
    let mut parts = Vec::new();
    let (mut start, mut filled) = (0, 0);
    for (at, c) in text.char_indices() {
        if filled + encoding.units(c) > encoding.part() {
            parts.push(&text[start..at]);
            (start, filled) = (at, 0);
        }
        filled += encoding.units(c);
    }
    parts.push(&text[start..]);
    Segments { encoding, parts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(text: &str) -> (Encoding, usize) {
        let segments = segments(text);
        (segments.encoding, segments.parts.len())
    }

    #[test]
    fn the_alphabet_has_127_characters_and_ten_more_behind_the_escape() {
        assert_eq!((GSM7.chars().count(), GSM7_EXTENSION.chars().count()), (127, 10));
    }

    #[test]
    fn a_text_is_cut_where_the_standard_cuts_it() {
        use Encoding::{Gsm7, Ucs2};
        for (unit, times, expected) in [
            ("", 0, (Gsm7, 1)),
            ("a", 160, (Gsm7, 1)),
            ("a", 161, (Gsm7, 2)),
            ("a", 306, (Gsm7, 2)),
            ("a", 307, (Gsm7, 3)),
            ("€", 80, (Gsm7, 1)),
            ("€", 81, (Gsm7, 2)),
            // 76 pairs fill 152 septets of 153; the 77th does not fit.
            ("€", 152, (Gsm7, 2)),
            ("€", 153, (Gsm7, 3)),
            ("ж", 70, (Ucs2, 1)),
            ("ж", 71, (Ucs2, 2)),
            ("ж", 134, (Ucs2, 2)),
            ("ж", 135, (Ucs2, 3)),
            ("😀", 35, (Ucs2, 1)),
            ("😀", 36, (Ucs2, 2)),
            // 33 pairs fill 66 units of 67.
            ("😀", 66, (Ucs2, 2)),
            ("😀", 67, (Ucs2, 3)),
        ] {
            assert_eq!(count(&unit.repeat(times)), expected, "{times} × {unit}");
        }
    }

    #[test]
    fn one_character_outside_the_alphabet_changes_the_encoding_of_all() {
        for plain in ["it's", "\"x\"", "ñ", "è", "Ç", "[~]", "€"] {
            assert_eq!(segments(plain).encoding, Encoding::Gsm7, "{plain}");
        }
        for other in ["it’s", "“x”", "ó", "ê", "ç", "`", "ł", "ğ", "ě", "\u{2068}"] {
            assert_eq!(segments(other).encoding, Encoding::Ucs2, "{other}");
        }
    }

    /// A line that lets browsers fill the code in doubles the price of many texts that are not Latin.
    #[test]
    fn an_autofill_line_costs_cyrillic_a_second_message() {
        let english = "Your Countersign code is 123456. It expires in 10 minutes.";
        let russian = "Ваш код подтверждения Countersign: 123456. Он действует 10 минут.";
        let line = "\n\n@example.com #123456";
        assert_eq!(count(&format!("{english}{line}")), (Encoding::Gsm7, 1));
        assert_eq!(count(russian), (Encoding::Ucs2, 1));
        assert_eq!(count(&format!("{russian}{line}")), (Encoding::Ucs2, 2));
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_text_and_each_fits(text in "[a-z€\u{430}😀]{0,400}") {
            let cut = segments(&text);
            prop_assert_eq!(&cut.parts.concat(), &text);
            let room = if cut.parts.len() == 1 { cut.encoding.single() } else { cut.encoding.part() };
            for part in cut.parts {
                prop_assert!(part.chars().map(|c| cut.encoding.units(c)).sum::<usize>() <= room);
            }
        }
    }
}
