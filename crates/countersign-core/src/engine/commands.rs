//! What is asked of an engine, and what it answers.
//!
//! Commands are complete: they carry the instant, the randomness and the limits that the decision
//! needs. Expected results are outcomes; errors are what the caller cannot fix.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::UserKey;
use super::idempotency::IdempotencyClaim;
use crate::code::Code;
use crate::entropy::Seed;
use crate::ids::VerificationId;
use crate::keys::{ContextDigest, RecipientKey};
use crate::link::LinkTemplate;
use crate::names::{Channel, DialectName, DirectoryName, Locale, Purpose, TenantId};
use crate::pairs::Pairs;
use crate::policy::{Caps, Terms};
use crate::recipient::{Recipient, RecipientKeys};
use crate::time::Timestamp;
use crate::verification::{ClientKey, EndsHold, Status, Verification};

use super::user::{StoredUser, UserAddress};

/// What the caller means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// "Start": sends again while one is pending, opens a new one otherwise, also after the checks of
    /// the last one are used up.
    Start,
    /// "Send", in APIs where start and resend are one call: as `Start`, but refused after the checks
    /// are used up until the window has closed.
    StartOrResend,
    /// "Resend", addressed by recipient: never opens anything; refused when nothing is pending.
    ResendOnly,
    /// "Resend" that also helps whoever comes late: as `ResendOnly`, but where the newest verification
    /// expired less than a day ago, it opens a new one, charged as a start.
    ResendOrRevive,
}

impl StartCommand {
    /// Whether it is about test numbers.
    pub fn is_test(&self) -> bool {
        self.destinations.iter().any(|destination| destination.test)
    }
}

impl Intent {
    /// Whether it asks for another message only, and never for another verification beside one that runs.
    pub const fn is_resend(self) -> bool {
        matches!(self, Self::ResendOnly | Self::ResendOrRevive)
    }
}

/// What happens with the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It is sent.
    Send,
    /// It goes back to the caller, who delivers it. Waits for and starts no cool-down.
    Return,
    /// Everything is counted as if it were sent, and nothing is: a look-alike, so that nobody can tell who is registered.
    Pretend,
}

/// One address to send to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DestinationRequest {
    /// What stands for it.
    pub keys: RecipientKeys,
    /// The address; `None` for nobody, with [`Delivery::Pretend`].
    pub recipient: Option<Recipient>,
    /// How to reach it.
    pub channel: Channel,
    /// For which user of a directory, and as which address of theirs: what the code proves is recorded with
    /// that user. `None`: the caller did not say. It is then for whom the address' verification is that is
    /// sent again, or for nobody.
    pub owner: Option<UserAddress>,
    /// Whether it is a test number, which is never contacted.
    pub test: bool,
}

/// Open a verification, or send again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartCommand {
    /// Who asks.
    pub tenant: TenantId,
    /// What for.
    pub purpose: Purpose,
    /// Through which wire API.
    pub dialect: DialectName,
    /// In which language.
    pub locale: Locale,
    /// What the caller means.
    pub intent: Intent,
    /// What happens with the code.
    pub delivery: Delivery,
    /// Whom: at least one. The first one that is refused decides; nothing is sent unless all pass.
    pub destinations: Vec<DestinationRequest>,
    /// The caller's own code.
    pub custom_code: Option<Code>,
    /// The link that this command's mails carry.
    pub link: Option<LinkTemplate>,
    /// What the code is bound to besides.
    pub context: Option<ContextDigest>,
    /// The caller's own notes, kept with the verification.
    pub metadata: Pairs,
    /// Finds the client address' ledger; `None` when the caller told no address.
    pub client: Option<ClientKey>,
    /// Whether the caller vouches for the request, and may use the starts that are kept for that.
    pub trusted: bool,
    /// Whose hold ends when the verification is approved: another recipient, on another channel. Only trusted
    /// calls may say so.
    pub ends_hold: Option<EndsHold>,
    /// What a new verification runs under.
    pub terms: Terms,
    /// The limits in force.
    pub caps: Caps,
    /// What the messages will cost, in millionths of the tenant's currency.
    pub cost_micros: u64,
    /// The present instant.
    pub now: Timestamp,
    /// The randomness of this command.
    pub seed: Seed,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyClaim>,
}

