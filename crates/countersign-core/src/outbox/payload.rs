//! What a message carries, sealed: whom, and the code.

use minicbor::{Decode, Encode};
use rand::Rng;
use zeroize::Zeroizing;

use super::Message;
use crate::code::Code;
use crate::codec;
use crate::ids::MessageId;
use crate::keys::{KeyRing, OpenError, Place, Sealed};
use crate::names::TenantId;
use crate::recipient::Recipient;

/// What a dispatcher needs and nobody else may see.
#[derive(Debug)]
pub struct Payload {
    /// Whom.
    pub recipient: Recipient,
    /// The code.
    pub code: Code,
}

#[derive(Encode, Decode)]
struct Wire<'a> {
    #[n(0)]
    recipient: &'a str,
    #[n(1)]
    code: &'a str,
}

impl Payload {
    /// Seals it for its message.
    pub fn seal(&self, tenant: &TenantId, id: MessageId, keys: &KeyRing, rng: &mut impl Rng) -> Sealed {
        let wire = Wire { recipient: self.recipient.expose(), code: self.code.expose() };
        let plain = Zeroizing::new(codec::to_row(&wire));
        keys.seal(place(tenant, &id), &plain, rng)
    }

    /// Opens a message's payload.
    ///
    /// # Errors
    /// It was wiped, moved or damaged, or its key is missing.
    pub fn open(message: &Message, keys: &KeyRing) -> Result<Self, OpenError> {
        let sealed = message.payload.as_ref().ok_or(OpenError)?;
        let plain = keys.open(place(&message.tenant, &message.id), sealed)?;
        let wire: Wire<'_> = codec::from_row(&plain).map_err(|_| OpenError)?;
        let code = Code::parse(wire.code).map_err(|_| OpenError)?;
        Ok(Self { recipient: Recipient::from_canonical(wire.recipient), code })
    }
}

fn place<'a>(tenant: &'a TenantId, id: &'a MessageId) -> Place<'a> {
    Place { table: "messages", column: "payload", tenant, row: id.as_bytes(), index: 0 }
}
