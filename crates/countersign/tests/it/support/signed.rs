//! Calls of the enduserapi dialect, signed as their page says.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The secret of dev mode's user domain `C.DM.10271.5`: the one in the vendor's own example.
const SECRET: &str = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";

/// The body of a call about a Chinese number: `name` and `value` are what is signed besides the number.
/// `turn` makes requests different, each being good once; `millis` is the service's time.
pub(crate) fn signed(phone: &str, name: &str, value: &str, turn: u64, millis: i64) -> Value {
    let random = format!("{turn:016}");
    let signature = HEXLOWER.encode(&Sha256::digest(format!("{phone}{value}{random}{millis}{SECRET}")));
    let ts = millis.to_string();
    let mut body = json!({"userDomain": "C.DM.10271.5", "internationalCode": "86", "phone": phone,
        "random": random, "ts": ts, "signature": signature});
    body[name] = value.into();
    body
}