/// Register a user, and send the first codes to their addresses. All of it happens, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnrolCommand {
    /// Whose user.
    pub tenant: TenantId,
    /// In which directory.
    pub directory: DirectoryName,
    /// The user.
    pub user: StoredUser,
    /// The first messages, each for an address and a purpose of its own. They claim no idempotency keys.
    pub starts: Vec<StartCommand>,
    /// The present instant.
    pub now: Timestamp,
}

/// What an enrolment came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnrolOutcome {
    /// The user is registered, and every code issued: the running verifications, in the order of the starts.
    Enrolled(Vec<Accepted>),
    /// The directory has a user of that id.
    IdTaken,
    /// Another user of the directory has that name.
    NameTaken,
    /// A message was refused: there is no user, and nothing was sent or charged.
    Refused(Refusal),
}

/// Send again, addressed by id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResendCommand {
    /// Who asks.
    pub tenant: TenantId,
    /// Through which wire API: another one's verification is an unknown one.
    pub dialect: DialectName,
    /// Which verification.
    pub id: VerificationId,
    /// Over another channel than last time; `None` for the same.
    pub channel: Option<Channel>,
    /// What happens with the code.
    pub delivery: Delivery,
    /// Whether the caller vouches for the request.
    pub trusted: bool,
    /// The limits in force.
    pub caps: Caps,
    /// What the messages will cost.
    pub cost_micros: u64,
    /// The present instant.
    pub now: Timestamp,
    /// The randomness of this command.
    pub seed: Seed,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyClaim>,
}

