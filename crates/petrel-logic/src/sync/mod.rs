//! Catching up: which conversations changed, what they are, and their events.
//!
//! Reads only, each authorised by membership.

mod files;
mod invited;
mod pages;
mod readers;

use std::sync::Arc;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Conversation as ConversationRequest, ConversationState, Events, GroupRequestState,
    GroupRequests, JoinRequest, Pull, Role, ServerFrame, StateMember, Sync, SyncConversation,
    SyncState,
};
use petrel_protocol::token::{SyncPass, SyncToken};
use petrel_store::{Conversation, ConversationKind, Entry, Member, Store, StoreError, SyncEntry};
use petrel_types::limits::{PULL_EVENTS_MAX, STATE_MEMBERS_MAX, SYNC_CONVERSATIONS_MAX};
use petrel_types::{ConversationId, RowId, Seq, UserId};

use crate::Refusal;
use crate::lists::{JOIN_REQUESTS, ListedRequest};
use crate::membership::Membership;
use crate::profile::{Attributes, Profile};
use crate::refusal::not_a_member;
use crate::view::{frame_of, kind_of, peer_of};

pub use files::Share;

/// How many conversations, events or members a client gets that does not say how many.
const DEFAULT_LIMIT: u32 = 50;

/// Answers `SYNC`, `PULL` and `CONVERSATION`.
#[derive(Clone)]
pub struct Catchup {
    store: Arc<dyn Store>,
}

impl Catchup {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// What changed for a user since a token.
    ///
    /// The caller must already receive pushes for the user: what changes while a pass
    /// is under way is pushed now and told again by the next sync.
    pub async fn sync(&self, user: UserId, request: &Sync) -> Result<SyncState, Refusal> {
        let epoch = self.store.epoch();
        let given = request.token.as_deref().map(read_token).transpose()?;
        let resync = given.is_some_and(|token| token.epoch != epoch);
        let start = SyncToken { epoch, since: RowId::new(0), pass: None };
        let token = given.filter(|token| token.epoch == epoch).unwrap_or(start);

        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, SYNC_CONVERSATIONS_MAX);
        let before = token.pass.map(|pass| pass.before);
        let page =
            self.store.sync_page(user, token.since, before, limit).await.map_err(of_store)?;

