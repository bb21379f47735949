//! The store that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use countersign_storage::sqlite::{OpenError, SqliteEngine, SqliteOptions};

use crate::config::StorageUrl;

/// Opens the store, or creates it. It blocks.
///
/// # Errors
/// It is in use, damaged, of another program, was written under other keys, or has seen a time that is
/// further from `now` than `longest_jump`.
pub fn open(
    url: &StorageUrl,
    keys: Arc<KeyRing>,
    now: Timestamp,
    longest_jump: Option<Duration>,
) -> Result<Arc<SqliteEngine>, OpenError> {
    let StorageUrl::Sqlite(path) = url;
    let options = SqliteOptions { longest_jump, ..SqliteOptions::default() };
    SqliteEngine::open(path, keys, options, now).map(Arc::new)
}
