#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use countersign_core::policy::{FailureBudget, Policy, ResendCode};
use countersign_core::rate::Rate;

use super::Config;

const KEYS: &str = "[keys]\nfile = 'keys'\n";

fn no_env(_: &str) -> Option<String> {
    None
}

/// Reads a file whose first two lines name the keys.
fn read(rest: &str) -> Result<Config, String> {
    Config::parse("c.toml", &format!("{KEYS}{rest}"), Path::new(""), &no_env).map_err(|e| e.to_string())
}

fn tenant(rest: &str) -> Result<Config, String> {
    read(&format!("[[tenants]]\nid = 'acme'\nbrand = 'Acme'\n{rest}"))
}

fn policy(rest: &str) -> Result<Policy, String> {
    tenant(&format!("[tenants.policy]\n{rest}")).map(|mut c| c.service.tenants.remove(0).policy)
}

#[test]
fn a_tenant_that_says_nothing_has_the_default_policy() {
    assert_eq!(policy("").unwrap(), Policy::default());
    let config = tenant("").unwrap();
    assert_eq!(config.service.tenants[0].locale.as_str(), "en");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8025");
    assert_eq!(config.server.drain, Duration::from_secs(5));
}

#[test]
fn a_policy_says_what_differs() {
    let policy = policy(
        "code_length = 8\nwindow_seconds = 300\ncool_downs_seconds = [60]\nresend_code = 'new'\n\
         allowed_regions = ['se', 'NO']\n\
         limits = { starts_per_hour = 3, client_starts_per_hour = 7, client_limit = 'enforce', tenant_spend_per_day = 12.5 }\n\
         test_numbers = { ranges = ['+15005550006'], code = '123456' }\n",
    )
    .unwrap();
    assert_eq!((policy.terms.code.length, policy.terms.resend_code), (8, ResendCode::New));
    assert_eq!(policy.terms.code_life, Duration::from_secs(300), "as long as the window");
    assert_eq!(policy.allowed_regions, ["SE", "NO"]);
    assert_eq!(policy.caps.recipient.starts_per_hour, 3);
    assert_eq!((policy.caps.client_starts_per_hour, policy.caps.client_limit_refuses), (7, true));
    assert_eq!(policy.caps.tenant_spend_per_day_micros, Some(12_500_000));
    assert_eq!(policy.test_numbers.ranges, [(15_005_550_006, 15_005_550_006)]);
}

#[test]
fn a_wrong_setting_is_named_with_its_line_and_column() {
    let wrong = |rest: &str| policy(rest).unwrap_err();
    assert_eq!(wrong("max_checks = 11"), "c.toml:7:14: tenants[0].policy.max_checks: must be from 1 to 10");
    assert_eq!(
        wrong("\ncode_length = 4"),
        "c.toml:8:15: tenants[0].policy.code_length: fewer than 6 characters are guessed too easily (NIST SP \
         800-63B-4, section 3.1.3.2); `allow_short_codes = true` permits it all the same"
    );
    assert!(
        wrong("window_seconds = 601").starts_with("c.toml:7:18: tenants[0].policy.window_seconds: must be")
    );
    let life = wrong("window_seconds = 60\ncode_life_seconds = 61");
    assert!(life.starts_with("c.toml:8:21: tenants[0].policy.code_life_seconds: no code outlives"), "{life}");
    let unknown = wrong("max_check = 5");
    assert!(
        unknown.starts_with("c.toml:7:1: tenants[0].policy.max_check: unknown field `max_check`"),
        "{unknown}"
    );
    let hold = wrong("limits.hold_after = 101");
    assert!(hold.starts_with("c.toml:7:21: tenants[0].policy.limits.hold_after: "), "{hold}");
}

#[test]
fn every_problem_of_the_file_is_named_at_once() {
    let error = read(
        "[[tenants]]\nid = 'a'\nbrand = ''\npolicy.code_length = 5\n[[tenants]]\nid = 'a'\nbrand = 'A'\n",
    )
    .unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[2].ends_with("tenants[1].id: there is another tenant a"), "{error}");
}

/// Shows: O4.
#[test]
fn o4_a_tenants_rate_is_unlimited_unless_set() {
    let rate = |rest: &str| tenant(rest).map(|c| c.service.tenants[0].rate);
    assert_eq!(rate(""), Ok(None));
    assert_eq!(rate("requests_per_second = 50"), Ok(Some(Rate { per_second: 50, burst: 50 })));
    let both = "requests_per_second = 50\nrequests_burst = 200";
    assert_eq!(rate(both), Ok(Some(Rate { per_second: 50, burst: 200 })));
    assert!(rate("requests_per_second = 0").unwrap_err().contains("must be from 1 to 1000000"));
    assert!(rate("requests_burst = 2").unwrap_err().contains("beside requests_per_second only"));
}

