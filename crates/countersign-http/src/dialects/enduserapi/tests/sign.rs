//! How clients sign, written down once more from the documentation.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Name and value of each parameter.
pub(super) type Pairs = BTreeMap<String, String>;

/// Reads `a=1&b=2`, percent-encoding of `+`, `@` and `=` included.
pub(super) fn pairs(text: &str) -> Pairs {
    let plain = |text: &str| text.replace("%2B", "+").replace("%40", "@").replace("%3D", "=");
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), plain(value)));
    text.split('&').filter_map(pair).collect()
}

/// The vendor's scheme.
pub(super) fn sha256(call: &str, pairs: &Pairs, secret: &str) -> String {
    let names: &[&str] = match call {
        "sendPhoneSmsCode" => &["phone", "codeType", "random", "ts"],
        "validateSmsCode" => &["phone", "smsCode", "random", "ts"],
        "phoneSmsCodeLogin" => &["internationalCode", "phone", "smsCode", "random"],
        "sendEmail" => &["email", "emailType", "random", "ts"],
        "validateEmailCode" => &["email", "code", "random", "ts"],
        other => panic!("{other} is not signed"),
    };
    let values: String = names.iter().filter_map(|name| pairs.get(*name)).map(String::as_str).collect();
    HEXLOWER.encode(&Sha256::digest(values + secret))
}

/// Ours: the call's name and every value, each with its length before it.
pub(super) fn hmac_fields(call: &str, pairs: &Pairs, secret: &str) -> String {
    let names: &[&str] = match call {
        "sendPhoneSmsCode" => &["userDomain", "internationalCode", "phone", "codeType", "random", "ts"],
        "validateSmsCode" => {
            &["userDomain", "internationalCode", "phone", "codeType", "smsCode", "isDisabled", "random", "ts"]
        }
        "phoneSmsCodeLogin" => &["userDomain", "internationalCode", "phone", "smsCode", "random"],
        "sendEmail" => &["userDomain", "email", "emailType", "random", "ts"],
        "validateEmailCode" => &["userDomain", "email", "code", "isDisabled", "random", "ts"],
        other => panic!("{other} is not signed"),
    };
    let value = |name: &&str| pairs.get(*name).cloned().unwrap_or_default();
    let fields = std::iter::once(call.to_owned()).chain(names.iter().map(value));
    let text = fields.map(|field| format!("{}:{field}", field.len())).collect::<Vec<_>>().concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes())
}
