//! The embedded backend: all sessions are on this node.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use petrel_types::UserId;

use crate::Directory;

/// A directory within one process.
#[derive(Debug, Default)]
pub struct InProcessDirectory {
    sessions: Mutex<HashMap<UserId, NonZeroUsize>>,
}

impl InProcessDirectory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    fn with_sessions<R>(&self, f: impl FnOnce(&mut HashMap<UserId, NonZeroUsize>) -> R) -> R {
        f(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Directory for InProcessDirectory {
    fn attach(&self, user: UserId) {
        self.with_sessions(|sessions| {
            sessions
                .entry(user)
                .and_modify(|count| *count = count.saturating_add(1))
                .or_insert(NonZeroUsize::MIN);
        });
    }

    fn detach(&self, user: UserId) {
        self.with_sessions(|sessions| {
            if let Entry::Occupied(mut entry) = sessions.entry(user) {
                match NonZeroUsize::new(entry.get().get() - 1) {
                    Some(rest) => *entry.get_mut() = rest,
                    None => drop(entry.remove()),
                }
            }
        });
    }

    fn is_online(&self, user: UserId) -> bool {
        self.with_sessions(|sessions| sessions.contains_key(&user))
    }

    fn users_online(&self) -> usize {
        self.with_sessions(|sessions| sessions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_online_while_any_session_is() {
        let directory = InProcessDirectory::new();
        let user = UserId::new(1);
        directory.attach(user);
        directory.attach(user);
        directory.detach(user);
        assert!(directory.is_online(user));
        assert_eq!(directory.users_online(), 1);
        directory.detach(user);
        assert!(!directory.is_online(user));
        assert_eq!(directory.users_online(), 0);
        directory.detach(user);
        assert_eq!(directory.users_online(), 0);
    }
}
