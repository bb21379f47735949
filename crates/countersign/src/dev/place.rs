//! Where dev mode keeps its database and its keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use countersign_core::entropy::Entropy;
use countersign_core::keys::KeyRing;

use crate::config::StorageUrl;
use crate::keyfile::{self, KeyFileError};

/// Why dev mode has no place to be.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The folder.
    #[error("the folder {path} cannot be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is a database and no key for it.
    #[error(
        "{database} exists, but its key file {keys} does not: nothing in it can be read. Bring the key \
         file back, or start anew with another --data-dir"
    )]
    KeysLost {
        /// What is locked.
        database: PathBuf,
        /// What would open it.
        keys: PathBuf,
    },
    /// The key file.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
}

/// The files of dev mode.
#[derive(Debug)]
pub struct Place {
    /// The folder they are in.
    pub folder: PathBuf,
    /// Where state lives.
    pub storage: StorageUrl,
    keys: PathBuf,
}

impl Place {
    /// Prepares the folder; state lives in it unless `storage` says otherwise.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn prepare(folder: &Path, storage: Option<StorageUrl>) -> Result<Self, PlaceError> {
        let wrong = |source| PlaceError::Folder { path: folder.to_owned(), source };
        if !folder.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder).map_err(wrong)?;
            // Keys do not belong into anybody's repository.
            fs::write(folder.join(".gitignore"), "*\n").map_err(wrong)?;
        }
        let storage = storage.unwrap_or_else(|| StorageUrl::Sqlite(folder.join("countersign.db")));
        Ok(Self { folder: folder.to_owned(), storage, keys: folder.join("countersign.keys") })
    }

    /// The keys: of the last time, or new ones if there is no database yet either.
    ///
    /// # Errors
    /// There is a database without its keys, or the key file cannot be used.
    pub fn keys(&self, entropy: &impl Entropy) -> Result<KeyRing, PlaceError> {
        let StorageUrl::Sqlite(database) = &self.storage;
        if !self.keys.exists() {
            if database.exists() {
                return Err(PlaceError::KeysLost { database: database.clone(), keys: self.keys.clone() });
            }
            keyfile::create(&self.keys, entropy)?;
        }
        Ok(keyfile::read(&self.keys)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn the_first_start_makes_keys_and_the_next_one_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let prepare = || Place::prepare(&folder.path().join("data"), None).unwrap();
        let first = prepare().keys(&OsEntropy).unwrap().fingerprints();
        assert_eq!(prepare().keys(&OsEntropy).unwrap().fingerprints(), first);
        assert_eq!(fs::read_to_string(folder.path().join("data/.gitignore")).unwrap(), "*\n");
    }

    /// Shows: K8.
    #[test]
    fn a_database_without_its_keys_is_refused_and_gets_no_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("countersign.db"), "").unwrap();
        let place = Place::prepare(folder.path(), None).unwrap();
        assert!(matches!(place.keys(&OsEntropy), Err(PlaceError::KeysLost { .. })));
        assert!(!folder.path().join("countersign.keys").exists());
    }

    #[test]
    fn state_may_live_elsewhere_and_its_keys_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere.db");
        let place = Place::prepare(&folder.path().join("data"), Some(StorageUrl::Sqlite(elsewhere))).unwrap();
        place.keys(&OsEntropy).unwrap();
        assert!(folder.path().join("data/countersign.keys").exists());
    }
}
