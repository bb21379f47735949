//! A thousand known codes and a thousand known recipients through every path, with the log at its most
//! talkative; then none of them is in the log, the metrics, the answers that have no business with
//! them, the store, its write-ahead log, or a backup. Nor is any key.

mod dialects;
mod drive;
mod needles;

use std::fs;
use std::net::SocketAddr;

use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use crate::support::{Installation, Webhook};
use drive::Said;
use needles::Needles;

const CANARIES: usize = 1000;
/// Half of the recipients belong to a tenant whose drawn codes have ten letters and digits, which do
/// not turn up by chance; the others' have six digits, as usual.
const KEYS: [&str; 2] = ["csk_canary_letters_2vhq7yd4", "csk_canary_digits_9bnk3xwf"];
const ZAP_TOKEN: &str = "zap-canary-token-6tzr8mpc";
/// The merchants of crypterium, for each tenant; no secret.
const MERCHANTS: [&str; 2] = ["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"];
const USER_DOMAIN_SECRETS: [&str; 2] =
    ["enduserapi-canary-secret-letters-8xkq2mzt", "enduserapi-canary-secret-digits-1wpc7rvn"];
const ZITADEL_TOKENS: [&str; 2] = ["zitadel-canary-token-letters-3hjb", "zitadel-canary-token-digits-0yfu"];
const HOOK_KEY: &str = "hook-canary-key-5jgw1sle";
const HOOK_PATH: &str = "path-canary-token-4fkd0uxa";
/// Stands in the store in clear, to show that the search finds what is there.
const PURPOSE: &str = "visible-purpose";

/// Somebody whose traces are looked for.
struct Canary {
    number: usize,
    to: String,
    /// A code that the tenant brings.
    own: String,
    /// A wrong guess: it may be a slip of the right code.
    guess: String,
    /// What the tenant notes, and what it binds the code to.
    note: String,
}

impl Canary {
    fn new(number: usize, chance: &mut StdRng) -> Self {
        let mut word = |length: usize| -> String {
            let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
            (0..length).map(|_| char::from(letters[chance.random_range(0..letters.len())])).collect()
        };
        let to = if number < CANARIES / 2 {
            format!("+44770090{number:04}")
        } else {
            format!("{}@mail.example", word(12))
        };
        Self { number, to, own: word(10), guess: word(10), note: word(16) }
    }

    /// Which tenant it belongs to.
    fn tenant(&self) -> usize {
        self.number % 2
    }

    /// A number, if only one of its own beside a mailbox.
    fn phone(&self) -> String {
        if self.to.contains('@') { format!("+4477011{:05}", self.number) } else { self.to.clone() }
    }

    /// How it is recognised: a number without its country code, a mailbox without its domain.
    fn recognised(&self) -> &str {
        self.to.strip_prefix("+44").unwrap_or_else(|| self.to.split('@').next().unwrap())
    }
}

fn installation(webhook: &Webhook) -> Installation {
    let installation = Installation::new("");
    let hashes = KEYS.map(|key| HEXLOWER.encode(&Sha256::digest(key)));
    installation.configure(&format!(
        r#"
        server.listen = "127.0.0.1:0"
        server.drain_seconds = 0
        server.metrics_beside_api = true
        log.filter = "trace"
        keys.file = "keys"

        [[providers]]
        kind = "webhook"
        name = "hook"
        url = "http://{}/{HOOK_PATH}"
        signing_keys = ["{HOOK_KEY}"]
        channels = ["sms", "email"]

        [[tenants]]
        id = "letters"
        brand = "Letters"
        api_keys = [{{ name = "k", sha256 = "{}", scopes = ["verify", "read-code", "admin"] }}]
        [tenants.policy]
        code_alphabet = "alphanumeric"
        code_length = 10
        cool_downs_seconds = [0]
        allow_custom_codes = true

        [[tenants]]
        id = "digits"
        brand = "Digits"
        policy.allow_custom_codes = true
        api_keys = [{{ name = "k", sha256 = "{}", scopes = ["verify", "read-code", "admin"] }}]

        [dialects.zap]
        tokens = [{{ tenant = "letters", token = "{ZAP_TOKEN}" }}]
        "#,
        webhook.address(),
        hashes[0],
        hashes[1],
    ));
    for (n, tenant) in ["letters", "digits"].into_iter().enumerate() {
        installation.configure_more(&format!(
            r#"
            [[dialects.crypterium.merchants]]
            id = "{}"
            tenant = "{tenant}"
            signature = "off"

            [[dialects.enduserapi.user_domains]]
            user_domain = "domain-{n}"
            tenant = "{tenant}"
            secret = "{}"
            countries = ["44"]

            [[dialects.zitadel.tokens]]
            tenant = "{tenant}"
            organization = "{}"
            user = "service"
            role = "org_owner"
            token = "{}"
            "#,
            MERCHANTS[n],
            USER_DOMAIN_SECRETS[n],
            100 + n,
            ZITADEL_TOKENS[n],
        ));
    }
    installation
}

/// The keys in every form they have in their file and in memory.
fn key_file(text: &str) -> Vec<Vec<u8>> {
    let written = text.split('"').filter_map(|piece| Some((piece, BASE64.decode(piece.as_bytes()).ok()?)));
    let keys: Vec<_> = written.filter(|(_, key)| key.len() == 32).collect();
    assert!(keys.len() >= 4, "the key file was read");
    keys.into_iter().flat_map(|(text, key)| [text.as_bytes().to_vec(), key]).collect()
}

