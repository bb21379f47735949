//! What dev mode serves.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::LazyLock;

use countersign_core::directory::{Directories, Directory, NewUser, Profile, UserBy, UserChange};
use countersign_core::engine::StorageError;
use countersign_core::names::TenantId;
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};

use crate::config::ServiceConfig;

const DEMO: &str = include_str!("demo.toml");

/// Demo tenants, their keys and dialects, and the inbox.
pub fn config() -> ServiceConfig {
    ServiceConfig::builtin(DEMO)
}

/// Has the links in mails lead to this very service, wherever it listens.
pub fn lead_links_to(config: &mut ServiceConfig, address: SocketAddr) {
    for merchant in config.dialects.crypterium.iter_mut().flat_map(|section| &mut section.merchants) {
        merchant.email_link = Some(format!("http://{address}/v2/mobile/email/confirm"));
    }
}

/// The names of the dialects that are served.
pub(super) fn dialects() -> &'static BTreeSet<String> {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let demo: toml::Table = DEMO.parse().expect("a part of the program, which tests read");
        let dialects = demo.get("dialects").and_then(toml::Value::as_table);
        dialects.into_iter().flat_map(toml::Table::keys).cloned().collect()
    });
    &NAMES
}

/// A user that the demo tenant has registered.
struct DemoUser {
    id: &'static str,
    username: &'static str,
    email: &'static str,
    phone: &'static str,
}

/// The user of the zap dialect's samples.
const USERS: [DemoUser; 1] =
    [DemoUser { id: "onlydev", username: "onlydev", email: "adminuser@zap.com", phone: "+2348011111111" }];

/// A person of the zitadel dialect's organisation.
struct Member {
    id: &'static str,
    given_name: &'static str,
    email: &'static str,
    phone: Option<&'static str>,
    /// Whether the addresses are proven; otherwise codes are pending for them.
    verified: bool,
}

/// The organisation of the zitadel dialect's samples.
const ORGANIZATION: &str = "69629023906488334";

/// The people of that organisation: one to verify, one who is, one without a number.
const MEMBERS: [Member; 3] = [
    Member {
        id: "69629023906488400",
        given_name: "Mini",
        email: "mini@mouse.com",
        phone: Some("+41791234567"),
        verified: false,
    },
    Member {
        id: "69629023906488401",
        given_name: "Minnie",
        email: "minnie@mouse.com",
        phone: Some("+41791234568"),
        verified: true,
    },
    Member {
        id: "69629023906488402",
        given_name: "Mickey",
        email: "mickey@mouse.com",
        phone: None,
        verified: true,
    },
];

/// Registers the demo tenant's users that are not there yet.
///
/// # Errors
/// The store is unavailable.
pub async fn register_users(directories: &Directories) -> Result<(), StorageError> {
    let tenant = TenantId::parse("demo").expect("a valid id");
    let of = |dialect: &str| directories.named(dialect.parse().expect("a directory's name"));
    let (zap, zitadel) = (of("zap"), of("zitadel"));
    for user in &USERS {
        if zap.find(&tenant, UserBy::Id(user.id)).await?.is_some() {
            continue; // whatever was changed since is kept
        }
        let change = UserChange {
            username: Some(user.username.to_owned()),
            email: Some(EmailAddress::parse(user.email).expect("a valid address")),
            phone: Some(number(user.phone)),
        };
        zap.put(&tenant, user.id, &change, None).await?;
    }
    for member in &MEMBERS {
        register_member(&zitadel, &tenant, member).await?;
    }
    Ok(())
}

/// Registers a member, or leaves alone who is there already.
async fn register_member(
    directory: &Directory,
    tenant: &TenantId,
    member: &Member,
) -> Result<(), StorageError> {
    let new = NewUser {
        id: member.id.to_owned(),
        username: Some(member.email.to_owned()),
        email: Some(EmailAddress::parse(member.email).expect("a valid address")),
        phone: member.phone.map(number),
        email_verified: member.verified,
        phone_verified: member.verified && member.phone.is_some(),
        organization: Some(ORGANIZATION.to_owned()),
        profile: Profile {
            given_name: member.given_name.to_owned(),
            family_name: "Mouse".to_owned(),
            language: None,
        },
        email_pending: !member.verified,
        phone_pending: !member.verified && member.phone.is_some(),
        sequence: 3,
    };
    directory.create(tenant, new).await.map(|_| ())
}

fn number(canonical: &str) -> PhoneNumber {
    match Recipient::from_canonical(canonical) {
        Recipient::Phone(phone) => phone,
        Recipient::Email(_) => unreachable!("a canonical text without @ is a number"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_published_keys_are_those_of_the_demo_tenants() {
        use sha2::{Digest, Sha256};
        let config = config();
        for (tenant, key) in [
            ("demo", "csk_dev_demo_000000000000000000000000000000"),
            ("other", "csk_dev_other_00000000000000000000000000000"),
        ] {
            let found = config.api_keys.iter().find(|k| k.sha256 == *Sha256::digest(key)).unwrap();
            assert_eq!((found.tenant.as_str(), found.scopes.len()), (tenant, 4));
        }
    }

    #[test]
    fn links_lead_to_where_it_listens() {
        let mut config = config();
        lead_links_to(&mut config, ([127, 0, 0, 1], 4711).into());
        let merchants = config.dialects.crypterium.unwrap().merchants;
        let links: Vec<_> = merchants.iter().map(|merchant| merchant.email_link.as_deref()).collect();
        assert_eq!(links, [Some("http://127.0.0.1:4711/v2/mobile/email/confirm"); 2]);
    }

    #[test]
    fn a_dialect_is_served_when_it_has_a_section() {
        assert!(dialects().contains("zap"));
        assert!(!dialects().contains("native"));
    }

    #[test]
    fn test_numbers_and_the_sample_numbers_are_let_through() {
        for tenant in config().tenants {
            for number in ["+15005550006", "+447700900000", "+447700900999"] {
                assert!(
                    Recipient::parse(number, &tenant.policy).unwrap().is_test(&tenant.policy),
                    "{number}"
                );
            }
            assert!(!Recipient::parse("+2348011111111", &tenant.policy).unwrap().is_test(&tenant.policy));
            assert!(tenant.policy.allow_custom_codes);
        }
    }
}
