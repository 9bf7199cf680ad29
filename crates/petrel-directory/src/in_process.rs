//! The embedded backend: all sessions are on this node.
//!
//! When somebody was last online outlives the process, in a file of its own
//! ([`last_seen`](crate::last_seen)) that is written by [`InProcessDirectory::save`] and
//! never on the way of a session.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use petrel_types::{Clock, TimestampMs, UserId};
use tokio::sync::Notify;

use crate::last_seen::{LastSeen, SavedLastSeen, Seen};
use crate::{Changes, Directory};

/// How many users are noted who came or went. More, and anybody may have.
const CHANGES_NOTED_MAX: usize = 64 * 1024;

/// A directory within one process.
pub struct InProcessDirectory {
    state: Mutex<State>,
    changed: Notify,
    clock: Arc<dyn Clock>,
    saved: Option<Mutex<SavedLastSeen>>,
}

struct State {
    sessions: HashMap<UserId, NonZeroUsize>,
    changed: HashSet<UserId>,
    /// More changed than is noted.
    overflowed: bool,
    last_seen: LastSeen,
}

impl InProcessDirectory {
    /// An empty directory, which remembers nothing when it is gone.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(LastSeen::default(), None, clock)
    }

    /// One that knows when users were online before, from a file, which is made by the first
    /// [`save`](Self::save). What can't be read of it is passed over.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (saved, last_seen) = SavedLastSeen::open(file)?;
        Ok(Self::with(last_seen, Some(saved), clock))
    }

    fn with(last_seen: LastSeen, saved: Option<SavedLastSeen>, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            sessions: HashMap::new(),
            changed: HashSet::new(),
            overflowed: false,
            last_seen,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            clock,
            saved: saved.map(Mutex::new),
        }
    }

    /// Writes down what has changed since the last time: once for each user, however often
    /// that was. Blocks; not to be called from a task. What is not saved when the process
    /// dies is known up to the last time.
    pub fn save(&self) -> io::Result<()> {
        let Some(saved) = &self.saved else { return Ok(()) };
        let mut saved = saved.lock().unwrap_or_else(PoisonError::into_inner);
        let (changes, users) = {
            let last_seen = &mut self.state().last_seen;
            (last_seen.take_changes(), last_seen.len())
        };
        let appended = saved.append(&changes, self.clock.now());
        if appended.is_err() {
            self.state().last_seen.note_again(&changes);
        }
        appended?;
        if saved.is_long(users) {
            let all = self.state().last_seen.all();
            saved.replace(&all, self.clock.now())?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, user: UserId) {
        if self.changed.len() < CHANGES_NOTED_MAX {
            self.changed.insert(user);
        } else {
            self.overflowed = true;
        }
    }
}

#[async_trait]
impl Directory for InProcessDirectory {
    fn attach(&self, user: UserId) {
        let mut state = self.state();
        match state.sessions.entry(user) {
            Entry::Occupied(mut entry) => {
                *entry.get_mut() = entry.get().saturating_add(1);
                return;
            }
            Entry::Vacant(entry) => entry.insert(NonZeroUsize::MIN),
        };
        state.last_seen.set(user, Seen::Online);
        state.note(user);
        drop(state);
        self.changed.notify_one();
    }

    fn detach(&self, user: UserId) {
        let now = self.clock.now();
        let mut state = self.state();
        let Entry::Occupied(mut entry) = state.sessions.entry(user) else { return };
        if let Some(rest) = NonZeroUsize::new(entry.get().get() - 1) {
            *entry.get_mut() = rest;
            return;
        }
        entry.remove();
        state.last_seen.set(user, Seen::At(now));
        state.note(user);
        drop(state);
        self.changed.notify_one();
    }

    fn is_online(&self, user: UserId) -> bool {
        self.state().sessions.contains_key(&user)
    }

    fn users_online(&self) -> usize {
        self.state().sessions.len()
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take_changes(&self) -> Changes {
        let mut state = self.state();
        let changed = std::mem::take(&mut state.changed);
        match std::mem::take(&mut state.overflowed) {
            true => Changes::OfAnybody,
            false => Changes::Of(changed.into_iter().collect()),
        }
    }

    async fn last_seen(&self, users: &[UserId]) -> Vec<Option<TimestampMs>> {
        let state = self.state();
        users.iter().map(|user| state.last_seen.get(*user)).collect()
    }
}

#[cfg(test)]
mod tests {
    use petrel_types::ManualClock;

    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);

    fn clock() -> Arc<ManualClock> {
        let clock = ManualClock::default();
        clock.set(TimestampMs::new(1_000));
        Arc::new(clock)
    }

    fn changes(directory: &InProcessDirectory) -> Vec<u64> {
        let Changes::Of(users) = directory.take_changes() else { panic!("so many?") };
        let mut users: Vec<_> = users.into_iter().map(UserId::get).collect();
        users.sort_unstable();
        users
    }

    #[test]
    fn a_user_is_online_while_any_session_is() {
        let directory = InProcessDirectory::new(clock());
        directory.attach(ANN);
        directory.attach(ANN);
        directory.detach(ANN);
        assert!(directory.is_online(ANN));
        assert_eq!(directory.users_online(), 1);
        directory.detach(ANN);
        assert!(!directory.is_online(ANN));
        assert_eq!(directory.users_online(), 0);
        directory.detach(ANN);
        assert_eq!(directory.users_online(), 0);
    }

    #[tokio::test]
    async fn whoever_comes_or_goes_is_a_change_once() {
        let directory = InProcessDirectory::new(clock());
        for _ in 0..3 {
            directory.attach(ANN);
            directory.detach(ANN);
        }
        directory.attach(BOB);
        directory.changed().await;
        assert_eq!(changes(&directory), [1, 2]);
        // A second device is nothing to anybody else.
        directory.attach(BOB);
        directory.detach(BOB);
        assert!(changes(&directory).is_empty());
    }

    #[test]
    fn more_changes_than_are_noted_may_be_of_anybody() {
        let directory = InProcessDirectory::new(clock());
        for user in 0..=CHANGES_NOTED_MAX as u64 {
            directory.attach(UserId::new(user));
        }
        assert_eq!(directory.take_changes(), Changes::OfAnybody);
        assert_eq!(directory.take_changes(), Changes::Of(Vec::new()));
    }

    #[tokio::test]
    async fn when_somebody_was_last_online_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("last-seen");
        let clock = clock();
        let directory = InProcessDirectory::open(&file, clock.clone()).unwrap();
        directory.attach(ANN);
        clock.set(TimestampMs::new(5_000));
        directory.detach(ANN);
        directory.attach(BOB);
        clock.set(TimestampMs::new(7_000));
        directory.save().unwrap();
        assert_eq!(directory.last_seen(&[ANN]).await, [Some(TimestampMs::new(5_000))]);

        // Bob is online when the process dies: the last that is known of him is the save.
        drop(directory);
        let directory = InProcessDirectory::open(&file, clock.clone()).unwrap();
        let known = directory.last_seen(&[ANN, BOB, UserId::new(3)]).await;
        assert_eq!(known, [Some(TimestampMs::new(5_000)), Some(TimestampMs::new(7_000)), None]);
    }
}
