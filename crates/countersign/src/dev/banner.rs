//! What `countersign dev` prints.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::samples::{Moment, commands};

/// The text for an instance that listens on `address` and keeps its data in `folder`, with commands
/// signed at `moment`.
pub fn banner(address: SocketAddr, folder: &Path, moment: &Moment) -> String {
    let mut text = format!(
        "\n  inbox  http://{address}/\n  docs   http://{address}/docs\n  data   {}\n\n\
         Every message appears in the inbox; nothing is sent to the outside.\n",
        folder.display()
    );
    let mut last = "";
    for command in commands(address, moment) {
        if command.api != last {
            let _fits = write!(text, "\n{}\n", command.api);
            last = command.api;
        }
        let _fits = writeln!(text, "  # {}\n  {}", command.title, command.curl.replace('\n', "\n  "));
    }
    text
}

#[cfg(test)]
mod tests {
    use countersign_core::time::Timestamp;

    use super::*;

    #[test]
    fn every_wire_api_that_is_served_has_a_command() {
        let moment = Moment { now: Timestamp::from_millis(0), seed: [0; 32].into() };
        let text = banner(([127, 0, 0, 1], 8025).into(), Path::new("data"), &moment);
        for api in ["native", "crypterium", "enduserapi", "zap"] {
            assert!(text.contains(&format!("\n{api}\n  # ")), "{api}");
        }
        assert!(text.contains("inbox  http://127.0.0.1:8025/\n"));
        assert!(text.contains("docs   http://127.0.0.1:8025/docs\n"));
    }
}
