//! The audit log: what administrators and the service itself did, in a keyed chain.
//!
//! Each entry's MAC covers its number, its content and the MAC before it, under a key that is not in
//! the store: changing, dropping, inserting or moving an entry breaks the
//! chain. Cutting off the newest entries is found through the head, which the store keeps apart.

use minicbor::{Decode, Encode};

use crate::keys::{AuditMac, KeyRing};
use crate::names::TenantId;
use crate::time::Timestamp;

/// Something worth remembering. It never holds a full recipient, a code or a key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AuditEvent {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// Whose matter; `None` for the installation as a whole.
    #[n(1)]
    pub tenant: Option<TenantId>,
    /// Who did it: `key:<name>` of an API key, `operator`, or `system`.
    #[n(2)]
    pub actor: String,
    /// What was done, e.g. `recipient.released`.
    #[n(3)]
    pub action: String,
    /// To what: an id or a masked recipient.
    #[n(4)]
    pub subject: String,
}

/// One entry as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// The event's stored bytes, exactly as the MAC covers them.
    pub event: Vec<u8>,
    /// The chain up to and including this entry.
    pub mac: AuditMac,
}

/// The newest entry's number and MAC, kept apart from the entries, under a MAC of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// How many entries there are.
    pub seq: u64,
    /// The last entry's MAC.
    pub mac: AuditMac,
    /// MAC over both, so that the head cannot be rewritten without the key.
    pub seal: AuditMac,
}

/// The chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// An entry is missing, or they are out of order.
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An entry does not follow from the one before it.
    #[error("entry {0} was changed, or the one before it was")]
    Broken(u64),
    /// The log ends before its head.
    #[error("the log ends at entry {found}, but {expected} entries were written")]
    Truncated {
        /// How many the head counts.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The head itself was changed or is missing.
    #[error("the log's head was changed or is missing")]
    Head,
}

const GENESIS: AuditMac = AuditMac::from_bytes([0; 32]);

/// Links events behind `head` (`None` for an empty log).
pub fn append(
    keys: &KeyRing,
    head: Option<&AuditHead>,
    events: &[AuditEvent],
) -> (Vec<AuditEntry>, AuditHead) {
    let (mut seq, mut mac) = head.map_or((0, GENESIS), |h| (h.seq, h.mac));
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        seq += 1;
        let bytes = crate::codec::to_row(event);
        mac = keys.audit_mac(&mac, &[&seq.to_be_bytes(), &bytes]);
        entries.push(AuditEntry { seq, event: bytes, mac });
    }
    (entries, AuditHead { seq, mac, seal: seal(keys, seq, &mac) })
}

fn seal(keys: &KeyRing, seq: u64, mac: &AuditMac) -> AuditMac {
    keys.audit_mac(mac, &[b"head", &seq.to_be_bytes()])
}

/// Walks the whole log.
#[derive(Debug)]
pub struct Verifier<'a> {
    keys: &'a KeyRing,
    seq: u64,
    mac: AuditMac,
}

impl<'a> Verifier<'a> {
    /// Begins before the first entry.
    pub const fn new(keys: &'a KeyRing) -> Self {
        Self { keys, seq: 0, mac: GENESIS }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// A gap, or a broken link.
    pub fn entry(&mut self, entry: &AuditEntry) -> Result<(), AuditError> {
        let expected = self.seq + 1;
        if entry.seq != expected {
            return Err(AuditError::Gap { expected, found: entry.seq });
        }
        let mac = self.keys.audit_mac(&self.mac, &[&expected.to_be_bytes(), &entry.event]);
        if mac != entry.mac {
            return Err(AuditError::Broken(expected));
        }
        (self.seq, self.mac) = (expected, mac);
        Ok(())
    }

    /// Compares the end with the head; answers the number of entries.
    ///
    /// # Errors
    /// The log is shorter than its head says, or the head was changed.
    pub fn finish(self, head: Option<&AuditHead>) -> Result<u64, AuditError> {
        match head {
            None if self.seq == 0 => Ok(0),
            None => Err(AuditError::Head),
            Some(head) if head.seal != seal(self.keys, head.seq, &head.mac) => Err(AuditError::Head),
            Some(head) if head.seq != self.seq => {
                Err(AuditError::Truncated { expected: head.seq, found: self.seq })
            }
            Some(head) if head.mac != self.mac => Err(AuditError::Broken(head.seq)),
            Some(_) => Ok(self.seq),
        }
    }
}
