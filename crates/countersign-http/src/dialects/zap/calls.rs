//! The five calls: domain types in, the core's verbs, and back.
//!
//! Whoever calls never learns whether somebody exists: an unknown username gets a look-alike that
//! counts, cools down and runs out like a real verification. Only a tenant that asked to be told
//! (`strict`) is.

use std::collections::BTreeMap;

use countersign_core::code::Code;
use countersign_core::directory::{Directory, UserChange};
use countersign_core::engine::{CheckOutcome, Delivery, Idempotent, Intent, SendOutcome, StorageError};
use countersign_core::ids::VerificationId;
use countersign_core::names::{DialectName, Purpose};
use countersign_core::policy::{ResendCode, Terms};
use countersign_core::recipient::Recipient;
use countersign_core::verification::{Status, Verification};
use countersign_core::verifications::{Check, CheckOf, RequestError, Start, Target};
use serde::Serialize;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::directory::{addresses, addresses_of};
use super::error::{Mismatch, Problem};
use super::request::{Addressees, ForgotPassword, Generate, Identity, Resend, ResetPassword, Verify};
use super::response::Done;
use crate::outcome::{cooling_down, decided};
use crate::services::Services;

/// More than one address can have running: one verification per purpose.
const RUNNING_MAX: u32 = 50;

/// The dialect's calls over the services.
pub(super) struct Calls {
    services: Services,
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

    /// Binds the addresses and the username to the user, then sends. What the tenant says about its
    /// users is kept even where the send is refused.
    pub(super) async fn generate(&self, caller: &Caller, request: Generate) -> Result<Done, Problem> {
        let Addressees { email, phone, username } = request.to;
        let targets = addresses(email.clone(), phone.clone()).map(Target::Address).collect();
        let change = UserChange { username, email, phone };
        self.directory.put(&caller.tenant.id, &request.user_id, &change).await?;
        self.send(caller, &self.user_verify, Intent::Start, targets).await?;
        Ok(Done::Generated)
    }

    pub(super) async fn resend(&self, caller: &Caller, request: Resend) -> Result<Done, Problem> {
        let intent = if caller.options.strict { Intent::ResendOnly } else { Intent::StartOrResend };
        let targets = self.targets(caller, request.to).await?;
        self.send(caller, &self.user_verify, intent, targets).await?;
        Ok(Done::Resent)
    }

    pub(super) async fn verify(&self, caller: &Caller, request: Verify) -> Result<Done, Problem> {
        self.check(caller, &self.user_verify, &request.identity, request.otp).await?;
        Ok(Done::Verified)
    }

    pub(super) async fn forgot_password(
        &self,
        caller: &Caller,
        request: ForgotPassword,
    ) -> Result<Done, Problem> {
        let targets = self.targets(caller, request.identity.into()).await?;
        self.send(caller, &self.password_reset, Intent::StartOrResend, targets).await?;
        Ok(Done::ResetSent)
    }

    /// Uses the code up, and only then hands the new password to the tenant's hook. Nothing of it is
    /// kept; a hook that fails leaves the person to ask for another code.
    pub(super) async fn reset_password(
        &self,
        caller: &Caller,
        request: ResetPassword,
    ) -> Result<Done, Problem> {
        let Some(hook) = &caller.hook else { return Err(Problem::NotPermitted) };
        let body = password_change(&request.presented, &request.new_password);
        let proof = self.check(caller, &self.password_reset, &request.identity, request.otp).await?;
        hook.forward(&proof.to_string(), body).await?;
        Ok(Done::PasswordForwarded)
    }

    /// Every address once, in the order e-mail, phone, then those of the username.
    async fn targets(&self, caller: &Caller, to: Addressees) -> Result<Vec<Target>, Problem> {
        let mut known: Vec<Recipient> = addresses(to.email, to.phone).collect();
        let mut nobody = None;
        if let Some(username) = to.username {
            let bound = addresses_of(&self.directory, caller, &username).await?;
            if bound.is_empty() {
                if caller.options.strict {
                    return Err(Problem::UserNotFound);
                }
                nobody = Some(Target::Nobody(username));
            }
            for address in bound {
                // One mailbox has one spelling in the directory and may have another one here.
                if !known.iter().any(|other| other.expose().eq_ignore_ascii_case(address.expose())) {
                    known.push(address);
                }
            }
        }
        Ok(known.into_iter().map(Target::Address).chain(nobody).collect())
    }

