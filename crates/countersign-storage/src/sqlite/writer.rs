//! The thread that owns the write connection, and group commit.
//!
//! It takes all commands that wait, up to a bound, carries them out in one transaction, commits once
//! (one fsync), and only then answers each of them. There is no timer: under load batches grow by
//! themselves, because commands arrive while the last batch is being synced.
//!
//! A command that fails takes nothing with it: its batch is rolled back and carried out again without
//! it. That costs nothing while nothing fails, where a savepoint per command would copy every page
//! that the command touches.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::engine::StorageError;
use tokio::runtime::Handle;

use super::calls::{Calls, Work};
use super::failure::{Failure, Lost};
use super::session::{Committed, Session};
use super::shared::Shared;

type Batch = Vec<Box<dyn Work<Session>>>;

/// Why a batch was not committed.
enum Broken {
    /// Because of one of its commands.
    One(usize, Failure),
    /// For a reason that no command can help.
    All(Failure),
    /// What was written may be lost, or the database is damaged: nothing can be trusted any more.
    Lost(Failure),
}

/// The writing thread.
pub(super) struct Writer {
    session: Session,
    calls: Arc<Calls<Session>>,
    shared: Arc<Shared>,
    batch_bound: usize,
    /// Where the callers run; `None` outside a runtime.
    runtime: Option<Handle>,
}

impl Writer {
    pub(super) fn new(
        session: Session,
        calls: Arc<Calls<Session>>,
        shared: Arc<Shared>,
        batch_bound: usize,
    ) -> Self {
        Self { session, calls, shared, batch_bound: batch_bound.max(1), runtime: Handle::try_current().ok() }
    }

    /// Serves calls until there are no more, or the store is lost.
    pub(super) fn serve(mut self) {
        while let Some(batch) = self.calls.pop(self.batch_bound) {
            metrics::gauge!("countersign_store_queue_depth").set(float(self.calls.depth()));
            if let Some(reason) = self.shared.fatal_reason() {
                refuse(batch, &StorageError::Unavailable(reason));
                continue;
            }
            self.carry_out(batch);
        }
    }

    /// Commits a batch and answers each of its commands.
    fn carry_out(&mut self, mut batch: Batch) {
        let shared = self.shared.clone();
        let _turn = shared.turn.to_write();
        batch.retain(|call| call.wanted_until().is_some());
        while !batch.is_empty() {
            match self.attempt(&mut batch) {
                Ok(committed) => {
                    self.shared.committed(committed);
                    if let Some(reason) = self.shared.fatal_reason() {
                        // A reader met damage meanwhile. Nothing is acknowledged after that.
                        return refuse(batch, &StorageError::Unavailable(reason));
                    }
                    metrics::histogram!("countersign_store_batch_commands").record(float(batch.len()));
                    return self.answer(batch);
                }
                Err(broken) => {
                    self.session.rollback();
                    match broken {
                        Broken::One(index, failure) => {
                            tracing::error!(error = %failure, "a command failed and was left out of its batch");
                            batch.remove(index).finish(Err((&failure).into()));
                        }
                        Broken::All(failure) => {
                            tracing::error!(error = %failure, commands = batch.len(), "a batch failed");
                            metrics::counter!("countersign_store_failed_batches_total").increment(1);
                            return refuse(batch, &(&failure).into());
                        }
                        Broken::Lost(failure) => {
                            self.session.disown_failed_commit();
                            let lost = if failure.is_damage() { Lost::Damage } else { Lost::Write };
                            self.shared.give_up(lost(failure.to_string()));
                            return refuse(batch, &StorageError::Unavailable(failure.to_string()));
                        }
                    }
                }
            }
        }
    }

    /// Answers a batch. One wake-up takes all answers to the callers' runtime, which then wakes the
    /// callers without a system call for each.
    fn answer(&self, batch: Batch) {
        let answer = || batch.into_iter().for_each(|call| call.finish(Ok(())));
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { answer() })),
            None => answer(),
        }
    }

    fn attempt(&mut self, batch: &mut Batch) -> Result<Committed, Broken> {
        let judge = |failure: Failure| {
            let lost = failure.lost_sync() || failure.is_damage();
            if lost { Broken::Lost(failure) } else { Broken::All(failure) }
        };
        self.session.begin().map_err(judge)?;
        for (index, call) in batch.iter_mut().enumerate() {
            call.run(&mut self.session).map_err(|failure| {
                if failure.strikes_all() { judge(failure) } else { Broken::One(index, failure) }
            })?;
        }
        let begun = Instant::now();
        let committed = self
            .session
            .commit()
            .map_err(|failure| if failure.lost_commit() { Broken::Lost(failure) } else { judge(failure) })?;
        if committed.wrote {
            metrics::histogram!("countersign_store_commit_seconds").record(begun.elapsed());
            metrics::counter!("countersign_store_fsyncs_total").increment(1);
        }
        Ok(committed)
    }
}

fn refuse(batch: Batch, error: &StorageError) {
    for call in batch {
        call.finish(Err(error.clone()));
    }
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
