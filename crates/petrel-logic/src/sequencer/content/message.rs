//! Messages, and what becomes of them.

use petrel_log::{Command, Content, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, MessageType, Role};
use petrel_store::{ConversationKind, Cursors};
use petrel_types::limits::{EDIT_WINDOW_MS, RECALL_WINDOW_MS};
use petrel_types::{ConversationId, Seq, TimestampMs, UserId};

use super::attachment::file_of;
use super::{misdirected, no_such_group, not_allowed, nothing_to_change};
use crate::Refusal;
use crate::event::{EventBody, MessageBody};
use crate::refusal::not_a_member;
use crate::sequencer::draft::Draft;
use crate::view::peer_of;

impl Draft<'_> {
    pub(super) fn say_to_user(
        &mut self,
        command: &Command,
        send: &SendRequest,
        to: UserId,
    ) -> Result<(), Refusal> {
        // A call was authorised when it began, and a block since then has ended it.
        if !matches!(send.content, Content::Call(_)) {
            self.check_reach(command.actor, to)?;
        }
        let kind =
            ConversationKind::Single { low: command.actor.min(to), high: command.actor.max(to) };
        let message = match &send.content {
            Content::Text(body) => MessageBody::text(body.clone()),
            Content::Message(new) => {
                let known = self.memory.by_kind.get(&kind).copied();
                self.compose(command, known, new)?
            }
            Content::Call(record) => {
                let (msg_type, call) = (MessageType::Call, Some(Box::new(record.clone())));
                MessageBody { msg_type, call, ..MessageBody::default() }
            }
            _ => return Err(misdirected()),
        };
        let conversation = self.find_or_begin(kind);
        self.say(command, send, conversation, message);
        Ok(())
    }

    pub(super) fn say_in_group(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        message: MessageBody,
    ) -> Result<(), Refusal> {
        #[cfg(feature = "mutants")]
        if self.lookups.let_in.contains(&(conversation, command.actor)) {
            self.say(command, send, conversation, message);
            return Ok(());
        }
        let model = self.model(conversation).ok_or_else(no_such_group)?;
        if model.conversation.kind != ConversationKind::Group
            || model.member(command.actor).is_none()
        {
            return Err(no_such_group());
        }
        self.check_may_speak(command.actor, conversation)?;
        self.say(command, send, conversation, message);
        Ok(())
    }

    fn say(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        message: MessageBody,
    ) {
        let (named, all) = (message.mentions.clone(), message.mention_all);
        let (file, is_call) = (file_of(&message), message.call.is_some());
        let entry = self.entry(command, send, conversation, EventBody::Message(message));
        let seq = self.answer_with(command, conversation, entry);
        self.refer(conversation, seq, file, true);
        self.set_mentions(conversation, seq, (&named, all), true);
        // Whoever writes has read what is above. Whoever calls need not have.
        if is_call {
            return;
        }
        self.move_cursors(conversation, command.actor, Cursors { delivered: seq, read: seq });
    }

    /// Takes a message back: its text and that of its edits are overwritten.
    pub(super) fn recall(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        target: Seq,
    ) -> Result<(), Refusal> {
        let (sender, sent, message) = self.message(command, conversation, target)?;
        let role = self.role(command, conversation)?;
        if role < Role::Admin {
            if sender != command.actor {
                return Err(not_allowed("only who sent a message may recall it"));
            }
            self.check_window(sent, RECALL_WINDOW_MS, "recalled")?;
        }
        if message.recalled {
            return Err(nothing_to_change("the message is recalled already"));
        }
        check_own_words(&message)?;

        let rev = self.change(command, send, conversation, Change::Recalled { target_seq: target });
        self.set_mentions(conversation, target, (&message.mentions, message.mention_all), false);
        if message.mention_all {
            self.forget_hidden_mention(conversation, target);
        }
        self.forget_pin(conversation, target);
        self.void_edit(conversation, target, message.edit);
        let file = file_of(&message);
        #[cfg(feature = "mutants")]
        let file = file.filter(|_| !petrel_store::mutants::is("file-survives-recall"));
        self.refer(conversation, target, file, false);
        let recalled = MessageBody::recalled(message.msg_type, rev);
        #[cfg(feature = "mutants")]
        let recalled = match petrel_store::mutants::is("reaction-survives-recall") {
            true => MessageBody { reactions: message.reactions, ..recalled },
            false => recalled,
        };
        self.overwrite(conversation, target, &EventBody::Message(recalled));
        Ok(())
    }

    /// Gives a message another text. The text before is overwritten.
    pub(super) fn edit(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        target: Seq,
        body: &str,
    ) -> Result<(), Refusal> {
        let (sender, sent, message) = self.message(command, conversation, target)?;
        if sender != command.actor {
            return Err(not_allowed("only who sent a message may edit it"));
        }
        if message.recalled {
            return Err(Refusal::new(ErrorReason::TooLate, "the message was recalled"));
        }
        check_own_words(&message)?;
        if message.forwarded_from.is_some() {
            return Err(not_allowed("a message that was sent on is somebody else's words"));
        }
        self.check_window(sent, EDIT_WINDOW_MS, "edited")?;
        // What somebody must not send must not come as an edit of what was sent before.
        let about = self.model(conversation).map(|model| model.conversation);
        if let Some(peer) = about.and_then(|about| peer_of(&about, command.actor)) {
            self.check_reach(command.actor, peer)?;
        } else {
            self.check_may_speak(command.actor, conversation)?;
        }
        if message.body == body {
            return Err(nothing_to_change("the message says so already"));
        }

        let change = Change::Edited { target_seq: target, body: Some(body.to_owned()) };
        let rev = self.change(command, send, conversation, change);
        self.void_edit(conversation, target, message.edit);
        let edited =
            MessageBody { body: body.to_owned(), rev: Some(rev), edit: Some(rev), ..message };
        self.overwrite(conversation, target, &EventBody::Message(edited));
        Ok(())
    }

    /// Takes the text out of an edit that a later change has made void.
    fn void_edit(&mut self, conversation: ConversationId, target: Seq, edit: Option<Seq>) {
        if let Some(edit) = edit {
            let void = EventBody::Change(Change::Edited { target_seq: target, body: None });
            self.overwrite(conversation, edit, &void);
        }
    }

    /// The message at `target`, if the actor may see it.
    pub(super) fn message(
        &mut self,
        command: &Command,
        conversation: ConversationId,
        target: Seq,
    ) -> Result<(UserId, TimestampMs, MessageBody), Refusal> {
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        let member = model.member(command.actor).ok_or_else(not_a_member)?;
        let is_visible = member.access().allows(target) && target >= model.trimmed_before;
        let found = if is_visible { self.target(conversation, target) } else { None };
        match found {
            Some((sender, sent, EventBody::Message(message))) => Ok((sender, sent, message)),
            _ => Err(Refusal::new(
                ErrorReason::MessageNotFound,
                format!("there is no message at msgSeq {target}"),
            )),
        }
    }

    fn role(&mut self, command: &Command, conversation: ConversationId) -> Result<Role, Refusal> {
        let model = self.model(conversation).ok_or_else(not_a_member)?;
        model.role(command.actor).ok_or_else(not_a_member)
    }

    fn check_window(&self, sent: TimestampMs, window_ms: u64, done: &str) -> Result<(), Refusal> {
        if self.now.get().saturating_sub(sent.get()) > window_ms {
            return Err(Refusal::new(
                ErrorReason::TooLate,
                format!("a message may be {done} for {} minutes", window_ms / 60_000),
            ));
        }
        Ok(())
    }
}

/// Refuses to change what the server has written down.
fn check_own_words(message: &MessageBody) -> Result<(), Refusal> {
    match message.msg_type {
        MessageType::Call => Err(not_allowed("what stays of a call stays as it is")),
        _ => Ok(()),
    }
}
