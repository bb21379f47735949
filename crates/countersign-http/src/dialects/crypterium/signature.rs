//! `X-Signature`: what is signed, and whether a signature is good.
//!
//! Source: the page "Digital signature verification and fingerprint" of the public api-vault
//! repository. Its scheme has no time and no nonce, and its key lives in every copy of the app: a
//! captured signature works for ever, and limits treat signed calls like any other.

use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use super::config::{Merchant, Secret, SignatureEncoding, SignatureMode, SignatureScheme};
use crate::signature::{hmac_sha256, is_hex_of};

/// RFC 2104, section 3: a key shorter than the hash's output weakens it.
const SECRET_MIN: usize = 32;
/// The largest offset into the seed string: a remainder of ten.
const OFFSET_MAX: usize = 9;

/// What is wrong with a merchant's signature settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSigning {
    /// Nothing to sign with, and it was not said that calls are unsigned.
    #[error("needs a secret; signature = \"off\" lets unsigned calls in")]
    NoSecret,
    /// The key can be guessed.
    #[error("the secret has less than 32 bytes; allow_short_secret = true takes it all the same")]
    ShortSecret,
    /// The platform's scheme needs it.
    #[error("needs a seed_string; signature_scheme = \"hmac-body\" does without")]
    NoSeedString,
    /// Seeds are counted in characters, which have to be bytes.
    #[error("seed_string must be ASCII")]
    SeedStringCharacters,
    /// Some seeds would run over the end.
    #[error("seed_string has less than 9 + seed_length characters, or seed_length is 0")]
    SeedStringLength,
    /// The body's signature has one way to be written.
    #[error("signature_encoding = \"base64\" goes with signature_scheme = \"derived-seed\" only")]
    Encoding,
}

/// A merchant's signatures.
pub(super) struct Signing {
    mode: SignatureMode,
    scheme: Scheme,
    encoding: SignatureEncoding,
    /// `None` only where signatures are not looked at.
    secret: Option<Secret>,
}

enum Scheme {
    DerivedSeed(Seeds),
    HmacBody,
}

/// Where seeds are cut from.
struct Seeds {
    string: Secret,
    length: usize,
}

/// What a signature stands for.
pub(super) struct Signed<'a> {
    /// The `X-Fingerprint` value, empty if absent.
    pub(super) fingerprint: &'a [u8],
    /// The `phone` of the body exactly as sent.
    pub(super) phone: &'a str,
    /// The `password` of a signup, empty elsewhere.
    pub(super) password: &'a str,
    /// The raw body.
    pub(super) body: &'a [u8],
}

impl Signing {
    /// Whether a call that can be signed must be.
    pub(super) fn is_required(&self) -> bool {
        self.mode == SignatureMode::Required
    }

    /// Reads the settings of a merchant.
    pub(super) fn new(merchant: &Merchant) -> Result<Self, InvalidSigning> {
        let secret = merchant.secret.clone();
        let length = secret.as_ref().map(|secret| secret.expose().len());
        match (length, merchant.signature) {
            (None, SignatureMode::Off) => {}
            (None | Some(0), _) => return Err(InvalidSigning::NoSecret),
            (Some(..SECRET_MIN), _) if !merchant.allow_short_secret => {
                return Err(InvalidSigning::ShortSecret);
            }
            (Some(_), _) => {}
        }
        let scheme = match (merchant.signature_scheme, &merchant.seed_string) {
            (SignatureScheme::HmacBody, _) => Scheme::HmacBody,
            (SignatureScheme::DerivedSeed, Some(string)) => {
                Scheme::DerivedSeed(Seeds::new(string.clone(), merchant.seed_length)?)
            }
            // Without a secret nothing is ever signed.
            (SignatureScheme::DerivedSeed, None) if secret.is_none() => Scheme::HmacBody,
            (SignatureScheme::DerivedSeed, None) => return Err(InvalidSigning::NoSeedString),
        };
        if merchant.signature_scheme == SignatureScheme::HmacBody
            && merchant.signature_encoding == SignatureEncoding::Base64
        {
            return Err(InvalidSigning::Encoding);
        }
        Ok(Self { mode: merchant.signature, scheme, encoding: merchant.signature_encoding, secret })
    }

