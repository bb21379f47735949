//! Phone numbers.
//!
//! One line has one spelling: whatever is accepted is brought to E.164 as Google's libphonenumber
//! writes it, and parsing that again gives the same. Where two canonical numbers still ring at one
//! handset, they share a budget.

use std::fmt;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};

use super::RecipientError;
use crate::policy::{NumberCheck, Policy, TestNumbers};

/// Digits of a number, country code included: at most ITU-T E.164's 15, at least what CAMARA's
/// pattern `^\+[1-9][0-9]{4,14}$` admits.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

/// An international phone number in E.164 form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Parses a number written with `+` and its country code, e.g. `+12125550123`. Separators are
    /// refused: callers strip what their own wire allows.
    ///
    /// The policy's test numbers are taken as they stand, before any look at the numbering plan.
    /// Any other number loses a trunk prefix (`+4407700900123` is `+447700900123`; Italy keeps its
    /// zero), must have a length that its country knows, and must not be of a kind that takes no
    /// messages.
    ///
    /// ```
    /// use countersign_core::policy::Policy;
    /// use countersign_core::recipient::PhoneNumber;
    ///
    /// let policy = Policy::default();
    /// assert_eq!(PhoneNumber::parse("+4407700900123", &policy)?.expose(), "+447700900123");
    /// assert!(PhoneNumber::parse("+44 7700 900123", &policy).is_err(), "separators are the caller's to strip");
    /// # Ok::<(), countersign_core::recipient::RecipientError>(())
    /// ```
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, RecipientError> {
        Self::parse_written(text, *DIGITS.end(), policy)
    }

    /// The same for a wire that allows `most` digits as they are written, trunk prefix and all. The number
    /// they stand for has 15 at most, whatever is allowed.
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub fn parse_written(text: &str, most: usize, policy: &Policy) -> Result<Self, RecipientError> {
        let digits = text.strip_prefix('+').ok_or(RecipientError::NoCountryCode)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RecipientError::Characters);
        }
        if !(*DIGITS.start()..=most).contains(&digits.len()) {
            return Err(RecipientError::BadLength);
        }
        if digits.starts_with('0') {
            return Err(RecipientError::NoCountryCode);
        }
        let as_written = Self(text.to_owned());
        if as_written.is_test(&policy.test_numbers) {
            return Ok(as_written);
        }
        let (canonical, number) = canonical(text)?;
        match number.get_type() {
            PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::UAN
            | PhoneNumberType::Pager
            | PhoneNumberType::VoiceMail => return Err(RecipientError::LineType),
            PhoneNumberType::FixedLine
            | PhoneNumberType::Mobile
            | PhoneNumberType::FixedLineOrMobile
            | PhoneNumberType::TollFree
            | PhoneNumberType::VoIP
            | PhoneNumberType::PersonalNumber
            | PhoneNumberType::Unknown => {}
        }
        match policy.number_check {
            NumberCheck::Possible => {}
            NumberCheck::Valid if number.is_valid() => {}
            NumberCheck::Valid => return Err(RecipientError::Invalid),
        }
        Ok(Self(canonical))
    }

    /// Parses a number as people write it, e.g. `+41 79 123 45 67`, or `079 123 45 67` in a `region`: what
    /// Google's library takes for a number, in ASCII. A region is an ISO 3166 code such as `CH`. What is
    /// read is then judged as in [`PhoneNumber::parse`].
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub fn parse_in_region(text: &str, region: &str, policy: &Policy) -> Result<Self, RecipientError> {
        if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(RecipientError::Characters);
        }
        if let Ok(number) = Self::parse(text, policy) {
            return Ok(number);
        }
        let number = PHONE_NUMBER_UTIL
            .parse(text, region.parse::<Region>().ok())
            .map_err(|_| RecipientError::Impossible)?;
        Self::parse(&number.format_as(PhoneNumberFormat::E164), policy)
    }

    /// Whether [`PhoneNumber::parse_in_region`] knows a region of this ISO 3166 code.
    pub fn is_region(code: &str) -> bool {
        let region = code.parse::<Region>();
        region.is_ok_and(|region| PHONE_NUMBER_UTIL.get_supported_regions().any(|known| known == region))
    }

    /// Parses a national number beside its calling code, as some wires carry them: `234` and
    /// `08011111111`. The calling code comes without `+` or `00`.
    ///
    /// # Errors
    /// See [`RecipientError`]. Digits must not move over the boundary: `23` and `48011111111` is not
    /// a Nigerian number.
    pub fn parse_national(
        calling_code: &str,
        national: &str,
        policy: &Policy,
    ) -> Result<Self, RecipientError> {
        let number = Self::parse(&format!("+{calling_code}{national}"), policy)?;
        match PHONE_NUMBER_UTIL.parse(&number.0, None) {
            Ok(parsed) if parsed.country_code.to_string() == calling_code => Ok(number),
            Err(_) if number.is_test(&policy.test_numbers) => Ok(number),
            _ => Err(RecipientError::Impossible),
        }
    }

    pub(super) fn from_canonical(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The full number; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first two digits and the last two, e.g. `+12*******23`. Of a number too short to hide
    /// anything that way, only the first two.
    pub(super) fn masked(&self) -> String {
        let digits = self.0.trim_start_matches('+');
        let shown_at_end = if digits.len() < 8 { 0 } else { 2 };
        let hidden = digits.len().saturating_sub(2 + shown_at_end);
        let head = digits.get(..2).unwrap_or("");
        let tail = digits.get(2 + hidden..).unwrap_or("");
        format!("+{head}{}{tail}", "*".repeat(hidden))
    }

    /// What finds the number's verifications: all of it.
    pub(super) fn identity(&self) -> String {
        self.0.clone()
    }

    /// What its limits are counted under. Merging two lines costs a stranger part of a limit; missing
    /// an alias gives an attacker another limit, so this merges where in doubt:
    /// - Argentina's mobiles are dialled with and without a 9 after the country code;
    /// - Mexico's had a 1 there until 2020, and some networks still take it;
    /// - leading zeros that no range of the plan explains go, one by one: networks may skip them.
    pub(super) fn budget(&self) -> String {
        let mut spelling = self.0.clone();
        for _ in 0..*DIGITS.end() {
            match plainer_alias(&spelling) {
                Some(alias) => spelling = alias,
                None => break,
            }
        }
        spelling
    }

    /// The ISO 3166 region its digits belong to; `None` where the plan does not tell, or for networks
    /// of no country (`+800`, `+881`, …). Regions that share a country code (all of `+1`, `+44`, `+7`,
    /// …) are told apart by valid numbers only.
    pub fn region(&self) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        number.get_region_code().filter(|region| *region != Region::World).map(|region| region.to_string())
    }

    /// Whether it is one of the policy's test numbers. Both ends of a range have equally many
    /// digits, and so does every number between them.
    pub fn is_test(&self, numbers: &TestNumbers) -> bool {
        let digits = self.0.trim_start_matches('+').parse::<u64>();
        digits.is_ok_and(|n| numbers.ranges.iter().any(|&(first, last)| (first..=last).contains(&n)))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The E.164 form that parsing leaves alone. One pass drops one trunk prefix; somebody who writes
/// two of them means, and dials, the same line.
fn canonical(text: &str) -> Result<(String, rlibphonenumber::PhoneNumber), RecipientError> {
    let mut spelling = text.to_owned();
    for _ in 0..*DIGITS.end() {
        let number = PHONE_NUMBER_UTIL.parse(&spelling, None).map_err(|_| RecipientError::Impossible)?;
        let formatted = number.format_as(PhoneNumberFormat::E164);
        if formatted == spelling {
            // A local-only length (seven digits in the United States) cannot be dialled from abroad,
            // and we always are.
            return match number.is_possible_with_reason() {
                Ok(NumberLengthType::IsPossible) if DIGITS.contains(&(spelling.len() - 1)) => {
                    Ok((spelling, number))
                }
                _ => Err(RecipientError::Impossible),
            };
        }
        spelling = formatted.into_owned();
    }
    Err(RecipientError::Impossible)
}

/// Another spelling for the same handset, one step nearer to the plainest one; see
/// [`PhoneNumber::budget`].
fn plainer_alias(spelling: &str) -> Option<String> {
    for (mobile, plain) in [("+549", "+54"), ("+521", "+52")] {
        if let Some(national) = spelling.strip_prefix(mobile) {
            return Some(format!("{plain}{national}"));
        }
    }
    match canonical(spelling) {
        Ok((canonical, _)) if canonical != spelling => return Some(canonical),
        Ok((_, number)) if number.is_valid() => return None,
        _ => {}
    }
    let code = PHONE_NUMBER_UTIL.parse(spelling, None).ok()?.country_code.to_string();
    let national = spelling.strip_prefix('+')?.strip_prefix(&code)?.strip_prefix('0')?;
    Some(format!("+{code}{national}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipient::Recipient;
    use proptest::prelude::*;

    fn lenient() -> Policy {
        Policy::default()
    }

    #[test]
    fn a_written_number_is_read_in_its_region() {
        let read = |text: &str| PhoneNumber::parse_in_region(text, "CH", &lenient()).map(|n| n.0);
        for text in ["0791234567", "+41791234567", "+41 79 123 45 67", "079/123 45 67", "0041 79 123 45 67"] {
            assert_eq!(read(text).as_deref(), Ok("+41791234567"), "{text}");
        }
        for text in ["", "abc", "+", "１23", "+41\u{200d}791234567", "+41791234567\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(
            PhoneNumber::is_region("CH") && !PhoneNumber::is_region("XX") && !PhoneNumber::is_region("001")
        );
    }

    fn strict() -> Policy {
        Policy { number_check: NumberCheck::Valid, ..Policy::default() }
    }

    fn parse(text: &str) -> Result<PhoneNumber, RecipientError> {
        PhoneNumber::parse(text, &lenient())
    }

    #[test]
    fn a_number_is_a_plus_and_5_to_15_ascii_digits() {
        use RecipientError::{BadLength, Characters, NoCountryCode};
        for (text, why) in [
            ("12125550123", NoCountryCode),
            ("+02125550123", NoCountryCode),
            ("+", BadLength),
            ("+1212", BadLength),
            ("+1234567890123456", BadLength),
            ("+1 212 555 0123", Characters),
            ("+1-212-555-0123", Characters),
            ("+12125550123;ext=4", Characters),
            ("+12125550123\n", Characters),
            ("+12125550123\0", Characters),
            ("+1212555012\u{0663}", Characters),
            ("+1212555012\u{ff13}", Characters),
            ("+\u{202a}12125550123", Characters),
            ("++12125550123", Characters),
        ] {
            assert_eq!(parse(text).unwrap_err(), why, "{text:?}");
        }
    }

    /// The ranges that regulators keep free for fiction, as libphonenumber judges them: some are
    /// possible but not valid, which is why test numbers are looked up before any validation.
    #[test]
    fn fictional_numbers_are_possible_and_some_are_valid() {
        for (text, valid, region) in [
            ("+447700900123", false, None),
            ("+441632960123", false, None),
            ("+12125550123", true, Some("US")),
            ("+61491570156", true, Some("AU")),
            ("+46701740605", true, Some("SE")),
            ("+33639980123", false, Some("FR")),
            ("+15005550006", true, Some("US")),
        ] {
            assert_eq!(parse(text).unwrap().expose(), text);
            assert_eq!(parse(text).unwrap().region().as_deref(), region, "{text}");
            let judged = PhoneNumber::parse(text, &strict());
            assert_eq!(
                judged.map(|_| ()),
                if valid { Ok(()) } else { Err(RecipientError::Invalid) },
                "{text}"
            );
        }
    }

    #[test]
    fn a_trunk_zero_is_dropped_and_italys_zero_is_kept() {
        for (written, canonical) in [
            ("+4407700900123", "+447700900123"),
            ("+61 0491570156", "+61491570156"),
            ("+460701740605", "+46701740605"),
            ("+4900151 12345678", "+4915112345678"),
            ("+112125550123", "+12125550123"),
            ("+390612345678", "+390612345678"),
            ("+54111523456789", "+5491123456789"),
        ] {
            let written = written.replace(' ', "");
            assert_eq!(parse(&written).unwrap().expose(), canonical, "{written}");
        }
    }

    #[test]
    fn what_no_country_can_have_is_refused_under_any_policy() {
        for text in ["+15550123", "+121255501234", "+99912345678", "+5215512345678", "+4477009001234"] {
            assert_eq!(parse(text).unwrap_err(), RecipientError::Impossible, "{text}");
        }
    }

    /// The examples are the metadata's own, taken from every region.
    #[test]
    fn lines_that_take_no_codes_are_refused() {
        let refused = [
            PhoneNumberType::PremiumRate,
            PhoneNumberType::SharedCost,
            PhoneNumberType::UAN,
            PhoneNumberType::Pager,
            PhoneNumberType::VoiceMail,
        ];
        for kind in refused {
            let mut seen = 0;
            for region in PHONE_NUMBER_UTIL.get_supported_regions() {
                let example = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind);
                let Ok(example) = example.map(|n| n.format_as(PhoneNumberFormat::E164).into_owned()) else {
                    continue;
                };
                match parse(&example) {
                    Err(RecipientError::LineType) => seen += 1,
                    // Canada's seven-digit access numbers cannot be dialled from elsewhere at all.
                    refused => assert_eq!(refused, Err(RecipientError::Impossible), "{region} {kind:?}"),
                }
            }
            assert!(seen > 0, "no example of {kind:?}");
        }
    }

    /// Shows: P40.
    #[test]
    fn test_numbers_are_taken_as_they_stand_before_any_validation() {
        let mut policy = strict();
        policy.test_numbers.ranges =
            vec![(447_700_900_000, 447_700_900_999), (99_912_345_000, 99_912_345_009)];
        for text in ["+447700900000", "+447700900999", "+99912345004"] {
            let number = PhoneNumber::parse(text, &policy).unwrap();
            assert_eq!((number.expose(), number.is_test(&policy.test_numbers)), (text, true));
        }
        assert_eq!(PhoneNumber::parse("+99912345010", &policy), Err(RecipientError::Impossible));
        assert!(!parse("+12125550123").unwrap().is_test(&policy.test_numbers));
        assert_eq!(PhoneNumber::parse("+447700900 00", &policy), Err(RecipientError::Characters));
    }

    #[test]
    fn more_digits_may_be_written_than_a_number_has() {
        let written = |text, most| PhoneNumber::parse_written(text, most, &lenient());
        let number = "+491511234567890";
        assert_eq!(parse(number).unwrap().expose(), number, "15 digits");
        let with_trunk_zero = "+4901511234567890";
        assert_eq!(written(with_trunk_zero, 18).unwrap().expose(), number);
        assert_eq!(written(with_trunk_zero, 15).unwrap_err(), RecipientError::BadLength);
        // Germany's plan has room for longer ones, which no other network has to take.
        for text in ["+4915112345678901", "+49151123456789012"] {
            assert_eq!(written(text, 18).unwrap_err(), RecipientError::Impossible, "{text}");
        }
    }

    #[test]
    fn a_mask_shows_the_country_and_two_digits() {
        for (text, masked) in [
            ("+12125550123", "+12*******23"),
            ("+447700900123", "+44********23"),
            ("+2908123", "+29*****"),
            ("", "+"),
        ] {
            assert_eq!(PhoneNumber::from_canonical(text).masked(), masked);
        }
        assert_eq!(format!("{:?}", Recipient::Phone(parse("+12125550123").unwrap())), "+12*******23");
    }

    #[test]
    fn aliases_of_one_handset_share_a_budget_and_not_an_identity() {
        for (one, other) in [
            ("+5491123456789", "+541123456789"),
            ("+352628123456", "+3520628123456"),
            ("+390212345678", "+3900212345678"),
        ] {
            let (one, other) = (parse(one).unwrap(), parse(other).unwrap());
            assert_eq!(one.budget(), other.budget());
            assert_ne!(one.identity(), other.identity());
        }
        assert_eq!(PhoneNumber::from_canonical("+5215512345678").budget(), "+525512345678");
    }

    #[test]
    fn a_national_number_loses_its_trunk_zero_and_keeps_its_country() {
        let policy = lenient();
        for (code, national, canonical) in [
            ("44", "07700900123", "+447700900123"),
            ("44", "7700900123", "+447700900123"),
            ("39", "0612345678", "+390612345678"),
            ("1", "2125550123", "+12125550123"),
        ] {
            assert_eq!(PhoneNumber::parse_national(code, national, &policy).unwrap().expose(), canonical);
        }
        for (code, national) in
            [("4", "47700900123"), ("447", "700900123"), ("", "447700900123"), ("+44", "7700900123")]
        {
            assert!(PhoneNumber::parse_national(code, national, &policy).is_err(), "{code} {national}");
        }
    }

    /// Every way to write a number that a caller might try for one more budget: each is the same
    /// budget, or no number.
    /// Shows: A13, P13.
    #[test]
    fn no_spelling_of_a_number_has_a_budget_of_its_own() {
        let mut spellings = 0;
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            for kind in [PhoneNumberType::Mobile, PhoneNumberType::FixedLine] {
                let Ok(example) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind)
                else {
                    continue;
                };
                let e164 = example.format_as(PhoneNumberFormat::E164).into_owned();
                let code = example.country_code.to_string();
                let own = parse(&e164).unwrap_or_else(|e| panic!("{region} {e164}: {e}")).budget();
                for spelling in spellings_of(&e164, &code) {
                    spellings += 1;
                    if let Ok(Recipient::Phone(number)) = Recipient::parse(&spelling, &lenient()) {
                        assert_eq!(number.budget(), own, "{region} {spelling:?}");
                    }
                }
            }
        }
        assert!(spellings > 10_000, "{spellings}");
    }

    fn spellings_of(e164: &str, code: &str) -> Vec<String> {
        let national = &e164[1 + code.len()..];
        let digits = &e164[1..];
        let mut all: Vec<String> =
            ["", "00", "011", "0", "+0", "+00", "++", "tel:+", "\u{ff0b}", " +", "\u{200e}+"]
                .map(|prefix| format!("{prefix}{digits}"))
                .to_vec();
        all.extend(
            ["\n", " ", "\0", ";ext=1", "x1", "#", "\u{200d}", "\u{202c}"].map(|end| format!("{e164}{end}")),
        );
        all.extend([" ", "-", ".", "(0)", "\u{a0}", "\u{2011}"].map(|gap| format!("+{code}{gap}{national}")));
        for (zero, name) in
            [('\u{ff10}', "full-width"), ('\u{660}', "Arabic-Indic"), ('\u{966}', "Devanagari")]
        {
            let folded = digits
                .chars()
                .map(|c| char::from_u32(zero as u32 + c.to_digit(10).expect("E.164")).expect(name));
            all.push(format!("+{}", folded.collect::<String>()));
        }
        // Trunk prefixes, also where the country has none. A 0 before an Italian mobile number makes
        // the number of somebody's fixed line, which is no alias.
        let italian_mobile = code == "39" && !national.starts_with('0');
        let zeros: &[&str] = if italian_mobile { &[] } else { &["0", "00", "000", "0000"] };
        let trunk: &[&str] = match code {
            "1" => &["1", "11"],
            "7" | "375" | "993" => &["8"],
            "36" => &["06"],
            "52" => &["1", "01", "044", "045"],
            "54" => &["9", "09"],
            _ => &[],
        };
        all.extend(zeros.iter().chain(trunk).map(|trunk| format!("+{code}{trunk}{national}")));
        if let (true, Some(bare)) = (code == "54", national.strip_prefix('9')) {
            all.push(format!("+54{bare}"));
        }
        all
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse(&format!("+{text}"));
            let _ = PhoneNumber::from_canonical(&text).masked();
            let _ = PhoneNumber::from_canonical(&text).budget();
        }

        #[test]
        fn what_was_accepted_is_its_own_canonical_form(text in "\\+[1-9][0-9]{4,14}") {
            if let Ok(number) = parse(&text) {
                prop_assert_eq!(parse(number.expose()), Ok(number.clone()));
                prop_assert!(number.expose().len() <= 16);
                if let Ok(budget) = parse(&number.budget()) {
                    prop_assert_eq!(budget.budget(), number.budget());
                }
            }
        }
    }
}
