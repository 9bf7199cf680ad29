//! The way of a command into the store: its log, the sequencer, and who hears of what was
//! committed.

use std::sync::Arc;
use std::thread;

use petrel_gateway::Gateway;
use petrel_log::{CommandLog, CommandStream, InProcessLog};
use petrel_logic::activity::Activity;
use petrel_logic::deriver::Deriver;
use petrel_logic::invitation_pace::InvitationPace;
use petrel_logic::requester::Requester;
use petrel_logic::retention::Retention;
use petrel_logic::sequencer::{CommittedBatch, Rules, Sequencer};
use petrel_store::StoreError;
use petrel_types::Partition;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Ground, Services};
use crate::StartError;
use crate::search::Follower;

/// The embedded engine has one partition: one writer is faster on one disk.
const PARTITION: Partition = Partition::new(0);

/// How many committed batches may wait for the fan-out before the sequencer waits.
const BATCHES_QUEUED_MAX: usize = 16;

/// The way of a command into the store.
pub(crate) struct Engine {
    pub(crate) rules: Rules,
    pub(crate) log: Arc<dyn CommandLog>,
    /// How fast users may invite each other.
    pub(super) invitation_pace: Arc<InvitationPace>,
    /// Tells how the sequencer has ended.
    pub(crate) sequencer: oneshot::Receiver<Result<(), StoreError>>,
    /// To see how many batches wait.
    pub(super) batches_queued: mpsc::WeakSender<CommittedBatch>,
}

impl Engine {
    /// Starts the sequencer. What it commits is to be passed on by [`Engine::pass_on`].
    pub(crate) async fn start(
        ground: &Ground,
        rules: Rules,
    ) -> Result<(Self, mpsc::Receiver<CommittedBatch>), StartError> {
        let Ground { config, store, clock, metrics, .. } = ground;
        let (sequencer, next_position) =
            Sequencer::claim(Arc::clone(store), Arc::clone(clock), rules, PARTITION).await?;
        let invitation_pace = Arc::new(InvitationPace::new(&config.limits));
        let sequencer = sequencer
            .with_metrics(metrics.sequencer.clone())
            .with_invitation_pace(Arc::clone(&invitation_pace));
        let commands_max = usize::try_from(config.limits.commands_queued).unwrap_or(usize::MAX);
        let (log, mut streams) = InProcessLog::new(&[next_position], commands_max);
        let (effects, batches) = mpsc::channel(BATCHES_QUEUED_MAX);
        let batches_queued = effects.downgrade();
        let stream = streams.pop().expect("one stream for one partition");
        let sequencer = spawn_sequencer(sequencer, stream, effects)?;
        let log = Arc::new(log);
        Ok((Self { rules, log, invitation_pace, sequencer, batches_queued }, batches))
    }

    /// Has everybody hear of what was committed: sessions, those who wait for an answer,
    /// what follows for other timelines, the search index, which is returned.
    pub(crate) fn pass_on(
        &self,
        ground: &Ground,
        services: &Services,
        gateway: &Gateway,
        batches: mpsc::Receiver<CommittedBatch>,
    ) -> Result<Option<Follower>, StartError> {
        let Ground { config, store, index, clock, metrics, tasks } = ground;
        let outcome = Outcome {
            gateway: gateway.clone(),
            requester: Arc::clone(&services.requester),
            activity: Arc::clone(&services.activity),
            derived: Arc::new(Notify::new()),
            released: Arc::clone(&services.released),
            committed: Arc::new(Notify::new()),
        };
        let (derived, committed) = (Arc::clone(&outcome.derived), Arc::clone(&outcome.committed));
        tasks.spawn("fan-out", outcome.deliver(batches));
        let deriver = Deriver::new(Arc::clone(store), Arc::clone(&self.log));
        tasks.spawn("deriver", deriver.run(derived));
        if let Some(keep) = config.keep {
            let (store, log) = (Arc::clone(store), Arc::clone(&self.log));
            let retention = Retention::new(store, log, Arc::clone(clock), keep);
            tasks.spawn("retention", retention.run());
        }
        let follow = |index| Follower::start(store, index, committed, metrics.search.clone());
        index.as_ref().map(follow).transpose()
    }
}

/// Gives the sequencer a thread of its own, where nothing else can delay a commit.
fn spawn_sequencer(
    sequencer: Sequencer,
    stream: Box<dyn CommandStream>,
    effects: mpsc::Sender<CommittedBatch>,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, StartError> {
    let (ended, sequencer_ended) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new()
        .name(format!("sequencer-{PARTITION}"))
        .spawn(move || {
            // Nobody listens any more only if the node was dropped without draining.
            let _ = ended.send(runtime.block_on(sequencer.run(stream, effects)));
        })
        .map_err(|source| StartError::System { what: "a thread", source })?;
    Ok(sequencer_ended)
}

/// Who is told what the sequencer has committed.
struct Outcome {
    gateway: Gateway,
    requester: Arc<Requester>,
    activity: Arc<Activity>,
    /// Notified of batches that something follows from.
    derived: Arc<Notify>,
    /// Notified of batches that may leave files to delete.
    released: Arc<Notify>,
    /// Notified of every batch.
    committed: Arc<Notify>,
}

impl Outcome {
    /// Passes batches on until the sequencer ends.
    async fn deliver(self, batches: mpsc::Receiver<CommittedBatch>) {
        let before = |batch: &mut CommittedBatch| {
            if batch.derived {
                self.derived.notify_one();
            }
            if batch.releases_files {
                self.released.notify_one();
            }
            self.committed.notify_one();
            self.activity.count(batch);
            self.requester.take_answers(batch);
        };
        self.gateway.fan_out(batches, before).await;
    }
}