/// Shows: N1.
#[test]
fn short_codes_need_an_explicit_permission() {
    assert_eq!(policy("code_length = 4\nallow_short_codes = true").unwrap().terms.code.length, 4);
    assert!(policy("code_length_fixed = true").unwrap().terms.fixed_length);
    assert!(policy("test_numbers.code = '1234'").is_err());
    assert!(policy("test_numbers.code = '1234'\nallow_short_codes = true").is_ok());
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line() {
    let error = read("[server\n").unwrap_err();
    assert!(error.starts_with("c.toml:3:"), "{error}");
}

#[test]
fn a_text_may_stand_in_the_environment_or_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand"), "Filed\n").unwrap();
    let env = |name: &str| (name == "BRAND").then(|| "Environmental".to_owned());
    let read = |brand: &str| {
        let text = format!("{KEYS}[[tenants]]\nid = 'a'\nbrand = '{brand}'\n");
        Config::parse("c.toml", &text, folder.path(), &env).map_err(|e| e.to_string())
    };
    assert_eq!(read("env:BRAND").unwrap().service.tenants[0].brand, "Environmental");
    assert_eq!(read("file:brand").unwrap().service.tenants[0].brand, "Filed");
    assert_eq!(
        read("env:BRANT").unwrap_err(),
        "c.toml:5:9: tenants[0].brand: the environment variable BRANT is not set"
    );
    assert!(
        read("file:brant").unwrap_err().starts_with("c.toml:5:9: tenants[0].brand: the file brant cannot")
    );
}

#[test]
fn keys_come_from_exactly_one_place() {
    let with = |text: &str, env: super::Env<'_>| {
        Config::parse("c.toml", text, Path::new(""), env).map_err(|e| e.to_string())
    };
    let set = |name: &str| (name == "COUNTERSIGN_KEYS").then(|| "index = …".to_owned());
    assert!(with("", &set).is_ok());
    assert!(with("", &no_env).unwrap_err().starts_with("c.toml: keys.file: is needed"));
    assert!(with(KEYS, &set).unwrap_err().starts_with("c.toml:2:8: keys.file: the environment variable"));
}

#[test]
fn an_api_key_belongs_to_one_tenant_and_a_third_one_is_remarked_on() {
    let key = |n: u8| {
        format!(
            "[[tenants.api_keys]]\nname = 'k{n}'\nsha256 = '{}'\nscopes = ['verify', 'read-code']\n",
            format!("{n:02x}").repeat(32)
        )
    };
    let config = tenant(&[key(1), key(2)].concat()).unwrap();
    assert!(config.service.api_keys.len() == 2 && !config.warnings.iter().any(|w| w.contains("API keys")));
    let config = tenant(&[key(1), key(2), key(3)].concat()).unwrap();
    assert!(config.warnings.iter().any(|w| w.contains("has 3 API keys")));
    let twice = tenant(&[key(1), key(1)].concat()).unwrap_err();
    assert!(twice.starts_with("c.toml:12:10: tenants[0].api_keys[1].sha256: another key"), "{twice}");
}

#[test]
fn postgres_is_answered_plainly() {
    let error = read("[storage]\nurl = 'postgres://u:secret@db/x'\n").unwrap_err();
    assert_eq!(error, "c.toml:4:7: storage.url: PostgreSQL is not in this version; use sqlite:PATH");
}

/// The settings of a webhook that works.
const WEBHOOK: &str = "kind = 'webhook'\nurl = 'https://sms.example/'\nsigning_keys = ['0123456789abcdef']\n";

fn provider(rest: &str) -> Result<Config, String> {
    read(&format!("[[providers]]\n{rest}"))
}

#[test]
fn providers_keep_their_order_and_have_a_price() {
    let text = format!("{WEBHOOK}name = 'b'\nprice = 0.05\n[[providers]]\n{WEBHOOK}name = 'a'\n");
    let config = provider(&text).unwrap();
    let list: Vec<_> = config.service.providers.iter().map(|p| (p.name.as_str(), p.price_micros)).collect();
    assert_eq!(list, [("b", 50_000), ("a", 0)]);
}

