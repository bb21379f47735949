//! Whose turn it is with the log: the writer's, batch by batch, or for a moment the checkpointer's.
//!
//! SQLite has a lock of its own for this, which nobody queues for: who finds it taken sleeps some
//! milliseconds and tries again. A busy writer lets go of it for microseconds at a time, so that under
//! load the checkpointer would never get it and the log would grow without end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct State {
    /// Whether the writer is in the middle of a batch.
    writing: bool,
    /// Whether the checkpointer wants the log for itself, or has it.
    wanted: bool,
}

/// Gives the log to one of two threads, to the checkpointer as soon as it asks.
#[derive(Debug, Default)]
pub(super) struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

impl Turn {
    /// The writer's turn, for as long as the guard lives; waits for the checkpointer to have done.
    pub(super) fn to_write(&self) -> Writing<'_> {
        let mut state = self.state();
        while state.wanted {
            state = self.wait(state);
        }
        state.writing = true;
        Writing(self)
    }

    /// The checkpointer's turn, for as long as the guard lives; waits for the end of a batch.
    pub(super) fn to_checkpoint(&self) -> Checkpointing<'_> {
        let mut state = self.state();
        state.wanted = true;
        while state.writing {
            state = self.wait(state);
        }
        Checkpointing(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'t>(&'t self, state: MutexGuard<'t, State>) -> MutexGuard<'t, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer has the log.
#[derive(Debug)]
pub(super) struct Writing<'t>(&'t Turn);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.writing = false;
        if state.wanted {
            self.0.changed.notify_all();
        }
    }
}

/// The checkpointer has the log.
#[derive(Debug)]
pub(super) struct Checkpointing<'t>(&'t Turn);

impl Drop for Checkpointing<'_> {
    fn drop(&mut self) {
        self.0.state().wanted = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_writer_without_a_pause_gives_way_after_its_batch() {
        let (turn, done, inside) = (Turn::default(), AtomicBool::new(false), AtomicU32::new(0));
        let alone = || assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "both have the log");
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _writing = turn.to_write();
                    alone();
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
            for _ in 0..1_000 {
                let _checkpointing = turn.to_checkpoint();
                alone();
                inside.fetch_sub(1, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}