        let until = token.pass.map_or(page.last_row, |pass| pass.until);
        let next = match page.entries.last() {
            Some(last) if page.more => {
                SyncToken { pass: Some(SyncPass { until, before: last.stamp }), ..token }
            }
            _ => SyncToken { epoch, since: until, pass: None },
        };
        let conversations = page.entries.iter().map(|entry| conversation(user, entry));
        Ok(SyncState {
            epoch,
            resync,
            conversations: conversations.collect::<Result<_, _>>()?,
            token: next.encode(),
            more: page.more,
        })
    }

    /// The place of an event, for requests that name it by `serverMsgId`.
    pub async fn place_of(
        &self,
        user: UserId,
        row: RowId,
    ) -> Result<(ConversationId, Seq), Refusal> {
        let event = self.store.event(row).await.map_err(of_store)?.ok_or_else(not_a_member)?;
        let member = self.member(user, event.conversation).await?;
        if !member.access().allows(event.seq) {
            return Err(not_a_member());
        }
        Ok((event.conversation, event.seq))
    }

    /// Whether a user may read what is at a place: as a member, present or former, as of the
    /// place, as long as it is kept.
    pub async fn may_read(
        &self,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<bool, Refusal> {
        let Some(member) = self.store.member(conversation, user).await.map_err(of_store)? else {
            return Ok(false);
        };
        let Some(summary) = self.store.summary(conversation).await.map_err(of_store)? else {
            return Ok(false);
        };
        let membership = Membership::load(member).map_err(of_store)?;
        Ok(membership.access().allows(seq) && seq >= summary.trimmed_before)
    }

    /// Whether a user is in a conversation now.
    pub async fn is_in(&self, user: UserId, conversation: ConversationId) -> Result<bool, Refusal> {
        let member = self.store.member(conversation, user).await.map_err(of_store)?;
        Ok(member.is_some_and(|member| member.is_present()))
    }

    /// What a conversation is, and a page of its members. Only for those who are in it:
    /// somebody who has left may read events up to the end of the membership, but what
    /// the conversation is now is nobody else's business.
    pub async fn conversation(
        &self,
        user: UserId,
        request: &ConversationRequest,
    ) -> Result<ConversationState, Refusal> {
        let id = request.conversation_id;
        if !self.member(user, id).await?.is_present() {
            return Err(not_a_member());
        }
        let after = request.members_after.unwrap_or(UserId::new(0));
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, STATE_MEMBERS_MAX);
        let page = self.store.members_after(id, after, limit).await.map_err(of_store)?;
        let page = page.ok_or_else(not_a_member)?;

        let summary = page.summary;
        let mut pins = Profile::decode(&summary.profile).map_err(of_store)?.pins;
        pins.retain(|pinned| *pinned >= summary.trimmed_before);
        let profile = group_profile(&summary.conversation, &summary.profile)?;
        let member = |member: &Member| {
            let attributes = Attributes::decode(&member.attributes).map_err(of_store)?;
            let Attributes { role, nickname, muted_until: muted_until_ts, .. } = attributes;
            Ok(StateMember { user: member.user, role, nickname, muted_until_ts })
        };
        Ok(ConversationState {
            conversation_id: id,
            kind: kind_of(&summary.conversation),
            as_of_seq: summary.head.seq,
            trimmed_before: summary.trimmed_before,
            title: profile.as_ref().map(|profile| profile.title.clone()),
            history: profile.as_ref().map(|profile| profile.history),
            group: profile.map(|profile| profile.info),
            pins,
            member_count: summary.member_count,
            members: page.members.iter().map(member).collect::<Result<_, Refusal>>()?,
            more: page.more,
        })
    }

    /// A page of those who wait to be let into a group, for its owner and admins.
    pub async fn requests(
        &self,
        user: UserId,
        request: &GroupRequests,
    ) -> Result<GroupRequestState, Refusal> {
        let GroupRequests { group_id, users_after, limit } = *request;
        let member = self.member(user, group_id).await?;
        if !member.is_present() {
            return Err(not_a_member());
        }
        if member.attributes.role < Role::Admin {
            return Err(Refusal::new(
                ErrorReason::NotAllowed,
                "only the owner and admins of the group may see who asks to join",
            ));
        }
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, STATE_MEMBERS_MAX);
        let after = users_after.map(UserId::get);
        let page = self.store.entries_after(group_id, JOIN_REQUESTS, after, limit).await;
        let page = page.map_err(of_store)?;
        let request = |entry: &Entry| {
            let ListedRequest { message, ts } = ListedRequest::decode(&entry.value)?;
            Ok(JoinRequest { user: UserId::new(entry.key), message, ts })
        };
        Ok(GroupRequestState {
            group_id,
            as_of_seq: page.head.seq,
            requests: page
                .entries
                .iter()
                .map(request)
                .collect::<Result<_, _>>()
                .map_err(of_store)?,
            more: page.more,
        })
    }

    /// The last event of a conversation, for those who are in it.
    pub async fn head(&self, user: UserId, id: ConversationId) -> Result<Seq, Refusal> {
        if !self.member(user, id).await?.is_present() {
            return Err(not_a_member());
        }
        let summary = self.store.summary(id).await.map_err(of_store)?.ok_or_else(not_a_member)?;
        Ok(summary.head.seq)
    }

    /// Events of one conversation, as far as the user may read them.
    pub async fn pull(&self, user: UserId, request: &Pull) -> Result<Events, Refusal> {
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, PULL_EVENTS_MAX);
        let id = request.conversation_id;
        match (request.after_seq, request.before_seq) {
            (Some(_), Some(_)) => Err(Refusal::new(
                ErrorReason::InvalidField,
                "give either afterSeq or beforeSeq, not both",
            )),
            (after, None) => self.pull_after(user, id, after.unwrap_or(Seq::ZERO), limit).await,
            (None, Some(before)) => self.pull_before(user, id, before, limit).await,
        }
    }

    async fn pull_after(
        &self,
        user: UserId,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Events, Refusal> {
        let member = self.member(user, id).await?;
        // What may not be read is passed over without reading it.
        let readable = member.access().next_after(after);
        let start = readable.map_or(after, |first| Seq::new(first.get() - 1));
        let page = self.store.events_after(id, start, limit).await.map_err(of_store)?;
        let (conversation, member) = self.as_of_now(user, id).await?;
        pages::forwards(&conversation, member.access(), after, page, limit)
    }

    async fn pull_before(
        &self,
        user: UserId,
        id: ConversationId,
        before: Seq,
        limit: u32,
    ) -> Result<Events, Refusal> {
        let member = self.member(user, id).await?;
        let readable = member.access().last_before(before);
        let end = readable.map_or(Seq::new(1), Seq::next);
        let page = self.store.events_before(id, end, limit).await.map_err(of_store)?;
        let (conversation, member) = self.as_of_now(user, id).await?;
        pages::backwards(&conversation, member.access(), before, page, limit)
    }

    /// Events after `after` that a device was pushed and has not acknowledged, marked as
    /// redelivered: at most `limit` of them and, but for the first, `bytes_max` bytes.
    pub async fn repeat(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, ServerFrame)>, Refusal> {
        let frames = self.pushes_after(user, conversation, after, limit).await?;
        let mut bytes = 0;
        let fitting = frames.into_iter().enumerate().take_while(|(index, (_, frame))| {
            bytes += pages::bytes_of(frame);
            *index == 0 || bytes <= bytes_max
        });
        Ok(fitting
            .map(|(_, (seq, mut frame))| {
                mark_redelivered(&mut frame);
                (seq, frame)
            })
            .collect())
    }

    /// The oldest events that no device of the user has acknowledged, in the order in
    /// which they were stored: what a client gets that knows no sync. Looks at the
    /// conversations that changed last.
    pub async fn undelivered(&self, user: UserId, limit: u32) -> Result<Vec<ServerFrame>, Refusal> {
        let start = RowId::new(0);
        let page = self
            .store
            .sync_page(user, start, None, SYNC_CONVERSATIONS_MAX)
            .await
            .map_err(of_store)?;
        let mut frames = Vec::new();
        for entry in page.entries.iter().filter(|entry| entry.own.delivered < entry.head.seq) {
            let id = entry.conversation.id;
            frames.extend(self.pushes_after(user, id, entry.own.delivered, limit).await?);
            if frames.len() >= limit as usize {
                break;
            }
        }
        frames.sort_by_key(|(_, frame)| row_of(frame));
        frames.truncate(limit as usize);
        Ok(frames.into_iter().map(|(_, frame)| frame).collect())
    }

    /// Events after `after` as they are pushed.
    async fn pushes_after(
        &self,
        user: UserId,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, ServerFrame)>, Refusal> {
        let page = self.store.events_after(id, after, limit).await.map_err(of_store)?;
        let (conversation, member) = self.as_of_now(user, id).await?;
        let access = member.access();
        page.events
            .iter()
            .filter(|event| access.allows(event.seq))
            .map(|event| Ok((event.seq, frame_of(&conversation, event)?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| pages::unreadable(id, &error))
    }

    /// What a page is to be looked at with: the membership as it is after the page was
    /// read, so that no event is shown that follows the end of it.
    async fn as_of_now(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<(Conversation, Membership), Refusal> {
        let summary = self.store.summary(id).await.map_err(of_store)?.ok_or_else(not_a_member)?;
        Ok((summary.conversation, self.member(user, id).await?))
    }

    /// The membership, present or former, that everything else is authorised by.
    async fn member(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Membership, Refusal> {
        let member = self.store.member(conversation, user).await.map_err(of_store)?;
        Membership::load(member.ok_or_else(not_a_member)?).map_err(of_store)
    }
}

fn read_token(text: &str) -> Result<SyncToken, Refusal> {
    SyncToken::decode(text).ok_or_else(|| {
        Refusal::new(
            ErrorReason::BadSyncToken,
            "this sync token was not made by this system; sync without one",
        )
    })
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}

fn conversation(user: UserId, entry: &SyncEntry) -> Result<SyncConversation, Refusal> {
    let total = entry.head.message_number.get();
    let attributes = Attributes::decode(&entry.attributes).map_err(of_store)?;
    // What is deleted is not unread, and what is trimmed is not counted anyway.
    let trimmed = Seq::new(entry.trimmed_before.get().saturating_sub(1));
    let (after, head) = (entry.own.read.max(trimmed), entry.head.seq);
    let hidden = attributes.hidden.unwrap_or_default();
    let unread = total.saturating_sub(entry.read_message_number.get());
    let profile = group_profile(&entry.conversation, &entry.profile)?;
    // What a group is called now is nothing to those who have left.
    let left = entry.interval.last.is_some();
    let profile = profile.filter(|_| !left);
    let is_group = profile.is_some();
    Ok(SyncConversation {
        conversation_id: entry.conversation.id,
        kind: kind_of(&entry.conversation),
        peer: peer_of(&entry.conversation, user),
        title: profile.map(|profile| profile.title),
        member_count: is_group.then_some(entry.member_count),
        left,
        head_seq: entry.head.seq,
        head_msg_no: entry.head.message_number,
        read_seq: entry.own.read,
        delivered_seq: entry.own.delivered,
        peer_read_seq: entry.peer.map(|peer| peer.read),
        peer_delivered_seq: entry.peer.map(|peer| peer.delivered),
        unread: unread.saturating_sub(hidden.unread(after, head)),
        unread_mentions: entry.mentions.saturating_sub(hidden.unread_mentions(after, head)),
        ts: entry.timestamp,
        settings: attributes.settings,
    })
}

fn group_profile(conversation: &Conversation, stored: &[u8]) -> Result<Option<Profile>, Refusal> {
    match conversation.kind {
        ConversationKind::Group => Profile::decode(stored).map(Some).map_err(of_store),
        ConversationKind::Single { .. }
        | ConversationKind::Personal { .. }
        | ConversationKind::Pair { .. } => Ok(None),
    }
}

fn mark_redelivered(frame: &mut ServerFrame) {
    match frame {
        ServerFrame::SingleChat(push) => push.redelivered = true,
        ServerFrame::GroupChat(push) => push.redelivered = true,
        ServerFrame::Event(push) => push.redelivered = true,
        _ => {}
    }
}

fn row_of(frame: &ServerFrame) -> RowId {
    match frame {
        ServerFrame::SingleChat(push) => push.server_msg_id,
        ServerFrame::GroupChat(push) => push.server_msg_id,
        ServerFrame::Event(push) => push.server_msg_id,
        _ => RowId::default(),
    }
}
