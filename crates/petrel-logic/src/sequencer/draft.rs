//! Deciding: from commands and memory to a batch and what to say about it.
//!
//! Pure: no reads, no clock, no waiting. Decisions see the effects of earlier decisions
//! in the same batch. Here is what all decisions write; `again` recognises what was
//! decided before, `content` knows what each kind of content means, `receipts` moves
//! cursors, `derived` sees to what follows elsewhere.
//!
//! A decision checks everything first and then writes: one that is refused has changed
//! nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use petrel_log::{Command, LoggedCommand, Request, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_store::{
    Batch, ConversationKind, DerivationId, Head, MemberUpdate, NewConversation, NewEvent,
    Overwrite, ProfileUpdate, Trim,
};
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, RowId, Seq, SessionId, Slot, TimestampMs, UserId,
};

use super::load::Lookups;
use super::model::Model;
use super::recent::{MessageKey, hash_of};
use super::said::{Appended, Decisions};
use super::{Memory, Rules, refuse};
use crate::Refusal;
use crate::event::EventBody;
use crate::invitation_pace::InvitationPace;
use crate::membership::Membership;
use crate::own::Own;
use crate::pair::Pair;
use crate::profile::{Attributes, Profile};
use crate::view::{Envelope, frame};

/// A batch in the making.
pub(super) struct Draft<'a> {
    pub(super) memory: &'a mut Memory,
    pub(super) lookups: &'a Lookups,
    pub(super) rules: Rules,
    pub(super) invitation_pace: Option<&'a InvitationPace>,
    /// What was counted there, by inviter.
    pub(super) invitations_counted: Vec<(UserId, usize)>,
    pub(super) now: TimestampMs,
    /// That of the command that is decided.
    pub(super) position: LogPosition,
    pub(super) batch: Batch,
    /// The cursors that moved, by where they are in `batch.cursors`.
    pub(super) moved: HashMap<(ConversationId, UserId), usize>,
    /// The memberships that changed, by where they are in `batch.members`.
    changed: HashMap<(ConversationId, UserId), usize>,
    /// Who went in this batch, and may come again.
    pub(super) departed: HashMap<(ConversationId, UserId), Membership>,
    /// The entries of lists that changed, by where they are in `batch.entries`.
    pub(super) entries: HashMap<(ConversationId, u8, u64), usize>,
    pub(super) settled: HashSet<DerivationId>,
    /// Commands of this batch by their senders' names, by where they are in `decisions`.
    pub(super) named: HashMap<MessageKey, usize>,
    pub(super) decisions: Decisions,
}

