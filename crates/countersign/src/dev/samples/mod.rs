//! Requests to try for every wire API: printed at the start, shown by the pages.
//!
//! A dialect's commands appear when the demo configuration has its section. A dialect that wants
//! requests signed makes the query of each command when it is drawn ([`Example::query`]).

mod enduserapi;

use std::net::SocketAddr;

use countersign_core::entropy::Seed;
use countersign_core::time::Timestamp;

use super::demo;

/// A wire API and its commands.
struct Api {
    /// The dialect's name; also `native`, and `clock` for dev mode's own.
    name: &'static str,
    /// What it is.
    about: &'static str,
    examples: &'static [Example],
}

/// One request that works as it is printed.
struct Example {
    /// What it does.
    title: &'static str,
    path: &'static str,
    /// What is signed at the moment of drawing; `None` for a request without a query.
    query: Option<fn(&Moment) -> String>,
    headers: &'static [&'static str],
    /// `None` for a `POST` without a body.
    body: Option<&'static str>,
}

const JSON: &str = "Content-Type: application/json";
const KEY: &str = "Authorization: Bearer csk_dev_demo_000000000000000000000000000000";

/// In the order of showing; the first example sends a code.
const APIS: &[Api] = &[
    Api {
        name: "native",
        about: "Countersign's own API.",
        examples: &[
            Example {
                title: "Send a code",
                path: "/v1/verifications",
                query: None,
                headers: &[KEY, JSON],
                body: Some(r#"{"to": "+12125550123", "purpose": "login"}"#),
            },
            Example {
                title: "Check it: put in the code from the inbox",
                path: "/v1/verifications/check",
                query: None,
                headers: &[KEY, JSON],
                body: Some(r#"{"to": "+12125550123", "purpose": "login", "code": "123456"}"#),
            },
        ],
    },
    Api {
        name: "crypterium",
        about: "The Vault mobile API of Crypterium and Choise.",
        examples: &[Example {
            title: "Send the code of a sign-up again",
            path: "/v2/mobile/phone/verify/resend",
            query: None,
            headers: &[
                "X-Merchant-ID: bece038f-2e46-49f4-b25e-89cd38d6dc16",
                "X-Fingerprint: 1234444",
                // Over the number and the fingerprint: good for ever.
                "X-Signature: 4184d627e38a0f0f818bc2d938a6b5c7b1532a80ccf29f3dbef40f49f9472193",
                JSON,
            ],
            body: Some(r#"{"phone": "+447871234567"}"#),
        }],
    },
    Api {
        name: "enduserapi",
        about: "The end-user API of Quectel and Acceleronix.",
        examples: &[Example {
            title: "Send a code; signed just now, good once and for ten minutes",
            path: "/v2/sms/enduserapi/v2/sendPhoneSmsCode",
            query: Some(enduserapi::send_phone_sms_code),
            headers: &[JSON],
            body: None,
        }],
    },
    Api {
        name: "zitadel",
        about: "ZITADEL's calls about the phones and mailboxes of users.",
        examples: &[
            Example {
                title: "Make another code and hand it back",
                path: "/v2/users/69629023906488400/phone/resend",
                query: None,
                headers: &["Authorization: Bearer dev-zitadel-service-token", JSON],
                body: Some(r#"{"returnCode": {}}"#),
            },
            Example {
                title: "Send a person another code, by their own token",
                path: "/auth/v1/users/me/phone/_resend_verification",
                query: None,
                headers: &["Authorization: Bearer dev-zitadel-human-token", JSON],
                body: Some("{}"),
            },
        ],
    },
    Api {
        name: "zap",
        about: "ZAP one-time passwords.",
        examples: &[Example {
            title: "Send a code again",
            path: "/v1/otp/resend",
            query: None,
            headers: &["Authorization: Bearer dev-zap-token", JSON],
            body: Some(r#"{"email": "adminuser@zap.com"}"#),
        }],
    },
    Api {
        name: "clock",
        about: "Dev mode's clock, which cool-downs, expiries and limits follow.",
        examples: &[Example {
            title: "Do not wait for a cool-down: push the clock",
            path: "/dev/clock",
            query: None,
            headers: &[JSON],
            body: Some(r#"{"advance_seconds": 61}"#),
        }],
    },
];

/// What a command is drawn with.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The service's present instant.
    pub now: Timestamp,
    /// 32 fresh random bytes.
    pub seed: Seed,
}

/// A command line that runs as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Which wire API.
    pub api: &'static str,
    /// What that API is.
    pub about: &'static str,
    /// What it does.
    pub title: &'static str,
    /// The command, over several lines.
    pub curl: String,
}

/// The commands for an instance that listens on `address`, signed at `moment`.
pub fn commands(address: SocketAddr, moment: &Moment) -> Vec<Command> {
    let of_api = |api: &'static Api| {
        let Api { name, about, examples } = api;
        let command = move |example: &Example| Command {
            api: name,
            about,
            title: example.title,
            curl: curl(example, address, moment),
        };
        examples.iter().map(command)
    };
    APIS.iter().filter(|api| is_served(api.name)).flat_map(of_api).collect()
}

/// Whether the demo configuration has it. What is no dialect is always there.
fn is_served(api: &str) -> bool {
    matches!(api, "native" | "clock") || demo::dialects().contains(api)
}

fn curl(example: &Example, address: SocketAddr, moment: &Moment) -> String {
    let url = format!("http://{address}{}", example.path);
    let url = match example.query {
        Some(query) => format!("'{url}?{}'", query(moment)),
        None => url,
    };
    let mut lines = vec![format!("curl -sS {url}")];
    lines.extend(example.headers.iter().map(|header| format!("-H '{header}'")));
    lines.push(example.body.map_or_else(|| "-X POST".to_owned(), |body| format!("-d '{body}'")));
    lines.join(" \\\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment =
        Moment { now: Timestamp::from_millis(1_795_161_600_000), seed: Seed::new([7; 32]) };

    #[test]
    fn a_command_is_what_one_would_type() {
        let commands = commands(([127, 0, 0, 1], 8025).into(), &MOMENT);
        assert_eq!(
            commands[0].curl,
            "curl -sS http://127.0.0.1:8025/v1/verifications \\\n  \
             -H 'Authorization: Bearer csk_dev_demo_000000000000000000000000000000' \\\n  \
             -H 'Content-Type: application/json' \\\n  \
             -d '{\"to\": \"+12125550123\", \"purpose\": \"login\"}'"
        );
    }

    #[test]
    fn every_dialect_that_is_served_has_a_command() {
        let commands = commands(([127, 0, 0, 1], 8025).into(), &MOMENT);
        for dialect in demo::dialects() {
            assert!(commands.iter().any(|command| command.api == dialect), "{dialect}");
        }
    }

    #[test]
    fn nothing_in_an_example_ends_the_shells_quotes() {
        for example in APIS.iter().flat_map(|api| api.examples) {
            let query = example.query.map(|query| query(&MOMENT));
            let texts = example.headers.iter().copied().chain(example.body).chain(query.as_deref());
            assert!(!texts.collect::<String>().contains('\''), "{}", example.title);
        }
    }
}
