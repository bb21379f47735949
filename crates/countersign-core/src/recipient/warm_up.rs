//! The numbering plans, made ready before somebody waits for them.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberFormat};

use super::phone::PhoneNumber;
use crate::policy::Policy;

/// Makes the numbering plans of these countries (ISO 3166, two letters) ready; returns how many.
///
/// Not of every country there is: all plans take some 170 MiB for ever, and most programs send to a few.
/// The library unpacks a plan and compiles its patterns at their first use, which takes up to a third of
/// a second. So each is used once: by a number that is valid, and by one that is not, for which the plans
/// of all countries that share the calling code are consulted.
pub fn warm_up(regions: &[String]) -> usize {
    let policy = Policy::default();
    let use_all = |parsed: Parsed| {
        let text = parsed.format_as(PhoneNumberFormat::E164);
        if let Ok(number) = PhoneNumber::parse(&text, &policy) {
            let _used = (number.region(), number.budget(), parsed.is_valid());
        }
    };
    let mut plans = 0;
    let is_wanted = |region: &str| regions.iter().any(|wanted| wanted.eq_ignore_ascii_case(region));
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        if !is_wanted(&region.to_string()) {
            continue;
        }
        let examples = [
            PHONE_NUMBER_UTIL.get_example_number(region),
            PHONE_NUMBER_UTIL.get_invalid_example_number(region),
        ];
        for parsed in examples.into_iter().flatten() {
            let national = parsed.national_number.to_string();
            use_all(parsed);
            let _used = PhoneNumber::parse_in_region(&national, &region.to_string(), &policy);
        }
        plans += 1;
    }
    plans
}

#[cfg(test)]
#[allow(clippy::print_stderr, clippy::disallowed_methods, reason = "what it takes is worth knowing")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn examples() -> Vec<String> {
        let regions = PHONE_NUMBER_UTIL.get_supported_regions();
        let numbers = regions.filter_map(|region| PHONE_NUMBER_UTIL.get_example_number(region).ok());
        numbers.map(|number| number.format_as(PhoneNumberFormat::E164).into_owned()).collect()
    }

    /// Both are measured in the same process, one after the other.
    ///
    /// Shows: F27.
    #[test]
    fn f27_after_the_warm_up_no_countrys_first_number_takes_long() {
        let began = Instant::now();
        let all: Vec<_> =
            PHONE_NUMBER_UTIL.get_supported_regions().map(|region| region.to_string()).collect();
        assert_eq!(warm_up(&[]), 0);
        let plans = warm_up(&all);
        let warming = began.elapsed();
        let examples = examples();
        assert!(plans >= examples.len() && examples.len() > 200, "{plans} plans");
        let (mut all, mut slowest) = (Duration::ZERO, Duration::ZERO);
        for number in &examples {
            let began = Instant::now();
            PhoneNumber::parse(number, &Policy::default()).unwrap().region();
            all += began.elapsed();
            slowest = slowest.max(began.elapsed());
        }
        eprintln!(
            "{plans} plans in {warming:?}; then {} numbers in {all:?}, the slowest {slowest:?}",
            examples.len()
        );
        assert!(all * 4 < warming, "what was made ready is made ready again: {all:?} of {warming:?}");
    }
}
