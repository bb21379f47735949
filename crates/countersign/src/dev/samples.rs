//! One runnable request per wire API: printed at the start, shown by the inbox page.

use std::net::SocketAddr;

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

/// The commands for an instance that listens on `address`.
pub fn commands(address: SocketAddr) -> Vec<Command> {
    let command = |example: &Example| {
        let mut lines = vec![format!("curl -sS http://{address}{}", example.path)];
        lines.extend(example.headers.iter().map(|header| format!("-H '{header}'")));
        lines.push(format!("-d '{}'", example.body));
        Command { api: example.api, title: example.title, curl: lines.join(" \\\n  ") }
    };
    EXAMPLES.iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_one_would_type() {
        let commands = commands(([127, 0, 0, 1], 8025).into());
        assert_eq!(
            commands[0].curl,
            "curl -sS http://127.0.0.1:8025/v1/verifications \\\n  \
             -H 'Authorization: Bearer csk_dev_demo_000000000000000000000000000000' \\\n  \
             -H 'Content-Type: application/json' \\\n  \
             -d '{\"to\": \"+12125550123\", \"purpose\": \"login\"}'"
        );
    }

    #[test]
    fn nothing_in_an_example_ends_the_shells_quotes() {
        for example in EXAMPLES {
            assert!(!example.body.contains('\'') && !example.headers.iter().any(|h| h.contains('\'')));
        }
    }
}
