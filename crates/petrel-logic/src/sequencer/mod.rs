//! The sequencer: one writer per partition, who turns commands into facts.
//!
//! For each batch of commands it loads what it needs, decides ([`draft`]: authorise,
//! de-duplicate, number), commits everything with the log position in one
//! transaction, and only then says what happened: answers to senders and frames to
//! deliver, in the order in which they were decided. Nothing is said before it is on
//! disk.
//!
//! What it does not do: encode, know sockets, or wait for slow receivers. Its effects
//! go into a bounded channel; when the gateway is behind, the sequencer waits, the
//! log fills and senders are refused.

mod affected;
mod again;
mod content;
mod derived;
mod draft;
mod load;
mod metrics;
mod model;
mod receipts;
mod recent;
mod refused;
mod said;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use lru::LruCache;
use petrel_log::{Command, CommandStream, LoggedCommand, Origin, Request};
use petrel_protocol::frame::{ServerAck, ServerFrame};
use petrel_store::{
    ConversationKind, FileReference, Store, StoreError, StoreErrorKind, StoredEvent,
};
use petrel_types::{
    ClientMessageId, Clock, ConversationId, LogPosition, OwnerEpoch, Partition, SessionId,
    TimestampMs, UserId,
};
use tokio::sync::mpsc;

use crate::Refusal;
use crate::invitation_pace::InvitationPace;
pub use affected::Affected;
use draft::Draft;
pub use metrics::Metrics;
use model::Model;
use recent::{MessageKey, RecentMessages, Remembered};
use refused::RefusedSends;

/// The most commands decided and committed together.
pub const BATCH_COMMANDS_MAX: usize = 4096;

/// How many conversations the sequencer keeps in memory. A batch can touch at most
/// [`BATCH_COMMANDS_MAX`] of them, so none is evicted while it is needed.
const CONVERSATIONS_CACHED_MAX: NonZeroUsize = NonZeroUsize::new(256 * 1024).expect("not zero");

/// How many members of these conversations it keeps in memory, but for those of one
/// batch. One is some 100 bytes.
const MEMBERS_CACHED_MAX: usize = 4_000_000;

/// How many recent messages a new owner reads back to recognise retries.
const RECENT_MESSAGES_LOADED: u32 = 200_000;

/// What the deployment allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Users below [`UserId::LOCAL_FIRST`] exist: some external issuer vouches for them.
    pub external_users: bool,
    /// Users from there on exist without being stored: registration is closed, and an
    /// external issuer's own ids are trusted as they are.
    pub unstored_local_users: bool,
    /// Only friends can send each other messages.
    pub chats_need_friendship: bool,
}

/// What became of a batch, to be told in this order.
#[derive(Debug, Default)]
pub struct CommittedBatch {
    /// Answers and deliveries.
    pub effects: Vec<Effect>,
    /// Something follows for other timelines: a [`Deriver`](crate::deriver::Deriver) has
    /// work.
    pub derived: bool,
    /// Who is something else to others than before.
    pub affected: Affected,
    /// Files may have lost the last message that refers to them, so that there is something to
    /// delete.
    pub releases_files: bool,
}

/// Something to tell somebody.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The answer to a command.
    Answer {
        /// Who waits for it.
        origin: Origin,
        /// What to say; `None` if the command needs no answer.
        frame: Option<ServerFrame>,
    },
    /// A frame for every session of some users.
    Deliver {
        /// The users.
        recipients: Arc<[UserId]>,
        /// A session that knows already.
        except: Option<SessionId>,
        /// The frame.
        frame: ServerFrame,
    },
}

/// The single writer of a partition.
pub struct Sequencer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rules: Rules,
    partition: Partition,
    owner_epoch: OwnerEpoch,
    memory: Memory,
    refused: RefusedSends,
    /// Nobody is held up without it.
    invitation_pace: Option<Arc<InvitationPace>>,
    metrics: Metrics,
}

/// What the sequencer remembers between batches. All of it can be read back from the
/// store.
struct Memory {
    conversations: LruCache<ConversationId, Model>,
    /// Pairs of users, the smaller id first, whose timeline has not begun: they are nothing
    /// to each other, and the store need not be asked again for each message.
    strangers: LruCache<(UserId, UserId), ()>,
    /// The members of all of `conversations`.
    members: usize,
    /// Conversations that exist once for their users.
    by_kind: LruCache<ConversationKind, ConversationId>,
    recent: RecentMessages,
    conversation_number: u64,
    /// No event is stamped earlier than one before it, whatever the clock does.
    last_timestamp: TimestampMs,
}

