//! What admins of the system may do, and the record of it.
//!
//! The same rules serve the routes of a running server and the command line on the data
//! directory of a stopped one; the latter has no log-ins to end at once, no groups to
//! change and nobody to tell, and says so. Who may ask is decided before: an [`Operator`] is
//! an admin whose token was looked at, or somebody who reaches the data directory anyhow.

mod audit;
mod clearing;
mod groups;
mod history;
mod limits;
mod notices;
mod ruling;
mod statistics;
mod users;
mod words;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::Avatar;
use petrel_protocol::http::admin::AuditAction;
use petrel_store::{AuditRecord, LoginEnd, Store, StoreError};
use petrel_types::{Clock, ConversationId, FileId, TimestampMs, UserId};

pub use self::audit::AuditQuery;
pub use self::history::{History, SAMPLE_EVERY, Sample};
pub use self::limits::{Adjustable, Limits, Metrics as LimitsMetrics};
use self::notices::NoticeTurn;
pub use self::users::UsersQuery;
use self::words::WordLists;
use crate::Refusal;
use crate::identity::Identity;
use crate::notices::Notices;
use crate::requester::Requester;
use crate::words::WordFilter;

/// The most items of one page, and how many those get who don't say.
const PAGE_MAX: u32 = 200;
const PAGE_DEFAULT: u32 = 50;

/// How long log-ins are remembered as ended that are ended while no server runs: longer than
/// access tokens last, however that is set.
const REMEMBERED_OFFLINE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The longest text that an admin gives with a change, in characters.
const REASON_CHARS_MAX: usize = 256;

/// Somebody who may ask, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Which admin; none if it is somebody at the machine itself.
    pub user: Option<UserId>,
    /// An address, or whose shell it is.
    pub source: String,
}

/// What there is while a server runs.
pub struct Running {
    /// Ends log-ins at once.
    pub identity: Arc<Identity>,
    /// Puts changes into timelines.
    pub requester: Arc<Requester>,
    /// The open sessions.
    pub sessions: Arc<dyn Sessions>,
    /// The pictures of users and groups.
    pub pictures: Arc<dyn Pictures>,
    /// The words in force.
    pub words: Arc<WordFilter>,
    /// What is said to everybody.
    pub notices: Arc<Notices>,
    /// What may be changed while it runs.
    pub limits: Limits,
    /// What the numbers were of late.
    pub history: Arc<History>,
}

/// The open sessions of a node, as far as admins ask for them.
pub trait Sessions: Send + Sync {
    /// How many a user has.
    fn sessions_of(&self, user: UserId) -> u64;

    /// How many there are.
    fn sessions(&self) -> u64;
}

/// Pictures, which admins may see of everybody.
pub trait Pictures: Send + Sync {
    /// Where the thumbnail of a file is, for whoever has the address; `None` if the file has
    /// gone.
    fn link_to(&self, file: FileId) -> BoxFuture<'_, Result<Option<Avatar>, Refusal>>;
}

/// What admins may do.
pub struct Administration {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    running: Option<Running>,
    words: WordLists,
    notice_turn: NoticeTurn,
}

impl Administration {
    /// Of a running server, or of a data directory that none is at work in.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, running: Option<Running>) -> Self {
        let (words, notice_turn) = Default::default();
        Self { store, clock, running, words, notice_turn }
    }

    /// What is needed of a running server, or the word that there is none.
    fn running(&self) -> Result<&Running, Refusal> {
        self.running.as_ref().ok_or_else(|| {
            Refusal::new(
                ErrorReason::ServerBusy,
                "that takes a running server: start it (petrel serve) and give the command again",
            )
        })
    }

    fn record(
        &self,
        operator: &Operator,
        action: AuditAction,
        target: Option<Target>,
        detail: impl Into<String>,
    ) -> AuditRecord {
        AuditRecord {
            at: self.clock.now(),
            actor: operator.user,
            source: operator.source.clone(),
            action: action.as_str().to_owned(),
            target: target.map(Target::stored),
            detail: detail.into(),
        }
    }

    fn end_now(&self) -> LoginEnd {
        if let Some(running) = &self.running {
            return running.identity.end_now();
        }
        let at = self.clock.now();
        let lasts_ms = u64::try_from(REMEMBERED_OFFLINE.as_millis()).unwrap_or(u64::MAX);
        LoginEnd { at, remembered_until: TimestampMs::new(at.get().saturating_add(lasts_ms)) }
    }
}

/// What something is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    User(UserId),
    Group(ConversationId),
}

impl Target {
    const USER: &'static str = "user";
    const GROUP: &'static str = "group";

    fn stored(self) -> (String, u64) {
        match self {
            Self::User(user) => (Self::USER.to_owned(), user.get()),
            Self::Group(group) => (Self::GROUP.to_owned(), group.get()),
        }
    }
}

fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

fn check_reason(reason: &str) -> Result<(), Refusal> {
    if reason.chars().count() > REASON_CHARS_MAX || reason.contains(char::is_control) {
        let message = format!("`reason` has at most {REASON_CHARS_MAX} characters, in one line");
        return Err(Refusal::new(ErrorReason::InvalidField, message));
    }
    Ok(())
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
