//! `countersign dev`: the same program and the same engine, with published credentials, an inbox
//! instead of providers, and a clock that can be pushed forward.
//!
//! Invariants: it listens on loopback only, and it contacts nobody.

mod banner;
mod demo;
mod pending;
mod place;
mod ports;
mod samples;

pub use banner::banner;
pub use demo::{config, lead_links_to, register_users};
pub use pending::open_sign_up;
pub use place::{Place, PlaceError};
pub use ports::{CodesView, InboxView, ShownSamples};
pub use samples::{Command, Moment, commands};
