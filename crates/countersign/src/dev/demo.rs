//! What dev mode serves.

use countersign_core::directory::{Directory, UserBy, UserChange};
use countersign_core::engine::StorageError;
use countersign_core::names::TenantId;
use countersign_core::recipient::{EmailAddress, Recipient};

use crate::config::ServiceConfig;

/// Demo tenants, their keys and dialects, and the inbox.
pub fn config() -> ServiceConfig {
    ServiceConfig::builtin(include_str!("demo.toml"))
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

/// Registers the demo tenant's users that are not there yet.
///
/// # Errors
/// The store is unavailable.
pub async fn register_users(directory: &Directory) -> Result<(), StorageError> {
    let tenant = TenantId::parse("demo").expect("a valid id");
    for user in &USERS {
        if directory.find(&tenant, UserBy::Id(user.id)).await?.is_some() {
            continue; // whatever was changed since is kept
        }
        let Recipient::Phone(phone) = Recipient::from_canonical(user.phone) else {
            unreachable!("a canonical text without @ is a number")
        };
        let change = UserChange {
            username: Some(user.username.to_owned()),
            email: Some(EmailAddress::parse(user.email).expect("a valid address")),
            phone: Some(phone),
        };
        directory.put(&tenant, user.id, &change).await?;
    }
    Ok(())
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
            assert_eq!((found.tenant.as_str(), found.scopes.len()), (tenant, 3));
        }
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
