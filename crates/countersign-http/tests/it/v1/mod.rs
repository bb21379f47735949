//! Under `/v1`.

mod access;
mod bad_input;
mod cancel;
mod check;
mod document;
mod get;
mod idempotency;
mod list;
mod recipients;
mod resend;
mod start;
mod unavailable;