#[test]
fn a_wrong_provider_is_named_with_its_line() {
    let wrong = |text: &str| provider(text).unwrap_err();
    assert_eq!(
        wrong("kind = 'pigeon'\nname = 'p'"),
        "c.toml:4:8: providers[0].kind: there is no such kind of provider; there is: webhook"
    );
    assert!(wrong("name = 'p'").starts_with("c.toml:3:1: providers[0]: missing field `kind`"));
    assert!(
        wrong("kind = 'inbox'\nname = 'p'").starts_with("c.toml:4:8: providers[0].kind: the inbox shows")
    );
    assert!(
        wrong("kind = 'inbox'\nname = 'p'\nx = 1").starts_with("c.toml:6:1: providers[0].x: unknown field")
    );
    assert!(read("providers = 1").is_err() && read("providers = [1]").is_err());
    let short = wrong("kind = 'webhook'\nname = 'p'\nurl = 'x'\nsigning_keys = ['tooshort']");
    assert!(short.starts_with("c.toml:7:16: providers[0].signing_keys[0]: a signing key"), "{short}");
    assert!(!short.contains("tooshort"), "no message shows a secret");
}

#[test]
fn routes_name_providers_that_exist() {
    let config = |routes: &str| {
        read(&format!(
            "[[tenants]]\nid = 'a'\nbrand = 'A'\nroutes = ['{routes}']\n[[providers]]\nname = 'p'\n{WEBHOOK}"
        ))
    };
    assert_eq!(config("p").unwrap().service.routes.len(), 1);
    assert_eq!(config("q").unwrap_err(), "c.toml:6:11: tenants[0].routes: there is no provider q");
}

/// The example file as it stands, and with every optional setting switched on.
fn example() -> (String, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../countersign.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let switched: Vec<&str> =
        text.lines().map(|line| if setting(line) { &line[1..] } else { line }).collect();
    (switched.join("\n"), text)
}

#[test]
fn the_example_is_in_order_as_it_stands_and_with_every_optional_setting() {
    let env = |name: &str| (name != "COUNTERSIGN_KEYS").then(|| "0123456789abcdef".to_owned());
    let (switched, as_it_stands) = example();
    for text in [as_it_stands, switched] {
        let read = Config::parse("countersign.example.toml", &text, Path::new(""), &env);
        let config = read.unwrap_or_else(|error| panic!("{error}"));
        // The fixed code of test numbers is there to be warned of.
        assert!(
            config.warnings.iter().all(|warning| warning.contains("fixed code")),
            "{:?}",
            config.warnings
        );
    }
}

#[test]
fn the_example_shows_the_defaults() {
    let env = |_: &str| None;
    let (switched, _) = example();
    // What is marked as an example is none.
    let mut defaults = String::new();
    for block in switched.split("\n\n") {
        if !block.contains("(example)")
            && !block.contains("[[providers]]")
            && !block.contains("kind = \"webhook\"")
        {
            defaults.push_str(block);
            defaults.push_str("\n\n");
        }
    }
    let tenants = defaults.find("\n[[tenants]]\n").unwrap();
    let keys = defaults.find("\n[[tenants.api_keys]]\n").unwrap();
    let text = format!("{KEYS}{}", &defaults[tenants..keys]);
    let config =
        Config::parse("c.toml", &text, Path::new(""), &env).unwrap_or_else(|error| panic!("{error}"));
    let named = Policy { own_cool_downs: true, ..Policy::default() };
    assert_eq!(config.service.tenants[0].policy, named);
}

#[test]
fn the_example_names_every_setting_there_is() {
    let mut known = super::settings::of::<super::Sections>();
    // Refused with a sentence that names what took its place.
    assert!(known.remove("tenants.policy.limits.tenant_failed_checks_per_day"));
    known.extend(super::provider::settings().iter().map(|setting| format!("providers.{setting}")));
    let (switched, _) = example();
    let document = toml::from_str::<toml::Table>(&switched).unwrap();
    let mut named = std::collections::BTreeSet::new();
    paths(&toml::Value::Table(document), "", &mut named);
    let missing: Vec<_> = known.iter().filter(|setting| !is_named(setting, &named)).collect();
    assert!(missing.is_empty(), "countersign.example.toml does not name {missing:?}");
    for setting in
        ["server.listen", "tenants.policy.limits.hold_after", "providers.signing_keys", "dialects.zap"]
    {
        assert!(known.contains(setting), "the list of settings has holes: {setting}");
    }
}

