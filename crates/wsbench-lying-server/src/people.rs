//! Who is connected, and who is in which group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::mpsc::Sender;

use crate::connection::Out;

/// Everybody there is.
#[derive(Debug, Default)]
pub(crate) struct People(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    outboxes: BTreeMap<String, Sender<Out>>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl People {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it holds this")
    }

    /// A user is connected.
    pub(crate) fn arrive(&self, user: String, outbox: Sender<Out>) {
        self.lock().outboxes.insert(user, outbox);
    }

    /// A connection of a user has ended; it may have another by now.
    pub(crate) fn leave(&self, user: &str, outbox: &Sender<Out>) {
        let mut inner = self.lock();
        if inner.outboxes.get(user).is_some_and(|other| other.same_channel(outbox)) {
            inner.outboxes.remove(user);
        }
    }

    /// A user is in a group from now on.
    pub(crate) fn join(&self, group: String, user: String) {
        self.lock().groups.entry(group).or_default().insert(user);
    }

    /// The members of a group but one.
    pub(crate) fn others_in(&self, group: &str, me: &str) -> Vec<String> {
        let inner = self.lock();
        let members = inner.groups.get(group).into_iter().flatten();
        members.filter(|user| *user != me).cloned().collect()
    }

    /// Where to write to a user.
    pub(crate) fn outbox_of(&self, user: &str) -> Option<Sender<Out>> {
        self.lock().outboxes.get(user).cloned()
    }

    /// Where to write to somebody who is neither the sender nor a recipient.
    pub(crate) fn somebody_else(&self, me: &str, recipients: &[String]) -> Option<Sender<Out>> {
        let inner = self.lock();
        let other = inner.outboxes.iter().find(|(user, _)| {
            user.as_str() != me && !recipients.iter().any(|recipient| recipient == *user)
        });
        other.map(|(_, outbox)| outbox.clone())
    }
}