/// Everything in the installation's folder but what the operator put there, in one piece.
fn files(installation: &Installation) -> Vec<u8> {
    let folder = fs::read_dir(installation.path(".")).unwrap().map(|entry| entry.unwrap().path());
    let stored = folder.filter(|path| !path.ends_with("keys") && !path.ends_with("c.toml"));
    stored.flat_map(|path| [fs::read(path).unwrap(), b"\n".to_vec()].concat()).collect()
}

/// Sends these canaries on their ways, over several connections at a time.
fn drive_all(address: SocketAddr, webhook: &Webhook, canaries: &[Canary]) -> Vec<Said> {
    let share = |share: &[Canary]| -> Vec<Said> {
        share.iter().flat_map(|canary| drive::drive(address, webhook, canary)).collect()
    };
    std::thread::scope(|scope| {
        let shares = canaries.chunks(canaries.len().div_ceil(4));
        let threads: Vec<_> = shares.map(|own| scope.spawn(move || share(own))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("every path was taken")).collect()
    })
}

/// What is around the first place of a text in another one.
fn around(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap_or(0);
    String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..text.len().min(at + 200)]).into_owned()
}

/// Shows: I9, N11, A18, O10, P1, P30.
#[test]
fn no_code_no_recipient_and_no_key_leaves_a_trace() {
    let webhook = Webhook::start();
    let installation = installation(&webhook);
    let mut chance = StdRng::seed_from_u64(1000);
    let canaries: Vec<_> = (0..CANARIES).map(|number| Canary::new(number, &mut chance)).collect();

    let server = installation.serve();
    let (first, second) = canaries.split_at(CANARIES / 2);
    let mut said = drive_all(server.address(), &webhook, first);
    let running = files(&installation);
    said.extend(drive_all(server.address(), &webhook, second));
    let copy = installation.path("copy.db");
    assert!(installation.run(&["backup"], &[copy.to_str().unwrap()]).status.success());
    let everything = files(&installation);
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("countersign_http_requests_total"), "{metrics}");
    let log = server.stop_and_tell();
    let stopped = files(&installation);

    // What must not be found.
    let [mut codes, mut recipients, mut secrets] = std::array::from_fn(|_| Needles::new());
    let fill =
        |needles: &mut Needles, texts: &mut dyn Iterator<Item = &str>| texts.for_each(|t| needles.add(t));
    let returned: Vec<&str> = said.iter().filter_map(|said| said.returned.as_deref()).collect();
    let sent = webhook.codes();
    fill(&mut codes, &mut canaries.iter().flat_map(|c| [&*c.own, &*c.guess]));
    fill(&mut codes, &mut sent.iter().map(String::as_str).chain(returned));
    fill(&mut recipients, &mut canaries.iter().map(Canary::recognised));
    let numbers: Vec<_> = canaries.iter().map(Canary::phone).collect();
    fill(&mut recipients, &mut numbers.iter().filter_map(|number| number.strip_prefix("+44")));
    let lower: Vec<_> = canaries.iter().map(|c| c.recognised().to_lowercase()).collect();
    fill(&mut recipients, &mut lower.iter().map(String::as_str));
    let notes = canaries.iter().map(|c| &*c.note);
    let tokens = KEYS.into_iter().chain(USER_DOMAIN_SECRETS).chain(ZITADEL_TOKENS);
    fill(&mut secrets, &mut tokens.chain([ZAP_TOKEN, HOOK_KEY, HOOK_PATH]).chain(notes));
    for key in key_file(&fs::read_to_string(installation.path("keys")).unwrap()) {
        secrets.add_bytes(&key);
    }
    assert!(codes.len() > 2 * CANARIES && recipients.len() > CANARIES, "there is something to look for");
    let all = [&codes, &recipients, &secrets];

    // The same search finds what is there: in each place, something that belongs there.
    let mut control = Needles::new();
    control.add(PURPOSE);
    for store in [&running, &everything, &stopped, &fs::read(&copy).unwrap()] {
        assert_eq!(control.in_bytes(store).len(), 1, "the store was not where it was looked for");
    }
    let request = said.iter().rev().find_map(|said| said.answer.header("x-request-id")).unwrap();
    assert!(log.contains(request) && log.contains("TRACE"));
    for route in
        ["/v1/verifications/{id}/check", "sendPhoneSmsCode", "/v2/mobile/phone/confirm", "/v2/users/"]
    {
        assert!(metrics.contains(route), "nothing came to {route}");
    }
    let planted = format!("{log} to={} code={} key={}", canaries[7].to, canaries[7].own, KEYS[0]);
    for needles in all {
        let found: Vec<_> = needles.in_text(&planted).into_iter().collect();
        let where_it_is = found.iter().map(|needle| around(&planted, needle));
        assert_eq!(found.len(), 1, "{:#?}", where_it_is.collect::<Vec<_>>());
    }

    for needles in all {
        let none = std::collections::BTreeSet::new();
        assert_eq!(needles.in_text(&log), none, "in the log");
        assert_eq!(needles.in_text(&metrics), none, "in the metrics");
        for (name, store) in [("running", &running), ("with a backup", &everything), ("stopped", &stopped)] {
            assert_eq!(needles.in_bytes(store), none, "in the store: {name}");
        }
    }
    for said in &said {
        let text = said.text();
        assert!(said.returned.is_some() || codes.in_text(&text).is_empty(), "a code in {text}");
        // Whoever is answered with a resource asked about this recipient, with a key that may.
        assert!(said.answer.status < 300 || recipients.in_text(&text).is_empty(), "a recipient in {text}");
    }
    println!("{} calls, {} messages, {} MB of log", said.len(), sent.len(), log.len() / 1_000_000);
}
