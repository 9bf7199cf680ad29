//! Reactions: signs by which users say what they think of a message.
//!
//! They are part of the message as it stands, with everybody who has given one, so that a
//! device that fetches it knows what one knows that has followed the events.

use petrel_log::{Command, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, Reaction};
use petrel_types::limits::{EMOJI_BYTES_MAX, REACTION_KINDS_MAX, REACTIONS_MAX};
use petrel_types::{ConversationId, Seq, UserId};

use super::nothing_to_change;
use crate::Refusal;
use crate::event::{EventBody, MessageBody};
use crate::sequencer::draft::Draft;
use crate::view::peer_of;
use crate::visible::is_blank;

impl Draft<'_> {
    pub(super) fn react(
        &mut self,
        command: &Command,
        send: &SendRequest,
        conversation: ConversationId,
        target: Seq,
        (emoji, remove): (&str, bool),
    ) -> Result<(), Refusal> {
        let actor = command.actor;
        let (_, _, message) = self.message(command, conversation, target)?;
        if message.recalled {
            return Err(Refusal::new(ErrorReason::TooLate, "the message was recalled"));
        }
        let mut reactions = message.reactions.clone();
        if remove {
            remove_from(&mut reactions, actor, emoji)?;
        } else {
            self.check_may_tell(actor, conversation)?;
            add_to(&mut reactions, actor, emoji)?;
        }

        let reacted =
            Change::Reacted { target_seq: target, emoji: emoji.to_owned(), removed: remove };
        let rev = self.change(command, send, conversation, reacted);
        let message = MessageBody { reactions, rev: Some(rev), ..message };
        self.overwrite(conversation, target, &EventBody::Message(message));
        Ok(())
    }

    /// Refuses one who may let others know nothing: across a block, or being muted.
    pub(super) fn check_may_tell(
        &mut self,
        actor: UserId,
        conversation: ConversationId,
    ) -> Result<(), Refusal> {
        let about = self.model(conversation).map(|model| model.conversation);
        match about.and_then(|about| peer_of(&about, actor)) {
            Some(peer) => self.check_reach(actor, peer),
            None => self.check_not_muted(actor, conversation),
        }
    }
}

fn add_to(reactions: &mut Vec<Reaction>, user: UserId, emoji: &str) -> Result<(), Refusal> {
    let is_odd = |symbol: char| symbol.is_control() || symbol.is_whitespace();
    if is_blank(emoji) || emoji.len() > EMOJI_BYTES_MAX || emoji.contains(is_odd) {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!("`emoji` has 1 to {EMOJI_BYTES_MAX} bytes and no white space"),
        ));
    }
    let all: usize = reactions.iter().map(|reaction| reaction.users.len()).sum();
    let kinds = reactions.len();
    match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
        Some(known) if known.users.contains(&user) => {
            Err(nothing_to_change("you have reacted so already"))
        }
        _ if all >= REACTIONS_MAX => Err(Refusal::new(
            ErrorReason::LimitReached,
            format!("a message has at most {REACTIONS_MAX} reactions"),
        )),
        Some(known) => {
            known.users.push(user);
            Ok(())
        }
        None if kinds >= REACTION_KINDS_MAX => Err(Refusal::new(
            ErrorReason::LimitReached,
            format!("a message has at most {REACTION_KINDS_MAX} different reactions"),
        )),
        None => {
            reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![user] });
            Ok(())
        }
    }
}

fn remove_from(reactions: &mut Vec<Reaction>, user: UserId, emoji: &str) -> Result<(), Refusal> {
    let known = reactions.iter_mut().find(|reaction| reaction.emoji == emoji);
    let known = known.filter(|reaction| reaction.users.contains(&user));
    let Some(known) = known else {
        return Err(nothing_to_change("you have not reacted so"));
    };
    known.users.retain(|other| *other != user);
    reactions.retain(|reaction| !reaction.users.is_empty());
    Ok(())
}
