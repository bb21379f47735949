//! What the process forbids itself, and what it asks for. Best effort: a system that refuses is no
//! reason not to start.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Keeps keys and codes out of core dumps.
pub fn no_core_dumps() {
    #[cfg(unix)]
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
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
    fn afterwards_a_core_dump_has_no_room() {
        no_core_dumps();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }

    #[test]
    fn afterwards_as_many_files_may_be_open_as_the_system_permits() {
        room_for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