    /// Sends one code to all targets, or one each. What a rule blocks is answered like success, and
    /// counted like it too, so that a second call tells no more than the first.
    async fn send(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        intent: Intent,
        mut targets: Vec<Target>,
    ) -> Result<(), Problem> {
        let exists = targets.iter().any(|target| matches!(target, Target::Address(_)));
        let delivery = if exists { Delivery::Send } else { Delivery::Pretend };
        match self.start(caller, purpose, intent, delivery, targets.clone()).await {
            Err(RequestError::Region) => {
                targets.retain(|target| matches!(target, Target::Address(Recipient::Phone(_))));
                let pretended = self.start(caller, purpose, intent, Delivery::Pretend, targets).await?;
                accepted(pretended)
            }
            outcome => accepted(outcome?),
        }
    }

    async fn start(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        intent: Intent,
        delivery: Delivery,
        targets: Vec<Target>,
    ) -> Result<Idempotent<SendOutcome>, RequestError> {
        let terms = Terms {
            resend_code: ResendCode::New,
            sharing: caller.options.multi_destination.into(),
            ..caller.tenant.policy.terms.clone()
        };
        let request = Start {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            purpose: purpose.clone(),
            intent,
            delivery,
            targets: targets.into_iter().map(|target| (target, None)).collect(),
            locale: None,
            custom_code: None,
            link: None,
            context: BTreeMap::new(),
            metadata: BTreeMap::new(),
            // The connection is the tenant's server's, not the end user's.
            client_ip: None,
            terms: Some(terms),
            idempotency: None,
        };
        self.services.verifications.start(request).await
    }

    /// Takes a guess. An address proves itself; a username proves the user, and no address of theirs.
    async fn check(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        identity: &Identity,
        otp: Code,
    ) -> Result<VerificationId, Problem> {
        match identity {
            Identity::Address(address) => {
                let of = CheckOf::Address(address, purpose.clone());
                judged(self.guess(caller, of, otp, true).await?)
            }
            Identity::Username(name) => {
                let known = addresses_of(&self.directory, caller, name).await?;
                if known.is_empty() {
                    let of = CheckOf::Nobody(name, purpose.clone());
                    return judged(self.guess(caller, of, otp, false).await?);
                }
                if let Some(running) = self.running(caller, purpose, &known).await? {
                    return judged(self.guess(caller, CheckOf::Id(running.id), otp, false).await?);
                }
                // Nothing is running: how the last one ended, which charges nothing.
                for address in &known {
                    let of = CheckOf::Address(address, purpose.clone());
                    match self.guess(caller, of, otp.clone(), false).await? {
                        CheckOutcome::NotFound => {}
                        outcome => return judged(outcome),
                    }
                }
                Err(Problem::WrongCode(Mismatch::NothingPending))
            }
        }
    }

    async fn guess(
        &self,
        caller: &Caller,
        of: CheckOf<'_>,
        code: Code,
        record_proof: bool,
    ) -> Result<CheckOutcome, Problem> {
        let request = Check {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            of,
            code,
            context: BTreeMap::new(),
            consume: true,
            record_proof,
            idempotency: None,
        };
        Ok(decided(self.services.verifications.check(request).await?)?.0)
    }

    /// The newest verification that waits for one of these addresses.
    async fn running(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        addresses: &[Recipient],
    ) -> Result<Option<Verification>, StorageError> {
        let mut running = Vec::new();
        for address in addresses {
            let verifications = &self.services.verifications;
            let pending = Some(Status::Pending);
            running
                .extend(verifications.list(&caller.tenant, Some(address), pending, None, RUNNING_MAX).await?);
        }
        running.retain(|verification| verification.purpose == *purpose);
        Ok(running.into_iter().max_by_key(|verification| verification.id))
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
fn judged(outcome: CheckOutcome) -> Result<VerificationId, Problem> {
    match outcome {
        CheckOutcome::Right { verification } => Ok(verification.id),
        CheckOutcome::Rejected { reason, retry_after, .. } => Err(Problem::rejected(reason, retry_after)),
        CheckOutcome::NotFound => Err(Problem::WrongCode(Mismatch::NothingPending)),
        CheckOutcome::TenantBudget { retry_after } => Err(Problem::TooManyAttempts { retry_after }),
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
