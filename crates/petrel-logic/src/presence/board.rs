//! Who watches whom, what they were told, and who is about to be gone.
//!
//! Pure: time is an argument, and whether somebody is connected comes from outside. Its size
//! is that of the lists of the sessions, which is bounded, and of those who have gone within
//! the last moments.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use petrel_protocol::frame::UserPresence;
use petrel_types::{SessionId, UserId};

use super::Told;

/// The watchers and the watched.
#[derive(Debug)]
pub(super) struct Board {
    watchers: HashMap<SessionId, Watcher>,
    /// The sessions that watch a user.
    watched: HashMap<UserId, Vec<SessionId>>,
    /// The watching sessions of a user.
    sessions: HashMap<UserId, Vec<SessionId>>,
    /// All entries of all lists.
    watches: usize,
    watches_max: usize,
    /// Who watches whom where it has to be looked up again whether that may be.
    doubts: BTreeSet<(UserId, UserId)>,
    offline_after: Duration,
    /// Those without a connection who still count as online, and until when.
    leaving: HashMap<UserId, Instant>,
    /// The same in the order of time; those who came back in between are still in it.
    leaving_in_order: VecDeque<(Instant, UserId)>,
}

#[derive(Debug)]
struct Watcher {
    user: UserId,
    /// By user id.
    list: Vec<Watch>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    user: UserId,
    /// As it was told last.
    sight: Sight,
    /// As it was told last.
    online: bool,
    /// Whether the watcher may know is being looked up again. Until then nothing is told.
    doubted: bool,
}

/// Whether a watcher may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Nobody has found out yet.
    Unsettled,
    No,
    Yes,
}

impl Board {
    pub(super) fn new(offline_after: Duration, watches_max: usize) -> Self {
        Self {
            watchers: HashMap::new(),
            watched: HashMap::new(),
            sessions: HashMap::new(),
            watches: 0,
            watches_max,
            doubts: BTreeSet::new(),
            offline_after,
            leaving: HashMap::new(),
            leaving_in_order: VecDeque::new(),
        }
    }

    /// A session watches these users, by user id, each once, in the place of those before.
    /// False if that is more than there is room for; then it watches nobody.
    pub(super) fn watch(&mut self, session: SessionId, user: UserId, users: &[UserId]) -> bool {
        self.end(session);
        if self.watches + users.len() > self.watches_max {
            return false;
        }
        if users.is_empty() {
            return true;
        }
        self.watches += users.len();
        for other in users {
            self.watched.entry(*other).or_default().push(session);
        }
        self.sessions.entry(user).or_default().push(session);
        let new = |other: &UserId| Watch {
            user: *other,
            sight: Sight::Unsettled,
            online: false,
            doubted: false,
        };
        let list = users.iter().map(new).collect();
        self.watchers.insert(session, Watcher { user, list });
        true
    }

    /// A session watches nobody any more.
    pub(super) fn end(&mut self, session: SessionId) {
        let Some(watcher) = self.watchers.remove(&session) else { return };
        self.watches -= watcher.list.len();
        for watch in &watcher.list {
            remove(&mut self.watched, watch.user, session);
        }
        remove(&mut self.sessions, watcher.user, session);
    }

    /// Whether a session may see a user was found out for its first answer. Returns whether
    /// the answer may say so: not if it has come into doubt since. What was looked up since is
    /// newer, and holds.
    pub(super) fn settle_one(
        &mut self,
        session: SessionId,
        user: UserId,
        is_seen: bool,
        online: bool,
    ) -> bool {
        let watcher = self.watchers.get_mut(&session);
        let Some(watch) = watcher.and_then(|it| it.watch_mut(user)) else { return false };
        let is_seen = match watch.sight {
            _ if watch.doubted => false,
            Sight::Unsettled => is_seen,
            sight => sight == Sight::Yes,
        };
        watch.sight = if is_seen { Sight::Yes } else { Sight::No };
        watch.online = online && is_seen;
        is_seen
    }

    /// Whether a user sees another was looked up: `presence` is what is seen. Tells the
    /// user's sessions if that is something else than before. Returns how many were told.
    pub(super) fn settle(
        &mut self,
        watcher: UserId,
        is_seen: bool,
        presence: UserPresence,
        told: &mut impl Told,
    ) -> u64 {
        if self.doubts.contains(&(watcher, presence.user)) {
            return 0;
        }
        let Some(sessions) = self.sessions.get(&watcher) else { return 0 };
        let sight = if is_seen { Sight::Yes } else { Sight::No };
        let mut count = 0;
        for session in sessions {
            let watcher = self.watchers.get_mut(session);
            let Some(watch) = watcher.and_then(|it| it.watch_mut(presence.user)) else { continue };
            let is_news = watch.sight != sight || watch.online != presence.online;
            (watch.sight, watch.online) = (sight, presence.online);
            watch.doubted = false;
            if is_news {
                told.tell(*session, presence);
                count += 1;
            }
        }
        count
    }

