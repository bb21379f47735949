//! The five calls: domain types in, the core's verbs, and back.
//!
//! Whoever calls never learns whether somebody exists: an unknown username gets a look-alike that
//! counts, cools down and runs out like a real verification. Only a tenant that asked to be told
//! (`strict`) is.

use std::time::Duration;

use countersign_core::code::Code;
use countersign_core::directory::{Directory, Put, UserBy, UserChange};
use countersign_core::engine::{ADDRESS_FULL, CheckOutcome, Delivery, Idempotent, Intent, SendOutcome};
use countersign_core::names::{DialectName, Purpose};
use countersign_core::pairs::Pairs;
use countersign_core::policy::{CodeSharing, ResendCode, Terms};
use countersign_core::recipient::Recipient;
use countersign_core::verification::Verification;
use countersign_core::verifications::{Check, CheckOf, RequestError, Start, Target};
use serde::Serialize;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::config::MultiDestination;
use super::directory::{addresses, bound};
use super::error::{Field, Mismatch, Problem};
use super::request::{Addressees, ForgotPassword, Generate, Identity, Resend, ResetPassword, Verify};
use super::response::Done;
use crate::outcome::{cooling_down, decided};
use crate::services::Services;

/// How long a user is kept of whom nothing was ever proven.
const UNPROVEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The note of a password reset that says by which identity it was asked for, as the person wrote it.
const IDENTITY: &str = "identity";

/// The dialect's calls over the services.
pub(super) struct Calls {
    pub(super) services: Services,
    directory: Directory,
    dialect: DialectName,
    /// What generate, resend and verify are about.
    user_verify: Purpose,
    /// What the two calls for a forgotten password are about.
    password_reset: Purpose,
}

impl Calls {
    pub(super) fn new(services: Services, directory: Directory) -> Self {
        let purpose = |name| Purpose::parse(name).expect("a purpose");
        Self {
            services,
            directory,
            dialect: DialectName::parse(super::NAME).expect("a dialect's name"),
            user_verify: purpose("user_verify"),
            password_reset: purpose("password_reset"),
        }
    }

    /// Sends to the addresses of a user, and then binds them and the username to it: what is refused changes
    /// nothing.
    pub(super) async fn generate(&self, caller: &Caller, request: Generate) -> Result<Done, Problem> {
        let Addressees { email, phone, username } = request.to;
        let (tenant, id) = (&caller.tenant.id, &request.user_id);
        if let Some(name) = &username
            && let Some(holder) = self.directory.find(tenant, UserBy::Username(name)).await?
            && holder.id != *id
            && holder.is_proven()
        {
            return Err(Problem::Invalid(Field::Username));
        }
        let user = self.directory.account(id);
        let claimed = |recipient| Target::Claimed { user: user.clone(), recipient };
        let targets = addresses(email.clone(), phone.clone()).map(claimed).collect();
        self.send(caller, &Asked::to_verify(&self.user_verify, Intent::Start), targets).await?;
        let change = UserChange { username, email, phone };
        match self.directory.put(tenant, id, &change, Some(UNPROVEN_LIFE)).await? {
            Put::Done(_) => Ok(Done::Generated),
            Put::NameTaken => Err(Problem::Invalid(Field::Username)),
            Put::AddressFull => Err(ADDRESS_FULL.into()),
        }
    }

    /// Sends again: to the user whom the username names, and to whatever other addresses the call names. These
    /// are verified apart from the user's.
    pub(super) async fn resend(&self, caller: &Caller, request: Resend) -> Result<Done, Problem> {
        let intent = if caller.options.strict { Intent::ResendOnly } else { Intent::StartOrResend };
        let asked = Asked::to_verify(&self.user_verify, intent);
        let Addressees { email, phone, username } = request.to;
        let mut strays: Vec<Recipient> = addresses(email, phone).collect();
        let mut named = Vec::new();
        if let Some(username) = username {
            let theirs = self.targets_of(caller, &username).await?;
            let is = |target: &Target, address: &Recipient| {
                // One mailbox has one spelling in the directory and may have another one here.
                let own = address_of(target).map(Recipient::expose);
                own.is_some_and(|own| own.eq_ignore_ascii_case(address.expose()))
            };
            let (mentioned, others): (Vec<_>, Vec<_>) =
                theirs.into_iter().partition(|target| strays.iter().any(|address| is(target, address)));
            strays.retain(|address| !mentioned.iter().any(|target| is(target, address)));
            named = mentioned.into_iter().chain(others).collect();
        }
        for targets in [strays.into_iter().map(Target::Address).collect(), named] {
            if !targets.is_empty() {
                self.send(caller, &asked, targets).await?;
            }
        }
        Ok(Done::Resent)
    }

