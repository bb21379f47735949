//! What every engine must do, as one suite.
//!
//! A case is a sentence and stands in one list, `conformance_cases!` below; the function of that name
//! is the case. An engine runs them all with one line:
//!
//! ```ignore
//! countersign_core::storage_conformance!(SqliteFixture);
//! ```
//!
//! The crate that does so needs `tokio` with its `macros` and `rt-multi-thread`.

#![allow(clippy::missing_panics_doc, reason = "a case panics when it fails")]

mod start;

use super::bench::EngineFixture;

/// The one list of cases. `$with` is called with it: `$with! { arguments; module::case, … }`.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($with:path $(, $argument:ty)?) => {
        $with! { $($argument)?;
            start::a_start_commits_the_verification_and_its_message_together,
        }
    };
}

macro_rules! runner {
    (; $($module:ident :: $case:ident,)*) => {
        /// Runs the case of that name.
        pub async fn run<F: EngineFixture>(case: &str) {
            match case {
                $(stringify!($case) => $module::$case::<F>().await,)*
                other => panic!("there is no case {other}"),
            }
        }
    };
}

conformance_cases!(runner);

/// Writes one test per case of the conformance suite, for the engines of a fixture.
#[macro_export]
macro_rules! storage_conformance {
    ($fixture:ty) => {
        $crate::conformance_cases!($crate::storage_conformance_tests, $fixture);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! storage_conformance_tests {
    ($fixture:ty; $($module:ident :: $case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::testkit::conformance::run::<$fixture>(stringify!($case)).await;
            }
        )*
    };
}
