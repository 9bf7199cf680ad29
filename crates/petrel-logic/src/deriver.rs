//! Carrying on what follows from a commit: derivations become commands.
//!
//! A derivation is committed with the change it follows from and waits in the store
//! until the sequencer of the timeline it concerns has carried it out, in the commit
//! that settles it. This task only asks for that, as often as it takes: at start for
//! what an earlier process left behind, and whenever a batch has derived something. To
//! ask twice does no harm.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use petrel_log::{AppendError, Command, CommandLog, Origin, Request};
use petrel_store::{Derivation, DerivationId, Store, StoreError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::personal_entry::PersonalEntry;

/// How many derivations are read at once.
const PAGE: u32 = 256;

/// How long to wait when the log is full or the store is out of reach.
const PAUSE: Duration = Duration::from_millis(100);

/// After this long everything that still waits is asked for again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Turns what waits in the store into commands.
pub struct Deriver {
    store: Arc<dyn Store>,
    log: Arc<dyn CommandLog>,
}

impl Deriver {
    /// From a store to a log.
    pub fn new(store: Arc<dyn Store>, log: Arc<dyn CommandLog>) -> Self {
        Self { store, log }
    }

    /// Works until the log is closed. `wake` is to be notified after each batch that has
    /// derived something.
    pub async fn run(self, wake: Arc<Notify>) {
        let mut asked = HashSet::new();
        loop {
            match self.ask_for_all(&mut asked).await {
                Ok(()) => {}
                Err(Stop::LogClosed) => return,
                Err(Stop::Store(error)) => {
                    tracing::warn!(%error, "can't read what follows from earlier changes");
                    sleep(PAUSE).await;
                }
            }
            if timeout(ASK_AGAIN_AFTER, wake.notified()).await.is_err() {
                asked.clear();
            }
        }
    }

    /// Asks for everything that waits and was not asked for yet.
    async fn ask_for_all(&self, asked: &mut HashSet<DerivationId>) -> Result<(), Stop> {
        let mut waiting = HashSet::new();
        let mut after = None;
        loop {
            let page = self.store.unsettled(after, PAGE).await.map_err(Stop::Store)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            for derivation in &page {
                waiting.insert(derivation.id);
                if !asked.contains(&derivation.id) {
                    self.ask_for(derivation).await?;
                }
            }
        }
        *asked = waiting;
        Ok(())
    }

    async fn ask_for(&self, derivation: &Derivation) -> Result<(), Stop> {
        let command = match command_of(derivation) {
            Ok(command) => command,
            Err(error) => {
                tracing::error!(%error, id = ?derivation.id, "a derivation can't be read");
                return Ok(());
            }
        };
        loop {
            match self.log.append(command.clone()) {
                Ok(()) => return Ok(()),
                Err(AppendError::Full) => sleep(PAUSE).await,
                Err(AppendError::Closed) => return Err(Stop::LogClosed),
            }
        }
    }
}

/// Why a pass ended early.
enum Stop {
    LogClosed,
    Store(StoreError),
}

/// The command that carries a derivation out.
pub(crate) fn command_of(derivation: &Derivation) -> Result<Command, serde_json::Error> {
    let Derivation { id, command } = derivation;
    let PersonalEntry { user, actor, .. } = PersonalEntry::decode(command)?;
    let entry = command.clone();
    let request = Request::Derived { home: id.home, number: id.number, user, entry };
    Ok(Command { origin: Origin::NOBODY, actor, request })
}
