//! The key file: the installation's secrets, as TOML.
//!
//! ```toml
//! index = "<32 bytes in base64>"
//! audit = "<32 bytes in base64>"
//! [pepper]
//! 1 = "<32 bytes in base64>"
//! [seal]
//! 1 = "<32 bytes in base64>"
//! ```
//!
//! A key file is created on request only (`countersign keys generate`, and by `countersign dev`
//! beside a new database), never because one is missing: a store that meets new keys can read
//! nothing that it holds. Nothing here prints a secret or a line of the file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use countersign_core::entropy::Entropy;
use countersign_core::keys::{InvalidKeys, KeyMaterial, KeyRing, SecretKey};
use data_encoding::BASE64;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::config::problem::without_value;

/// The environment variable that may hold a key file's text instead of a file.
pub const ENVIRONMENT: &str = "COUNTERSIGN_KEYS";

/// Why there are no keys. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error(
        "the key file {0} does not exist. If this is a new installation, create it with \
         `countersign keys generate --out {0}`; if not, bring it back from where you keep it: \
         without it nothing in the store can be read"
    )]
    Absent(PathBuf),
    /// Others may read it.
    #[error("the key file {path} may be read by others (mode {mode:03o}); `chmod 600 {path}`")]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It would be overwritten.
    #[error("{0} exists already; a key file is never overwritten")]
    Exists(PathBuf),
    /// It cannot be read or written.
    #[error("the key file {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no key file.
    #[error("{origin} line {line}: {message}")]
    Format {
        /// The file or variable.
        origin: String,
        /// Where in it.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The keys do not work together.
    #[error("{origin}: {error}")]
    Invalid {
        /// The file or variable.
        origin: String,
        /// Why not.
        error: InvalidKeys,
    },
}

/// Reads the keys from a file that only its owner may read.
///
/// # Errors
/// It is absent, open to others, or no key file.
pub fn read(path: &Path) -> Result<KeyRing, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyFileError::Absent(path.to_owned()));
        }
        other => other.map_err(io)?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Asked of the open file, not of the path: what is judged is what is read.
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Permissions { path: path.to_owned(), mode });
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    parse(&text, &format!("the key file {}", path.display()))
}

/// Reads the keys from a key file's text; `origin` names it in errors.
///
/// # Errors
/// It is no key file.
pub fn parse(text: &str, origin: &str) -> Result<KeyRing, KeyFileError> {
    let layout: Layout = toml::from_str(text).map_err(|e| KeyFileError::Format {
        origin: origin.to_owned(),
        line: e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        message: without_value(e.message()),
    })?;
    KeyRing::new(layout.into()).map_err(|error| KeyFileError::Invalid { origin: origin.to_owned(), error })
}

/// A fresh key file's text.
pub fn generate(entropy: &impl Entropy) -> Zeroizing<String> {
    let key = || Zeroizing::new(BASE64.encode(entropy.seed().expose()));
    let (index, audit, pepper, seal) = (key(), key(), key(), key());
    Zeroizing::new(format!(
        "# Countersign key file. Keep a copy where the database's backups are not: each is useless\n\
         # without the other. To rotate, add a version with a higher number (to [pepper] or [seal],\n\
         # up to 255) and keep the older ones; `index` and `audit` stay as they are.\n\
         index = \"{}\"\n\
         audit = \"{}\"\n\n\
         [pepper]\n1 = \"{}\"\n\n\
         [seal]\n1 = \"{}\"\n",
        *index, *audit, *pepper, *seal
    ))
}

/// Writes a fresh key file that only its owner may read. It is on disk when this returns.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn create(path: &Path, entropy: &impl Entropy) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists(path.to_owned()));
        }
        other => other.map_err(io)?,
    };
    file.write_all(generate(entropy).as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        // So that the name survives a power cut too.
        File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    index: Key,
    audit: Key,
    pepper: BTreeMap<Version, Key>,
    seal: BTreeMap<Version, Key>,
}

impl From<Layout> for KeyMaterial {
    fn from(layout: Layout) -> Self {
        let versions = |keys: BTreeMap<Version, Key>| keys.into_iter().map(|(v, k)| (v.0, k.0)).collect();
        Self {
            pepper: versions(layout.pepper),
            seal: versions(layout.seal),
            index: layout.index.0,
            audit: layout.audit.0,
        }
    }
}

/// A key's version: 1 to 255.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Version(u8);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            // One spelling, so that `01` is no second version 1.
            Ok(version) if version > 0 && format!("{version}") == text => Ok(Self(version)),
            _ => Err(serde::de::Error::custom("a key's version is a number from 1 to 255")),
        }
    }
}

struct Key(SecretKey);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Key;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("32 bytes in base64")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
                // The text itself stays out of every message.
                let wrong = || E::custom("a key is 32 bytes in base64 (44 characters)");
                let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| wrong())?);
                let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| wrong())?;
                Ok(Key(SecretKey::new(bytes)))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::entropy::OsEntropy;

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        create(&path, &OsEntropy).unwrap();
        (folder, path)
    }

    #[test]
    fn a_created_file_reads_back_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = fresh();
        let keys = read(&path).unwrap();
        assert_eq!(keys.fingerprints().len(), 4);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let (_folder, path) = fresh();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(create(&path, &OsEntropy), Err(KeyFileError::Exists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn an_absent_file_is_an_error_and_stays_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        assert!(matches!(read(&path), Err(KeyFileError::Absent(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = fresh();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(KeyFileError::Permissions { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_without_its_secrets() {
        let good = generate(&OsEntropy);
        let secret = good.lines().nth(3).unwrap().to_owned();
        for (bad, line) in [
            (good.replacen("[seal]\n1 = \"", "[seal]\n1 = \"A", 1), 11),
            (good.replacen("[pepper]\n1", "[pepper]\n0", 1), 8),
            (good.replacen("[pepper]\n1", "[pepper]\n01", 1), 8),
            (good.replacen("[pepper]\n1", "[pepper]\n256", 1), 8),
            (good.replacen("audit =", "audits =", 1), 5),
            (good.replacen("index = ", "index = [", 1).replacen("\"\naudit", "\"]\naudit", 1), 4),
        ] {
            let error = parse(&bad, "keys").unwrap_err().to_string();
            assert!(error.starts_with(&format!("keys line {line}: ")), "{error}");
            assert!(!error.contains(&secret[9..40]), "{error}");
        }
    }

    /// Shows: F25.
    #[test]
    fn f25_a_key_of_the_wrong_type_is_named_with_its_line_and_not_shown() {
        let good = generate(&OsEntropy);
        for wrong in ["8675309", "8675309.5", "2026-11-20", "true"] {
            let index = good.lines().nth(3).unwrap();
            let error = parse(&good.replacen(index, &format!("index = {wrong}"), 1), "keys").unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("keys line 4: ") && !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn one_secret_for_two_uses_is_refused() {
        let good = generate(&OsEntropy);
        let index = good.lines().nth(3).unwrap().strip_prefix("index").unwrap();
        let twice: String = good
            .lines()
            .map(|l| if l.starts_with("audit") { format!("audit{index}\n") } else { format!("{l}\n") })
            .collect();
        assert!(matches!(parse(&twice, "keys"), Err(KeyFileError::Invalid { .. })));
    }
}