/// A map's keys are the operator's own: any one will do.
fn is_named(setting: &str, named: &std::collections::BTreeSet<String>) -> bool {
    let wanted: Vec<&str> = setting.split('.').collect();
    named.iter().any(|name| {
        let have: Vec<&str> = name.split('.').collect();
        have.len() == wanted.len() && have.iter().zip(&wanted).all(|(h, w)| *w == "*" || h == w)
    })
}

fn paths(value: &toml::Value, path: &str, out: &mut std::collections::BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                out.insert(path.clone());
                paths(value, &path, out);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| paths(item, path, out)),
        _ => {}
    }
}

#[test]
fn a_template_that_cannot_be_is_named_with_its_line() {
    let one = |rest: &str| {
        read(&format!(
            "[[tenants]]\nid = 'a'\nbrand = 'A'\n[[templates]]\nlocale = 'en'\nchannel = 'sms'\n{rest}"
        ))
        .unwrap_err()
    };
    let no_code = one("text = 'Hello'");
    assert!(
        no_code.starts_with("c.toml:8:11: templates[0]: {code} must stand in the text once"),
        "{no_code}"
    );
    assert!(one("").contains("templates[0]: needs either `text`, or `texts`"));
    assert!(
        one("text = '{code}'\ntenant = 'b'")
            .starts_with("c.toml:10:10: templates[0].tenant: there is no tenant b")
    );
    let twice = one("text = '{code}'\n[[templates]]\nlocale = 'en'\nchannel = 'sms'\ntext = '{code} '");
    assert!(twice.starts_with("c.toml:12:11: templates[1]: there are two of them"), "{twice}");
}

#[test]
fn a_text_message_of_two_segments_is_remarked_on() {
    let text = format!(
        "[[tenants]]\nid = 'a'\nbrand = 'A'\n[[templates]]\nlocale = 'ru'\nchannel = 'sms'\ntext = '{{code}} {}'\n",
        "ж".repeat(70)
    );
    let config = read(&text).unwrap();
    assert!(
        config.warnings.iter().any(|w| w.contains("more than one segment in: ru")),
        "{:?}",
        config.warnings
    );
}

/// Shows: F25.
#[test]
fn f25_a_secret_of_the_wrong_type_is_named_with_its_line_and_not_shown() {
    let webhook = "[[providers]]\nkind = 'webhook'\nname = 'p'\nurl = 'https://a.example/'\n";
    let zap = "[[tenants]]\nid = 'a'\nbrand = 'A'\n[[dialects.zap.tokens]]\ntenant = 'a'\n";
    let crypterium = "[[tenants]]\nid = 'a'\nbrand = 'A'\n[[dialects.crypterium.merchants]]\ntenant = 'a'\n\
                      id = 'bece038f-2e46-49f4-b25e-89cd38d6dc16'\n";
    for (before, setting, line) in [
        (webhook, "signing_keys", 7),
        (zap, "token", 8),
        (crypterium, "secret", 9),
        ("[[tenants]]\nid = 'a'\nbrand = 'A'\n", "policy.test_numbers.code", 6),
    ] {
        for secret in ["8675309", "86753.09", "[8675309]", "{ p8675309 = 8675309 }", "['8675309', 8675309]"] {
            let error = read(&format!("{before}{setting} = {secret}\n")).unwrap_err();
            let inner = setting.rsplit('.').next().unwrap();
            assert!(error.starts_with(&format!("c.toml:{line}:")) && error.contains(inner), "{error}");
            assert!(!error.contains("8675309") && !error.contains("86753.09"), "{error}");
        }
        // Without quotes it is no TOML at all.
        let error = read(&format!("{before}{setting} = hunter2\n")).unwrap_err();
        assert!(error.starts_with(&format!("c.toml:{line}:")) && !error.contains("hunter2"), "{error}");
    }
    // Also what the environment holds.
    let env = |name: &str| (name == "TOKENS").then(|| "from-the-environment".to_owned());
    let text = format!("{KEYS}dialects.zap.tokens = 'env:TOKENS'\n");
    let error = Config::parse("c.toml", &text, Path::new(""), &env).unwrap_err().to_string();
    assert!(error.starts_with("c.toml:3:") && !error.contains("from-the-environment"), "{error}");
}