    pub(super) async fn verify(&self, caller: &Caller, request: Verify) -> Result<Done, Problem> {
        self.check(caller, &self.user_verify, &request.identity, request.otp, Pairs::default()).await?;
        Ok(Done::Verified)
    }

    pub(super) async fn forgot_password(
        &self,
        caller: &Caller,
        request: ForgotPassword,
    ) -> Result<Done, Problem> {
        let targets = match &request.identity {
            Identity::Address(address) => vec![Target::Address(address.clone())],
            Identity::Username(name) => self.targets_of(caller, name).await?,
        };
        let asked = Asked {
            purpose: &self.password_reset,
            intent: Intent::StartOrResend,
            sharing: CodeSharing::Separate,
            context: bound_to(&request.identity),
            notes: Pairs::from([(IDENTITY.to_owned(), request.presented)]),
        };
        self.send(caller, &asked, targets).await?;
        Ok(Done::ResetSent)
    }

    /// Uses the code up, and only then hands the new password to the tenant's hook, for the identity that the
    /// code was asked for by: it is good for no other. Nothing of the password is kept; a hook that fails
    /// leaves the person to ask for another code.
    pub(super) async fn reset_password(
        &self,
        caller: &Caller,
        request: ResetPassword,
    ) -> Result<Done, Problem> {
        let Some(hook) = &caller.hook else { return Err(Problem::NotPermitted) };
        let context = bound_to(&request.identity);
        let proof = self.check(caller, &self.password_reset, &request.identity, request.otp, context).await?;
        let notes = self.services.verifications.disclose(&proof)?.metadata;
        let identity = notes.get(IDENTITY).ok_or(Problem::internal("a reset that nobody asked for"))?;
        let body = password_change(identity, &request.new_password);
        hook.forward(&proof.id.to_string(), body).await?;
        Ok(Done::PasswordForwarded)
    }

    /// The addresses of whoever has this username, or a look-alike.
    async fn targets_of(&self, caller: &Caller, username: &str) -> Result<Vec<Target>, Problem> {
        let bound = bound(&self.directory, caller, username).await?;
        if bound.addresses.is_empty() {
            if caller.options.strict {
                return Err(Problem::UserNotFound);
            }
            return Ok(vec![Target::Nobody(username.to_owned())]);
        }
        let user = bound.user;
        let target = |recipient| Target::Claimed { user: user.clone(), recipient };
        Ok(bound.addresses.into_iter().map(target).collect())
    }