    /// Whether a call with this `X-Signature` is let in; an empty one is none.
    pub(super) fn admits(&self, presented: Option<&[u8]>, signed: &Signed<'_>) -> bool {
        match (self.mode, presented.filter(|value| !value.is_empty()), &self.secret) {
            (SignatureMode::Off, _, _) | (SignatureMode::IfPresent, None, _) => true,
            (SignatureMode::Required, None, _) | (_, Some(_), None) => false,
            (_, Some(presented), Some(secret)) => self.is_good(presented, secret, signed),
        }
    }

    fn is_good(&self, presented: &[u8], secret: &Secret, signed: &Signed<'_>) -> bool {
        let key = secret.expose().as_bytes();
        let expected = match &self.scheme {
            Scheme::HmacBody => hmac_sha256(key, &[signed.body]),
            Scheme::DerivedSeed(seeds) => hmac_sha256(key, &seeds.parts(signed)),
        };
        match self.encoding {
            SignatureEncoding::Hex => {
                std::str::from_utf8(presented).is_ok_and(|presented| is_hex_of(presented, &expected))
            }
            SignatureEncoding::Base64 => BASE64.encode(&expected).as_bytes().ct_eq(presented).into(),
        }
    }
}

impl Seeds {
    fn new(string: Secret, length: u8) -> Result<Self, InvalidSigning> {
        let length = usize::from(length);
        if !string.expose().is_ascii() {
            return Err(InvalidSigning::SeedStringCharacters);
        }
        if length == 0 || string.expose().len() < OFFSET_MAX + length {
            return Err(InvalidSigning::SeedStringLength);
        }
        Ok(Self { string, length })
    }

    /// The characters from the offset that the number's digits add up to. Whatever else stands in the
    /// number is skipped.
    fn seed(&self, phone: &str) -> &str {
        let sum: u32 = phone.chars().filter_map(|c| c.to_digit(10)).sum();
        let offset = (sum % 10) as usize;
        &self.string.expose()[offset..offset + self.length]
    }

