//! The store that the configuration names.

use std::sync::Arc;

use countersign_core::keys::KeyRing;
use countersign_core::time::Timestamp;
use countersign_storage::sqlite::{OpenError, SqliteEngine, SqliteOptions};

use crate::config::StorageUrl;

/// Opens the store, or creates it. It blocks.
///
/// # Errors
/// It is in use, damaged, of another program, or was written under other keys.
pub fn open(url: &StorageUrl, keys: Arc<KeyRing>, now: Timestamp) -> Result<Arc<SqliteEngine>, OpenError> {
    let StorageUrl::Sqlite(path) = url;
    SqliteEngine::open(path, keys, SqliteOptions::default(), now).map(Arc::new)
}
