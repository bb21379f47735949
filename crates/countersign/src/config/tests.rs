#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use countersign_core::policy::{Policy, ResendCode};

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
    tenant(&format!("[tenants.policy]\n{rest}")).map(|mut c| c.tenants.remove(0).policy)
}

#[test]
fn a_tenant_that_says_nothing_has_the_default_policy() {
    assert_eq!(policy("").unwrap(), Policy::default());
    let config = tenant("").unwrap();
    assert_eq!(config.tenants[0].locale.as_str(), "en");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8025");
    assert_eq!(config.server.drain, Duration::from_secs(5));
}

#[test]
fn a_policy_says_what_differs() {
    let policy = policy(
        "code_length = 8\nwindow_seconds = 300\ncool_downs_seconds = [60]\nresend_code = 'new'\n\
         allowed_regions = ['se', 'NO']\n\
         limits = { starts_per_hour = 3, client_starts_per_hour = 0, tenant_spend_per_day = 12.5 }\n\
         test_numbers = { ranges = ['+15005550006'], code = '123456' }\n",
    )
    .unwrap();
    assert_eq!((policy.terms.code.length, policy.terms.resend_code), (8, ResendCode::New));
    assert_eq!(policy.terms.code_life, Duration::from_secs(300), "as long as the window");
    assert_eq!(policy.allowed_regions, ["SE", "NO"]);
    assert_eq!(policy.caps.recipient.starts_per_hour, 3);
    assert_eq!(policy.caps.client_starts_per_hour, None);
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

#[test]
fn short_codes_need_an_explicit_permission() {
    assert_eq!(policy("code_length = 4\nallow_short_codes = true").unwrap().terms.code.length, 4);
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
    assert_eq!(read("env:BRAND").unwrap().tenants[0].brand, "Environmental");
    assert_eq!(read("file:brand").unwrap().tenants[0].brand, "Filed");
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
    assert_eq!((config.api_keys.len(), config.warnings.len()), (2, 0));
    let config = tenant(&[key(1), key(2), key(3)].concat()).unwrap();
    assert!(config.warnings[0].contains("has 3 API keys"));
    let twice = tenant(&[key(1), key(1)].concat()).unwrap_err();
    assert!(twice.starts_with("c.toml:12:10: tenants[0].api_keys[1].sha256: another key"), "{twice}");
}

#[test]
fn postgres_is_answered_plainly() {
    let error = read("[storage]\nurl = 'postgres://u:secret@db/x'\n").unwrap_err();
    assert_eq!(error, "c.toml:4:7: storage.url: PostgreSQL is not in this version; use sqlite:PATH");
}
