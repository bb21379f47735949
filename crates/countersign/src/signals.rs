//! How an operator or a supervisor tells the program to leave.

/// The exit code after a second SIGINT, as shells know it.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;

/// Completes when the process is asked to end (SIGTERM, SIGINT or SIGHUP; elsewhere Ctrl-C). From then on another
/// SIGINT ends it at once: nothing that was answered is lost, as after a crash.
///
/// # Errors
/// The system does not let us listen for it.
pub fn leave() -> std::io::Result<impl Future<Output = &'static str>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Listening begins here, not when the future is first polled: nothing in between is missed.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // `nohup` has it ignored, and means it.
        let mut hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(async move {
            let ended_terminal = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            let asked = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = ended_terminal => "SIGHUP",
            };
            tokio::spawn(async move {
                interrupt.recv().await;
                tracing::warn!("interrupted again: ending at once");
                std::process::exit(INTERRUPTED);
            });
            asked
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _cannot_listen = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    })
}

/// Whether whoever started the process had SIGHUP ignored.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    const HANG_UP: u64 = 1 << 0; // signal 1
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANG_UP != 0)
}
