//! `countersign openapi`

use super::{Failure, say};

pub(super) fn run() -> Result<(), Failure> {
    let document = countersign_http::native::openapi();
    let text = document.to_pretty_json().map_err(|error| Failure::Runtime(error.into()))?;
    Ok(say(&text)?)
}
