//! The live sessions of this node, by user and by session.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petrel_types::{LoginId, SessionId, UserId};

use crate::outbox::Outbox;
use crate::replacement::{Ending, SessionPolicy};

/// How many locks the sessions are spread over, so that 15,000 devices coming back
/// at once don't queue for one.
const SHARDS: usize = 64;

/// All sessions that can be reached.
#[derive(Debug)]
pub(crate) struct Registry {
    by_user: Sharded<UserId, Vec<Arc<Outbox>>>,
    by_session: Sharded<SessionId, Arc<Outbox>>,
}

impl Registry {
    /// Takes in a session, and tells those whose place it takes to end. They get no more
    /// pushes. Of two that exclude each other the one with the larger id stays, whichever
    /// is here first.
    pub(crate) fn insert(&self, outbox: Arc<Outbox>, policy: SessionPolicy) {
        let (user, session) = (outbox.user(), outbox.session());
        self.by_session.lock(session.get()).insert(session, Arc::clone(&outbox));
        let mut users = self.by_user.lock(user.get());
        let sessions = users.entry(user).or_default();
        let is_replaced = sessions.iter().any(|other| {
            other.session() > session && policy.replaces(other.bearer(), outbox.bearer())
        });
        if is_replaced {
            outbox.end(Ending::Replaced);
            return;
        }
        sessions.retain(|other| {
            let stays = !policy.replaces(outbox.bearer(), other.bearer());
            if !stays {
                other.end(Ending::Replaced);
            }
            stays
        });
        sessions.push(outbox);
    }

    /// Tells the sessions of a log-in to end.
    pub(crate) fn end_login(&self, user: UserId, login: LoginId) {
        self.for_each_session(user, |outbox| {
            if outbox.login() == Some(login) {
                outbox.end(Ending::Revoked);
            }
        });
    }

    /// Tells all sessions of a user to end.
    pub(crate) fn end_user(&self, user: UserId, ending: Ending) {
        self.for_each_session(user, |outbox| outbox.end(ending));
    }

    /// Takes out one session, and only that one: a successor of the same device has a
    /// session id of its own.
    pub(crate) fn remove(&self, outbox: &Outbox) {
        self.by_session.lock(outbox.session().get()).remove(&outbox.session());
        let mut users = self.by_user.lock(outbox.user().get());
        if let Some(sessions) = users.get_mut(&outbox.user()) {
            sessions.retain(|other| other.session() != outbox.session());
            if sessions.is_empty() {
                users.remove(&outbox.user());
            }
        }
    }

    /// What waits in all outboxes.
    pub(crate) fn outbox_bytes(&self) -> u64 {
        let of_shard = |shard: &Mutex<HashMap<SessionId, Arc<Outbox>>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().map(|outbox| outbox.bytes() as u64).sum::<u64>()
        };
        self.by_session.0.iter().map(of_shard).sum()
    }

    pub(crate) fn session(&self, session: SessionId) -> Option<Arc<Outbox>> {
        self.by_session.lock(session.get()).get(&session).cloned()
    }

    /// All sessions, in parts, each as it is when it is asked for.
    pub(crate) fn sessions_by_shard(&self) -> impl Iterator<Item = Vec<Arc<Outbox>>> {
        self.by_session.shards().map(|shard| shard.values().cloned().collect())
    }

    /// Calls `f` for every session of a user.
    pub(crate) fn for_each_session(&self, user: UserId, mut f: impl FnMut(&Arc<Outbox>)) {
        if let Some(sessions) = self.by_user.lock(user.get()).get(&user) {
            sessions.iter().for_each(&mut f);
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { by_user: Sharded::new(), by_session: Sharded::new() }
    }
}

#[derive(Debug)]
struct Sharded<K, V>(Box<[Mutex<HashMap<K, V>>]>);

impl<K: Eq + Hash, V> Sharded<K, V> {
    fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect())
    }

    /// Locks one after the other, each for as long as it is looked at.
    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, HashMap<K, V>>> {
        self.0.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self, id: u64) -> MutexGuard<'_, HashMap<K, V>> {
        let shard = usize::try_from(id % SHARDS as u64).expect("below SHARDS");
        self.0[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WaterMarks;
    use crate::replacement::Bearer;

    fn outbox(session: u64, user: u64) -> Arc<Outbox> {
        on_device(session, user, None)
    }

    fn on_device(session: u64, user: u64, device: Option<&str>) -> Arc<Outbox> {
        let bearer = Bearer {
            user: UserId::new(user),
            login: Some(LoginId::new(session * 100)),
            device: device.map(Into::into),
            platform: None,
        };
        Arc::new(Outbox::new(SessionId::new(session), bearer, WaterMarks::default()))
    }

    fn sessions_of(registry: &Registry, user: u64) -> Vec<u64> {
        let mut sessions = Vec::new();
        registry.for_each_session(UserId::new(user), |outbox| {
            sessions.push(outbox.session().get());
        });
        sessions
    }

    #[test]
    fn a_session_leaves_without_taking_its_siblings_along() {
        let registry = Registry::default();
        let (old, new) = (outbox(1, 9), outbox(2, 9));
        registry.insert(Arc::clone(&old), SessionPolicy::Multi);
        registry.insert(new, SessionPolicy::Multi);
        assert_eq!(sessions_of(&registry, 9), [1, 2]);
        registry.remove(&old);
        assert_eq!(sessions_of(&registry, 9), [2]);
        assert!(registry.session(SessionId::new(1)).is_none());
        assert!(registry.session(SessionId::new(2)).is_some());
    }

    #[test]
    fn a_device_that_comes_again_replaces_its_older_session_only() {
        let registry = Registry::default();
        let (old, new) = (on_device(1, 9, Some("phone")), on_device(3, 9, Some("phone")));
        let others = [on_device(2, 9, Some("laptop")), on_device(4, 8, Some("phone"))];
        for outbox in [&old, &others[0], &others[1], &new] {
            registry.insert(Arc::clone(outbox), SessionPolicy::Multi);
        }
        assert_eq!(old.ending(), Some(Ending::Replaced));
        assert!([&new, &others[0], &others[1]].iter().all(|it| it.ending().is_none()));
        assert_eq!(sessions_of(&registry, 9), [2, 3]);
        // The old one goes after the new one has come, and takes nothing along.
        registry.remove(&old);
        assert_eq!(sessions_of(&registry, 9), [2, 3]);
        assert!(registry.session(SessionId::new(3)).is_some());
    }

    #[test]
    fn the_larger_session_id_stays_also_if_it_is_here_first() {
        let registry = Registry::default();
        let (old, new) = (on_device(1, 9, Some("phone")), on_device(2, 9, Some("phone")));
        registry.insert(Arc::clone(&new), SessionPolicy::Multi);
        registry.insert(Arc::clone(&old), SessionPolicy::Multi);
        assert_eq!((old.ending(), new.ending()), (Some(Ending::Replaced), None));
        assert_eq!(sessions_of(&registry, 9), [2]);
    }

    #[test]
    fn a_log_in_ends_with_all_its_sessions_and_no_others() {
        let registry = Registry::default();
        let (one, other, renewed) = (outbox(1, 9), outbox(2, 9), outbox(3, 9));
        for outbox in [&one, &other, &renewed] {
            registry.insert(Arc::clone(outbox), SessionPolicy::Multi);
        }
        renewed.set_login(one.login());
        registry.end_login(UserId::new(9), LoginId::new(100));
        assert_eq!(one.ending(), Some(Ending::Revoked));
        assert_eq!(renewed.ending(), Some(Ending::Revoked));
        assert_eq!(other.ending(), None);
    }
}
