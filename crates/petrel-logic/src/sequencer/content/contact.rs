//! What users are to each other, and what a user decides about himself or herself.
//!
//! A change between two users is an event of their pair's timeline, which nobody is shown.
//! What each of them sees of it is carried to the personal timelines of those for whom
//! anything has changed (`derived`).

use bytes::Bytes;
use petrel_log::{Command, Content, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Contact, ContactAction};
use petrel_store::{CodeUpdate, ConversationKind, EntryUpdate};
use petrel_types::{ConversationId, Seq, UserId};

use std::sync::Arc;

use super::{misdirected, nothing_to_change};
use crate::Refusal;
use crate::event::EventBody;
use crate::lists::{KNOWN, ListedContact, list_of};
use crate::pair::{Pair, no_application, not_reachable};
use crate::personal_entry::PersonalEntry;
use crate::sequencer::draft::{Draft, NewEntry};

impl Draft<'_> {
    pub(super) fn change_contact(
        &mut self,
        command: &Command,
        send: &SendRequest,
        other: UserId,
    ) -> Result<(), Refusal> {
        let Content::Contact { action, text } = &send.content else {
            return Err(misdirected());
        };
        let (actor, action) = (command.actor, *action);
        let kind = pair_of(actor, other);
        let known = self.memory.by_kind.get(&kind).copied();
        if known.is_none() && action != ContactAction::Apply && action != ContactAction::Block {
            return Err(match action {
                ContactAction::Accept | ContactAction::Reject | ContactAction::Withdraw => {
                    no_application()
                }
                ContactAction::Remark => {
                    Refusal::new(ErrorReason::NotFriends, format!("{other} is no friend of yours"))
                }
                _ => nothing_to_change("it is so already"),
            });
        }
        let before = self.pair(actor, other);
        let after = before.after(actor, other, action, text.as_deref(), self.now)?;

        let pair = self.find_or_begin(kind);
        let entry = NewEntry {
            sender: actor,
            client_message_id: Some(send.client_message_id.clone()),
            body: EventBody::Contact(action),
            recipients: Arc::new([]),
            except: None,
            founded: None,
        };
        let seq = self.answer_with(command, pair, entry);
        self.set_pair(pair, after.clone());
        let entries = [(actor, other), (other, actor)].into_iter().filter_map(|(user, peer)| {
            let contact = after.seen_by(user, peer);
            let action = action_told(action, user == actor);
            (contact != before.seen_by(user, peer)).then_some(PersonalEntry {
                user,
                actor,
                change: Change::ContactChanged { contact, action },
            })
        });
        self.derive(pair, seq, entries.collect::<Vec<_>>());
        Ok(())
    }

    /// What the two are to each other now.
    fn pair(&mut self, one: UserId, other: UserId) -> Pair {
        let known = self.memory.by_kind.get(&pair_of(one, other)).copied();
        let model = known.and_then(|pair| self.model(pair));
        model.and_then(|model| model.pair.as_deref().cloned()).unwrap_or_default()
    }

    /// Refuses what one user wants another to get, if one of them has blocked the other, or
    /// if only friends may do that here and they are none. Reads nothing: the pair was
    /// brought into memory with the command, and stays there.
    pub(super) fn check_reach(&mut self, actor: UserId, other: UserId) -> Result<(), Refusal> {
        if actor == other {
            return Ok(());
        }
        #[cfg(feature = "mutants")]
        if petrel_store::mutants::is("block-not-looked-at") {
            return Ok(());
        }
        let friends_only = self.rules.chats_need_friendship;
        let known = self.memory.by_kind.get(&pair_of(actor, other)).copied();
        let model = known.and_then(|pair| self.model(pair));
        let pair = model.and_then(|model| model.pair.as_deref());
        if let Some(pair) = pair {
            pair.check_reach(actor, other)?;
        }
        if friends_only && !pair.is_some_and(Pair::are_friends) {
            return Err(Refusal::new(
                ErrorReason::NotFriends,
                format!("only friends can chat here: apply to {other} first"),
            ));
        }
        Ok(())
    }

    /// Refuses to bring somebody into a group who has blocked the actor. The pair's own
    /// sequencer decides on blocks; this goes by what was committed when the batch began.
    pub(super) fn check_invitable(&self, actor: UserId, users: &[UserId]) -> Result<(), Refusal> {
        for user in users.iter().copied().filter(|user| *user != actor) {
            if let Some(pair) = self.lookups.pairs.get(&(actor, user)) {
                pair.check_reach(actor, user).map_err(|refusal| match refusal.reason {
                    ErrorReason::NotReachable => not_reachable(user),
                    _ => refusal,
                })?;
            }
        }
        Ok(())
    }

    /// Writes down in a personal timeline what another user is now. What is told already,
    /// or has been overtaken, is not told again: a contact is told as a whole.
    pub(in crate::sequencer) fn tell_contact(
        &mut self,
        timeline: ConversationId,
        rev: Seq,
        contact: &Contact,
    ) -> bool {
        let key = contact.user.get();
        let known = self.entry_of_list(timeline, KNOWN, key);
        let known = known.and_then(|stored| ListedContact::decode(&stored).ok());
        let is_told = known.is_some_and(|known| known.rev >= rev.get());
        #[cfg(feature = "mutants")]
        let is_told = is_told && !petrel_store::mutants::is("contact-told-out-of-order");
        if is_told {
            return false;
        }
        let listed = ListedContact { rev: rev.get(), contact: contact.clone() };
        let told = Some(listed.encode());
        #[cfg(feature = "mutants")]
        let told = told.filter(|_| !petrel_store::mutants::is("known-forgotten"));
        self.set_entry(timeline, KNOWN, key, told);
        for list in petrel_protocol::frame::ContactList::ALL {
            let value = listed.is_in(list).then(|| listed.encode());
            self.set_entry(timeline, list_of(list), key, value);
        }
        true
    }

    /// An entry of a list as it is after this batch so far.
    pub(super) fn entry_of_list(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
    ) -> Option<Bytes> {
        let place = (conversation, list, key);
        match self.entries.get(&place) {
            Some(index) => self.batch.entries[*index].value.clone(),
            None => self.lookups.entries.get(&place).cloned(),
        }
    }

    pub(super) fn set_entry(
        &mut self,
        conversation: ConversationId,
        list: u8,
        key: u64,
        value: Option<Bytes>,
    ) {
        let update = EntryUpdate { conversation, list, key, value };
        match self.entries.get(&(conversation, list, key)) {
            Some(index) => self.batch.entries[*index] = update,
            None => {
                self.entries.insert((conversation, list, key), self.batch.entries.len());
                self.batch.entries.push(update);
            }
        }
    }

    /// Changes what a user has decided about himself or herself.
    pub(super) fn change_settings(
        &mut self,
        command: &Command,
        send: &SendRequest,
    ) -> Result<(), Refusal> {
        let Content::Settings { findable, presence_hidden, group_adds, friend_code } =
            &send.content
        else {
            return Err(misdirected());
        };
        let kind = ConversationKind::Personal { user: command.actor };
        let known = self.memory.by_kind.get(&kind).copied();
        let model = known.and_then(|timeline| self.model(timeline));
        let before = model.and_then(|model| model.own.as_deref().cloned()).unwrap_or_default();
        let mut after = before.clone();
        if let Some(findable) = findable {
            after.hidden = !findable;
        }
        if let Some(presence_hidden) = presence_hidden {
            after.presence_hidden = *presence_hidden;
        }
        if let Some(group_adds) = group_adds {
            after.group_adds = *group_adds;
        }
        if let Some(code) = friend_code {
            self.check_new_code(code)?;
            after.friend_code = Some(code.clone());
        }
        if after == before {
            return Err(nothing_to_change("the settings are so already"));
        }

        let timeline = self.find_or_begin(kind);
        if after.friend_code != before.friend_code {
            let ended = before.friend_code.map(|code| CodeUpdate { code, conversation: None });
            let conversation = Some(timeline);
            let begun = after.friend_code.clone().map(|code| CodeUpdate { code, conversation });
            for update in ended.into_iter().chain(begun) {
                self.set_code(update);
            }
        }
        self.set_own(timeline, after.clone());
        let change = Change::SettingsChanged { settings: after.shown() };
        self.change(command, send, timeline, change);
        Ok(())
    }

    /// Refuses a code that leads somewhere already.
    pub(super) fn check_new_code(&self, code: &str) -> Result<(), Refusal> {
        let is_new = |update: &CodeUpdate| update.code == code && update.conversation.is_some();
        if self.lookups.taken_codes.contains(code) || self.batch.codes.iter().any(is_new) {
            return Err(Refusal::new(
                ErrorReason::ServerBusy,
                "the code that was made up is taken; send it again",
            ));
        }
        Ok(())
    }

    pub(super) fn set_code(&mut self, update: CodeUpdate) {
        let codes = &mut self.batch.codes;
        match codes.iter_mut().find(|known| known.code == update.code) {
            Some(known) => *known = update,
            None => codes.push(update),
        }
    }
}

/// The kind under which the timeline of two users is found.
pub(in crate::sequencer) fn pair_of(one: UserId, other: UserId) -> ConversationKind {
    ConversationKind::Pair { low: one.min(other), high: one.max(other) }
}

/// What is said to have happened. That somebody has blocked is told to nobody else: an
/// application that goes with it was withdrawn.
fn action_told(action: ContactAction, to_actor: bool) -> ContactAction {
    match action {
        ContactAction::Block if !to_actor => ContactAction::Withdraw,
        action => action,
    }
}
