//! The port for durable state: events, heads, members, cursors, users, log-ins and files.
//!
//! [`Store`] speaks the language of the domain (commit a batch, read a range), not
//! of tables, so that each backend can be good at it in its own way. What every
//! method promises is written on the method; `suite` holds every backend to it.
//!
//! The rules of the system (who may send, what gets a number) are not here but in
//! `petrel-logic`: a store believes the batch it is given, except for the fence that
//! keeps a deposed owner out and the contiguity of each timeline.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` builds faults in; it is for debug builds of tests only");

mod administration;
mod batch;
mod error;
#[cfg(any(test, feature = "suite"))]
pub mod faulty;
mod files;
mod identity;
#[cfg(any(test, feature = "suite"))]
pub mod memory;
mod metrics;
#[cfg(feature = "mutants")]
pub mod mutants;
mod record;
pub mod sqlite;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use async_trait::async_trait;
use bytes::Bytes;
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, LogPosition, OwnerEpoch, Partition, RowId, Seq,
    TimestampMs, UserId,
};

pub use administration::{
    AdministrationStore, AuditFilter, AuditRecord, Figures, Found, KeptRecord, KnownUser,
    SEARCHED_MAX, UserChange, UserChanged, UserFilter,
};
pub use batch::{
    Batch, CodeUpdate, CursorUpdate, DerivationId, EntryUpdate, MemberUpdate, MentionUpdate,
    NewConversation, NewEvent, Overwrite, ProfileUpdate, Trim,
};
pub use error::{StoreError, StoreErrorKind};
pub use files::{
    BegunUpload, FILE_BYTES_MIN, File, FileFacts, FileReference, FileState, FileStore, FileUsage,
    NewUpload, Quota,
};
pub use identity::{
    BegunLogin, Digest, EndedLogin, IdentityStore, Invite, Login, LoginDevice, LoginEnd, NewLogin,
    PreviousToken, RefreshTokens, SUBJECT_BYTES_MAX, WhichLogins,
};
pub use metrics::Metrics;
pub use record::{
    Claim, Committed, Conversation, ConversationKind, ConversationState, Cursors, Derivation,
    Entry, EntryPage, EventPage, Head, Interval, Member, MemberPage, Relation, RowPage,
    StoredEvent, Summary, SyncEntry, SyncPage, User,
};

/// The most mentions of a user that are counted in one conversation: beyond, a number says
/// nothing more.
pub const MENTIONS_COUNTED_MAX: u64 = 100;