/// Which messages are looked up in the store, if they are not among the recent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Earlier {
    /// Those whose senders say that they send again.
    OfRetries,
    /// All of them.
    OfAll,
}

impl Sequencer {
    /// Takes a partition over and returns the log position to consume from.
    pub async fn claim(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        rules: Rules,
        partition: Partition,
    ) -> Result<(Self, LogPosition), StoreError> {
        let claim = store.claim(partition).await?;
        let mut recent = RecentMessages::default();
        let messages = store.recent_messages(partition, RECENT_MESSAGES_LOADED).await?;
        #[cfg(feature = "mutants")]
        let messages = match petrel_store::mutants::is("idempotency-not-rebuilt") {
            true => Vec::new(),
            false => messages,
        };
        for message in messages.iter().rev() {
            if let Some(key) = MessageKey::of(message) {
                recent.insert(key, Remembered::of(message));
            }
        }
        let sequencer = Self {
            store,
            clock,
            rules,
            partition,
            owner_epoch: claim.owner_epoch,
            memory: Memory {
                conversations: LruCache::new(CONVERSATIONS_CACHED_MAX),
                strangers: LruCache::new(CONVERSATIONS_CACHED_MAX),
                members: 0,
                by_kind: LruCache::new(CONVERSATIONS_CACHED_MAX),
                recent,
                conversation_number: claim.conversation_number,
                last_timestamp: messages.first().map_or(TimestampMs::default(), |m| m.timestamp),
            },
            refused: RefusedSends::new(),
            invitation_pace: None,
            metrics: Metrics::default(),
        };
        Ok((sequencer, claim.next_position))
    }

    /// Counts here what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Refuses invitations beyond this pace.
    #[must_use]
    pub fn with_invitation_pace(self, pace: Arc<InvitationPace>) -> Self {
        Self { invitation_pace: Some(pace), ..self }
    }

    /// Decides and commits until the stream ends (`Ok`) or the store must not be
    /// trusted any more (`Err`: the process should end, or step down when fenced).
    pub async fn run(
        mut self,
        mut commands: Box<dyn CommandStream>,
        effects: mpsc::Sender<CommittedBatch>,
    ) -> Result<(), StoreError> {
        loop {
            let batch = commands.next_commands(BATCH_COMMANDS_MAX).await;
            if batch.is_empty() {
                return Ok(());
            }
            let begin = Instant::now();
            let commands = batch.len();
            let committed = self.decide(batch).await?;
            let decided = Instant::now();
            if tracing::enabled!(tracing::Level::DEBUG) {
                committed.effects.iter().for_each(trace);
            }
            let is_told = effects.send(committed).await.is_ok();
            self.metrics.commands.inc_by(commands as u64);
            self.metrics.batch_commands.observe(commands as f64);
            self.metrics.batch_seconds.observe((decided - begin).as_secs_f64());
            self.metrics.fanout_wait_seconds.observe(decided.elapsed().as_secs_f64());
            if !is_told {
                // The gateway is gone, and with it everybody who could be told.
                return Ok(());
            }
        }
    }

    /// Decides one batch and commits it. After an `Err` nothing of the batch is
    /// stored and nobody has been told anything.
    pub async fn decide(
        &mut self,
        mut commands: Vec<LoggedCommand>,
    ) -> Result<CommittedBatch, StoreError> {
        let held_back = self.refused.hold_back(&mut commands);
        let attempt = match self.attempt(&commands, Earlier::OfRetries).await {
            // Somebody sends again without saying so, and only the store remembers the
            // first time. That is rare enough to decide the whole batch anew.
            Err(error) if error.kind() == StoreErrorKind::Invalid => {
                tracing::debug!(%error, "deciding a batch again, with a closer look");
                self.attempt(&commands, Earlier::OfAll).await
            }
            attempt => attempt,
        };
        let mut committed = match attempt {
            Ok(committed) => committed,
            Err(error) => self.refuse_all(&commands, error)?,
        };
        committed.effects.extend(held_back);
        Ok(committed)
    }

