//! Sends that a failing commit refused, and what must not overtake them.
//!
//! A session has many sends under way. If the commit of one batch fails and that of the
//! next succeeds, what was sent later would be stored and what was sent first would not:
//! the sender's order would be turned round by the retry. So after a refusal the later
//! sends of that session to that conversation are refused, too, until the first refused
//! one has come again, or until the sender gives it up by sending the next one again. The gateway does the same for what it refuses itself; this is for
//! what was in the queue already.

use std::num::NonZeroUsize;

use lru::LruCache;
use petrel_log::{Command, Destination, LoggedCommand, Origin, Request};
use petrel_protocol::ErrorReason;
use petrel_types::{ClientMessageId, SessionId};

use super::{Effect, refuse};
use crate::Refusal;

/// How many sessions' conversations are remembered, beyond which the oldest refusal is
/// forgotten. The queue holds fewer commands than this, so what is forgotten can't be
/// overtaken from within it.
const REFUSALS_MAX: NonZeroUsize = NonZeroUsize::new(64 * 1024).expect("not zero");

/// What each session waits for in each conversation.
pub(super) struct RefusedSends(LruCache<(SessionId, Destination), Waiting>);

/// A refused send, and the first that was held back since.
struct Waiting {
    refused: ClientMessageId,
    held_back: Option<ClientMessageId>,
}

impl RefusedSends {
    pub(super) fn new() -> Self {
        // Unbounded in what it allocates at first: it is empty as long as nothing fails.
        Self(LruCache::unbounded())
    }

    /// A send was refused and will come again.
    pub(super) fn add(&mut self, command: &Command) {
        let Some((key, name)) = key_of(command) else { return };
        if !self.0.contains(&key) {
            self.0.push(key, Waiting { refused: name.clone(), held_back: None });
            if self.0.len() > REFUSALS_MAX.get() {
                self.0.pop_lru();
            }
        }
    }

    /// Takes out of a batch what would overtake a refused send, and says so.
    pub(super) fn hold_back(&mut self, commands: &mut Vec<LoggedCommand>) -> Vec<Effect> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let overtakes = |logged: &mut LoggedCommand| self.overtakes(&logged.command);
        commands
            .extract_if(.., overtakes)
            .map(|logged| refuse(&logged.command, after_refused()))
            .collect()
    }

    fn overtakes(&mut self, command: &Command) -> bool {
        let Some((key, name)) = key_of(command) else { return false };
        let Some(waiting) = self.0.peek_mut(&key) else { return false };
        // A sender who was told, and yet sends the next one again, has given the first up.
        if waiting.refused == *name || waiting.held_back.as_ref() == Some(name) {
            self.0.pop(&key);
            return false;
        }
        waiting.held_back.get_or_insert_with(|| name.clone());
        true
    }
}

/// What has an order to keep: the sends of a session to a conversation. Whoever has no
/// session waits for each answer before asking again.
fn key_of(command: &Command) -> Option<((SessionId, Destination), &ClientMessageId)> {
    let Request::Send(send) = &command.request else { return None };
    let session = command.origin.session;
    let has_order = session != Origin::REQUESTER
        && session != Origin::NOBODY.session
        && send.to != Destination::NewGroup;
    has_order.then_some(((session, send.to), &send.client_message_id))
}

fn after_refused() -> Refusal {
    Refusal::new(
        ErrorReason::AfterRefused,
        "an earlier send to this conversation was refused; send that one again first, to keep the \
         order of your messages",
    )
}
