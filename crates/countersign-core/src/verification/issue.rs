//! Handing out a code: which one, to whom, in which messages.
//!
//! Starting and sending again are the same act here; they differ in what was there before.

use std::ops::Range;

use rand::rngs::StdRng;

use super::sealed::{code_place, recipient_place};
use super::{Damaged, Destination, DropMessages, StoredRecipient, Verification};
use crate::code::Code;
use crate::engine::{Delivery, DestinationRequest, UserAddress};
use crate::ids::MessageId;
use crate::keys::{CodeContext, KeyRing};
use crate::link::LinkTemplate;
use crate::names::Channel;
use crate::outbox::{Abandoned, Message, MessageState, Payload};
use crate::policy::{CodeSharing, ResendCode};
use crate::recipient::Recipient;
use crate::time::Timestamp;

/// A destination of the verification that gets the code now.
pub(super) struct Addressed {
    /// Its index.
    pub(super) index: usize,
    /// How it is reached.
    pub(super) channel: Channel,
}

/// What an issue came to.
pub(super) struct Issued {
    /// The code of the first addressed destination.
    pub(super) code: Code,
    /// Messages to queue.
    pub(super) messages: Vec<Message>,
    /// Messages they take the place of.
    pub(super) drop_messages: Vec<DropMessages>,
}

/// Hands out codes for one decision.
pub(super) struct Issuer<'a> {
    pub(super) keys: &'a KeyRing,
    pub(super) delivery: Delivery,
    /// The link that mails of this decision carry.
    pub(super) link: Option<&'a LinkTemplate>,
    pub(super) now: Timestamp,
    pub(super) rng: StdRng,
    /// Addresses that this very decision has sealed, by destination: they need not be opened again.
    pub(super) known: Vec<(usize, Recipient)>,
}

