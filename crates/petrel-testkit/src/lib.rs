//! For tests only: the real binary as a child process, a protocol client, checkers.
//!
//! - [`server`] starts the binary under test, waits until it says that it is ready,
//!   and ends it in the ways that matter: a signal, or SIGKILL.
//! - [`client`] speaks the client protocol over a real socket and remembers what it
//!   has not been asked about yet.
//! - [`faults`] makes the disk below a server full, or stall, and its clock jump.
//! - [`http`] asks the HTTP API.
//! - [`mint`] makes access tokens, good and bad.
//! - [`checker`] tells from histories whether delivery kept its promises. Pure, so
//!   that each check is itself proved to fail on a bad history.
//! - [`power`] records what SQLite writes and rebuilds what a disk may hold of it after
//!   a power cut.
//!
//! Nothing here prints and nothing here waits for time to pass: everything waits for
//! an event, with a deadline. What tells of no event is asked again and again ([`until`]).

pub mod checker;
pub mod client;
pub mod faults;
pub mod http;
pub mod mint;
pub mod power;
pub mod server;

use std::time::Duration;

use anyhow::Context;

/// How long anything may take that should happen at once. Long, because tests share
/// the machine with each other and with compilers; nothing waits for it to pass unless
/// something is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that should happen at once.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .with_context(|| format!("waited {PATIENCE:?} for {what}"))
}

/// How long [`until`] waits before it asks again: so that it may ask for ever, whatever
/// bounds how often one may (50 requests a second, for admins).
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Asks again and again for something of which nobody tells, until it is there.
pub async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let asking = async {
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            tokio::time::sleep(ASKED_AGAIN_AFTER).await;
        }
    };
    in_time(what, asking).await?
}