/// Why nothing was opened or sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Refusal {
    /// No verification of that id is this tenant's.
    #[n(0)]
    NotFound,
    /// It has ended.
    #[n(1)]
    NotPending {
        /// How.
        #[n(0)]
        status: Status,
    },
    /// A resend by recipient found nothing to send again.
    #[n(2)]
    NothingPending,
    /// Too soon after the last message.
    #[n(3)]
    CoolDown {
        /// How long to wait.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// This verification has sent all it may.
    #[n(4)]
    SendsExhausted {
        /// How long until its window closes and a start opens a new one.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// This verification's checks are used up, and a plain resend cannot buy new ones.
    #[n(5)]
    ChecksExhausted {
        /// How long until its window closes.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// The recipient has had all the verifications (or returned codes) it may have for now.
    #[n(6)]
    RecipientLimit {
        /// How long until there is room.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// The recipient is held after failed checks.
    #[n(7)]
    RecipientHeld {
        /// How long until asking again makes sense.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// The client address has started all it may for now.
    #[n(8)]
    ClientLimit {
        /// How long until there is room.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// The tenant's messages of the day cost all they may.
    #[n(9)]
    TenantBudget {
        /// How long until there is room.
        #[cbor(n(0), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// These addresses are not one person's: each has to be verified by itself.
    #[n(10)]
    NotTogether,
}

/// What a start or resend came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum AcceptedKind {
    /// A new verification was opened.
    #[n(0)]
    Opened,
    /// A running one sent again.
    #[n(1)]
    Resent,
    /// A running one is inside its cool-down: nothing was sent and nothing charged.
    #[n(2)]
    CoolingDown,
    /// The same request came a moment ago and sent a message: nothing was sent and nothing charged now.
    #[n(3)]
    Repeated,
}

/// A running verification after a start or resend.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Accepted {
    /// What happened.
    #[n(0)]
    pub kind: AcceptedKind,
    /// The verification as it stands now. In a stored answer it is without sealed codes.
    #[n(1)]
    pub verification: Verification,
    /// The code, for [`Delivery::Return`]; never stored. With separate codes, the first destination's.
    #[cbor(skip)]
    pub code: Option<Code>,
    /// Whether the client address had started all it may for the hour; never stored.
    #[cbor(skip)]
    pub client_is_over: bool,
}

/// Accepted, or not.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum SendOutcome {
    /// There is a running verification.
    #[n(0)]
    Accepted(#[n(0)] Box<Accepted>),
    /// Nothing was opened and nothing sent.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

/// Which verification a guess is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckTarget {
    /// The one of this id.
    Id(VerificationId),
    /// Of those that an address joined last for each of these purposes, the newest that is pending.
    Recipient {
        /// The address.
        identity: RecipientKey,
        /// The purposes: at least one.
        purposes: Vec<Purpose>,
    },
    /// The newest that waits for any of a user's addresses, or else the newest of all; the guess is for the
    /// codes of these addresses only. What was asked for in another user's name is not among them.
    AnyOf {
        /// The user.
        owner: UserKey,
        /// The addresses.
        identities: Vec<RecipientKey>,
        /// The purpose.
        purpose: Purpose,
    },
}

/// Take a guess.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
pub struct CheckCommand {
    /// Through which wire API: a code is good only where it was asked for.
    pub dialect: DialectName,
    /// Who asks.
    pub tenant: TenantId,
    /// Which verification.
    pub target: CheckTarget,
    /// The guess.
    pub code: Code,
    /// Whether a text of another length than the verification's codes is no guess: it is refused then
    /// and not charged.
    pub only_of_length: bool,
    /// What the code must be bound to.
    pub context: Option<ContextDigest>,
    /// The client's network; `None` when the caller told no address.
    pub client: Option<ClientKey>,
    /// Whether the caller vouches for the request: guesses at a reserved verification are taken from nobody else.
    pub trusted: bool,
    /// Whether a right guess ends the verification. If not, it is charged like a wrong one, and the
    /// code stays good.
    pub consume: bool,
    /// Whether the directory records the proof, with the user it was asked for.
    pub record_proof: bool,
    /// The limits in force.
    pub caps: Caps,
    /// The present instant.
    pub now: Timestamp,
    /// The caller's claim on one effect.
    pub idempotency: Option<IdempotencyClaim>,
}

/// Why a guess was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Rejection {
    /// It was compared and was not the code.
    #[n(0)]
    WrongCode,
    /// The code or the window ran out.
    #[n(1)]
    Expired,
    /// The checks are used up.
    #[n(2)]
    Exhausted,
    /// It was approved before.
    #[n(3)]
    AlreadyUsed,
    /// It was given up.
    #[n(4)]
    Canceled,
    /// The code is bound to something else than the check repeated.
    #[n(5)]
    ContextMismatch,
    /// The recipient is held; nothing was compared.
    #[n(6)]
    RecipientHeld,
    /// It is not as long as the code; nothing was compared.
    #[n(7)]
    OtherLength,
}

/// What a check came to.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum CheckOutcome {
    /// The code was right.
    #[n(0)]
    Right {
        /// The verification: approved, or still pending where the guess did not consume it.
        #[n(0)]
        verification: Box<Verification>,
    },
    /// It was not accepted.
    #[n(1)]
    Rejected {
        /// The verification after the charge.
        #[n(0)]
        verification: Box<Verification>,
        /// Why.
        #[n(1)]
        reason: Rejection,
        /// For what asking again makes no sense before: the end of the window or of the hold.
        #[cbor(n(2), with = "crate::codec::duration")]
        retry_after: Duration,
    },
    /// There is no such verification of this tenant.
    #[n(2)]
    NotFound,
}

/// Give up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CancelCommand {
    /// Who asks.
    pub tenant: TenantId,
    /// Which verification.
    pub id: VerificationId,
    /// The present instant.
    pub now: Timestamp,
}

/// What a cancel came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CancelOutcome {
    /// It is cancelled, now or since before.
    Canceled(Box<Verification>),
    /// It had ended otherwise.
    NotPending(Box<Verification>),
    /// There is no such verification of this tenant.
    NotFound,
}