    /// Seed, fingerprint, phone, password, without separators.
    fn parts<'a>(&'a self, signed: &Signed<'a>) -> [&'a [u8]; 4] {
        let seed = self.seed(signed.phone).as_bytes();
        [seed, signed.fingerprint, signed.phone.as_bytes(), signed.password.as_bytes()]
    }
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("mode", &self.mode).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The inputs are the api-vault page's; it prints no digest. The one here was computed apart.
    const VECTOR: &str = "a660bbde8b53e40d33fd3e97b37abc0053383a5b88bc3dd08c2ed9d968c5eea2";

    fn signing(settings: &Value) -> Result<Signing, InvalidSigning> {
        let mut merchant = json!({ "id": "", "tenant": "", "secret": "0123456789abcdef0123456789abcdef",
            "seed_string": "abcdefghijklmnopqrstuvwxyz" });
        for (name, value) in settings.as_object().expect("settings") {
            merchant[name] = value.clone();
        }
        Signing::new(&serde_json::from_value(merchant).expect("a merchant"))
    }

    fn vector(settings: &Value) -> Signing {
        let mut all = json!({ "secret": "countersign-test-secret", "allow_short_secret": true,
            "seed_string": "abcdefghijklmn" });
        for (name, value) in settings.as_object().expect("settings") {
            all[name] = value.clone();
        }
        signing(&all).expect("good settings")
    }

    const REQUEST: Signed<'static> =
        Signed { fingerprint: b"myOwnFingerprint", phone: "700000031", password: "12345", body: b"{}" };

    #[test]
    fn the_test_vector_is_signed_like_this() {
        let signing = vector(&json!({}));
        let Scheme::DerivedSeed(seeds) = &signing.scheme else { panic!("the platform's scheme") };
        assert_eq!(seeds.parts(&REQUEST).concat(), b"bcdemyOwnFingerprint70000003112345");
        assert!(signing.admits(Some(VECTOR.as_bytes()), &REQUEST));
        assert!(signing.admits(Some(VECTOR.to_uppercase().as_bytes()), &REQUEST));
        for wrong in [&VECTOR[1..], &VECTOR.replace("a6", "a7"), "", &format!("{VECTOR}00")] {
            assert!(!signing.admits(Some(wrong.as_bytes()), &REQUEST), "{wrong}");
        }
    }

    #[test]
    fn base64_is_the_standard_alphabet_with_padding() {
        let signing = vector(&json!({ "signature_encoding": "base64" }));
        let good = BASE64.encode(&HEXLOWER.decode(VECTOR.as_bytes()).expect("hexadecimal"));
        assert_eq!(good, "pmC73otT5A0z/T6Xs3q8AFM4OluIvD3QjC7Z2WjF7qI=");
        assert!(signing.admits(Some(good.as_bytes()), &REQUEST));
        for wrong in [VECTOR, good.trim_end_matches('='), &good.replace('/', "_")] {
            assert!(!signing.admits(Some(wrong.as_bytes()), &REQUEST), "{wrong}");
        }
    }

    #[test]
    fn every_mode_lets_in_what_it_should() {
        for (mode, without, wrong, right) in
            [("required", false, false, true), ("if-present", true, false, true), ("off", true, true, true)]
        {
            let signing = vector(&json!({ "signature": mode }));
            let admits = |value: Option<&str>| signing.admits(value.map(str::as_bytes), &REQUEST);
            let answers = (admits(None), admits(Some("")), admits(Some("00")), admits(Some(VECTOR)));
            assert_eq!(answers, (without, without, wrong, right), "{mode}");
        }
    }

    #[test]
    fn what_cannot_be_signed_or_guessed_too_easily_is_not_loaded() {
        use InvalidSigning as Wrong;
        for (settings, why) in [
            (json!({ "secret": null }), Wrong::NoSecret),
            (json!({ "secret": "", "allow_short_secret": true }), Wrong::NoSecret),
            (json!({ "secret": "0123456789abcdef0123456789abcde" }), Wrong::ShortSecret),
            (json!({ "secret": "short", "signature": "off" }), Wrong::ShortSecret),
            (json!({ "seed_string": null }), Wrong::NoSeedString),
            (json!({ "seed_string": "abcdefghijkl" }), Wrong::SeedStringLength),
            (json!({ "seed_string": "abcdefghijklm", "seed_length": 5 }), Wrong::SeedStringLength),
            (json!({ "seed_length": 0 }), Wrong::SeedStringLength),
            (json!({ "seed_string": "äbcdefghijklmn" }), Wrong::SeedStringCharacters),
            (json!({ "signature_scheme": "hmac-body", "signature_encoding": "base64" }), Wrong::Encoding),
        ] {
            assert_eq!(signing(&settings).err(), Some(why), "{settings}");
        }
        for settings in [
            json!({ "seed_string": "abcdefghijklm" }),
            json!({ "secret": null, "seed_string": null, "signature": "off" }),
            json!({ "seed_string": null, "signature_scheme": "hmac-body" }),
        ] {
            assert!(signing(&settings).is_ok(), "{settings}");
        }
    }

    /// The same in other words: the seed string is turned left by one for each unit of the number's
    /// cross sum, ten turns being none, and read from its beginning.
    fn seed_by_turning(string: &str, length: usize, phone: &str) -> String {
        let units: String = phone
            .bytes()
            .filter(u8::is_ascii_digit)
            .fold(String::new(), |units, digit| units + &"|".repeat(usize::from(digit - b'0')));
        let mut turned: std::collections::VecDeque<char> = string.chars().collect();
        turned.rotate_left(units.replace("||||||||||", "").len());
        turned.into_iter().take(length).collect()
    }

    proptest! {
        #[test]
        fn the_derived_seed_is_what_another_wording_says(
            string in "[!-~]{29,60}",
            length in 1u8..=20,
            phone in r"\+?[0-9 ()-]{0,20}",
            fingerprint in ".{0,40}",
            password in ".{0,40}",
        ) {
            let signing = signing(&json!({ "seed_string": string, "seed_length": length })).expect("good settings");
            let seed = seed_by_turning(&string, length.into(), &phone);
            let message = format!("{seed}{fingerprint}{phone}{password}");
            let expected = hmac_sha256(b"0123456789abcdef0123456789abcdef", &[message.as_bytes()]);
            let signed = Signed { fingerprint: fingerprint.as_bytes(), phone: &phone, password: &password, body: b"" };
            prop_assert!(signing.admits(Some(HEXLOWER.encode(&expected).as_bytes()), &signed));
            let other = hmac_sha256(b"0123456789abcdef0123456789abcdef", &[b"x", message.as_bytes()]);
            prop_assert!(!signing.admits(Some(HEXLOWER.encode(&other).as_bytes()), &signed));
        }
    }
}
