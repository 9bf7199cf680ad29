//! A write on its way through the writer's queue: what it does, and who waits for it.

use tokio::sync::oneshot;

use super::fault;
use super::transaction::Transaction;
use crate::{StoreError, StoreErrorKind};

/// Why a write did not take place.
pub(super) enum WriteError {
    /// It is not allowed. The other writes of the transaction are not concerned.
    Refused(StoreError),
    /// The database failed it, and the transaction with it.
    Failed(rusqlite::Error),
}

/// A write that waits for the thread.
pub(super) trait Write: Send {
    /// Takes place in `transaction`. May be called again after a rollback.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), WriteError>;

    /// Keeps the reason why it did not take place.
    fn fail(&mut self, error: StoreError);

    /// Answers the caller with the outcome of the last run.
    fn answer(self: Box<Self>);
}

struct PendingWrite<T, F> {
    work: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// Makes a queue entry of `work`. `work` may run more than once, each time from the same
/// state but for the writes before it.
pub(super) fn write<T, F>(work: F) -> (Box<dyn Write>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(PendingWrite { work, outcome: None, reply }), answer)
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        let database_failed = matches!(error, rusqlite::Error::SqliteFailure(..))
            && fault::kind(&error) != StoreErrorKind::Invalid;
        if database_failed {
            Self::Failed(error)
        } else {
            Self::Refused(fault::of_write(error, "the write contradicts the stored state"))
        }
    }
}

impl WriteError {
    /// A refusal.
    pub(super) fn refused(kind: StoreErrorKind, reason: impl Into<String>) -> Self {
        Self::Refused(StoreError::new(kind, reason))
    }
}

impl<T, F> Write for PendingWrite<T, F>
where
    T: Send,
    F: FnMut(&mut Transaction<'_>) -> Result<T, WriteError> + Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), WriteError> {
        self.outcome = None;
        self.outcome = Some(Ok((self.work)(transaction)?));
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(fault::closed()));
        // The caller may have gone away; the write has taken place all the same.
        let _ = self.reply.send(outcome);
    }
}
