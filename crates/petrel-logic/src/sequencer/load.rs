//! Bringing what a batch of commands touches into memory.
//!
//! The only step of the sequencer that waits for reads; deciding is pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use petrel_log::{
    Command, Content, Destination, GroupChange, GroupRuling, LoggedCommand, Request, SendRequest,
};
use petrel_protocol::frame::{Change, Forward, GroupAdds};
use petrel_store::{ConversationKind, DerivationId, File, StoreError, StoredEvent};
use petrel_types::limits::{HIDE_MESSAGES_MAX, INVITATIONS_MAX};
use petrel_types::{ConversationId, FileId, Seq, TimestampMs, UserId};

use super::content::{expiry_of, pair_of};
use super::model::Model;
use super::recent::{MessageKey, Remembered};
use super::{Earlier, Sequencer};
use crate::event::{EventBody, MessageBody};
use crate::lists::{INVITATIONS, INVITED, JOIN_REQUESTS, KNOWN, SETTINGS_TOLD};
use crate::membership::Membership;
use crate::own::Own;
use crate::pair::Pair;
use crate::personal_entry::PersonalEntry;
use crate::profile::file_id;
use crate::view::peer_of;

/// To how many of those who are invited into a group it is told that it has ended. To the
/// others it shows when they answer, or when their time is over.
const INVITED_TOLD_MAX: u32 = 1_000;

/// How many of those who are listed as invited into a group are looked at when somebody is
/// invited into it, beside two for each who is: a list does not grow faster than it is swept.
const INVITED_SWEPT_MIN: u32 = 32;

/// What had to be looked up for one batch only.
#[derive(Default)]
pub(super) struct Lookups {
    /// Those who were named in the batch and are no users.
    pub(super) unknown_users: HashSet<UserId>,
    /// Earlier copies of commands that are no longer in memory.
    pub(super) earlier: HashMap<MessageKey, Remembered>,
    /// Stored events that commands of the batch want to change, and what depends on them.
    pub(super) targets: HashMap<(ConversationId, Seq), StoredEvent>,
    /// What users want to send on who may read it, as it is said anew.
    pub(super) forwards: HashMap<(UserId, Forward), MessageBody>,
    /// Files that are to go with messages or to be shown as avatars, whosesoever they are.
    pub(super) files: HashMap<FileId, File>,
    /// Former memberships of users who are to join again, or who still read what they may.
    pub(super) former: HashMap<(ConversationId, UserId), Membership>,
    /// What users are to each other, as the first of them who acts and the other, where that
    /// is decided by another sequencer.
    pub(super) pairs: HashMap<(UserId, UserId), Pair>,
    /// Entries of lists, where there are any.
    pub(super) entries: HashMap<(ConversationId, u8, u64), Bytes>,
    /// Who takes users into groups at once, if not everybody.
    pub(super) group_adds: HashMap<UserId, GroupAdds>,
    /// The invitations that users have not answered: the group, and when it counts as none.
    pub(super) invitations_of: HashMap<UserId, Vec<(u64, TimestampMs)>>,
    /// Those who are invited into groups that are to end.
    pub(super) invited: HashMap<ConversationId, Vec<UserId>>,
    /// Some of those who are listed as invited into groups that invite others: a stretch of the
    /// list, to be rid of those whose time is over.
    pub(super) listed_invited: HashMap<ConversationId, Vec<UserId>>,
    /// Codes that lead somewhere already.
    pub(super) taken_codes: HashSet<String>,
    /// Derivations that are still to be carried out.
    pub(super) unsettled: HashSet<DerivationId>,
    /// The fault `membership-outside-sequencer`: who was a member when the batch began.
    #[cfg(feature = "mutants")]
    pub(super) let_in: HashSet<(ConversationId, UserId)>,
}

