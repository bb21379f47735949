//! What tests of the whole program have in common.

mod app;
mod down;
pub(crate) mod frames;
mod hanging;
mod http;
mod program;
mod signed;
mod webhook;

pub(crate) use app::{DEMO, TestApp};
pub(crate) use hanging::Hanging;
pub(crate) use http::{Answer, at_once, call, call_over_http_2, exchange, request};
pub(crate) use program::{Installation, Server, keys, program, sha256};
pub(crate) use signed::signed;
pub(crate) use webhook::Webhook;
