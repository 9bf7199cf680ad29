//! The port for who is online where.
//!
//! All of it is soft state: it may vanish at any time, which costs latency and never
//! a message. Live sessions stay in the gateway that holds their sockets; a directory
//! knows only which users have how many of them.

mod in_process;

use petrel_types::UserId;

pub use in_process::InProcessDirectory;

/// Who is online. Calls never wait and never fail: a backend behind a network
/// answers from its own copy.
pub trait Directory: Send + Sync + 'static {
    /// A session of `user` begins on this node.
    fn attach(&self, user: UserId);

    /// A session of `user` on this node is over. Balances one `attach`.
    fn detach(&self, user: UserId);

    /// Whether `user` has a session anywhere.
    fn is_online(&self, user: UserId) -> bool;

    /// How many users have a session anywhere.
    fn users_online(&self) -> usize;
}