impl Sequencer {
    pub(super) async fn load(
        &mut self,
        commands: &[LoggedCommand],
        earlier: Earlier,
    ) -> Result<Lookups, StoreError> {
        self.memory.make_room();
        let mut lookups = Lookups::default();
        for logged in commands {
            let command = &logged.command;
            match &command.request {
                Request::Send(send) => self.load_send(command, send, earlier, &mut lookups).await?,
                Request::AdvanceCursor { conversation, .. } => {
                    self.load_conversation(*conversation).await?;
                    self.load_former(*conversation, command.actor, &mut lookups).await?;
                }
                Request::Trim { conversation, .. } => {
                    self.load_conversation(*conversation).await?;
                }
                Request::Derived { home, number, user, entry } => {
                    let id = DerivationId { home: *home, number: *number };
                    if self.store.is_unsettled(id).await? {
                        lookups.unsettled.insert(id);
                        let kind = ConversationKind::Personal { user: *user };
                        if let Some(timeline) = self.load_kind(kind).await? {
                            self.load_told(*user, timeline, entry, &mut lookups).await?;
                        }
                    }
                }
            }
        }
        Ok(lookups)
    }

    async fn load_send(
        &mut self,
        command: &Command,
        send: &SendRequest,
        earlier: Earlier,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let conversation = match send.to {
            Destination::User(to) => {
                let (low, high) = (command.actor.min(to), command.actor.max(to));
                let found = self.load_kind(ConversationKind::Single { low, high }).await?;
                if found.is_none() {
                    self.load_user(to, lookups).await?;
                }
                self.load_pair(command.actor, to).await?;
                found
            }
            Destination::Conversation(conversation) => {
                self.load_conversation(conversation).await?;
                #[cfg(feature = "mutants")]
                if petrel_store::mutants::is("membership-outside-sequencer")
                    && let Some(model) = self.memory.conversations.peek(&conversation)
                    && model.member(command.actor).is_some()
                {
                    lookups.let_in.insert((conversation, command.actor));
                }
                Some(conversation)
            }
            Destination::Pair(to) => {
                let found = self.load_pair(command.actor, to).await?;
                if found.is_none() {
                    self.load_user(to, lookups).await?;
                }
                found
            }
            Destination::NewGroup | Destination::Own => {
                self.load_kind(ConversationKind::Personal { user: command.actor }).await?
            }
        };
        if let Some(conversation) = conversation {
            // Only messages are sent so often that the store is spared; everything else
            // is recognised as a retry whether it says so or not.
            let is_message = send.content.is_message();
            if send.retry || !is_message || earlier == Earlier::OfAll {
                self.load_earlier(conversation, command.actor, send, lookups).await?;
            }
            self.load_for_content(command.actor, conversation, &send.content, lookups).await?;
        }
        match &send.content {
            Content::Message(message) => {
                if let Some(forward) = message.forward {
                    self.load_forward(command.actor, forward, lookups).await?;
                }
                let asked = message.attachment.as_deref();
                self.load_file(asked.and_then(|asked| file_id(&asked.file_id)), lookups).await?;
            }
            Content::CreateGroup { members, .. } => {
                for user in members {
                    self.load_user(*user, lookups).await?;
                    self.load_foreign_pair(command.actor, *user, lookups).await?;
                    self.load_group_adds(*user, lookups).await?;
                }
            }
            Content::ChangeGroup(GroupChange { new_code, avatar, .. }) => {
                self.load_code(new_code, lookups).await?;
                self.load_file(avatar.as_deref().and_then(file_id), lookups).await?;
            }
            Content::Settings { friend_code: Some(code), .. } => {
                self.load_code(code, lookups).await?;
            }
            Content::Profile(change) => {
                self.load_file(change.avatar.flatten(), lookups).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn load_for_content(
        &mut self,
        actor: UserId,
        conversation: ConversationId,
        content: &Content,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        match content {
            Content::Message(message) => match message.reply_to {
                Some(target) => self.load_event(conversation, target, lookups).await.map(drop),
                None => Ok(()),
            },
            Content::Recall { target } => self.load_target(conversation, *target, lookups).await,
            Content::Edit { target, .. } => {
                self.load_pair_of_chat(actor, conversation).await?;
                self.load_target(conversation, *target, lookups).await
            }
            Content::React { target, .. } | Content::Pin { target, .. } => {
                self.load_pair_of_chat(actor, conversation).await?;
                self.load_event(conversation, *target, lookups).await.map(drop)
            }
            Content::Hide { targets, .. } => {
                self.load_former(conversation, actor, lookups).await?;
                for target in targets.iter().take(HIDE_MESSAGES_MAX) {
                    self.load_event(conversation, *target, lookups).await?;
                }
                Ok(())
            }
            Content::SetConversation { .. } => self.load_former(conversation, actor, lookups).await,
            Content::AddMembers(users) => {
                for user in users {
                    self.load_user(*user, lookups).await?;
                    self.load_former(conversation, *user, lookups).await?;
                    self.load_foreign_pair(actor, *user, lookups).await?;
                    self.load_group_adds(*user, lookups).await?;
                    self.load_entry(conversation, JOIN_REQUESTS, user.get(), lookups).await?;
                    self.load_entry(conversation, INVITED, user.get(), lookups).await?;
                }
                // Those who are taken in unasked come into no list.
                let is_asked = |user: &&UserId| lookups.group_adds.contains_key(user);
                let asked: BTreeSet<_> = users.iter().filter(is_asked).copied().collect();
                self.load_listed_invited(conversation, &asked, lookups).await
            }
            Content::Join { .. } => {
                self.load_former(conversation, actor, lookups).await?;
                self.load_entry(conversation, INVITED, actor.get(), lookups).await?;
                self.load_entry(conversation, JOIN_REQUESTS, actor.get(), lookups).await
            }
            Content::AnswerInvitation { .. } => {
                self.load_former(conversation, actor, lookups).await?;
                self.load_entry(conversation, JOIN_REQUESTS, actor.get(), lookups).await?;
                self.load_entry(conversation, INVITED, actor.get(), lookups).await
            }
            Content::WithdrawInvitation { user } => {
                self.load_entry(conversation, INVITED, user.get(), lookups).await
            }
            Content::Dissolve | Content::Rule(GroupRuling::Dissolve) => {
                self.load_invited(conversation, lookups).await
            }
            Content::AnswerJoin { user, .. } => {
                self.load_former(conversation, *user, lookups).await?;
                self.load_entry(conversation, INVITED, user.get(), lookups).await?;
                self.load_entry(conversation, JOIN_REQUESTS, user.get(), lookups).await
            }
            _ => Ok(()),
        }
    }

    /// Finds a conversation that exists once for its users, and loads it.
    async fn load_kind(
        &mut self,
        kind: ConversationKind,
    ) -> Result<Option<ConversationId>, StoreError> {
        let known = match (self.memory.by_kind.get(&kind), kind) {
            (Some(known), _) => Some(*known),
            (None, ConversationKind::Single { low, high }) => {
                self.store.single_chat(low, high).await?
            }
            (None, ConversationKind::Personal { user }) => {
                self.store.personal_timeline(user).await?
            }
            (None, ConversationKind::Pair { low, high }) => self.store.pair(low, high).await?,
            (None, ConversationKind::Group) => None,
        };
        if let Some(conversation) = known {
            self.memory.by_kind.put(kind, conversation);
            self.load_conversation(conversation).await?;
        }
        Ok(known)
    }

    /// Brings what two users are to each other into memory, where it stays: the store is
    /// asked once for each pair that the memory has room for, also if it knows nothing.
    async fn load_pair(
        &mut self,
        one: UserId,
        other: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        let users = (one.min(other), one.max(other));
        if one == other || self.memory.strangers.get(&users).is_some() {
            return Ok(None);
        }
        let found = self.load_kind(pair_of(one, other)).await?;
        if found.is_none() {
            self.memory.strangers.put(users, ());
        }
        Ok(found)
    }

    /// The same for the two users of a single chat.
    async fn load_pair_of_chat(
        &mut self,
        actor: UserId,
        conversation: ConversationId,
    ) -> Result<(), StoreError> {
        let model = self.memory.conversations.peek(&conversation);
        if let Some(peer) = model.and_then(|it| peer_of(&it.conversation, actor)) {
            self.load_pair(actor, peer).await?;
        }
        Ok(())
    }

    /// Looks up what two users are to each other whose pair may be another sequencer's.
    async fn load_foreign_pair(
        &self,
        actor: UserId,
        other: UserId,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        if lookups.pairs.contains_key(&(actor, other)) {
            return Ok(());
        }
        if let Some(pair) = self.store.pair(actor, other).await?
            && let Some(summary) = self.store.summary(pair).await?
        {
            lookups.pairs.insert((actor, other), Pair::decode(&summary.profile)?);
        }
        Ok(())
    }

    /// Loads what a user was told last of another, or of a conversation, if this is to tell of
    /// it again.
    async fn load_told(
        &self,
        user: UserId,
        timeline: ConversationId,
        entry: &[u8],
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        match PersonalEntry::decode(entry).map(|entry| entry.change) {
            Ok(Change::ContactChanged { contact, .. }) => {
                self.load_entry(timeline, KNOWN, contact.user.get(), lookups).await
            }
            Ok(Change::ConversationSettingsChanged { conversation_id, .. }) => {
                self.load_entry(timeline, SETTINGS_TOLD, conversation_id.get(), lookups).await
            }
            Ok(
                Change::ConversationAdded { conversation_id }
                | Change::GroupInvitationEnded { conversation_id },
            ) => {
                self.load_entry(timeline, INVITATIONS, conversation_id.get(), lookups).await?;
                self.load_entry(conversation_id, INVITED, user.get(), lookups).await
            }
            Ok(Change::GroupInvited { conversation_id, .. }) => {
                self.load_entry(conversation_id, INVITED, user.get(), lookups).await?;
                self.load_invitations_of(user, timeline, lookups).await
            }
            _ => Ok(()),
        }
    }

    /// Looks up who takes a user into groups at once, and what waits for the user's answer if
    /// not everybody does. The user's settings may be another sequencer's.
    async fn load_group_adds(&self, user: UserId, lookups: &mut Lookups) -> Result<(), StoreError> {
        if lookups.group_adds.contains_key(&user) {
            return Ok(());
        }
        if let Some(personal) = self.store.personal_timeline(user).await?
            && let Some(summary) = self.store.summary(personal).await?
        {
            let own = Own::decode(&summary.profile)?;
            if !own.group_adds.is_default() {
                lookups.group_adds.insert(user, own.group_adds);
                self.load_invitations_of(user, personal, lookups).await?;
            }
        }
        Ok(())
    }

    async fn load_invitations_of(
        &self,
        user: UserId,
        timeline: ConversationId,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        // Some more than there may be, because those of one moment don't see each other.
        let most = 2 * u32::try_from(INVITATIONS_MAX).unwrap_or(u32::MAX);
        let page = self.store.entries_after(timeline, INVITATIONS, None, most).await?;
        let expiries = page.entries.iter().filter_map(|entry| expiry_of(&entry.value)).collect();
        lookups.invitations_of.insert(user, expiries);
        Ok(())
    }

    /// Looks up who is invited into a group, as far as they are to be told that it ends.
    async fn load_invited(
        &self,
        group: ConversationId,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let page = self.store.entries_after(group, INVITED, None, INVITED_TOLD_MAX).await?;
        let mut users = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            users.push(UserId::new(entry.key));
            lookups.entries.insert((group, INVITED, entry.key), entry.value);
        }
        lookups.invited.insert(group, users);
        Ok(())
    }

    /// Looks up a stretch of the list of those who are invited into a group, longer than what
    /// comes into it now. It begins with one of those who come and goes around, so that every
    /// part of the list has its turn.
    async fn load_listed_invited(
        &self,
        group: ConversationId,
        asked: &BTreeSet<UserId>,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let Some(first) = asked.first().map(|user| user.get()) else { return Ok(()) };
        let count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let most = count.saturating_mul(2).saturating_add(INVITED_SWEPT_MIN);
        let after = first.checked_sub(1);
        let page = self.store.entries_after(group, INVITED, after, most).await?;
        let left = most.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(most));
        let mut entries = page.entries;
        if left > 0 {
            let page = self.store.entries_after(group, INVITED, None, left).await?;
            entries.extend(page.entries.into_iter().filter(|entry| entry.key < first));
        }
        let listed = lookups.listed_invited.entry(group).or_default();
        for entry in entries {
            listed.push(UserId::new(entry.key));
            lookups.entries.insert((group, INVITED, entry.key), entry.value);
        }
        Ok(())
    }

    async fn load_code(&self, code: &str, lookups: &mut Lookups) -> Result<(), StoreError> {
        let holder = self.store.code_holder(code).await?;
        lookups.taken_codes.extend(holder.map(|_| code.to_owned()));
        Ok(())
    }

    async fn load_file(
        &self,
        file: Option<FileId>,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        if let Some(file) = file {
            lookups.files.extend(self.store.file(file).await?.map(|found| (file, found)));
        }
        Ok(())
    }

    async fn load_entry(
        &self,
        conversation: ConversationId,
        list: u8,
        key: u64,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let known = self.store.entry(conversation, list, key).await?;
        lookups.entries.extend(known.map(|known| ((conversation, list, key), known)));
        Ok(())
    }

    async fn load_conversation(&mut self, conversation: ConversationId) -> Result<(), StoreError> {
        if self.memory.conversations.get(&conversation).is_none()
            && let Some(state) = self.store.conversation(conversation).await?
        {
            self.memory.remember(Model::load(state)?);
        }
        Ok(())
    }

    async fn load_earlier(
        &self,
        conversation: ConversationId,
        sender: UserId,
        send: &SendRequest,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let key =
            MessageKey { conversation, sender, client_message_id: send.client_message_id.clone() };
        let group = self.load_key(key.clone(), lookups).await?;
        // What stands in a founder's personal timeline only says which group it was.
        if let Some(group) = group {
            self.load_key(MessageKey { conversation: group, ..key }, lookups).await?;
        }
        Ok(())
    }

    /// Looks an earlier command up, and returns the group that it founded, if it did.
    async fn load_key(
        &self,
        key: MessageKey,
        lookups: &mut Lookups,
    ) -> Result<Option<ConversationId>, StoreError> {
        if let Some(known) = self.memory.recent.get(&key) {
            return Ok(known.founded);
        }
        let stored =
            self.store.find_message(key.conversation, key.sender, &key.client_message_id).await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let remembered = Remembered::of(&stored);
        lookups.earlier.insert(key, remembered);
        Ok(remembered.founded)
    }

    /// Loads the event that a command wants to change, and the edit that its text comes
    /// from.
    async fn load_target(
        &self,
        conversation: ConversationId,
        target: Seq,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let Some(event) = self.load_event(conversation, target, lookups).await? else {
            return Ok(());
        };
        if let Ok(EventBody::Message(message)) = EventBody::decode(&event.payload)
            && let Some(edit) = message.edit
        {
            self.load_event(conversation, edit, lookups).await?;
        }
        Ok(())
    }

    async fn load_event(
        &self,
        conversation: ConversationId,
        seq: Seq,
        lookups: &mut Lookups,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let Some(before) = seq.get().checked_sub(1) else {
            return Ok(None);
        };
        let page = self.store.events_after(conversation, Seq::new(before), 1).await?;
        let found = page.events.into_iter().next().filter(|event| event.seq == seq);
        if let Some(event) = &found {
            lookups.targets.insert((conversation, seq), event.clone());
        }
        Ok(found)
    }

    /// Reads a message that somebody wants to send on, if that may be. It may be in another
    /// sequencer's conversation, so this goes by what is committed; the membership is read
    /// last, as for every read, so that nothing is shown that follows its end.
    async fn load_forward(
        &self,
        actor: UserId,
        forward: Forward,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let Forward { conversation_id, msg_seq } = forward;
        let Some(before) = msg_seq.get().checked_sub(1) else {
            return Ok(());
        };
        let page = self.store.events_after(conversation_id, Seq::new(before), 1).await?;
        let Some(event) = page.events.into_iter().find(|event| event.seq == msg_seq) else {
            return Ok(());
        };
        let Some(member) = self.store.member(conversation_id, actor).await? else {
            return Ok(());
        };
        let may_read = Membership::load(member)?.access().allows(msg_seq);
        #[cfg(feature = "mutants")]
        let may_read = may_read || petrel_store::mutants::is("sent-on-unread");
        if let Ok(EventBody::Message(message)) = EventBody::decode(&event.payload)
            && may_read
            && !message.recalled
            && message.call.is_none()
        {
            lookups.forwards.insert((actor, forward), message.sent_on(event.sender));
        }
        Ok(())
    }

    async fn load_former(
        &self,
        conversation: ConversationId,
        user: UserId,
        lookups: &mut Lookups,
    ) -> Result<(), StoreError> {
        let model = self.memory.conversations.peek(&conversation);
        if model.is_some_and(|model| model.member(user).is_none())
            && let Some(member) = self.store.member(conversation, user).await?
        {
            lookups.former.insert((conversation, user), Membership::load(member)?);
        }
        Ok(())
    }

    async fn load_user(&self, user: UserId, lookups: &mut Lookups) -> Result<(), StoreError> {
        let exists = if user.is_local() {
            self.rules.unstored_local_users || self.store.has_user(user).await?
        } else {
            self.rules.external_users && user.get() > 0
        };
        if !exists {
            lookups.unknown_users.insert(user);
        }
        Ok(())
    }
}
