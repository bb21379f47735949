//! The calls about a phone: domain types in, the core's verbs, and back.
//!
//! Apps call directly, so that no answer tells who is registered. A number with a proven user is *known*.
//! Every call follows one *track* per purpose: the real one, or a look-alike that counts, cools down
//! and runs out like it and sends nothing. A resend that finds nothing on its track goes to a second
//! look-alike, whoever's number it is; a check looks at the two in the same order. That way a known and
//! an unknown number get the same answers to any sequence of calls:
//!
//! | | unknown number | known number |
//! |---|---|---|
//! | sign-up, confirm | real | look-alike |
//! | resend | real, else second look-alike | look-alike, else second look-alike |
//! | password reset and its checks | look-alike | real |

use countersign_core::code::Code;
use countersign_core::directory::{Created, Directory, NewUser, User, UserBy};
use countersign_core::engine::{CheckOutcome, Delivery, Intent, Refusal, SendOutcome, StorageError};
use countersign_core::link::LinkTemplate;
use countersign_core::names::{DialectName, Purpose};
use countersign_core::pairs::Pairs;
use countersign_core::recipient::Recipient;
use countersign_core::time::Timestamp;
use countersign_core::verification::Verification;
use countersign_core::verifications::{Check, CheckOf, Start, Target};
use serde::Serialize;
use zeroize::Zeroizing;

use super::auth::{Caller, Client};
use super::error::{CodeOf, Mismatch, Problem};
use super::request::Line;
use super::response::Done;
use super::session;
use crate::outcome::{cooling_down, decided};
use crate::services::Services;

/// The dialect's calls over the services.
pub(super) struct Calls {
    pub(super) services: Services,
    pub(super) directory: Directory,
    dialect: DialectName,
    signup: Purpose,
    password_reset: Purpose,
    pub(super) email: Purpose,
}

/// Where a purpose's verifications of a number are.
enum Track {
    Real(Recipient),
    /// Nobody is reached. It is counted with the number all the same: otherwise a hold of the number, or a
    /// limit that is used up, would tell which of the two it is.
    LookAlike {
        name: String,
        of: Option<Recipient>,
    },
}

impl Track {
    /// The track for a number; it is real for known or for unknown numbers, as the purpose has it.
    fn of(line: &Line, purpose: &Purpose, real: bool) -> Self {
        match &line.number {
            Some(number) if real => Self::Real(number.clone()),
            _ => Self::look_alike(line, format!("crypterium {purpose} {}", line.name)),
        }
    }

    /// Where resends go that find nothing to send again.
    fn of_stray_resends(line: &Line) -> Self {
        Self::look_alike(line, format!("crypterium resend {}", line.name))
    }

    fn look_alike(line: &Line, name: String) -> Self {
        Self::LookAlike { name, of: line.number.clone() }
    }

    fn target(&self) -> (Target, Delivery) {
        match self {
            Self::Real(number) => (Target::Address(number.clone()), Delivery::Send),
            Self::LookAlike { name, of: None } => (Target::Nobody(name.clone()), Delivery::Pretend),
            Self::LookAlike { name, of: Some(of) } => {
                (Target::LookAlike { name: name.clone(), of: of.clone() }, Delivery::Pretend)
            }
        }
    }

    fn check_of(&self, purpose: &Purpose) -> CheckOf<'_> {
        match self {
            Self::Real(number) => CheckOf::Address(number, purpose.clone()),
            Self::LookAlike { name, .. } => CheckOf::Nobody(name, purpose.clone()),
        }
    }
}

/// What a right code is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To say that it is right; it stays good.
    Look,
    /// It is used up.
    Once,
    /// It is used up, and the user it was asked for has proven the address, in the same commit.
    Proof,
}

impl Calls {
    pub(super) fn new(services: Services, directory: Directory) -> Self {
        let purpose = |name| Purpose::parse(name).expect("a purpose");
        Self {
            services,
            directory,
            dialect: DialectName::parse(super::NAME).expect("a dialect's name"),
            signup: purpose("signup"),
            password_reset: purpose("password_reset"),
            email: purpose("email"),
        }
    }

    /// Starts a sign-up. For a known number nothing is sent: "no error is shown".
    pub(super) async fn sign_up(
        &self,
        caller: &Caller,
        client: Client,
        line: &Line,
    ) -> Result<Done, Problem> {
        may_be_sent_to(caller, client, line)?;
        let unknown = self.known(caller, line).await?.is_none();
        let track = Track::of(line, &self.signup, unknown);
        accepted(self.send(caller, client, &self.signup, Intent::Start, &track).await?)?;
        Ok(Done::Accepted)
    }