/// An event to be appended.
pub(super) struct NewEntry {
    pub(super) sender: UserId,
    pub(super) client_message_id: Option<ClientMessageId>,
    pub(super) body: EventBody,
    /// Who is told.
    pub(super) recipients: Arc<[UserId]>,
    /// A session that is not told.
    pub(super) except: Option<SessionId>,
    /// The group that is founded.
    pub(super) founded: Option<ConversationId>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        memory: &'a mut Memory,
        lookups: &'a Lookups,
        rules: Rules,
        invitation_pace: Option<&'a InvitationPace>,
        now: TimestampMs,
    ) -> Self {
        let now = now.max(memory.last_timestamp);
        memory.last_timestamp = now;
        Self {
            memory,
            lookups,
            rules,
            invitation_pace,
            invitations_counted: Vec::new(),
            now,
            position: LogPosition::default(),
            batch: Batch::default(),
            moved: HashMap::new(),
            changed: HashMap::new(),
            departed: HashMap::new(),
            entries: HashMap::new(),
            settled: HashSet::new(),
            named: HashMap::new(),
            decisions: Decisions::default(),
        }
    }

    /// Decides one command.
    pub(super) fn decide(&mut self, logged: &LoggedCommand) {
        let LoggedCommand { position, command, .. } = logged;
        self.position = *position;
        let decided = match &command.request {
            Request::Send(send) => self.send(command, send),
            Request::AdvanceCursor { conversation, kind, seq } => {
                self.advance_cursor(command, *conversation, *kind, *seq)
            }
            Request::Derived { home, number, user, entry } => {
                let id = DerivationId { home: *home, number: *number };
                self.settle(id, *user, entry);
                Ok(())
            }
            Request::Trim { conversation, before } => {
                self.trim(*conversation, *before);
                Ok(())
            }
        };
        if let Err(refusal) = decided {
            self.decisions.say(refuse(command, refusal));
        }
    }

    /// The batch to commit, and what to say after.
    pub(super) fn finish(self) -> (Batch, Decisions) {
        (self.batch, self.decisions)
    }

    fn send(&mut self, command: &Command, send: &SendRequest) -> Result<(), Refusal> {
        if self.is_decided(command, send)? {
            return Ok(());
        }
        self.decide_content(command, send)
    }

    pub(super) fn unknown_user(&self, user: UserId) -> Refusal {
        let hint = if user.is_local() || self.rules.external_users {
            ""
        } else {
            ": registered users have ids from 10000000001 on"
        };
        Refusal::new(ErrorReason::UserNotFound, format!("there is no user {user}{hint}"))
    }

    /// The single chat or personal timeline of `kind`, begun if it is not there.
    pub(super) fn find_or_begin(&mut self, kind: ConversationKind) -> ConversationId {
        if let Some(known) = self.memory.by_kind.get(&kind) {
            return *known;
        }
        let slot = match kind {
            ConversationKind::Single { low, high } => Slot::of_pair(low, high),
            ConversationKind::Personal { user } => Slot::of_pair(user, user),
            ConversationKind::Pair { low, high } => {
                self.memory.strangers.pop(&(low, high));
                Slot::of_pair(low, high)
            }
            ConversationKind::Group => unreachable!("groups are not found by their kind"),
        };
        let id = self.begin(slot, kind, Profile::default());
        self.memory.by_kind.put(kind, id);
        id
    }

    /// Begins a conversation.
    pub(super) fn begin(
        &mut self,
        slot: Slot,
        kind: ConversationKind,
        profile: Profile,
    ) -> ConversationId {
        self.memory.conversation_number += 1;
        let id = ConversationId::compose(slot, self.memory.conversation_number);
        let stored = match kind {
            ConversationKind::Group => profile.encode(),
            // Nothing is known of it that its kind does not say.
            ConversationKind::Single { .. }
            | ConversationKind::Personal { .. }
            | ConversationKind::Pair { .. } => Default::default(),
        };
        self.batch.conversations.push(NewConversation { id, kind, profile: stored });
        self.memory.remember(Model::begin(id, kind, profile));
        id
    }

    pub(super) fn model(&mut self, conversation: ConversationId) -> Option<&mut Model> {
        self.memory.conversations.get_mut(&conversation)
    }

    /// Appends the event that a command has become, which answers the command.
    pub(super) fn answer_with(
        &mut self,
        command: &Command,
        conversation: ConversationId,
        entry: NewEntry,
    ) -> Seq {
        let appended = self.append(conversation, entry);
        let (seq, key) = (appended.seq, appended.key.clone());
        let event = self.decisions.saved(command.origin, appended);
        self.named.extend(key.map(|key| (key, event)));
        seq
    }

    /// Appends an event that follows from a command.
    pub(super) fn tell(&mut self, conversation: ConversationId, entry: NewEntry) -> Seq {
        let appended = self.append(conversation, entry);
        let (seq, key) = (appended.seq, appended.key.clone());
        let event = self.decisions.told(appended);
        self.named.extend(key.map(|key| (key, event)));
        seq
    }

    fn append(&mut self, conversation: ConversationId, entry: NewEntry) -> Appended {
        let NewEntry { sender, client_message_id, body, recipients, except, founded } = entry;
        let now = self.now;
        let body_hash = match &body {
            EventBody::Message(message) => Some(hash_of(message.said())),
            EventBody::Change(_) | EventBody::Contact(_) => None,
        };
        let counts = body.counts();
        let is_private = body.is_private();
        let payload = body.encode();
        let model = self.model(conversation).expect("decisions are about loaded conversations");
        model.head = Head {
            seq: model.head.seq.next(),
            message_number: if counts {
                model.head.message_number.next()
            } else {
                model.head.message_number
            },
        };
        let (place, about) = (model.head, model.conversation);
        self.batch.events.push(NewEvent {
            conversation,
            seq: place.seq,
            message_number: place.message_number,
            sender,
            client_message_id: client_message_id.clone(),
            timestamp: now,
            payload,
        });
        let key = client_message_id.clone().map(|client_message_id| MessageKey {
            conversation,
            sender,
            client_message_id,
        });
        let envelope = Envelope {
            from: sender,
            client_message_id,
            row: RowId::default(),
            seq: place.seq,
            timestamp: now,
        };
        Appended {
            key,
            seq: place.seq,
            timestamp: now,
            body_hash,
            founded,
            is_private,
            event_index: self.batch.events.len() as u64 - 1,
            frame: frame(&about, envelope, body),
            recipients,
            except,
        }
    }

    /// Who sent an event, when, and what it says after this batch.
    pub(super) fn target(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Option<(UserId, TimestampMs, EventBody)> {
        // An event is either stored or of this batch, and the stored ones are found sooner.
        let Some(stored) = self.lookups.targets.get(&(conversation, seq)) else {
            let event = self.batch.events.iter().find(|event| event.is_at(conversation, seq))?;
            let body = EventBody::decode(&event.payload).ok()?;
            return Some((event.sender, event.timestamp, body));
        };
        let again = self.batch.overwrites.iter().find(|overwrite| overwrite.row == stored.row);
        let payload = again.map_or(&stored.payload, |overwrite| &overwrite.payload);
        Some((stored.sender, stored.timestamp, EventBody::decode(payload).ok()?))
    }

    /// Replaces what an event says, whether it is stored or in this batch.
    pub(super) fn overwrite(&mut self, conversation: ConversationId, seq: Seq, body: &EventBody) {
        let payload = body.encode();
        if let Some(event) =
            self.batch.events.iter_mut().find(|event| event.is_at(conversation, seq))
        {
            event.payload = payload;
            return;
        }
        let Some(stored) = self.lookups.targets.get(&(conversation, seq)) else {
            return;
        };
        match self.batch.overwrites.iter_mut().find(|overwrite| overwrite.row == stored.row) {
            Some(again) => again.payload = payload,
            None => self.batch.overwrites.push(Overwrite { row: stored.row, payload }),
        }
    }

    /// Takes a user into a group, or changes what is known of one who is in.
    pub(super) fn set_member(&mut self, conversation: ConversationId, member: Membership) {
        self.departed.remove(&(conversation, member.user));
        self.store_member(conversation, &member);
        let Some(model) = self.model(conversation) else {
            return;
        };
        match model.member_mut(member.user) {
            Some(known) => *known = member,
            None => model.join(member),
        }
    }

    /// Changes what is known of a user who is, or was, in a conversation.
    pub(super) fn set_attributes(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        attributes: Attributes,
    ) {
        if let Some(member) = self.model(conversation).and_then(|model| model.member(user)) {
            let member = Membership { attributes, ..member.clone() };
            self.set_member(conversation, member);
        } else if let Some(member) = self.former(conversation, user) {
            let member = Membership { attributes, ..member.clone() };
            self.store_member(conversation, &member);
            self.departed.insert((conversation, user), member);
        }
    }

    /// Lets a member go, with the event at `last` as the last one to be seen.
    pub(super) fn part(&mut self, conversation: ConversationId, user: UserId, last: Seq) {
        let parted = self.model(conversation).and_then(|model| model.part(user, last));
        if let Some(member) = parted {
            self.store_member(conversation, &member);
            self.departed.insert((conversation, user), member);
        }
    }

    /// What is known of a user who is no member at present.
    pub(super) fn former(&self, conversation: ConversationId, user: UserId) -> Option<&Membership> {
        let key = (conversation, user);
        self.departed.get(&key).or_else(|| self.lookups.former.get(&key))
    }

    fn store_member(&mut self, conversation: ConversationId, member: &Membership) {
        let update = MemberUpdate {
            conversation,
            user: member.user,
            attributes: member.attributes.encode(),
            intervals: member.intervals.clone(),
        };
        match self.changed.get(&(conversation, member.user)) {
            Some(index) => self.batch.members[*index] = update,
            None => {
                self.changed.insert((conversation, member.user), self.batch.members.len());
                self.batch.members.push(update);
            }
        }
    }

    pub(super) fn set_profile(&mut self, conversation: ConversationId, profile: Profile) {
        self.store_profile(conversation, profile.encode());
        if let Some(model) = self.model(conversation) {
            model.profile = profile;
        }
    }

    pub(super) fn set_pair(&mut self, conversation: ConversationId, pair: Pair) {
        self.store_profile(conversation, pair.encode());
        if let Some(model) = self.model(conversation) {
            model.pair = Some(Box::new(pair));
        }
    }

    pub(super) fn set_own(&mut self, conversation: ConversationId, own: Own) {
        self.store_profile(conversation, own.encode());
        if let Some(model) = self.model(conversation) {
            model.own = Some(Box::new(own));
        }
    }

    fn store_profile(&mut self, conversation: ConversationId, profile: Bytes) {
        let update = ProfileUpdate { conversation, profile };
        let profiles = &mut self.batch.profiles;
        match profiles.iter_mut().find(|known| known.conversation == conversation) {
            Some(known) => *known = update,
            None => profiles.push(update),
        }
    }

    fn trim(&mut self, conversation: ConversationId, before: Seq) {
        let Some(model) = self.model(conversation) else {
            return;
        };
        let before = before.min(model.head.seq.next());
        if before > model.trimmed_before {
            model.trimmed_before = before;
            let trims = &mut self.batch.trims;
            trims.retain(|trim| trim.conversation != conversation);
            trims.push(Trim { conversation, before });
        }
    }
}

trait Placed {
    fn is_at(&self, conversation: ConversationId, seq: Seq) -> bool;
}

impl Placed for NewEvent {
    fn is_at(&self, conversation: ConversationId, seq: Seq) -> bool {
        self.conversation == conversation && self.seq == seq
    }
}