    /// Sends to all targets together, or to each by itself where they may not be verified together. Which of the
    /// two it is, nobody learns.
    async fn send(&self, caller: &Caller, asked: &Asked<'_>, targets: Vec<Target>) -> Result<(), Problem> {
        match self.send_together(caller, asked, targets.clone()).await {
            Err(Problem::NotTogether) => {
                for target in targets {
                    self.send_together(caller, asked, vec![target]).await?;
                }
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Sends to all targets or to none. What a rule blocks is answered like success, and
    /// counted like it too, so that a second call tells no more than the first.
    async fn send_together(
        &self,
        caller: &Caller,
        asked: &Asked<'_>,
        mut targets: Vec<Target>,
    ) -> Result<(), Problem> {
        let exists = targets.iter().any(|target| address_of(target).is_some());
        let delivery = if exists { Delivery::Send } else { Delivery::Pretend };
        match self.start(caller, asked, delivery, targets.clone()).await {
            Err(RequestError::Region) => {
                targets.retain(|target| matches!(address_of(target), Some(Recipient::Phone(_))));
                accepted(self.start(caller, asked, Delivery::Pretend, targets).await?)
            }
            outcome => accepted(outcome?),
        }
    }

    async fn start(
        &self,
        caller: &Caller,
        asked: &Asked<'_>,
        delivery: Delivery,
        targets: Vec<Target>,
    ) -> Result<Idempotent<SendOutcome>, RequestError> {
        let usual = caller.tenant.policy.terms.clone();
        let sharing = match (asked.sharing, caller.options.multi_destination) {
            (CodeSharing::Shared, MultiDestination::Shared) => CodeSharing::Shared,
            (CodeSharing::Shared | CodeSharing::Separate, _) => CodeSharing::Separate,
        };
        let terms = Terms { resend_code: ResendCode::New, sharing, ..usual };
        let request = Start {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            purpose: asked.purpose.clone(),
            intent: asked.intent,
            delivery,
            targets: targets.into_iter().map(|target| (target, None)).collect(),
            locale: None,
            custom_code: None,
            link: None,
            context: asked.context.clone(),
            metadata: asked.notes.clone(),
            // The connection is the tenant's server's, not the end user's.
            client_ip: None,
            trusted: false,
            ends_hold_of: None,
            terms: Some(terms),
            idempotency: None,
        };
        self.services.verifications.start(request).await
    }

    /// Takes a guess. The one in a username's name is for the codes of that user's addresses.
    async fn check(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        identity: &Identity,
        otp: Code,
        context: Pairs,
    ) -> Result<Box<Verification>, Problem> {
        let (name, bound) = match identity {
            Identity::Address(address) => {
                let of = CheckOf::Address(address, purpose.clone());
                return judged(self.guess(caller, of, otp, context).await?);
            }
            Identity::Username(name) => (name, bound(&self.directory, caller, name).await?),
        };
        let of = match &*bound.addresses {
            [] => CheckOf::Nobody(name, purpose.clone()),
            addresses => CheckOf::AnyOf(&bound.user, addresses, purpose.clone()),
        };
        judged(self.guess(caller, of, otp, context).await?)
    }

    async fn guess(
        &self,
        caller: &Caller,
        of: CheckOf<'_>,
        code: Code,
        context: Pairs,
    ) -> Result<CheckOutcome, Problem> {
        let request = Check {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            of,
            code,
            only_of_length: false,
            context,
            client_ip: None,
            trusted: false,
            consume: true,
            record_proof: true,
            idempotency: None,
        };
        Ok(decided(self.services.verifications.check(request).await?)?.0)
    }
}

/// What a code is asked for.
struct Asked<'a> {
    purpose: &'a Purpose,
    intent: Intent,
    /// Whether several addresses may have one code, where the tenant wants that.
    sharing: CodeSharing,
    /// What the code is bound to.
    context: Pairs,
    notes: Pairs,
}

impl<'a> Asked<'a> {
    fn to_verify(purpose: &'a Purpose, intent: Intent) -> Self {
        Self {
            purpose,
            intent,
            sharing: CodeSharing::Shared,
            context: Pairs::default(),
            notes: Pairs::default(),
        }
    }
}

/// What a password reset is bound to: the identity that it is asked for by, whatever the spelling of a
/// mailbox.
fn bound_to(identity: &Identity) -> Pairs {
    let (kind, text) = match identity {
        Identity::Address(address) => ("address", address.expose().to_ascii_lowercase()),
        Identity::Username(name) => ("username", name.clone()),
    };
    Pairs::from([(kind.to_owned(), text)])
}

/// The address that a target reaches.
const fn address_of(target: &Target) -> Option<&Recipient> {
    match target {
        Target::Address(recipient) | Target::Claimed { recipient, .. } | Target::User { recipient, .. } => {
            Some(recipient)
        }
        Target::Nobody(_) | Target::LookAlike { .. } => None,
    }
}

fn accepted(outcome: Idempotent<SendOutcome>) -> Result<(), Problem> {
    let (outcome, at) = decided(outcome)?;
    match outcome {
        SendOutcome::Accepted(accepted) => match cooling_down(&accepted, at) {
            None => Ok(()),
            Some(wait) => Err(Problem::cooling_down(wait)),
        },
        SendOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

/// The verification that the guess proved.
fn judged(outcome: CheckOutcome) -> Result<Box<Verification>, Problem> {
    match outcome {
        CheckOutcome::Right { verification } => Ok(verification),
        CheckOutcome::Rejected { reason, retry_after, .. } => Err(Problem::rejected(reason, retry_after)),
        CheckOutcome::NotFound => Err(Problem::WrongCode(Mismatch::NothingPending)),
    }
}

/// What the hook gets. The buffer never grows, so that no copy of the password stays behind.
fn password_change(identity: &str, new_password: &str) -> Zeroizing<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct PasswordChange<'a> {
        identity: &'a str,
        new_password: &'a str,
    }
    // Escaped, a byte becomes six at most; the names and quotes take less than 64.
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * (identity.len() + new_password.len())));
    serde_json::to_writer(&mut *body, &PasswordChange { identity, new_password }).expect("texts are JSON");
    body
}
