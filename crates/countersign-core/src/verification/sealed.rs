//! The sealed fields of a verification: where each stands, and how its own tenant reads them.

use std::collections::BTreeMap;

use super::{StoredRecipient, Verification};
use crate::codec;
use crate::engine::StorageError;
use crate::ids::VerificationId;
use crate::keys::{KeyRing, Place};
use crate::names::TenantId;
use crate::pairs::Pairs;

/// What a verification's sealed fields say, for the tenant's own eyes.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The addresses in order, in full, or masked after the retention time.
    pub to: Vec<String>,
    /// The caller's own notes.
    pub metadata: Pairs,
}

impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosed").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// Opens a verification's sealed fields.
///
/// # Errors
/// They cannot be read.
pub(crate) fn disclose(keys: &KeyRing, verification: &Verification) -> Result<Disclosed, StorageError> {
    let damaged = || StorageError::Corrupt { table: "verifications" };
    let (tenant, id) = (&verification.tenant, &verification.id);
    let to = (verification.destinations.iter().enumerate())
        .map(|(index, destination)| match &destination.recipient {
            StoredRecipient::Sealed(sealed) => {
                let place = recipient_place(tenant, id, index);
                let plain = keys.open(place, sealed).map_err(|_| damaged())?;
                String::from_utf8(plain.to_vec()).map_err(|_| damaged())
            }
            StoredRecipient::Masked(masked) => Ok(masked.clone()),
            StoredRecipient::Nobody => Ok(String::new()),
        })
        .collect::<Result<_, _>>()?;
    let metadata = match &verification.metadata {
        None => Pairs::default(),
        Some(sealed) => {
            let plain = keys.open(metadata_place(tenant, id), sealed).map_err(|_| damaged())?;
            codec::from_row::<BTreeMap<_, _>>(&plain).map_err(|_| damaged())?.into()
        }
    };
    Ok(Disclosed { to, metadata })
}

/// Where the address of a verification's `index`-th destination is sealed.
pub(crate) fn recipient_place<'a>(tenant: &'a TenantId, id: &'a VerificationId, index: usize) -> Place<'a> {
    place(tenant, id, "recipient", index)
}

/// Where the code of a verification's `index`-th destination is sealed.
pub(crate) fn code_place<'a>(tenant: &'a TenantId, id: &'a VerificationId, index: usize) -> Place<'a> {
    place(tenant, id, "code", index)
}

/// Where a verification's notes are sealed.
pub(crate) fn metadata_place<'a>(tenant: &'a TenantId, id: &'a VerificationId) -> Place<'a> {
    place(tenant, id, "metadata", 0)
}

fn place<'a>(tenant: &'a TenantId, id: &'a VerificationId, column: &'static str, index: usize) -> Place<'a> {
    let index = u8::try_from(index).expect("a verification has few destinations");
    Place { table: "verifications", column, tenant, row: id.as_bytes(), index }
}