    /// Sends a sign-up's code again, also when it has expired meanwhile.
    pub(super) async fn resend(&self, caller: &Caller, client: Client, line: &Line) -> Result<Done, Problem> {
        may_be_sent_to(caller, client, line)?;
        let unknown = self.known(caller, line).await?.is_none();
        let track = Track::of(line, &self.signup, unknown);
        let outcome = self.send(caller, client, &self.signup, Intent::ResendOrRevive, &track).await?;
        if let SendOutcome::Refused(Refusal::NothingPending) = outcome.0 {
            if !caller.anti_enumeration {
                return Err(Problem::NotRegistered);
            }
            let stray = Track::of_stray_resends(line);
            accepted(self.send(caller, client, &self.signup, Intent::StartOrResend, &stray).await?)?;
        } else {
            accepted(outcome)?;
        }
        Ok(Done::Accepted)
    }

    /// Proves a sign-up's number, and registers it.
    pub(super) async fn confirm(&self, caller: &Caller, line: &Line, code: Code) -> Result<Done, Problem> {
        let of = CodeOf::Signup;
        let unknown = self.known(caller, line).await?.is_none();
        let track = Track::of(line, &self.signup, unknown);
        let mut outcome = self.guess(caller, track.check_of(&self.signup), code.clone(), Use::Once).await?;
        if outcome == CheckOutcome::NotFound {
            if !caller.anti_enumeration {
                return Err(Problem::NotRegistered);
            }
            let stray = Track::of_stray_resends(line);
            outcome = self.guess(caller, stray.check_of(&self.signup), code, Use::Once).await?;
        }
        let proof = judged(of, outcome)?;
        let Track::Real(number) = track else { return Err(Problem::internal("a look-alike was proven")) };
        let user = self.register(caller, &proof, number).await?;
        self.hand_out(caller, &proof, &user, None).await
    }

    /// Starts a password reset, or sends its code again.
    pub(super) async fn reset(&self, caller: &Caller, client: Client, line: &Line) -> Result<Done, Problem> {
        may_be_sent_to(caller, client, line)?;
        let known = self.known(caller, line).await?.is_some();
        if !known && !caller.anti_enumeration {
            return Err(Problem::NotRegistered);
        }
        let track = Track::of(line, &self.password_reset, known);
        accepted(self.send(caller, client, &self.password_reset, Intent::StartOrResend, &track).await?)?;
        Ok(Done::Accepted)
    }

    /// Checks a password reset's code and leaves it good; the guess is charged.
    pub(super) async fn reset_code(&self, caller: &Caller, line: &Line, code: Code) -> Result<Done, Problem> {
        let known = self.known(caller, line).await?.is_some();
        let track = Track::of(line, &self.password_reset, known);
        let outcome = self.guess(caller, track.check_of(&self.password_reset), code, Use::Look).await?;
        judged(CodeOf::PasswordReset, outcome)?;
        Ok(Done::Accepted)
    }

    /// Uses a password reset's code up.
    pub(super) async fn reset_confirm(
        &self,
        caller: &Caller,
        line: &Line,
        code: Code,
        password: &str,
    ) -> Result<Done, Problem> {
        let of = CodeOf::PasswordReset;
        let user = self.known(caller, line).await?;
        let track = Track::of(line, &self.password_reset, user.is_some());
        let outcome = self.guess(caller, track.check_of(&self.password_reset), code, Use::Once).await?;
        let proof = judged(of, outcome)?;
        let Some(user) = user else { return Err(Problem::internal("a look-alike was proven")) };
        self.hand_out(caller, &proof, &user, Some(password)).await
    }

    /// The user who has proven this number.
    async fn known(&self, caller: &Caller, line: &Line) -> Result<Option<User>, StorageError> {
        let Some(number) = &line.number else { return Ok(None) };
        let user = self.directory.find(&caller.tenant.id, UserBy::Address(number)).await?;
        Ok(user.filter(|user| user.phone_verified))
    }

    /// The user of a number that was just proven: the one who had proven it before, or a new one, who is named
    /// after the proof, of which there is one only. Who only claimed it gets nothing of it.
    async fn register(
        &self,
        caller: &Caller,
        proof: &Verification,
        number: Recipient,
    ) -> Result<User, Problem> {
        let (directory, tenant) = (&self.directory, &caller.tenant.id);
        let found = directory.find(tenant, UserBy::Address(&number)).await?;
        if let Some(user) = found.filter(|user| user.phone_verified) {
            return Ok(user);
        }
        let Recipient::Phone(phone) = number else { return Err(Problem::internal("a mailbox signed up")) };
        let new = NewUser {
            id: proof.id.to_string(),
            phone: Some(phone),
            phone_verified: true,
            sequence: 1,
            ..NewUser::default()
        };
        match directory.create(tenant, new).await? {
            Created::Done(user) => Ok(*user),
            Created::IdTaken | Created::NameTaken => Err(Problem::internal("a proof was registered twice")),
            Created::AddressFull => Err(Problem::internal("a proof was taken for a claim")),
        }
    }

