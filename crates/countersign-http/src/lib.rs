//! Countersign's wire: the native API, the dialects, the dev and operations endpoints.
//!
//! A dialect is a folder under [`dialects`] and one line in its list. It maps shapes and errors; it
//! never compares, counts or expires anything: that is `countersign_core::verifications`.

pub mod dev;
pub mod dialects;
pub mod hooks;
pub mod services;
