//! Calls from async callers to threads that own a connection.
//!
//! A rusqlite connection never crosses an await: a call carries a closure to the thread and waits for
//! its answer, for a bounded time. A call that nobody waits for any more is skipped, so that a store
//! that stalled does not do work later that was answered "unavailable" before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::engine::StorageError;
use countersign_core::names::TenantId;
use tokio::sync::oneshot;

use super::failure::Failure;
use super::queue::{Lane, Queue, Refused};

/// A call as the thread sees it. `C` is what the thread owns.
pub(super) trait Work<C>: Send {
    /// Until when somebody waits for the answer; `None` when nobody does any more.
    fn wanted_until(&self) -> Option<Instant>;

    /// Carries it out and keeps the answer. May run again after a rollback.
    fn run(&mut self, on: &mut C) -> Result<(), Failure>;

    /// Hands the answer over, or says that there is none.
    fn finish(self: Box<Self>, end: Result<(), StorageError>);
}

/// Calls waiting for a thread.
pub(super) type Calls<C> = Queue<Box<dyn Work<C>>>;

struct Call<A, F> {
    act: F,
    answer: Option<A>,
    reply: oneshot::Sender<Result<A, StorageError>>,
    deadline: Instant,
}

impl<C, A, F> Work<C> for Call<A, F>
where
    A: Send,
    F: FnMut(&mut C) -> Result<A, Failure> + Send,
{
    fn wanted_until(&self) -> Option<Instant> {
        (!self.reply.is_closed() && Instant::now() < self.deadline).then_some(self.deadline)
    }

    fn run(&mut self, on: &mut C) -> Result<(), Failure> {
        // A defect in one rule must not take the thread down, and with it the store.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.act)(on)));
        self.answer = Some(outcome.unwrap_or(Err(Failure::Panicked))?);
        Ok(())
    }

    fn finish(self: Box<Self>, end: Result<(), StorageError>) {
        let Self { answer, reply, .. } = *self;
        let not_run = || StorageError::Unavailable("the command was not carried out".into());
        // The requester may have gone meanwhile; what is committed stays committed.
        let _ = reply.send(end.and_then(|()| answer.ok_or_else(not_run)));
    }
}

/// Where callers hand their calls in.
pub(super) struct Port<C> {
    calls: Arc<Calls<C>>,
}

impl<C> Port<C> {
    /// A port to the threads that serve `calls`.
    pub(super) fn new(calls: Arc<Calls<C>>) -> Self {
        Self { calls }
    }

    /// Has `act` carried out for a tenant (or for nobody) and waits for its answer, at most for `patience`.
    pub(super) async fn call<A, F>(
        &self,
        lane: Lane,
        whose: Option<&TenantId>,
        patience: Duration,
        act: F,
    ) -> Result<A, StorageError>
    where
        A: Send + 'static,
        F: FnMut(&mut C) -> Result<A, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + patience;
        let call = Box::new(Call { act, answer: None, reply, deadline });
        let overloaded = || {
            metrics::counter!("countersign_store_overloaded_total").increment(1);
            StorageError::Overloaded
        };
        let out = self.calls.push(lane, whose, call).map_err(|refused| match refused {
            Refused::Full => overloaded(),
            Refused::Closed(reason) => StorageError::Unavailable(reason),
        })?;
        if let Some(another) = out {
            another.finish(Err(overloaded()));
        }
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StorageError::Unavailable("the store is closing".into())),
            Err(_) => {
                metrics::counter!("countersign_store_late_total").increment(1);
                Err(StorageError::Unavailable(format!("no answer within {} ms", patience.as_millis())))
            }
        }
    }

    /// How many calls wait.
    #[cfg(test)]
    pub(super) fn depth(&self) -> usize {
        self.calls.depth()
    }

    /// Refuses whatever comes from now on.
    pub(super) fn close(&self, reason: &str) {
        self.calls.close(reason);
    }
}
