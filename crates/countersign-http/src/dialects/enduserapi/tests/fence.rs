//! One signing input has one reading, and the hash of nothing opens no door.

use std::sync::Arc;

use axum::http::HeaderMap;
use countersign_core::testkit::tenant;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::app::{SECRET, USER_DOMAIN};
use crate::dialects::enduserapi::auth::Caller;
use crate::dialects::enduserapi::config::{CallName, SignatureScheme, UserDomain};
use crate::dialects::enduserapi::params::Parameters;
use crate::dialects::enduserapi::readings::refuse_another;
use crate::dialects::enduserapi::request::{Login, SendEmail, SendSms, ValidateEmail, ValidateSms};
use crate::dialects::enduserapi::signed::Signed;

const CASES: u32 = 100_000;
/// SHA-256 of nothing, which the source prints as an example.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn caller() -> Caller {
    let settings: UserDomain = serde_json::from_value(json!({
        "user_domain": USER_DOMAIN, "tenant": "acme", "secret": SECRET, "countries": ["1", "44", "86", "234"],
    }))
    .unwrap();
    Caller { tenant: Arc::new(tenant("acme")), settings, register: None, password_reset: None }
}

/// A call, with the names of what its signature covers, in order.
#[derive(Clone, Copy, Debug)]
enum Call {
    SendSms,
    ValidateSms,
    Login,
    SendEmail,
    ValidateEmail,
}

impl Call {
    const ALL: [Self; 5] =
        [Self::SendSms, Self::ValidateSms, Self::Login, Self::SendEmail, Self::ValidateEmail];

    fn names(self) -> [&'static str; 4] {
        match self {
            Self::SendSms => ["phone", "codeType", "random", "ts"],
            Self::ValidateSms => ["phone", "smsCode", "random", "ts"],
            Self::Login => ["internationalCode", "phone", "smsCode", "random"],
            Self::SendEmail => ["email", "emailType", "random", "ts"],
            Self::ValidateEmail => ["email", "code", "random", "ts"],
        }
    }

    /// What the implementation would hash for these values, if it lets them in.
    fn parse(self, values: &[String; 4], signature: &str, caller: &Caller) -> Option<Signed> {
        self.parse_in("86", values, signature, caller)
    }

    /// The same where a send names this country, which is not signed.
    fn parse_in(
        self,
        country: &str,
        values: &[String; 4],
        signature: &str,
        caller: &Caller,
    ) -> Option<Signed> {
        let mut query = format!("signature={signature}");
        if matches!(self, Self::SendSms) {
            query.push_str("&internationalCode=");
            query.push_str(country);
        }
        for (name, value) in self.names().iter().zip(values) {
            query.extend(["&", name, "=", value]);
        }
        let p = Parameters::read(Some(&query), &HeaderMap::new(), b"").ok()?;
        let (call, signed) = match self {
            Self::SendSms => (CallName::SendPhoneSmsCode, SendSms::parse(&p, caller).ok()?.1),
            Self::ValidateSms => (CallName::ValidateSmsCode, ValidateSms::parse(&p, caller).ok()?.1),
            Self::Login => (CallName::PhoneSmsCodeLogin, Login::parse(&p, caller).ok()?.1),
            Self::SendEmail => (CallName::SendEmail, SendEmail::parse(&p, caller).ok()?.1?),
            Self::ValidateEmail => (CallName::ValidateEmailCode, ValidateEmail::parse(&p, caller).ok()?.1?),
        };
        refuse_another(call, &signed, caller).ok().map(|()| signed)
    }

