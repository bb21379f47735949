//! What the tests of the dialects have in common.

mod bench;
mod golden;
mod hook;

pub(crate) use bench::{Ground, Outbox, answer, whole};
pub(crate) use golden::{Recorded, make, parse_request, run_all, written};
pub(crate) use hook::TestHook;
