//! The thread that owns the write connection, and group commit.
//!
//! It takes all commands that wait, up to a bound, carries them out in one transaction, commits once
//! (one fsync), and only then answers each of them. There is no timer: under load batches grow by
//! themselves, because commands arrive while the last batch is being synced.
//!
//! A command that fails takes nothing with it: what was done since the last mark is undone and done
//! again without it. A batch of little work has no mark but its beginning, which costs nothing while
//! nothing fails; a mark per command would copy every page that the command touches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::engine::StorageError;
use tokio::runtime::Handle;

use super::calls::{Calls, Work};
use super::failure::{Failure, Lost};
use super::session::{Committed, Session};
use super::shared::Shared;

type Batch = Vec<Box<dyn Work<Session>>>;

/// Why a batch was not committed.
enum Broken {
    /// For a reason that no command can help.
    All(Failure),
    /// What was written may be lost, or the database is damaged: nothing can be trusted any more.
    Lost(Failure),
}

/// When the next mark is due.
struct Marks {
    /// After so much work.
    every: Duration,
    last: Instant,
}

impl Marks {
    fn new(every: Duration) -> Self {
        Self { every, last: Instant::now() }
    }

    fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.every;
        if due {
            self.last = Instant::now();
        }
        due
    }

    /// A command failed, and so much is done again. The next failure costs half of it: all failures
    /// of a batch together cost no more than two would.
    fn failed(&mut self) {
        *self = Self::new(self.every / 2);
    }
}

/// The writing thread.
pub(super) struct Writer {
    session: Session,
    calls: Arc<Calls<Session>>,
    shared: Arc<Shared>,
    batch_bound: usize,
    mark_every: Duration,
    /// Where the callers run; `None` outside a runtime.
    runtime: Option<Handle>,
}

impl Writer {
    pub(super) fn new(
        session: Session,
        calls: Arc<Calls<Session>>,
        shared: Arc<Shared>,
        batch_bound: usize,
        mark_every: Duration,
    ) -> Self {
        let (batch_bound, runtime) = (batch_bound.max(1), Handle::try_current().ok());
        Self { session, calls, shared, batch_bound, mark_every, runtime }
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
        if batch.is_empty() {
            return;
        }
        match self.attempt(&mut batch) {
            Ok(committed) => {
                self.shared.committed(committed);
                if let Some(reason) = self.shared.fatal_reason() {
                    // A reader met damage meanwhile. Nothing is acknowledged after that.
                    return refuse(batch, &StorageError::Unavailable(reason));
                }
                metrics::histogram!("countersign_store_batch_commands").record(float(batch.len()));
                self.answer(batch);
            }
            Err(Broken::All(failure)) => {
                self.session.rollback();
                tracing::error!(error = %failure, commands = batch.len(), "a batch failed");
                metrics::counter!("countersign_store_failed_batches_total").increment(1);
                refuse(batch, &(&failure).into());
            }
            Err(Broken::Lost(failure)) => {
                self.session.rollback();
                self.session.disown_failed_commit();
                let lost = if failure.is_damage() { Lost::Damage } else { Lost::Write };
                self.shared.give_up(lost(failure.to_string()));
                refuse(batch, &StorageError::Unavailable(failure.to_string()));
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

    /// Carries out a batch and commits it. Commands that fail by themselves are answered and left out.
    fn attempt(&mut self, batch: &mut Batch) -> Result<Committed, Broken> {
        let judge = |failure: Failure| {
            let lost = failure.lost_sync() || failure.is_damage();
            if lost { Broken::Lost(failure) } else { Broken::All(failure) }
        };
        self.session.begin().map_err(judge)?;
        let mut marks = Marks::new(self.mark_every);
        let (mut next, mut marked) = (0, 0);
        while let Some(call) = batch.get_mut(next) {
            if next > marked && marks.is_due() {
                self.session.mark().map_err(judge)?;
                marked = next;
            }
            match call.run(&mut self.session) {
                Ok(()) => next += 1,
                Err(failure) if failure.strikes_all() => return Err(judge(failure)),
                Err(failure) => {
                    tracing::error!(error = %failure, "a command failed and was left out of its batch");
                    metrics::counter!("countersign_store_failed_commands_total").increment(1);
                    batch.remove(next).finish(Err((&failure).into()));
                    if !self.session.back().map_err(judge)? {
                        marked = 0;
                    }
                    next = marked;
                    marks.failed();
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: E2.
    #[test]
    fn e2_all_failures_of_a_batch_together_repeat_two_milliseconds_of_work() {
        let mut marks = Marks::new(Duration::from_millis(1));
        let mut repeated = Duration::ZERO;
        for _ in 0..256 {
            repeated += marks.every;
            marks.failed();
        }
        assert!(repeated <= Duration::from_millis(2), "{repeated:?}");
        marks.every = Duration::ZERO;
        assert!(marks.is_due(), "a mark before each command in the end");
    }
}
