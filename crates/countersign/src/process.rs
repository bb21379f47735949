//! What the process forbids itself, and what it asks for. Best effort: a system that refuses is no
//! reason not to start.

#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Keeps keys and codes out of core dumps.
pub fn no_core_dumps() {
    #[cfg(unix)]
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        warn(&format!("core dumps could not be switched off: {error}"));
    }
}

/// Keeps other processes of the same user from reading this one's memory and environment. The system forgets it
/// with each program that is run.
pub fn nobody_looks_in() {
    #[cfg(target_os = "linux")]
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn(&format!("the process' memory could not be closed to other processes: {error}"));
    }
}

/// There is no log yet.
#[cfg(unix)]
fn warn(message: &str) {
    use std::io::Write;
    let _nobody_reads = writeln!(std::io::stderr(), "warning: {message}");
}

/// Raises the number of files that may be open to what the system permits: each connection is one,
/// and many shells still begin with 1024.
pub fn room_for_connections() {
    #[cfg(unix)]
    {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, ..limit };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, open_files = limit.current, "the limit of open files could not be raised");
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn afterwards_as_many_files_may_be_open_as_the_system_permits() {
        room_for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
