//! Cursors: how far members have come, and who hears of it.

use std::sync::Arc;

use petrel_log::{Command, ReceiptKind};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{ReceiptAck, ReceiptKind as WireReceiptKind};
use petrel_store::{ConversationKind, CursorUpdate, Cursors};
use petrel_types::{ConversationId, Seq, UserId};

use super::Effect;
use super::draft::Draft;
use super::model::Model;
use crate::Refusal;
use crate::membership::Membership;
use crate::refusal::not_a_member;

impl Draft<'_> {
    pub(super) fn advance_cursor(
        &mut self,
        command: &Command,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<(), Refusal> {
        self.advance(command, conversation, kind, seq)?;
        self.decisions.say(Effect::Answer { origin: command.origin, frame: None });
        Ok(())
    }

    /// Moves a cursor and arranges for those to hear of it whom it concerns.
    pub(super) fn advance(
        &mut self,
        command: &Command,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        let model = self.memory.conversations.peek(&conversation).ok_or_else(not_a_member)?;
        let present = model.member(actor);
        let member = present.or_else(|| self.former(conversation, actor));
        let member = member.ok_or_else(not_a_member)?;
        let end = member.access().end(model.head.seq);
        let mut cursors = member.cursors;
        if seq > end {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("msgSeq {seq} is beyond the last event, {end}"),
            ));
        }
        let (moved, wire_kind) = match kind {
            ReceiptKind::Delivered => (&mut cursors.delivered, WireReceiptKind::Delivered),
            ReceiptKind::Read => (&mut cursors.read, WireReceiptKind::Read),
        };
        let is_news = seq > *moved;
        *moved = seq.max(*moved);
        cursors.delivered = cursors.delivered.max(cursors.read);
        let recipients = is_news.then(|| receipt_recipients(model, actor, kind));
        if let Some(recipients) = recipients {
            self.move_cursors(conversation, actor, cursors);
            let ack = ReceiptAck {
                ack_type: wire_kind,
                from: actor,
                conversation_id: conversation,
                msg_seq: seq,
                ts: self.now,
            };
            if !recipients.is_empty() {
                self.decisions.receipt(ack, recipients, command.origin.session);
            }
        }
        Ok(())
    }

    /// Moves a member's cursors in memory and, once per batch, in the batch.
    pub(super) fn move_cursors(&mut self, conversation: ConversationId, user: UserId, to: Cursors) {
        if let Some(member) = self.model(conversation).and_then(|model| model.member_mut(user)) {
            member.cursors = to;
        } else if let Some(member) = self.former(conversation, user).cloned() {
            self.departed.insert((conversation, user), Membership { cursors: to, ..member });
        }
        let update = CursorUpdate { conversation, user, delivered: to.delivered, read: to.read };
        match self.moved.get(&(conversation, user)) {
            Some(index) => self.batch.cursors[*index] = update,
            None => {
                self.moved.insert((conversation, user), self.batch.cursors.len());
                self.batch.cursors.push(update);
            }
        }
    }
}

/// Who hears that a cursor has moved. One's own other devices show what is read; what a
/// sibling holds is nothing to them. In a group it is nobody else's business unless asked:
/// told to everybody, each message would be answered by a message from each member.
fn receipt_recipients(model: &Model, actor: UserId, kind: ReceiptKind) -> Arc<[UserId]> {
    let own = (kind == ReceiptKind::Read).then_some(actor);
    let peer = match model.conversation.kind {
        ConversationKind::Single { low, high } => {
            Some(if low == actor { high } else { low }).filter(|peer| *peer != actor)
        }
        ConversationKind::Group
        | ConversationKind::Personal { .. }
        | ConversationKind::Pair { .. } => None,
    };
    own.into_iter().chain(peer).collect()
}
