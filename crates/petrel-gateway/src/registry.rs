//! The live sessions of this node, by user and by session.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petrel_types::{SessionId, UserId};

use crate::outbox::Outbox;

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
    pub(crate) fn insert(&self, outbox: Arc<Outbox>) {
        let (user, session) = (outbox.user(), outbox.session());
        self.by_session.lock(session.get()).insert(session, Arc::clone(&outbox));
        self.by_user.lock(user.get()).entry(user).or_default().push(outbox);
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

    fn lock(&self, id: u64) -> MutexGuard<'_, HashMap<K, V>> {
        let shard = usize::try_from(id % SHARDS as u64).expect("below SHARDS");
        self.0[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(session: u64, user: u64) -> Arc<Outbox> {
        Arc::new(Outbox::new(SessionId::new(session), UserId::new(user)))
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
        registry.insert(Arc::clone(&old));
        registry.insert(new);
        assert_eq!(sessions_of(&registry, 9), [1, 2]);
        registry.remove(&old);
        assert_eq!(sessions_of(&registry, 9), [2]);
        assert!(registry.session(SessionId::new(1)).is_none());
        assert!(registry.session(SessionId::new(2)).is_some());
    }
}
