//! The server of a world: one sequencer over a store in memory, which dies and comes back.

use std::sync::Arc;

use anyhow::{Result, ensure};
use petrel_log::{Command, LoggedCommand, Origin, Request};
use petrel_logic::sequencer::{Effect, Rules, Sequencer};
use petrel_logic::sync::Catchup;
use petrel_store::faulty::FaultyStore;
use petrel_store::memory::MemoryStore;
use petrel_store::{Derivation, Store, StoreErrorKind};
use petrel_types::{
    Clock, Epoch, LogPosition, ManualClock, NodeId, Partition, SessionId, TimestampMs, UserId,
};

const PARTITION: Partition = Partition::new(0);

pub(crate) struct Server {
    pub(crate) store: Arc<FaultyStore>,
    /// The same, without the faults.
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) catchup: Catchup,
    /// Commands that nobody has decided yet.
    pub(crate) pending: Vec<Command>,
    sequencer: Sequencer,
    next_position: LogPosition,
}

/// What became of the commands that were pending.
pub(crate) enum Decided {
    Effects(Vec<Effect>),
    /// The disk failed, and the process ended.
    Died,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let memory = Arc::new(MemoryStore::new(Epoch::new(7)));
        let inner: Arc<dyn Store> = memory.clone();
        let store = Arc::new(FaultyStore::new(inner));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000)));
        let (sequencer, next_position) = claim(&store, &clock).await;
        let shared: Arc<dyn Store> = store.clone();
        Self {
            store,
            memory,
            clock,
            catchup: Catchup::new(shared),
            pending: Vec::new(),
            sequencer,
            next_position,
        }
    }

    /// Another process takes over what the last one has stored.
    pub(crate) async fn restart(&mut self) {
        self.pending.clear();
        (self.sequencer, self.next_position) = claim(&self.store, &self.clock).await;
    }

    pub(crate) fn append(&mut self, session: SessionId, actor: UserId, request: Request) {
        let origin = Origin { node: NodeId::new(1), session, tag: 1 };
        self.pending.push(Command { origin, actor, request });
    }

    /// Has everything decided that is pending.
    pub(crate) async fn decide(&mut self) -> Result<Decided> {
        if self.pending.is_empty() {
            return Ok(Decided::Effects(Vec::new()));
        }
        let mut position = self.next_position;
        let mut commands = Vec::new();
        for command in self.pending.drain(..) {
            commands.push(LoggedCommand { position, partition: PARTITION, command });
            position = position.next();
        }
        self.next_position = position;
        match self.sequencer.decide(commands).await {
            Ok(committed) => Ok(Decided::Effects(committed.effects)),
            Err(error) => {
                let is_ordered = error.kind() == StoreErrorKind::Fatal;
                ensure!(is_ordered, "the server died of something: {error:#}");
                Ok(Decided::Died)
            }
        }
    }

    /// Asks for what follows from earlier changes.
    pub(crate) fn carry_out(&mut self, derivation: &Derivation) {
        let entry: serde_json::Value = serde_json::from_slice(&derivation.command).unwrap();
        let user = |field: &str| serde_json::from_value(entry[field].clone()).unwrap();
        let request = Request::Derived {
            home: derivation.id.home,
            number: derivation.id.number,
            user: user("user"),
            entry: derivation.command.clone(),
        };
        self.pending.push(Command { origin: Origin::NOBODY, actor: user("actor"), request });
    }
}

async fn claim(store: &Arc<FaultyStore>, clock: &Arc<ManualClock>) -> (Sequencer, LogPosition) {
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), clock.clone());
    let rules = Rules { external_users: true, ..Rules::default() };
    Sequencer::claim(store, clock, rules, PARTITION).await.unwrap()
}