    /// Tells those who watch a user and may know, if it is something else than before.
    /// Returns how many were told.
    pub(super) fn change(
        &mut self,
        user: UserId,
        presence: UserPresence,
        told: &mut impl Told,
    ) -> u64 {
        let Some(sessions) = self.watched.get(&user) else { return 0 };
        let mut count = 0;
        for session in sessions {
            let watcher = self.watchers.get_mut(session);
            let Some(watch) = watcher.and_then(|it| it.watch_mut(user)) else { continue };
            let is_told = watch.sight == Sight::Yes && !watch.doubted;
            if is_told && watch.online != presence.online {
                watch.online = presence.online;
                told.tell(*session, presence);
                count += 1;
            }
        }
        count
    }

    /// Whether one still sees another has to be looked up, if one watches the other.
    pub(super) fn doubt(&mut self, watcher: UserId, user: UserId) {
        let Some(sessions) = self.sessions.get(&watcher) else { return };
        for session in sessions {
            let watcher = self.watchers.get_mut(session);
            if let Some(watch) = watcher.and_then(|it| it.watch_mut(user)) {
                watch.doubted = true;
                self.doubts.insert((self.watchers[session].user, user));
            }
        }
    }

    pub(super) fn doubt_those_who_watch(&mut self, user: UserId) {
        let Some(sessions) = self.watched.get(&user) else { return };
        let watchers: BTreeSet<_> = sessions.iter().map(|it| self.watchers[it].user).collect();
        watchers.into_iter().for_each(|watcher| self.doubt(watcher, user));
    }

    pub(super) fn doubt_all_whom(&mut self, watcher: UserId) {
        let Some(sessions) = self.sessions.get(&watcher) else { return };
        let lists = sessions.iter().flat_map(|it| &self.watchers[it].list);
        let users: BTreeSet<_> = lists.map(|watch| watch.user).collect();
        users.into_iter().for_each(|user| self.doubt(watcher, user));
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// One watcher and the users whom that one may or may not see, which has to be looked up.
    pub(super) fn take_doubts(&mut self) -> Option<(UserId, Vec<UserId>)> {
        const AT_ONCE: usize = petrel_types::limits::PRESENCE_USERS_MAX;
        let (watcher, _) = *self.doubts.first()?;
        let of_watcher = self.doubts.iter().take_while(|(it, _)| *it == watcher);
        let users: Vec<_> = of_watcher.map(|(_, user)| *user).take(AT_ONCE).collect();
        for user in &users {
            self.doubts.remove(&(watcher, *user));
        }
        Some((watcher, users))
    }

    /// Somebody has come or gone.
    pub(super) fn note(&mut self, user: UserId, is_online: bool, now: Instant) {
        if is_online {
            self.leaving.remove(&user);
        } else if !self.leaving.contains_key(&user) && !self.offline_after.is_zero() {
            let until = now + self.offline_after;
            self.leaving.insert(user, until);
            self.leaving_in_order.push_back((until, user));
        }
    }

    /// Adds those who are gone by now.
    pub(super) fn take_gone(&mut self, now: Instant, gone: &mut Vec<UserId>) {
        while let Some((until, user)) = self.leaving_in_order.front().copied()
            && until <= now
        {
            self.leaving_in_order.pop_front();
            // Unless the user came back, and perhaps went again.
            if self.leaving.get(&user) == Some(&until) {
                self.leaving.remove(&user);
                gone.push(user);
            }
        }
    }

    /// When the next one is gone.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.leaving_in_order.front().map(|(until, _)| *until)
    }

    pub(super) fn is_leaving(&self, user: UserId) -> bool {
        self.leaving.contains_key(&user)
    }

    pub(super) fn is_watched(&self, user: UserId) -> bool {
        self.watched.contains_key(&user)
    }

    pub(super) fn all_watched(&self) -> Vec<UserId> {
        self.watched.keys().copied().collect()
    }

    /// How many entries all lists have.
    pub(super) fn watches(&self) -> usize {
        self.watches
    }
}

impl Watcher {
    fn watch_mut(&mut self, user: UserId) -> Option<&mut Watch> {
        let index = self.list.binary_search_by_key(&user, |watch| watch.user).ok()?;
        Some(&mut self.list[index])
    }
}

fn remove(sessions: &mut HashMap<UserId, Vec<SessionId>>, user: UserId, session: SessionId) {
    if let Some(of_user) = sessions.get_mut(&user) {
        of_user.retain(|it| *it != session);
        if of_user.is_empty() {
            sessions.remove(&user);
        }
    }
}