/// Durable state. Cheap to share; every method may be called from any task.
///
/// Reads see every commit that returned before the read was called. They are
/// bounded: a page never holds more than the caller's `limit`. After one
/// [`StoreErrorKind::Fatal`] every call fails with it.
#[async_trait]
pub trait Store: IdentityStore + AdministrationStore + FileStore + Send + Sync + 'static {
    /// The epoch of this store: minted at creation, stable over restarts.
    fn epoch(&self) -> Epoch;

    /// Takes ownership of a partition: raises its owner epoch, durably, and returns
    /// where the new owner begins. From then on commits under an older owner epoch
    /// are refused.
    async fn claim(&self, partition: Partition) -> Result<Claim, StoreError>;

    /// Commits a batch and the log position after it, all or nothing.
    ///
    /// On `Ok` the batch is on disk (`fsync` has returned) and visible to reads. Its
    /// events hold consecutive rows from [`Committed::first_row`] in the order of the
    /// batch, above every row handed out before. Events of one conversation must
    /// continue its timeline without a hole, or the batch is refused as
    /// [`StoreErrorKind::Invalid`]. A stale `owner_epoch` is
    /// [`StoreErrorKind::Fenced`]; whatever else contradicts the stored state (an
    /// unknown conversation, member, row or derivation, a pair that has its chat already, a
    /// client message id, a code or a position that is taken, intervals that are not in
    /// order) is
    /// [`StoreErrorKind::Invalid`]. A backend may notice a client message id only among its
    /// latest tens of millions, and forgets it with the window. On any
    /// error but [`StoreErrorKind::Fatal`] nothing of the batch is stored. Dropping the
    /// future does not take the commit back.
    async fn commit(
        &self,
        partition: Partition,
        batch: Batch,
        next_position: LogPosition,
        owner_epoch: OwnerEpoch,
    ) -> Result<Committed, StoreError>;

    /// A conversation with all its present members; `None` if there is none. A large group
    /// is large: this is for its sequencer.
    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationState>, StoreError>;

    /// A conversation without its members; `None` if there is none.
    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError>;

    /// Up to `limit` conversations with ids above `after`, by id: a walk over all of them.
    async fn conversations_after(
        &self,
        after: ConversationId,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError>;

    /// Up to `limit` present members with user ids above `after`, by id, and the
    /// conversation as of the same moment; `None` if there is no such conversation.
    async fn members_after(
        &self,
        conversation: ConversationId,
        after: UserId,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError>;

    /// The personal timeline of a user.
    async fn personal_timeline(&self, user: UserId) -> Result<Option<ConversationId>, StoreError>;

    /// The timeline of what two users are to each other, in either order.
    async fn pair(&self, one: UserId, other: UserId) -> Result<Option<ConversationId>, StoreError>;

    /// What each of `others` is to `user`, in their order, all as of one moment.
    async fn relations(&self, user: UserId, others: &[UserId])
    -> Result<Vec<Relation>, StoreError>;

    /// Up to `limit` entries of a list of each user's personal timeline, by key, in the order
    /// of the users, all as of one moment. Who has no timeline has none.
    async fn personal_lists(
        &self,
        list: u8,
        users: &[UserId],
        limit: u32,
    ) -> Result<Vec<Vec<Entry>>, StoreError>;

    /// Whether `user` and each of `others` are members of some group together now, in their
    /// order, all as of one moment. For each it may take a look at every conversation of
    /// `user`, so callers bound how many they ask for.
    async fn share_group(&self, user: UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError>;

    /// One entry of a list of a conversation.
    async fn entry(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Up to `limit` entries of a list with keys above `after`, by key, and the head as of
    /// the same moment. An unknown conversation has none.
    async fn entries_after(
        &self,
        conversation: ConversationId,
        list: u8,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EntryPage, StoreError>;

    /// The conversation that a code leads to.
    async fn code_holder(&self, code: &str) -> Result<Option<ConversationId>, StoreError>;

    /// Up to `limit` derivations that no batch has settled, with ids above `after`, by id.
    async fn unsettled(
        &self,
        after: Option<DerivationId>,
        limit: u32,
    ) -> Result<Vec<Derivation>, StoreError>;

    /// Whether a derivation waits to be settled.
    async fn is_unsettled(&self, derivation: DerivationId) -> Result<bool, StoreError>;

    /// The single chat between two users, in either order.
    async fn single_chat(
        &self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError>;

    /// The message that `sender` stored in `conversation` under a client message id.
    async fn find_message(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<StoredEvent>, StoreError>;

    /// The latest events that carry a client message id, newest first, among those that
    /// were committed under `partition`: what a new owner needs to recognise retries. A
    /// backend may look at no more than the latest hundreds of thousands of all events.
    async fn recent_messages(
        &self,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// One event by its row.
    async fn event(&self, row: RowId) -> Result<Option<StoredEvent>, StoreError>;

    /// Up to `limit` events of all timelines with rows above `after`, by row, as they are
    /// now: an event that a later commit has overwritten shows the later payload. For
    /// whatever follows the store in its own time. What was trimmed is passed over.
    async fn events_by_row(&self, after: RowId, limit: u32) -> Result<RowPage, StoreError>;

    /// Up to `limit` events after `after`, oldest first, and the head as of the same
    /// moment. An unknown conversation is an empty timeline.
    async fn events_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError>;

    /// Up to `limit` events before `before`, those nearest to it, in timeline order,
    /// and the head as of the same moment. An unknown conversation is an empty timeline.
    /// Neither direction shows what was trimmed.
    async fn events_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<EventPage, StoreError>;

    /// A user's membership of a conversation, present or former; `None` if there never was
    /// one.
    async fn member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError>;

    /// Conversations of a user whose stamp (the row of the last change that concerns
    /// the user) is after `since` and before `before`, newest first, and the last row
    /// as of the same moment.
    ///
    /// An event, the beginning of a conversation, a change of a membership and a move of
    /// cursors each take a row, so no two conversations of a user share a stamp: the last
    /// stamp of a page, given as `before`, continues it exactly. What concerns a user are
    /// the events of the last interval, the user's own membership and cursors, and in a
    /// single chat the peer's cursors; not the cursors of others in a group, and nothing
    /// that comes after the last interval.
    async fn sync_page(
        &self,
        user: UserId,
        since: RowId,
        before: Option<RowId>,
        limit: u32,
    ) -> Result<SyncPage, StoreError>;

    /// Creates a user with the next local id. A taken name is
    /// [`StoreErrorKind::Conflict`]; names compare ignoring ASCII case. Durable on
    /// return.
    async fn create_user(
        &self,
        username: &str,
        password_hash: &str,
        now: TimestampMs,
    ) -> Result<User, StoreError>;

    /// A user by name, ignoring ASCII case.
    async fn user_by_name(&self, username: &str) -> Result<Option<User>, StoreError>;

    /// A user by id.
    async fn user(&self, user: UserId) -> Result<Option<User>, StoreError>;

    /// Brings everything to disk and lets go of the files. Later calls fail as
    /// [`StoreErrorKind::Unavailable`].
    async fn close(&self) -> Result<(), StoreError>;
}
