//! Groups: the frames that change them, and reading them with all that is in them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use petrel_protocol::frame::{
    ClientFrame, Conversation, ConversationState, GroupAdd, GroupChat, GroupCreate, GroupLeave,
    GroupRemove, GroupRole, GroupTitle, History, MessageEdit, MessagePin, MessageReact,
    MessageRevoke, Pull, Role, ServerFrame,
};
use petrel_types::limits::PULL_EVENTS_MAX;
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

use super::{Client, decode, unexpected};
use crate::checker::Event;

/// A stretch of a timeline.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Covered up to here.
    pub to: Seq,
    /// What there is in it for who asks.
    pub events: Vec<Event>,
}

impl Client {
    /// Pulls what comes after a place, to the end: events of any kind, of any
    /// conversation. Every answer must cover what was asked for without a hole.
    pub async fn pull_events(
        &mut self,
        conversation: ConversationId,
        after: Seq,
    ) -> Result<Stretch> {
        let mut stretch = Stretch { to: after, events: Vec::new() };
        loop {
            let page = self
                .pull(Pull {
                    conversation_id: conversation,
                    after_seq: Some(stretch.to),
                    before_seq: None,
                    limit: Some(PULL_EVENTS_MAX),
                })
                .await?;
            ensure!(page.from_seq == stretch.to.next(), "after {} came {page:?}", stretch.to);
            ensure!(page.to_seq > stretch.to || !page.has_more, "there is more, but: {page:?}");
            for event in &page.events {
                let event = Event::of(decode(event.get())?.frame).context("no event")?;
                ensure!(page.from_seq <= event.seq && event.seq <= page.to_seq, "{event:?}");
                stretch.events.push(event);
            }
            stretch.to = page.to_seq;
            if !page.has_more {
                return Ok(stretch);
            }
        }
    }

    /// Who is in a group, by as many `CONVERSATION`s as it takes, and what is pinned in it.
    pub async fn members(
        &mut self,
        conversation: ConversationId,
    ) -> Result<(BTreeMap<UserId, Role>, Vec<Seq>)> {
        let mut members = BTreeMap::new();
        loop {
            let page = self.conversation(conversation, members.keys().last().copied()).await?;
            members.extend(page.members.iter().map(|member| (member.user, member.role)));
            if !page.more {
                return Ok((members, page.pins));
            }
        }
    }

    async fn conversation(
        &mut self,
        conversation: ConversationId,
        after: Option<UserId>,
    ) -> Result<ConversationState> {
        let request = ClientFrame::Conversation(Conversation {
            conversation_id: conversation,
            members_after: after,
            limit: Some(3),
        });
        match self.request(&request).await? {
            ServerFrame::ConversationState(state) => Ok(state),
            other => Err(unexpected("CONVERSATION_STATE", &other)),
        }
    }
}

/// A name that a test has chosen.
fn named(name: &str) -> ClientMessageId {
    ClientMessageId::new(name).expect("a test chooses valid names")
}

/// The frame that says something in a group.
pub fn say(group_id: ConversationId, name: &str, body: &str, retry: bool) -> ClientFrame {
    let text = GroupChat::text(named(name), group_id, body.to_owned());
    ClientFrame::GroupChat(GroupChat { retry, ..text })
}

/// The frame that founds a group.
pub fn found(name: &str, title: &str, members: Vec<UserId>, history: History) -> ClientFrame {
    ClientFrame::GroupCreate(GroupCreate {
        client_msg_id: named(name),
        title: title.to_owned(),
        members,
        history,
    })
}

/// The frame that brings users into a group.
pub fn add(group_id: ConversationId, name: &str, members: Vec<UserId>) -> ClientFrame {
    ClientFrame::GroupAdd(GroupAdd { client_msg_id: named(name), group_id, members })
}

/// The frame that takes members out of a group.
pub fn remove(group_id: ConversationId, name: &str, members: Vec<UserId>) -> ClientFrame {
    ClientFrame::GroupRemove(GroupRemove { client_msg_id: named(name), group_id, members })
}

/// The frame that leaves a group.
pub fn leave(group_id: ConversationId, name: &str) -> ClientFrame {
    ClientFrame::GroupLeave(GroupLeave { client_msg_id: named(name), group_id })
}

/// The frame that gives a member another role.
pub fn set_role(group_id: ConversationId, name: &str, user: UserId, role: Role) -> ClientFrame {
    ClientFrame::GroupRole(GroupRole { client_msg_id: named(name), group_id, user, role })
}

/// The frame that gives a group another title.
pub fn set_title(group_id: ConversationId, name: &str, title: &str) -> ClientFrame {
    let title = title.to_owned();
    ClientFrame::GroupTitle(GroupTitle { client_msg_id: named(name), group_id, title })
}

/// The frame that takes a message back.
pub fn recall(conversation: ConversationId, name: &str, target: Seq) -> ClientFrame {
    ClientFrame::MessageRevoke(MessageRevoke {
        client_msg_id: named(name),
        conversation_id: Some(conversation),
        msg_seq: Some(target),
        server_msg_id: None,
    })
}

/// The frame that gives a message another text.
pub fn edit(conversation: ConversationId, name: &str, target: Seq, body: &str) -> ClientFrame {
    ClientFrame::MessageEdit(MessageEdit {
        client_msg_id: named(name),
        conversation_id: Some(conversation),
        msg_seq: Some(target),
        server_msg_id: None,
        body: body.to_owned(),
    })
}

/// The frame that gives a sign of what one thinks of a message, or takes it back.
pub fn react(
    conversation: ConversationId,
    name: &str,
    target: Seq,
    emoji: &str,
    remove: bool,
) -> ClientFrame {
    ClientFrame::Reaction(MessageReact {
        client_msg_id: named(name),
        conversation_id: Some(conversation),
        msg_seq: Some(target),
        server_msg_id: None,
        emoji: emoji.to_owned(),
        remove,
    })
}

/// The frame that pins a message, or takes it down.
pub fn pin(conversation: ConversationId, name: &str, target: Seq, remove: bool) -> ClientFrame {
    ClientFrame::MessagePin(MessagePin {
        client_msg_id: named(name),
        conversation_id: Some(conversation),
        msg_seq: Some(target),
        server_msg_id: None,
        remove,
    })
}
