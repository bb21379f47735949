//! What a message carries, sealed: whom, the code, and the link with the code in it.

use minicbor::{Decode, Encode};
use rand::Rng;
use zeroize::Zeroizing;

use super::Message;
use crate::code::Code;
use crate::codec;
use crate::ids::MessageId;
use crate::keys::{KeyRing, OpenError, Place, Sealed};
use crate::link::Link;
use crate::names::TenantId;
use crate::recipient::Recipient;

/// What a dispatcher needs and nobody else may see.
#[derive(Debug)]
pub struct Payload {
    /// Whom.
    pub recipient: Recipient,
    /// The code.
    pub code: Code,
    /// The link for a mail, if the caller has one.
    pub link: Option<Link>,
}

#[derive(Encode, Decode)]
struct Wire<'a> {
    #[n(0)]
    recipient: &'a str,
    #[n(1)]
    code: &'a str,
    /// Absent in rows that are older than links.
    #[n(2)]
    link: Option<&'a str>,
}

impl Payload {
    /// Seals it for its message.
    pub fn seal(&self, tenant: &TenantId, id: MessageId, keys: &KeyRing, rng: &mut impl Rng) -> Sealed {
        let wire = Wire {
            recipient: self.recipient.expose(),
            code: self.code.expose(),
            link: self.link.as_ref().map(Link::expose),
        };
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
        let link = wire.link.map(Link::from_sealed);
        Ok(Self { recipient: Recipient::from_canonical(wire.recipient), code, link })
    }
}

fn place<'a>(tenant: &'a TenantId, id: &'a MessageId) -> Place<'a> {
    Place { table: "messages", column: "payload", tenant, row: id.as_bytes(), index: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Encode)]
    struct Before<'a> {
        #[n(0)]
        recipient: &'a str,
        #[n(1)]
        code: &'a str,
    }

    /// A message that was queued by a version without links is sent by this one.
    #[test]
    fn a_payload_from_before_there_were_links_has_none() {
        let row = codec::to_row(&Before { recipient: "ann@example.com", code: "123456" });
        let wire: Wire<'_> = codec::from_row(&row).unwrap();
        assert_eq!((wire.recipient, wire.code, wire.link), ("ann@example.com", "123456", None));
    }
}
