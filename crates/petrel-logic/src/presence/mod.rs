//! Who is told that somebody is online, and when.
//!
//! A user's presence is the business of friends and of those in the same groups. To everybody
//! else, to those who block the user or are blocked, and to all if the user wants that, the
//! user looks like somebody who is offline and was never seen: the five can't be told from
//! each other, so a block tells nothing of itself.
//!
//! A session *watches* a bounded list of users. What comes in a burst is told in *rounds*, a
//! fraction of a second apart, and in each round a session is told of a user at most once.
//! Who is gone counts as online for a while ([`Settings::offline_after`]), so that a device
//! that loses its connection now and then, or a client that reloads, is no news. So a storm of
//! connects costs each watcher a frame or two, and no queue grows with it: what a session is
//! still to be told is at most one thing for each user that it watches.
//!
//! Whether one may see another is looked up when it is asked for the first time, and again when
//! something was committed that may have changed it ([`Presence::affected`]); from that commit
//! on nothing is told until it has been looked up. All of it is soft state, rebuilt by the
//! clients when they come back.

mod board;
mod metrics;
mod sight;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use petrel_directory::{Changes, Directory};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::UserPresence;
use petrel_store::Store;
use petrel_types::limits::PRESENCE_USERS_MAX;
use petrel_types::{SessionId, TimestampMs, UserId};
use tokio::sync::Notify;

use crate::Refusal;
use crate::sequencer::Affected;
use board::Board;
pub use metrics::Metrics;
use sight::who_is_seen;

/// The shortest time between two rounds. Somebody who looks sees no difference, and in a
/// storm it makes thousands of changes one batch.
const ROUND_INTERVAL: Duration = Duration::from_millis(250);

/// How many users' changes are told before others get at what they share with this.
const STEP_USERS: usize = 256;

/// How many watched users all sessions may name together. One is some 40 bytes.
const WATCHES_MAX: usize = 1_000_000;

/// What an operator decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long after the last connection somebody still counts as online.
    pub offline_after: Duration,
}

impl Default for Settings {
    /// Longer than a client takes to come back by itself, and than a page to reload.
    fn default() -> Self {
        Self { offline_after: Duration::from_secs(10) }
    }
}

/// Who sees whom, and what they have been told.
pub struct Presence {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    board: Mutex<Board>,
    doubted: Notify,
    metrics: Metrics,
}

/// Where what is told goes.
pub trait Told: Send {
    /// A session is to be told this of a user, in the place of what it was to be told before.
    fn tell(&mut self, session: SessionId, presence: UserPresence);

    /// That is all for now.
    fn flush(&mut self);
}

impl Presence {
    /// Over a store and a directory.
    pub fn new(
        store: Arc<dyn Store>,
        directory: Arc<dyn Directory>,
        settings: Settings,
        metrics: Metrics,
    ) -> Self {
        let board = Mutex::new(Board::new(settings.offline_after, WATCHES_MAX));
        Self { store, directory, board, doubted: Notify::new(), metrics }
    }

    /// Which of some users are online, as far as `user` may know, by user id.
    pub async fn query(
        &self,
        user: UserId,
        users: Vec<UserId>,
    ) -> Result<Vec<UserPresence>, Refusal> {
        let users = in_order(users)?;
        let seen = who_is_seen(&*self.store, user, &users).await?;
        let last_seen = self.directory.last_seen(&users).await;
        let board = self.board();
        let presence = |((other, is_seen), last_seen): ((&UserId, bool), _)| {
            let online = is_seen && self.is_shown(&board, *other);
            presence_of(*other, online, last_seen, is_seen)
        };
        Ok(users.iter().zip(seen).zip(last_seen).map(presence).collect())
    }

    /// From now on a session of `user` is told of these users, and of nobody else. Returns what
    /// they are now; what is told later comes after that. `forget` is to drop what the session
    /// was still to be told.
    ///
    /// If the store can't be read, the session watches nobody.
    pub async fn watch(
        &self,
        session: SessionId,
        user: UserId,
        users: Vec<UserId>,
        forget: impl FnOnce() + Send,
    ) -> Result<Vec<UserPresence>, Refusal> {
        let users = in_order(users)?;
        let is_taken = self.board().watch(session, user, &users);
        self.count_watches();
        if !is_taken {
            return Err(Refusal::new(
                ErrorReason::ServerBusy,
                "too many users are watched by all sessions together; try again later",
            ));
        }
        // First the list, then who is seen: what changes between is doubted, and looked up.
        let seen = match who_is_seen(&*self.store, user, &users).await {
            Ok(seen) => seen,
            Err(refusal) => {
                self.end(session);
                return Err(refusal);
            }
        };
        let last_seen = self.directory.last_seen(&users).await;
        let mut board = self.board();
        forget();
        let mut presences = Vec::with_capacity(users.len());
        for ((other, is_seen), last_seen) in users.iter().zip(seen).zip(last_seen) {
            let online = self.is_shown(&board, *other);
            let is_seen = board.settle_one(session, *other, is_seen, online);
            presences.push(presence_of(*other, online && is_seen, last_seen, is_seen));
        }
        Ok(presences)
    }

