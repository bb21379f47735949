//! The audit log: what administrators and the service itself did, in a keyed chain.
//!
//! Each entry's MAC covers its number, its content and the MAC before it, under a key that is not in
//! the store: changing, dropping, inserting or moving an entry breaks the chain.
//!
//! Cutting off the newest entries is found through the head, which is sealed together with the store's
//! mark, the latest instant ever committed. The mark moves on with nearly every commit, so that an older
//! head fits nothing but the store of its own time. Whoever puts the whole store back to that time is
//! found only by a note taken outside of it: [`Verifier::at_least`].

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

/// The newest entry's number and MAC, kept apart from the entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// How many entries there are.
    pub seq: u64,
    /// The last entry's MAC.
    pub mac: AuditMac,
}

impl Default for AuditHead {
    /// The head of a log without entries.
    fn default() -> Self {
        Self { seq: 0, mac: GENESIS }
    }
}

impl AuditHead {
    /// Seals the head together with the store's mark, so that neither can be rewritten without the key,
    /// nor put back without the other.
    pub fn sealed(self, keys: &KeyRing, mark: Timestamp) -> SealedHead {
        let parts: [&[u8]; 3] = [b"head and mark", &self.seq.to_be_bytes(), &mark.as_millis().to_be_bytes()];
        SealedHead { head: self, mark, seal: keys.audit_mac(&self.mac, &parts) }
    }

    /// Whether `seal` is what a head was sealed with before the mark was part of it.
    pub fn was_sealed_alone(&self, keys: &KeyRing, seal: &AuditMac) -> bool {
        keys.audit_mac(&self.mac, &[b"head", &self.seq.to_be_bytes()]) == *seal
    }
}

/// A head as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealedHead {
    /// The head.
    pub head: AuditHead,
    /// The latest instant ever committed.
    pub mark: Timestamp,
    /// MAC over both.
    pub seal: AuditMac,
}

impl SealedHead {
    /// Whether head and mark are as they were written.
    pub fn holds(&self, keys: &KeyRing) -> bool {
        self.head.sealed(keys, self.mark).seal == self.seal
    }
}

/// The action of the entry that a start writes when the head it finds does not hold. The log goes on
/// behind it, and never verifies as whole again.
pub const MISMATCH: &str = "audit.mismatch";

/// The action of the entry that is written when the head of an older version is taken over, once in the life of a
/// store.
pub const ADOPTED: &str = "audit.adopted";

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
    #[error("the log's head was changed, put back or is missing")]
    Head,
    /// The log was written under another key.
    #[error("the key \"audit\" in the key file did not write this log: use the installation's own key file")]
    OtherKey,
    /// A start found a head that did not hold.
    #[error("entry {0} says that the log or its head had been changed when the service started")]
    Mismatch(u64),
    /// The log is shorter than it was once.
    #[error("the log ends at entry {found}, but was noted with {noted} entries: the store was put back")]
    Older {
        /// How many were noted.
        noted: u64,
        /// How many there are.
        found: u64,
    },
    /// The log has another past than the noted one.
    #[error("entry {0} is not the one that was noted: the store was put back and has gone on since")]
    Replaced(u64),
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
    (entries, AuditHead { seq, mac })
}

/// Walks the whole log.
#[derive(Debug)]
pub struct Verifier<'a> {
    keys: &'a KeyRing,
    seq: u64,
    mac: AuditMac,
    noted: Option<AuditHead>,
    mismatch: Option<u64>,
}

impl<'a> Verifier<'a> {
    /// Begins before the first entry.
    pub const fn new(keys: &'a KeyRing) -> Self {
        Self { keys, seq: 0, mac: GENESIS, noted: None, mismatch: None }
    }

    /// Besides, demands that the log still holds the entry that was its last when somebody noted it.
    #[must_use]
    pub const fn at_least(self, noted: AuditHead) -> Self {
        Self { noted: Some(noted), ..self }
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
        if self.noted.is_some_and(|noted| noted.seq == expected && noted.mac != mac) {
            return Err(AuditError::Replaced(expected));
        }
        let event: Result<AuditEvent, _> = crate::codec::from_row(&entry.event);
        if event.is_ok_and(|event| event.action == MISMATCH) {
            self.mismatch.get_or_insert(expected);
        }
        (self.seq, self.mac) = (expected, mac);
        Ok(())
    }

    /// Compares the end with the head; returns the number of entries. `None` is the head of a store to
    /// which nothing was ever committed: without a head, a store in use is not whole.
    ///
    /// # Errors
    /// The log is shorter than its head or the note says, or the head was changed.
    pub fn finish(self, sealed: Option<&SealedHead>) -> Result<u64, AuditError> {
        match sealed {
            None if self.seq > 0 => return Err(AuditError::Head),
            Some(sealed) if !sealed.holds(self.keys) => return Err(AuditError::Head),
            Some(SealedHead { head, .. }) if head.seq != self.seq => {
                return Err(AuditError::Truncated { expected: head.seq, found: self.seq });
            }
            Some(SealedHead { head, .. }) if head.mac != self.mac => {
                return Err(AuditError::Broken(head.seq));
            }
            None | Some(_) => {}
        }
        match (self.noted, self.mismatch) {
            (Some(noted), _) if noted.seq > self.seq => {
                Err(AuditError::Older { noted: noted.seq, found: self.seq })
            }
            (_, Some(mismatch)) => Err(AuditError::Mismatch(mismatch)),
            _ => Ok(self.seq),
        }
    }
}