/// Shows: F26.
#[test]
fn f26_whoever_would_believe_everybody_has_to_say_so_and_is_warned() {
    let proxies =
        |networks: &str, more: &str| read(&format!("[server]\ntrusted_proxies = {networks}\n{more}"));
    for everybody in ["0.0.0.0/0", "::/0", "0.0.0.0/1", "2000::/3"] {
        let refused = proxies(&format!("['10.0.0.0/8', '{everybody}']"), "").unwrap_err();
        assert!(refused.starts_with("c.toml:4:34: server.trusted_proxies[1]: would believe"), "{refused}");
        let permitted = proxies(&format!("['{everybody}']"), "trust_any_proxy = true").unwrap();
        assert!(permitted.warnings[0].contains("no limit per client holds"), "{:?}", permitted.warnings);
    }
    let wide = proxies("['8.0.0.0/8']", "").unwrap();
    assert!(wide.warnings[0].contains("a large part of the internet"), "{:?}", wide.warnings);
    let own = proxies("['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', 'fc00::/7']", "").unwrap();
    assert!(!own.warnings.iter().any(|warning| warning.contains("server.")), "{:?}", own.warnings);
}

/// Shows: F26.
#[test]
fn f26_a_listener_beyond_this_machine_is_warned_about() {
    for (setting, address, warned) in [
        ("listen", "0.0.0.0:8025", true),
        ("listen", "[::]:8025", true),
        ("listen", "203.0.113.7:8025", true),
        ("metrics_listen", "0.0.0.0:9025", true),
        ("listen", "127.0.0.1:8025", false),
        ("listen", "[::1]:8025", false),
        ("listen", "10.1.2.3:8025", false),
        ("listen", "[fd00::1]:8025", false),
    ] {
        let config = read(&format!("[server]\n{setting} = '{address}'")).unwrap();
        let found =
            config.warnings.iter().any(|w| w.starts_with(&format!("server.{setting}: {address} can")));
        assert_eq!(found, warned, "{address}: {:?}", config.warnings);
    }
}

#[test]
fn debug_shows_no_secret() {
    let text = "[[providers]]\nkind = 'webhook'\nname = 'p'\nurl = 'https://a.example/path-token'\n\
                signing_keys = ['a-webhook-signing-key']\n\
                [[tenants]]\nid = 'a'\nbrand = 'A'\npolicy.test_numbers.code = '845120'\n\
                [[dialects.zap.tokens]]\ntenant = 'a'\ntoken = 'a-zap-token'\n";
    let env = |name: &str| (name == "COUNTERSIGN_KEYS").then(|| "index = 'a-key'".to_owned());
    let config = Config::parse("c.toml", text, Path::new(""), &env).unwrap_or_else(|error| panic!("{error}"));
    let shown = format!("{config:?}");
    for secret in ["path-token", "a-webhook-signing-key", "845120", "a-zap-token", "a-key"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn levels_of_failures_are_at_least_as_high_as_those_below() {
    let limits = |text: &str| {
        let text = format!("[[tenants]]\nid = 'a'\nbrand = 'A'\n[tenants.policy.limits]\n{text}");
        read(&text).map(|config| config.service.tenants[0].policy.caps.tenant_failures)
    };
    let of = |alert, raised, severe| Ok(FailureBudget { alert, raised, severe });
    assert_eq!(limits(""), of(2_000, 10_000, 100_000));
    assert_eq!(limits("failed_checks_raised = 500"), of(500, 500, 5_000));
    assert_eq!(limits("failed_checks_alert = 20000"), of(20_000, 20_000, 200_000));
    assert_eq!(limits("failed_checks_severe = 10000"), of(2_000, 10_000, 10_000));
    let wrong = limits("failed_checks_alert = 10\nfailed_checks_raised = 9").unwrap_err();
    assert!(wrong.contains("failed_checks_raised: at least failed_checks_alert, 10"), "{wrong}");
    let wrong = limits("failed_checks_severe = 9999").unwrap_err();
    assert!(wrong.contains("failed_checks_severe: at least failed_checks_raised, 10000"), "{wrong}");
}

/// Shows: F5.
#[test]
fn f5_the_limit_that_locked_tenants_out_is_refused_with_what_took_its_place() {
    let old = "[[tenants]]\nid = 'a'\nbrand = 'A'\npolicy.limits.tenant_failed_checks_per_day = 10000";
    let refused = read(old).unwrap_err();
    for name in [
        "tenant_failed_checks_per_day",
        "failed_checks_alert",
        "failed_checks_raised",
        "failed_checks_severe",
    ] {
        assert!(refused.contains(name), "{refused}");
    }
}
