//! Every keyed operation: digests of codes, keys of recipients, sealed fields, the audit chain.
//!
//! Secrets come from the operator (a key file or the environment), never from the store. Each use
//! has a key of its own. Versions let the code and sealing keys be rotated while old rows stay
//! readable.

mod digest;
mod ring;
mod seal;

pub use digest::{AuditMac, CodeContext, CodeDigest, ContextDigest, RecipientKey};
pub use ring::{InvalidKeys, KeyMaterial, KeyRing, SecretKey};
pub use seal::{OpenError, Place, Sealed};
