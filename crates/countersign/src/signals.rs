//! How an operator or a supervisor tells the program to leave.

/// Completes when the process is asked to end (SIGTERM or SIGINT; elsewhere Ctrl-C).
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
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _cannot_listen = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    })
}
