//! What tests of the whole program have in common.

mod app;
mod down;
mod http;
mod program;

pub(crate) use app::{DEMO, TestApp};
pub(crate) use http::{Answer, call};
pub(crate) use program::{Installation, Server, keys, program};
