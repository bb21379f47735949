//! Which code gets faults: what counts, caps, compares, remembers, signs, seals and commits.

use crate::tidy::Tree;

/// A part of the code.
struct Area {
    /// What its paths begin with.
    paths: &'static [&'static str],
    /// How long a test may take that is run against its faults, in seconds: the program's wiring is seen by
    /// slow tests only.
    longest: u64,
}

const AREAS: &[Area] = &[
    Area {
        paths: &[
            "crates/countersign-core/src/verification/",
            "crates/countersign-core/src/outbox/",
            "crates/countersign-core/src/freshness.rs",
            "crates/countersign-core/src/nonces.rs",
            "crates/countersign-core/src/engine/nonce.rs",
            "crates/countersign-core/src/keys/",
            "crates/countersign-http/src/signature.rs",
            "crates/countersign-http/src/native/auth.rs",
            "crates/countersign-http/src/dialects/crypterium/auth.rs",
            "crates/countersign-http/src/dialects/crypterium/signature.rs",
            "crates/countersign-http/src/dialects/enduserapi/auth.rs",
            "crates/countersign-http/src/dialects/enduserapi/readings.rs",
            "crates/countersign-http/src/dialects/enduserapi/signed.rs",
            "crates/countersign-http/src/dialects/zap/auth.rs",
            "crates/countersign-http/src/dialects/zitadel/auth.rs",
            "crates/countersign-storage/src/sqlite/calls.rs",
            "crates/countersign-storage/src/sqlite/changes.rs",
            "crates/countersign-storage/src/sqlite/claim.rs",
            "crates/countersign-storage/src/sqlite/commands.rs",
            "crates/countersign-storage/src/sqlite/failure.rs",
            "crates/countersign-storage/src/sqlite/nonces.rs",
            "crates/countersign-storage/src/sqlite/queue.rs",
            "crates/countersign-storage/src/sqlite/session.rs",
            "crates/countersign-storage/src/sqlite/unit.rs",
            "crates/countersign-storage/src/sqlite/writer.rs",
        ],
        longest: 12,
    },
    Area {
        paths: &[
            "crates/countersign/src/hooks.rs",
            "crates/countersign/src/launch.rs",
            "crates/countersign/src/node.rs",
            "crates/countersign/src/service.rs",
            "crates/countersign/src/store.rs",
            "crates/countersign/src/tasks/",
            "crates/countersign/src/ways.rs",
        ],
        longest: 30,
    },
];

/// The files that get faults.
pub(super) fn files(tree: &Tree) -> Vec<String> {
    let is_test = |file: &str| file.ends_with("/tests.rs") || file.contains("/tests/");
    let files = tree.files_ending(".rs").into_iter();
    files.filter(|file| longest_test(file).is_some() && !is_test(file)).collect()
}

/// How long a test may take that is run against the faults of a file, in seconds.
pub(super) fn longest_test(file: &str) -> Option<u64> {
    let of = |area: &&Area| area.paths.iter().any(|path| file.starts_with(path));
    AREAS.iter().find(of).map(|area| area.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_scope_is_there() {
        let files = files(&Tree::of_workspace().unwrap());
        for path in AREAS.iter().flat_map(|area| area.paths) {
            assert!(files.iter().any(|file| file.starts_with(path)), "{path}");
        }
    }
}