    /// A session is over, or wants to be told nothing.
    pub fn end(&self, session: SessionId) {
        self.board().end(session);
        self.count_watches();
    }

    /// Somebody is something else to others: from now on nothing is told that this may concern
    /// until it has been looked up. To be called before anybody is told of the commit.
    pub fn affected(&self, affected: &Affected) {
        if affected.pairs.is_empty()
            && affected.owners.is_empty()
            && affected.memberships.is_empty()
        {
            return;
        }
        let mut board = self.board();
        for (one, other) in affected.pairs.iter().copied() {
            board.doubt(one, other);
            board.doubt(other, one);
        }
        for owner in affected.owners.iter().copied() {
            board.doubt_those_who_watch(owner);
        }
        for (_, member) in affected.memberships.iter().copied() {
            board.doubt_those_who_watch(member);
            board.doubt_all_whom(member);
        }
        if board.is_in_doubt() {
            self.doubted.notify_one();
        }
    }

    /// Tells who comes and goes, for ever.
    pub async fn run(&self, told: &mut impl Told) {
        loop {
            let due = self.board().next_due();
            tokio::select! {
                () = self.directory.changed() => {}
                () = self.doubted.notified() => {}
                () = sleep_until(due) => {}
            }
            self.round(tokio::time::Instant::now().into_std(), told).await;
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }

    /// Tells what has happened since the last round.
    pub(crate) async fn round(&self, now: Instant, told: &mut impl Told) {
        let changes = self.directory.take_changes();
        let news = {
            let mut board = self.board();
            let mut news = match changes {
                Changes::Of(users) => {
                    for user in users.iter().copied() {
                        board.note(user, self.directory.is_online(user), now);
                    }
                    users
                }
                Changes::OfAnybody => board.all_watched(),
            };
            board.take_gone(now, &mut news);
            news.retain(|user| board.is_watched(*user));
            news
        };
        for step in news.chunks(STEP_USERS) {
            let last_seen = self.directory.last_seen(step).await;
            {
                let mut board = self.board();
                for (user, last_seen) in step.iter().copied().zip(last_seen) {
                    let online = self.is_shown(&board, user);
                    let presence = presence_of(user, online, last_seen, true);
                    self.metrics.told.inc_by(board.change(user, presence, told));
                }
            }
            told.flush();
            tokio::task::yield_now().await;
        }
        self.look_up(told).await;
    }

    /// Looks up who sees whom, where that is in doubt.
    async fn look_up(&self, told: &mut impl Told) {
        loop {
            let Some((watcher, users)) = self.board().take_doubts() else { return };
            let seen = match who_is_seen(&*self.store, watcher, &users).await {
                Ok(seen) => seen,
                Err(refusal) => {
                    tracing::warn!(%refusal, "who may see whom can't be looked up; it will be tried again");
                    let mut board = self.board();
                    users.iter().for_each(|user| board.doubt(watcher, *user));
                    self.doubted.notify_one();
                    return;
                }
            };
            let last_seen = self.directory.last_seen(&users).await;
            {
                let mut board = self.board();
                for ((user, is_seen), last_seen) in users.iter().copied().zip(seen).zip(last_seen) {
                    let online = self.is_shown(&board, user);
                    let presence = presence_of(user, online && is_seen, last_seen, is_seen);
                    self.metrics.told.inc_by(board.settle(watcher, is_seen, presence, told));
                }
            }
            told.flush();
            tokio::task::yield_now().await;
        }
    }

    /// Whether a user counts as online.
    fn is_shown(&self, board: &Board, user: UserId) -> bool {
        self.directory.is_online(user) || board.is_leaving(user)
    }

    fn count_watches(&self) {
        let watches = self.board().watches();
        self.metrics.watches.set(i64::try_from(watches).unwrap_or(i64::MAX));
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each user once, by id, if they are not too many.
fn in_order(mut users: Vec<UserId>) -> Result<Vec<UserId>, Refusal> {
    if users.len() > PRESENCE_USERS_MAX {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!("name at most {PRESENCE_USERS_MAX} users"),
        ));
    }
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

fn presence_of(
    user: UserId,
    online: bool,
    last_seen: Option<TimestampMs>,
    is_seen: bool,
) -> UserPresence {
    UserPresence { user, online, last_seen_ts: last_seen.filter(|_| is_seen && !online) }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
