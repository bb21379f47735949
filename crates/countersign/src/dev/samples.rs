//! One runnable request per wire API: printed at the start, shown by the inbox page.

use std::net::SocketAddr;

use countersign_core::entropy::Entropy;
use countersign_core::time::Timestamp;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// One request that works as it is printed.
struct Example {
    /// Which wire API.
    api: &'static str,
    /// What it does.
    title: &'static str,
    path: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
}

/// What signed requests carry: each is good once, and for ten minutes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    now: Timestamp,
    /// 16 letters and digits.
    random: String,
}

impl Moment {
    /// The present instant with a draw of its own.
    pub fn new(now: Timestamp, entropy: &impl Entropy) -> Self {
        Self { now, random: HEXLOWER.encode(&entropy.seed()[..8]) }
    }

    /// Puts this moment into a body, with the signature of a code of type 3 for the phone of the
    /// vendor's own example, by the user domain of its example.
    fn sign(&self, body: &str) -> String {
        let (random, ts) = (&self.random, self.now.as_millis().to_string());
        let secret = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";
        let signature = HEXLOWER.encode(&Sha256::digest(format!("138001380003{random}{ts}{secret}")));
        body.replace("<random>", random).replace("<ts>", &ts).replace("<signature>", &signature)
    }
}

const JSON: &str = "Content-Type: application/json";
const KEY: &str = "Authorization: Bearer csk_dev_demo_000000000000000000000000000000";

/// In the order of showing; the first one sends a code.
const EXAMPLES: &[Example] = &[
    Example {
        api: "native",
        title: "Send a code",
        path: "/v1/verifications",
        headers: &[KEY, JSON],
        body: r#"{"to": "+12125550123", "purpose": "login"}"#,
    },
    Example {
        api: "native",
        title: "Check it: put in the code from the inbox",
        path: "/v1/verifications/check",
        headers: &[KEY, JSON],
        body: r#"{"to": "+12125550123", "purpose": "login", "code": "123456"}"#,
    },
    Example {
        api: "crypterium",
        title: "Send the code of a sign-up again",
        path: "/v2/mobile/phone/verify/resend",
        headers: &[
            "X-Merchant-ID: bece038f-2e46-49f4-b25e-89cd38d6dc16",
            "X-Fingerprint: 1234444",
            "X-Signature: 4184d627e38a0f0f818bc2d938a6b5c7b1532a80ccf29f3dbef40f49f9472193",
            JSON,
        ],
        body: r#"{"phone": "+447871234567"}"#,
    },
    Example {
        api: "zap",
        title: "Send a code again",
        path: "/v1/otp/resend",
        headers: &["Authorization: Bearer dev-zap-token", JSON],
        body: r#"{"email": "adminuser@zap.com"}"#,
    },
    Example {
        api: "enduserapi",
        title: "Send a code: good once, and for ten minutes",
        path: "/v2/sms/enduserapi/v2/sendPhoneSmsCode",
        headers: &[JSON],
        body: r#"{"codeType": 3, "internationalCode": "86", "phone": "13800138000", "random": "<random>", "ts": <ts>, "userDomain": "C.DM.10271.5", "signature": "<signature>"}"#,
    },
    Example {
        api: "zitadel",
        title: "Make another code and hand it back",
        path: "/v2/users/69629023906488400/phone/resend",
        headers: &["Authorization: Bearer dev-zitadel-service-token", JSON],
        body: r#"{"returnCode": {}}"#,
    },
    Example {
        api: "zitadel",
        title: "Send a person another code, by their own token",
        path: "/auth/v1/users/me/phone/_resend_verification",
        headers: &["Authorization: Bearer dev-zitadel-human-token", JSON],
        body: "{}",
    },
    Example {
        api: "clock",
        title: "Do not wait for a cool-down: push the clock",
        path: "/dev/clock",
        headers: &[JSON],
        body: r#"{"advance_seconds": 61}"#,
    },
];

/// A command line that runs as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Which wire API.
    pub api: &'static str,
    /// What it does.
    pub title: &'static str,
    /// The command, over several lines.
    pub curl: String,
}

/// The commands for an instance that listens on `address`, to be run now.
pub fn commands(address: SocketAddr, moment: &Moment) -> Vec<Command> {
    let command = |example: &Example| {
        let mut lines = vec![format!("curl -sS http://{address}{}", example.path)];
        lines.extend(example.headers.iter().map(|header| format!("-H '{header}'")));
        lines.push(format!("-d '{}'", moment.sign(example.body)));
        Command { api: example.api, title: example.title, curl: lines.join(" \\\n  ") }
    };
    EXAMPLES.iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_one_would_type() {
        let commands = commands(([127, 0, 0, 1], 8025).into(), &moment());
        assert_eq!(
            commands[0].curl,
            "curl -sS http://127.0.0.1:8025/v1/verifications \\\n  \
             -H 'Authorization: Bearer csk_dev_demo_000000000000000000000000000000' \\\n  \
             -H 'Content-Type: application/json' \\\n  \
             -d '{\"to\": \"+12125550123\", \"purpose\": \"login\"}'"
        );
    }

    fn moment() -> Moment {
        Moment { now: Timestamp::from_millis(1_744_773_894_369), random: "76a6L647F02CAoN9".into() }
    }

    #[test]
    fn a_signed_command_has_the_signature_of_the_vendors_example_at_its_time() {
        let commands = commands(([127, 0, 0, 1], 8025).into(), &moment());
        let signed = commands.iter().find(|command| command.api == "enduserapi").unwrap();
        for part in [
            r#""random": "76a6L647F02CAoN9", "ts": 1744773894369"#,
            r#""signature": "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891""#,
        ] {
            assert!(signed.curl.contains(part), "{}", signed.curl);
        }
    }

    #[test]
    fn nothing_in_an_example_ends_the_shells_quotes() {
        for example in EXAMPLES {
            assert!(!example.body.contains('\'') && !example.headers.iter().any(|h| h.contains('\'')));
        }
    }
}