impl Issuer<'_> {
    /// Adds an address; its code comes with the next [`Issuer::issue`].
    pub(super) fn add_destination(
        &mut self,
        verification: &mut Verification,
        request: &DestinationRequest,
        owner: Option<UserAddress>,
    ) {
        let index = verification.destinations.len();
        let recipient = match &request.recipient {
            None => StoredRecipient::Nobody,
            Some(recipient) => {
                let place = recipient_place(&verification.tenant, &verification.id, index);
                self.known.push((index, recipient.clone()));
                StoredRecipient::Sealed(self.keys.seal(place, recipient.expose().as_bytes(), &mut self.rng))
            }
        };
        verification.destinations.push(Destination {
            identity: request.keys.identity,
            budget: request.keys.budget,
            recipient,
            channel: request.channel,
            digest: None,
            sealed_code: None,
            code_expires_at: verification.created_at,
            code_sent: false,
            owner,
            test: Some(request.test),
        });
    }

    /// Counts a send where one happens, chooses the code, makes it the live one and queues it to
    /// every addressed destination. `custom_code` is the caller's own, when it opens.
    pub(super) fn issue(
        &mut self,
        verification: &mut Verification,
        to: &[Addressed],
        custom_code: Option<&Code>,
    ) -> Result<Issued, Damaged> {
        if self.delivery != Delivery::Return {
            verification.sends_used = verification.sends_used.saturating_add(1);
            verification.last_send_at = Some(self.now);
        }
        let codes: Vec<Code> = match verification.terms.sharing {
            CodeSharing::Shared => {
                let all = 0..verification.destinations.len();
                vec![self.renew(verification, all, custom_code); to.len()]
            }
            CodeSharing::Separate => {
                to.iter().map(|a| self.renew(verification, a.index..a.index + 1, custom_code)).collect()
            }
        };
        let (mut messages, mut drop_messages) = (Vec::new(), Vec::new());
        for (addressed, code) in to.iter().zip(&codes) {
            let destination = &mut verification.destinations[addressed.index];
            destination.channel = addressed.channel;
            let is_void = !std::mem::replace(&mut destination.code_sent, true);
            // A code that is only handed back leaves a waiting message alone that says the same.
            if is_void || self.delivery != Delivery::Return {
                drop_messages.push(superseded(verification, addressed.index));
            }
            if self.delivery == Delivery::Send
                && let Some(recipient) = self.recipient(verification, addressed.index)?
            {
                // Only a mail has room for a link.
                let link = self.link.filter(|_| addressed.channel == Channel::Email);
                let link = link.map(|template| template.fill(code));
                let payload = Payload { recipient, code: code.clone(), link };
                messages.push(self.message(verification, addressed.index, &payload));
            }
        }
        // Where the code is a new one for everybody, nobody may still get the old one.
        for index in 0..verification.destinations.len() {
            if !verification.destinations[index].code_sent {
                drop_messages.push(superseded(verification, index));
            }
        }
        let code = codes.into_iter().next().ok_or(Damaged)?;
        Ok(Issued { code, messages, drop_messages })
    }

    /// Makes one code the live one of the given destinations and returns it: the caller's own, the
    /// present one where it is to be repeated, or a new one that voids it.
    fn renew(
        &mut self,
        verification: &mut Verification,
        which: Range<usize>,
        custom_code: Option<&Code>,
    ) -> Code {
        let repeats = verification.terms.resend_code == ResendCode::Same || verification.custom_code;
        let present = if repeats && custom_code.is_none() {
            self.present_code(verification, which.clone())
        } else {
            None
        };
        let fresh = present.is_none();
        let (code, expires_at) = present.unwrap_or_else(|| {
            let code = custom_code
                .cloned()
                .unwrap_or_else(|| Code::generate(verification.terms.code, &mut self.rng));
            (code, self.code_deadline(verification))
        });
        let may_go_again = repeats && verification.sends_used < verification.terms.max_sends;
        for index in which {
            let destination = &verification.destinations[index];
            let sealed_code = may_go_again.then(|| match &destination.sealed_code {
                Some(sealed) if !fresh => sealed.clone(),
                _ => {
                    let place = code_place(&verification.tenant, &verification.id, index);
                    self.keys.seal(place, code.expose().as_bytes(), &mut self.rng)
                }
            });
            let digest = self.keys.code_digest(verification.code_context(destination), &code);
            let destination = &mut verification.destinations[index];
            destination.code_sent &= !fresh;
            destination.digest = Some(digest);
            destination.code_expires_at = expires_at;
            destination.sealed_code = sealed_code;
        }
        code
    }

    /// When a code that begins to live now dies.
    fn code_deadline(&self, verification: &Verification) -> Timestamp {
        verification.expires_at.min(self.now + verification.terms.code_life)
    }

    /// The live code and its end, where it was kept and lives. The caller's own code lives again when
    /// it goes out again: no other code would do.
    fn present_code(&self, verification: &Verification, which: Range<usize>) -> Option<(Code, Timestamp)> {
        which.into_iter().find_map(|index| {
            let destination = &verification.destinations[index];
            let sealed = destination.sealed_code.as_ref()?;
            let expires_at = match destination.code_expires_at {
                end if self.now < end => end,
                _ if verification.custom_code => self.code_deadline(verification),
                _ => return None,
            };
            let place = code_place(&verification.tenant, &verification.id, index);
            // A code that no longer opens (its key was retired) is replaced by a new one.
            let plain = self.keys.open(place, sealed).ok()?;
            let code = Code::parse(std::str::from_utf8(&plain).ok()?).ok()?;
            Some((code, expires_at))
        })
    }

    /// The address of a destination; `None` for nobody.
    fn recipient(&self, verification: &Verification, index: usize) -> Result<Option<Recipient>, Damaged> {
        match &verification.destinations[index].recipient {
            StoredRecipient::Sealed(sealed) => {
                if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == index) {
                    return Ok(Some(known.clone()));
                }
                let place = recipient_place(&verification.tenant, &verification.id, index);
                let plain = self.keys.open(place, sealed).map_err(|_| Damaged)?;
                Ok(Some(Recipient::from_canonical(std::str::from_utf8(&plain).map_err(|_| Damaged)?)))
            }
            StoredRecipient::Masked(_) | StoredRecipient::Nobody => Ok(None),
        }
    }

    fn message(&mut self, verification: &Verification, index: usize, payload: &Payload) -> Message {
        let destination = &verification.destinations[index];
        let id = MessageId::generate(self.now, &mut self.rng);
        Message {
            id,
            tenant: verification.tenant.clone(),
            verification: verification.id,
            destination: small(index),
            purpose: verification.purpose.clone(),
            dialect: verification.dialect.clone(),
            locale: verification.locale.clone(),
            channel: destination.channel,
            queued_at: self.now,
            expires_at: destination.code_expires_at,
            payload: Some(payload.seal(&verification.tenant, id, self.keys, &mut self.rng)),
            state: MessageState::Queued,
            updated_at: self.now,
            submissions: 0,
            tried: Vec::new(),
            attempts: 0,
            test: verification.is_test_number(destination),
        }
    }
}

fn superseded(verification: &Verification, index: usize) -> DropMessages {
    DropMessages {
        verification: verification.id,
        destination: Some(small(index)),
        reason: Abandoned::Superseded,
    }
}

fn small(index: usize) -> u8 {
    u8::try_from(index).expect("a verification has few destinations")
}

impl Verification {
    /// What a code for one of its destinations is bound to.
    pub(super) fn code_context<'a>(&'a self, destination: &'a Destination) -> CodeContext<'a> {
        CodeContext {
            tenant: &self.tenant,
            purpose: &self.purpose,
            recipient: &destination.identity,
            verification: self.id,
            context: self.context.as_ref(),
        }
    }
}
