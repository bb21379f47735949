//! Who stands behind a username: the tenant's own directory, asked over a hook where there is one, and
//! the names that were bound at generate.
//!
//! With a hook every name is asked there, and every name is looked up here too: otherwise the time of an
//! answer, or an outage of the hook, would tell a bound name from one that nobody has.

use std::collections::BTreeMap;

use countersign_core::directory::{Directory, UserBy};
use countersign_core::recipient::{EmailAddress, PhoneNumber, Recipient};
use countersign_core::verifications::Account;
use serde::Serialize;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::error::Problem;
use super::request::{USER_ID_MAX, parse_email, parse_phone};
use crate::hooks::LookupHook;
use crate::json::{self, Member};

/// Who stands behind a username.
pub(super) struct Bound {
    /// The addresses, e-mail first; none if nobody has the name.
    pub(super) addresses: Vec<Recipient>,
    /// The user who was bound to the name at generate; where the addresses are the hook's, one that stands for the
    /// name: they are one person's all the same.
    pub(super) user: Account,
}

/// Who stands behind a username. What the hook says goes before what was bound at generate.
///
/// # Errors
/// The store or the hook does not answer, whoever was asked for.
pub(super) async fn bound(directory: &Directory, caller: &Caller, username: &str) -> Result<Bound, Problem> {
    let asked = match &caller.directory {
        Some(hook) => ask(&**hook, caller, username).await?,
        None => Vec::new(),
    };
    let bound = directory.find(&caller.tenant.id, UserBy::Username(username)).await?;
    Ok(match bound {
        Some(user) if asked.is_empty() => Bound {
            user: directory.account(&user.id),
            addresses: addresses(user.email, user.phone).collect(),
        },
        _ => Bound { addresses: asked, user: directory.account(&id_beyond(username)) },
    })
}

/// An id that no user has: whoever names the user of a call has fewer characters for it. Otherwise a code that a name
/// asked for could prove the address of somebody who was given such an id.
fn id_beyond(username: &str) -> String {
    "\0".repeat(USER_ID_MAX + 1) + username
}

/// Both addresses as recipients, e-mail first.
pub(super) fn addresses(
    email: Option<EmailAddress>,
    phone: Option<PhoneNumber>,
) -> impl Iterator<Item = Recipient> {
    email.map(Recipient::Email).into_iter().chain(phone.map(Recipient::Phone))
}

/// The addresses in the hook's answer. One that cannot be used counts as absent: an error would tell that
/// somebody has the name.
async fn ask(hook: &dyn LookupHook, caller: &Caller, username: &str) -> Result<Vec<Recipient>, Problem> {
    #[derive(Serialize)]
    struct Question<'a> {
        username: &'a str,
    }
    let question = serde_json::to_vec(&Question { username }).expect("a text is JSON");
    let answer = hook.ask(Zeroizing::new(question)).await?;
    let broken = || Problem::unanswered(&"the directory hook answered something else than addresses");
    let mut members: BTreeMap<String, Member> = json::parse(&answer).map_err(|_| broken())?;
    let mut member = |name| match members.remove(name) {
        Some(Member::Text(text)) if !text.is_empty() => Ok(Some(text)),
        None | Some(Member::Null | Member::Text(_)) => Ok(None),
        Some(Member::Number(_) | Member::Other) => Err(broken()),
    };
    let (email, phone) = (member("email")?, member("phoneNumber")?);
    let written = usize::from(email.is_some()) + usize::from(phone.is_some());
    let email = email.and_then(|text| parse_email(&text));
    let phone = phone.and_then(|text| parse_phone(&text, &caller.tenant.policy, caller.options.phone_max));
    let usable: Vec<Recipient> = addresses(email, phone).collect();
    if usable.len() < written {
        let tenant = caller.tenant.id.as_str();
        tracing::warn!(tenant, "a directory hook answered an address that cannot be used");
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: F3.
    #[test]
    fn f3_what_stands_for_a_name_of_the_hooks_is_no_users_id() {
        assert!(id_beyond("v").chars().count() > USER_ID_MAX);
        assert_ne!(id_beyond("v"), id_beyond("w"));
    }
}