    /// What comes after a proof: tokens, or the merchant's hook.
    async fn hand_out(
        &self,
        caller: &Caller,
        proof: &Verification,
        user: &User,
        password: Option<&str>,
    ) -> Result<Done, Problem> {
        match &caller.hook {
            None => Ok(Done::Tokens(session::issue(&self.services, caller, &user.id))),
            Some(hook) => {
                let phone = user.phone.as_ref().map(countersign_core::recipient::PhoneNumber::expose);
                let body = proven(phone.unwrap_or_default(), proof.purpose.as_str(), password);
                hook.forward(&proof.id.to_string(), body).await?;
                Ok(Done::Accepted)
            }
        }
    }

    async fn send(
        &self,
        caller: &Caller,
        client: Client,
        purpose: &Purpose,
        intent: Intent,
        track: &Track,
    ) -> Result<(SendOutcome, Timestamp), Problem> {
        let (target, delivery) = track.target();
        self.start(caller, client, purpose, intent, delivery, target, Pairs::default(), None).await
    }

    /// Starts or sends again.
    #[expect(clippy::too_many_arguments, reason = "it only fills in what all starts have in common")]
    pub(super) async fn start(
        &self,
        caller: &Caller,
        client: Client,
        purpose: &Purpose,
        intent: Intent,
        delivery: Delivery,
        target: Target,
        metadata: Pairs,
        link: Option<LinkTemplate>,
    ) -> Result<(SendOutcome, Timestamp), Problem> {
        let request = Start {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            purpose: purpose.clone(),
            intent,
            delivery,
            targets: vec![(target, None)],
            locale: None,
            custom_code: None,
            link,
            context: caller.context(),
            metadata,
            client_ip: client.ip,
            trusted: false,
            ends_hold_of: None,
            terms: Some(caller.terms()),
            idempotency: None,
        };
        Ok(decided(self.services.verifications.start(request).await?)?)
    }

    /// Takes a guess.
    pub(super) async fn guess(
        &self,
        caller: &Caller,
        of: CheckOf<'_>,
        code: Code,
        used: Use,
    ) -> Result<CheckOutcome, Problem> {
        let request = Check {
            tenant: &caller.tenant,
            dialect: &self.dialect,
            of,
            code,
            only_of_length: false,
            context: caller.context(),
            // How many guesses pass before a number is held must not tell who was approved before: all count in full.
            client_ip: None,
            trusted: false,
            consume: used != Use::Look,
            record_proof: used == Use::Proof,
            idempotency: None,
        };
        Ok(decided(self.services.verifications.check(request).await?)?.0)
    }
}

/// What is blocked is told in this order: the client's country, then the number's.
fn may_be_sent_to(caller: &Caller, client: Client, line: &Line) -> Result<(), Problem> {
    caller.admits_client(client)?;
    match &line.number {
        Some(number) if !caller.tenant.sends_to(number) => Err(Problem::PrefixBlocked),
        _ => Ok(()),
    }
}

pub(super) fn accepted((outcome, at): (SendOutcome, Timestamp)) -> Result<(), Problem> {
    match outcome {
        SendOutcome::Accepted(accepted) => match cooling_down(&accepted, at) {
            None => Ok(()),
            Some(wait) => Err(Problem::CoolDown { retry_after: wait }),
        },
        SendOutcome::Refused(refusal) => Err(refusal.into()),
    }
}

/// The verification that the guess proved.
pub(super) fn judged(of: CodeOf, outcome: CheckOutcome) -> Result<Box<Verification>, Problem> {
    match outcome {
        CheckOutcome::Right { verification } => Ok(verification),
        CheckOutcome::Rejected { reason, retry_after, .. } => Err(Problem::rejected(of, reason, retry_after)),
        CheckOutcome::NotFound => Err(Problem::WrongCode(of, Mismatch::NothingPending)),
    }
}

/// What the hook gets. The buffer never grows, so that no copy of the password stays behind.
fn proven(phone: &str, purpose: &str, password: Option<&str>) -> Zeroizing<Vec<u8>> {
    #[derive(Serialize)]
    struct Proven<'a> {
        phone: &'a str,
        purpose: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<&'a str>,
    }
    // Escaped, a byte becomes six at most; the names and quotes take less than 64.
    let length = phone.len() + purpose.len() + password.map_or(0, str::len);
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * length));
    serde_json::to_writer(&mut *body, &Proven { phone, purpose, password }).expect("texts are JSON");
    body
}