    /// Values that are nearly, and often exactly, what the call takes.
    fn values(self) -> BoxedStrategy<[String; 4]> {
        let odd = "\\+?[0-9]{4,16}".boxed();
        let american = prop_oneof![4 => "[2-9][0-9]{2}[2-9][0-9]{6}", 1 => odd.clone()].boxed();
        let chinese = prop_oneof![4 => "0?1[3-9][0-9]{9}", 1 => "\\+861[3-9][0-9]{9}", 1 => odd].boxed();
        let code = "[0-9]{5,7}".boxed();
        let random = prop_oneof![3 => "[0-9a-z]{16}", 1 => "[0-9]{15,17}"].boxed();
        let ts = prop_oneof![3 => "[1-9][0-9]{12}", 1 => "[0-9]{12,14}"].boxed();
        let kind = prop_oneof![4 => "[1-5]", 1 => "[0-9]{1,2}"].boxed();
        let country = prop_oneof![4 => "1", 1 => "86", 1 => "[1-9]{1,3}"].boxed();
        let email = "[a-z0-9]{1,5}@[a-z]{1,4}\\.(com|c1|io2)[0-9]{0,2}".boxed();
        let [a, b, c, d] = match self {
            Self::SendSms => [chinese, kind, random, ts],
            Self::ValidateSms => [american, code, random, ts],
            Self::Login => [country, american, code, random],
            Self::SendEmail => [email, kind, random, ts],
            Self::ValidateEmail => [email, code, random, ts],
        };
        [a, b, c, d].boxed()
    }
}

impl Call {
    /// The place of the code among the values, which is as long as its verification says.
    fn code(self) -> Option<usize> {
        match self {
            Self::SendSms | Self::SendEmail => None,
            Self::ValidateSms | Self::ValidateEmail => Some(1),
            Self::Login => Some(2),
        }
    }

    /// Every way to read a text as the values of this call, by the widths that values have.
    fn readings(self, text: &str) -> Vec<[String; 4]> {
        let mut readings = Vec::new();
        let dated = !matches!(self, Self::Login);
        let Some(end) = text.len().checked_sub(if dated { 16 + 13 } else { 16 }) else { return readings };
        let (front, tail) = text.split_at(end);
        for last in 1..=10 {
            let Some((first, second)) = front.len().checked_sub(last).map(|at| front.split_at(at)) else {
                continue;
            };
            if dated {
                readings.push([first, second, &tail[..16], &tail[16..]].map(str::to_owned));
                continue;
            }
            for country in 1..=first.len().min(3) {
                readings.push([&first[..country], &first[country..], second, tail].map(str::to_owned));
            }
        }
        readings
    }
}

