//! The port for who is online where, and when each was last.
//!
//! All of it is soft state: it may vanish at any time, which costs latency and never
//! a message. Live sessions stay in the gateway that holds their sockets; a directory
//! knows only which users have how many of them.
//!
//! Who may be told of it is not decided here (`petrel-logic`), nor when somebody counts as
//! gone who is expected back in a moment.

mod in_process;
mod last_seen;

use async_trait::async_trait;
use petrel_types::{TimestampMs, UserId};

pub use in_process::InProcessDirectory;

/// Who is online. Calls that are not `async` never wait and never fail: a backend behind a
/// network answers them from its own copy.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// A session of `user` begins on this node.
    fn attach(&self, user: UserId);

    /// A session of `user` on this node is over. Balances one `attach`.
    fn detach(&self, user: UserId);

    /// Whether `user` has a session anywhere.
    fn is_online(&self, user: UserId) -> bool;

    /// How many users have a session anywhere.
    fn users_online(&self) -> usize;

    /// Waits until there is something to take with [`take_changes`](Self::take_changes). One
    /// task waits at a time; a change that comes while none waits is not missed.
    async fn changed(&self);

    /// Who may have come or gone since this was called before, on any node. Whoever did is
    /// in it, once, and perhaps somebody who did not.
    fn take_changes(&self) -> Changes;

    /// When each of `users` was online last, in their order; `None` of those of whom nothing
    /// is known. Of those who are online it says nothing. Takes no longer than a fraction of
    /// a second; a backend that can't answer in time knows nothing.
    async fn last_seen(&self, users: &[UserId]) -> Vec<Option<TimestampMs>>;
}

/// Who may have come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These.
    Of(Vec<UserId>),
    /// Anybody: more came than were noted, or the backend was away.
    OfAnybody,
}