    async fn attempt(
        &mut self,
        commands: &[LoggedCommand],
        earlier: Earlier,
    ) -> Result<CommittedBatch, StoreError> {
        let Some(last) = commands.last() else {
            return Ok(CommittedBatch::default());
        };
        let lookups = self.load(commands, earlier).await?;
        let now = self.clock.now();
        let pace = self.invitation_pace.as_deref();
        let mut draft = Draft::new(&mut self.memory, &lookups, self.rules, pace, now);
        for logged in commands {
            draft.decide(logged);
        }
        let affected = draft.affected();
        let invitations_counted = std::mem::take(&mut draft.invitations_counted);
        let (batch, decisions) = draft.finish();
        let derived = !batch.derived.is_empty();
        let is_gone = |reference: &FileReference| !reference.is_there;
        let releases_files = !batch.trims.is_empty() || batch.file_references.iter().any(is_gone);

        let next_position = last.position.next();
        match self.store.commit(self.partition, batch, next_position, self.owner_epoch).await {
            Ok(committed) => {
                let recent = &mut self.memory.recent;
                let effects = decisions.into_effects(committed.first_row, recent);
                Ok(CommittedBatch { effects, derived, affected, releases_files })
            }
            Err(error) => {
                // The memory holds what was decided but not stored.
                self.memory.forget_conversations();
                for (inviter, invitations) in invitations_counted {
                    if let Some(pace) = &self.invitation_pace {
                        pace.give_back(inviter, invitations, now);
                    }
                }
                #[cfg(feature = "mutants")]
                if petrel_store::mutants::is("fan-out-before-commit") {
                    let mut effects =
                        decisions.into_effects(Default::default(), &mut self.memory.recent);
                    effects.retain(|effect| matches!(effect, Effect::Deliver { .. }));
                    return Ok(CommittedBatch { effects, ..CommittedBatch::default() });
                }
                Err(error)
            }
        }
    }

    /// Tells every sender of a batch that nothing was stored, if the store will be
    /// itself again; otherwise passes the error on, and nobody is told anything.
    fn refuse_all(
        &mut self,
        commands: &[LoggedCommand],
        error: StoreError,
    ) -> Result<CommittedBatch, StoreError> {
        if !matches!(error.kind(), StoreErrorKind::Full | StoreErrorKind::Unavailable) {
            return Err(error);
        }
        tracing::warn!(%error, commands = commands.len(), "refused a batch of commands");
        self.metrics.commands_refused.inc_by(commands.len() as u64);
        let refusal = Refusal::of_store(&error);
        commands.iter().for_each(|logged| self.refused.add(&logged.command));
        let effects =
            commands.iter().map(|logged| refuse(&logged.command, refusal.clone())).collect();
        Ok(CommittedBatch { effects, ..CommittedBatch::default() })
    }
}

impl Memory {
    /// Adds a conversation that is not there.
    fn remember(&mut self, model: Model) {
        self.members += model.member_count();
        if let Some((_, old)) = self.conversations.push(model.conversation.id, model) {
            self.members = self.members.saturating_sub(old.member_count());
        }
    }

    /// Forgets what was used the longest time ago, while there is too much. Not to be
    /// called between loading what a batch needs and deciding it.
    fn make_room(&mut self) {
        while self.members > MEMBERS_CACHED_MAX
            && let Some((_, old)) = self.conversations.pop_lru()
        {
            self.members = self.members.saturating_sub(old.member_count());
        }
    }

    fn forget_conversations(&mut self) {
        self.conversations.clear();
        self.by_kind.clear();
        self.members = 0;
    }
}

/// What became of a request, in the log.
fn trace(effect: &Effect) {
    let Effect::Answer { origin, frame: Some(frame) } = effect else {
        return;
    };
    match frame {
        ServerFrame::Ack(ServerAck::Saved(ack)) => tracing::debug!(
            request = %origin, conversation = %ack.conversation_id, seq = %ack.msg_seq, "stored"
        ),
        ServerFrame::Ack(ServerAck::Done(ack)) => {
            tracing::debug!(request = %origin, name = ack.client_msg_id.as_str(), "stored");
        }
        ServerFrame::Error(error) => {
            tracing::debug!(request = %origin, reason = error.reason.as_str(), "refused");
        }
        _ => {}
    }
}

/// The answer that refuses a command, addressed to its `clientMsgId`.
fn refuse(command: &Command, refusal: Refusal) -> Effect {
    let mut frame = refusal.into_frame();
    if let Request::Send(send) = &command.request {
        frame.client_msg_id = Some(send.client_message_id.clone());
    }
    Effect::Answer { origin: command.origin, frame: Some(ServerFrame::Error(frame)) }
}

impl MessageKey {
    fn of(event: &StoredEvent) -> Option<Self> {
        event.client_message_id.as_ref().map(|client_message_id| Self {
            conversation: event.conversation,
            sender: event.sender,
            client_message_id: ClientMessageId::clone(client_message_id),
        })
    }
}

#[cfg(test)]
mod tests;