/// Shows: F23.
#[test]
fn f23_what_was_signed_for_one_call_is_no_other_call() {
    let mut caller = caller();
    caller.settings.countries = vec!["1".to_owned(), "44".to_owned(), "86".to_owned()].try_into().unwrap();
    let calls = prop::sample::select(vec![Call::SendSms, Call::ValidateSms, Call::Login]);
    let case = calls.prop_flat_map(move |call| (Just(call), call.values()));
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    let (taken, read) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    TestRunner::new(config)
        .run(&case, |(call, values)| {
            if call.parse(&values, EMPTY, &caller).is_none() {
                return Ok(());
            }
            taken.set(taken.get() + 1);
            let others: &[Call] = match call {
                Call::SendSms => &[Call::Login],
                Call::ValidateSms => &[Call::SendSms, Call::Login],
                _ => &[Call::SendSms],
            };
            for other in others {
                for reading in other.readings(&values.concat()) {
                    for country in ["1", "44", "86"] {
                        read.set(read.get() + 1);
                        let parsed = other.parse_in(country, &reading, EMPTY, &caller);
                        prop_assert!(parsed.is_none(), "{call:?} {values:?} as {other:?} {reading:?}");
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(taken.get() > 5_000 && read.get() > 100_000, "{taken:?} taken, {read:?} read");
}

/// A number of seven digits and a `random` that begins with some: as a login, a longer number of another country.
/// Shows: F23.
#[test]
fn f23_a_text_that_is_a_send_and_a_login_is_neither() {
    let mut caller = caller();
    caller.settings.countries = vec!["44".to_owned(), "86".to_owned()].try_into().unwrap();
    let send = ["4412345", "1", "678abcdefghijklm", "1744773894369"].map(str::to_owned);
    let login = ["44", "123451678", "abcdefghij", "klm1744773894369"].map(str::to_owned);
    assert_eq!(send.concat(), login.concat());
    assert!(Call::SendSms.parse(&send, EMPTY, &caller).is_none());
    assert!(Call::Login.parse(&login, EMPTY, &caller).is_none());
    let told_apart = ["4412345", "1", "a678bcdefghijklm", "1744773894369"].map(str::to_owned);
    assert!(Call::SendSms.parse(&told_apart, EMPTY, &caller).is_some());
    caller.settings.signature_scheme = SignatureScheme::HmacFields;
    assert!(Call::SendSms.parse(&send, EMPTY, &caller).is_some(), "our scheme names the call");
}

/// The last digit of a validation's code read as a type, and the others as part of the number.
/// Shows: F23.
#[test]
fn f23_a_signed_validation_is_no_send_to_a_longer_number() {
    let caller = caller();
    let validation = ["2125550123", "123453", "1234567890123456", "1744773894369"].map(str::to_owned);
    assert!(Call::ValidateSms.parse(&validation, EMPTY, &caller).is_some());
    let send = ["212555012312345", "3", "1234567890123456", "1744773894369"].map(str::to_owned);
    assert_eq!(validation.concat(), send.concat());
    for country in ["1", "44", "86", "234"] {
        assert!(Call::SendSms.parse_in(country, &send, EMPTY, &caller).is_none(), "{country}");
    }
}

/// Cuts the same text elsewhere: each boundary moves by up to three characters.
fn cut_elsewhere(values: &[String; 4], moves: [i8; 3]) -> Option<[String; 4]> {
    let joined = values.concat();
    let mut cuts = [0usize; 3];
    let mut end = 0usize;
    for index in 0..3 {
        end += values[index].len();
        cuts[index] = end.checked_add_signed(isize::from(moves[index]))?;
    }
    let part = |from: usize, to: usize| joined.get(from..to).map(str::to_owned);
    Some([part(0, cuts[0])?, part(cuts[0], cuts[1])?, part(cuts[1], cuts[2])?, part(cuts[2], joined.len())?])
}

/// Shows: A10.
#[test]
fn no_two_requests_share_a_signing_input() {
    let caller = caller();
    let calls = prop::sample::select(Call::ALL.to_vec());
    let moves = [-3i8..=3, -3i8..=3, -3i8..=3];
    let case = calls.prop_flat_map(move |call| (Just(call), call.values(), moves.clone()));
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let seen = std::cell::Cell::new((0u32, 0u32));
    TestRunner::new(config)
        .run(&case, |(call, values, moves)| {
            let Some(signed) = call.parse(&values, EMPTY, &caller) else { return Ok(()) };
            let (taken, compared) = seen.get();
            seen.set((taken + 1, compared));
            prop_assert_eq!(signed.input(SignatureScheme::Sha256), values.concat());
            // A code of another length is judged by its verification: see `fenced_code`.
            let same_length = |others: &[String; 4]| {
                call.code().is_none_or(|code| others[code].len() == values[code].len())
            };
            if let Some(others) = cut_elsewhere(&values, moves)
                && others != values
                && same_length(&others)
            {
                seen.set((taken + 1, compared + 1));
                let other = call.parse(&others, EMPTY, &caller);
                prop_assert!(other.is_none(), "{:?} and {:?}", values, others);
            }
            Ok(())
        })
        .unwrap();
    let (taken, compared) = seen.get();
    assert!(taken > CASES / 4 && compared > CASES / 16, "{taken} requests taken, {compared} compared");
}

/// Shows: A10.
#[test]
fn values_and_their_lengths_have_one_reading_under_our_scheme() {
    let caller = caller();
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() };
    let case = (Call::SendSms.values(), Call::SendSms.values());
    TestRunner::new(config)
        .run(&case, |(one, other)| {
            let input = |values: &[String; 4]| {
                let signed = Call::SendSms.parse(values, EMPTY, &caller)?;
                Some(signed.input(SignatureScheme::HmacFields).to_owned())
            };
            if let Some(text) = input(&one) {
                let mut fields = Vec::new();
                let mut rest = text.as_str();
                while let Some((length, more)) = rest.split_once(':') {
                    let (field, more) = more.split_at(length.parse().unwrap());
                    fields.push(field);
                    rest = more;
                }
                let [phone, kind, random, ts] = &one;
                prop_assert_eq!(
                    fields,
                    ["sendPhoneSmsCode", USER_DOMAIN, "86", phone.as_str(), kind, random, ts]
                );
                prop_assert!(one == other || input(&other).is_none_or(|input| input != text));
            }
            Ok(())
        })
        .unwrap();
}

/// Shows: A10.
#[test]
fn the_hash_of_nothing_signs_nothing() {
    let caller = caller();
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    let taken = std::cell::Cell::new(0u32);
    let case = prop::sample::select(Call::ALL.to_vec()).prop_flat_map(|call| (Just(call), call.values()));
    TestRunner::new(config)
        .run(&case, |(call, values)| {
            for signature in [EMPTY.to_owned(), EMPTY.to_uppercase()] {
                if let Some(signed) = call.parse(&values, &signature, &caller) {
                    taken.set(taken.get() + 1);
                    prop_assert!(!caller.signed(&signed));
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(taken.get() > 5_000, "{} requests came so far", taken.get());
}

/// Shows: A10.
#[test]
fn the_sources_example_is_signed_with_what_its_input_really_hashes_to() {
    let values = ["13800138000", "3", "76a6L647F02CAoN9", "1744773894369"].map(str::to_owned);
    let right = "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891";
    let signed = |signature: &str| Call::SendSms.parse(&values, signature, &caller()).unwrap();
    assert_eq!(
        signed(right).input(SignatureScheme::Sha256).to_owned() + SECRET,
        "13800138000376a6L647F02CAoN9174477389436957Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33"
    );
    assert!(caller().signed(&signed(right)));
    assert!(caller().signed(&signed(&right.to_uppercase())));
    assert!(!caller().signed(&signed(EMPTY)));
}

/// Shows: A9.
#[test]
fn what_is_signed_has_its_form_before_anything_is_hashed() {
    let caller = caller();
    let good = ["13800138000", "3", "76a6L647F02CAoN9", "1744773894369"];
    let bad: [(usize, &[&str]); 4] = [
        (
            0,
            &[
                "1380",
                "1234567890123456",
                "1380013800a",
                "++8613800138000",
                "138 0013800",
                "１３８００１３８０００",
            ],
        ),
        (1, &["0", "6", "03", "%2B3", "3.0", "-3", "3 ", "３"]),
        (2, &["76a6L647F02CAoN", "76a6L647F02CAoN99", "76a6L647F02CAo-9", "76a6L647F02CAoNé"]),
        (
            3,
            &[
                "1744773894",
                "17447738943690",
                "0744773894369",
                "-744773894369",
                "9223372036854775808",
                "1744773894.36",
            ],
        ),
    ];
    assert!(Call::SendSms.parse(&good.map(str::to_owned), EMPTY, &caller).is_some());
    for (place, values) in bad {
        for value in values {
            let mut request = good.map(str::to_owned);
            (*value).clone_into(&mut request[place]);
            assert!(Call::SendSms.parse(&request, EMPTY, &caller).is_none(), "{value}");
        }
    }
    for signature in [&EMPTY[1..], "zz", "", &format!("{EMPTY}0"), &EMPTY.replace('e', "g")] {
        assert!(Call::SendSms.parse(&good.map(str::to_owned), signature, &caller).is_none(), "{signature}");
    }
}
