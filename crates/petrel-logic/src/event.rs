//! What events say: the payload that a store keeps without understanding it.
//!
//! A new kind of change is a variant of [`Change`] and a decision in the sequencer.
//! Payloads are JSON, so that a data directory can be read with ordinary tools.

use bytes::Bytes;
use petrel_protocol::frame::{
    Attachment, CallOutcome, CallRecord, Change, ContactAction, Custom, ForwardedFrom, Location,
    MessageType, Reaction, ReplyTo,
};
use petrel_types::{Seq, UserId};
use serde::{Deserialize, Serialize};

/// What happened, apart from where and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventBody {
    /// Somebody said something.
    Message(MessageBody),
    /// Something else.
    Change(Change),
    /// In the timeline of a pair, which nobody is shown: what one of the two did.
    Contact(ContactAction),
}

/// A message as it stands after all changes that were applied to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageBody {
    /// What it is.
    pub(crate) msg_type: MessageType,
    /// The text or caption; empty once it was recalled.
    pub(crate) body: String,
    /// The last change that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rev: Option<Seq>,
    /// The edit that the text comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) edit: Option<Seq>,
    /// Members whom it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mentions: Vec<UserId>,
    /// It names everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) mention_all: bool,
    /// The file that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attachment: Option<Box<Attachment>>,
    /// The place that it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<Box<Location>>,
    /// What only clients understand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Box<Custom>>,
    /// What stays of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<Box<CallRecord>>,
    /// The message to which it replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<ReplyTo>,
    /// Where it comes from, if it was sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forwarded_from: Option<ForwardedFrom>,
    /// What users think of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reactions: Vec<Reaction>,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recalled: bool,
}

/// What makes two messages say the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) body: &'a str,
    pub(crate) file_id: Option<&'a str>,
    pub(crate) reply_to: Option<Seq>,
    pub(crate) location: Option<&'a Location>,
    pub(crate) custom: Option<&'a Custom>,
}

/// How a message's payload begins, which no change's does.
const MESSAGE_MARK: &[u8] = br#"{"kind":"message""#;

/// How the payload of what happens in a pair begins.
const CONTACT_MARK: &[u8] = br#"{"kind":"contact""#;

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename = "contact")]
struct MarkedContact {
    action: ContactAction,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename = "message")]
struct MarkedMessage<'a> {
    #[serde(flatten)]
    message: &'a MessageBody,
}

impl MessageBody {
    /// A text as it is sent.
    pub(crate) fn text(body: String) -> Self {
        Self { body, ..Self::default() }
    }

    /// What is left of it once it was taken back, by the change at `rev`: that there was one.
    pub(crate) fn recalled(msg_type: MessageType, rev: Seq) -> Self {
        Self { msg_type, rev: Some(rev), recalled: true, ..Self::default() }
    }

    /// The same content, said anew by somebody who sends it on. `sender` has sent this one.
    pub(crate) fn sent_on(self, sender: UserId) -> Self {
        let Self { msg_type, body, attachment, location, custom, forwarded_from, .. } = self;
        let first = forwarded_from.unwrap_or(ForwardedFrom { user: sender });
        Self {
            msg_type,
            body,
            attachment,
            location,
            custom,
            forwarded_from: Some(first),
            ..Self::default()
        }
    }

    /// What was said, apart from what became of it.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            body: &self.body,
            file_id: self.attachment.as_deref().map(|attachment| attachment.file_id.as_str()),
            reply_to: self.reply_to.map(|reply_to| reply_to.msg_seq),
            location: self.location.as_deref(),
            custom: self.custom.as_deref(),
        }
    }
}

impl EventBody {
    /// Whether it counts for unread. What somebody says does; the record of a call that was
    /// answered does not, since both of the two took part in it.
    pub(crate) fn counts(&self) -> bool {
        let is_answered = |call: &CallRecord| call.outcome == CallOutcome::Answered;
        #[cfg(feature = "mutants")]
        let is_answered = |call: &CallRecord| {
            is_answered(call) && !petrel_store::mutants::is("answered-call-unread")
        };
        matches!(self, Self::Message(message) if !message.call.as_deref().is_some_and(is_answered))
    }

    /// Whether who caused it is not told where it is, not being one of those who see it.
    pub(crate) fn is_private(&self) -> bool {
        matches!(
            self,
            Self::Contact(_) | Self::Change(Change::JoinRequested | Change::InvitationRefused)
        )
    }

    /// The payload to store.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Message(message) => serde_json::to_vec(&MarkedMessage { message }),
            Self::Change(change) => serde_json::to_vec(change),
            Self::Contact(action) => serde_json::to_vec(&MarkedContact { action: *action }),
        }
        .expect("event bodies hold only strings and numbers")
        .into()
    }

    /// Reads a stored payload.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        if payload.starts_with(MESSAGE_MARK) {
            serde_json::from_slice(payload).map(Self::Message)
        } else if payload.starts_with(CONTACT_MARK) {
            serde_json::from_slice(payload)
                .map(|marked: MarkedContact| Self::Contact(marked.action))
        } else {
            serde_json::from_slice(payload).map(Self::Change)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back_as_they_were() {
        let edited = MessageBody {
            rev: Some(Seq::new(7)),
            edit: Some(Seq::new(7)),
            ..MessageBody::text("hello".to_owned())
        };
        for body in [
            EventBody::Message(MessageBody::text("hello".to_owned())),
            EventBody::Message(edited),
            EventBody::Change(Change::MemberLeft),
            EventBody::Contact(ContactAction::Block),
            EventBody::Change(Change::Recalled { target_seq: Seq::new(3) }),
        ] {
            assert_eq!(EventBody::decode(&body.encode()).unwrap(), body);
        }
    }

    #[test]
    fn a_plain_text_is_stored_as_the_first_version_stored_it() {
        let body = EventBody::Message(MessageBody::text("hello".to_owned()));
        let stored = br#"{"kind":"message","msgType":"TEXT","body":"hello"}"#;
        assert_eq!(body.encode(), &stored[..]);
    }

    #[test]
    fn a_kind_from_the_future_is_unknown_and_no_error() {
        let body = EventBody::decode(br#"{"kind":"telepathy","range":3}"#).unwrap();
        assert_eq!(body, EventBody::Change(Change::Unknown));
    }
}
