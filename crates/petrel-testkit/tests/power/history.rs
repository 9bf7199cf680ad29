//! What the server was asked and what it has said: the claims that a power cut must not
//! make untrue.
//!
//! Everything has a position, the length of the journal when it happened. A claim binds
//! every cut at its position or after.

use petrel_log::{Content, Destination};
use petrel_types::{ConversationId, Epoch, FileId, LogPosition, LoginId, RowId, Seq, UserId};

/// Something that happened when the journal had this many entries.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) position: usize,
    /// The position in the journal that was cut last, to be named in a failure.
    pub(crate) told: usize,
    pub(crate) what: T,
}

impl<T> At<T> {
    pub(crate) fn new(position: usize, what: T) -> Self {
        Self { position, told: position, what }
    }
}

/// A message, from the moment it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) sender: UserId,
    pub(crate) to: UserId,
    pub(crate) name: String,
    pub(crate) body: String,
    /// When it was sent for the first time.
    pub(crate) sent: usize,
    /// The first ack.
    pub(crate) saved: Option<At<Place>>,
}

/// What is asked for beside plain messages, and must come in every life.
pub(crate) const KINDS: &[&str] = &[
    "group", "members", "title", "text", "recall", "edit", "reply", "forward", "file", "reaction",
    "pin", "hiding", "settings", "contact",
];

/// Something that is asked in a group or for one, or of another user.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) actor: UserId,
    pub(crate) to: Destination,
    pub(crate) content: Content,
    pub(crate) name: String,
    /// When it was sent for the first time.
    pub(crate) sent: usize,
    /// The first ack.
    pub(crate) saved: Option<At<Place>>,
    /// The first ack, if it is of those that say no place.
    pub(crate) done: Option<At<()>>,
    /// It was refused, and is not sent again.
    pub(crate) refused: bool,
}

impl Ask {
    pub(crate) fn new(actor: UserId, to: Destination, content: Content, name: String) -> Self {
        Self { actor, to, content, name, sent: 0, saved: None, done: None, refused: false }
    }

    /// What it is.
    fn kind(&self) -> &'static str {
        match &self.content {
            Content::CreateGroup { .. } => "group",
            Content::AddMembers(_) | Content::RemoveMembers(_) => "members",
            Content::SetTitle(_) => "title",
            Content::Recall { .. } => "recall",
            Content::Edit { .. } => "edit",
            Content::React { .. } => "reaction",
            Content::Pin { .. } => "pin",
            Content::Hide { .. } => "hiding",
            Content::SetConversation { .. } => "settings",
            Content::Contact { .. } => "contact",
            Content::Message(message) if message.reply_to.is_some() => "reply",
            Content::Message(message) if message.forward.is_some() => "forward",
            Content::Message(_) => "file",
            _ => "text",
        }
    }

    /// The group that it is sent to.
    pub(crate) fn group(&self) -> Option<ConversationId> {
        match self.to {
            Destination::Conversation(group) => Some(group),
            _ => None,
        }
    }
}

/// Where an ack says that a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) row: RowId,
}

/// How far a member has come, as others were told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToldCursor {
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
    pub(crate) delivered: Seq,
    pub(crate) read: Seq,
}

/// A user that was registered.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) user: UserId,
    pub(crate) name: String,
}

/// A file that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Uploaded {
    pub(crate) file: FileId,
    pub(crate) owner: UserId,
    /// What its bytes are called.
    pub(crate) object: String,
}

/// How far a log-in has come: begun, refreshed, ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToldLogin {
    pub(crate) login: LoginId,
    pub(crate) stage: LoginStage,
    /// Whether it was going to be ended.
    pub(crate) ends: bool,
}

/// The stages of a log-in. The digest of its current refresh token tells the first two
/// apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LoginStage {
    Begun = 1,
    Refreshed = 2,
    Ended = 3,
}

/// A log position that was committed, by partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumed {
    pub(crate) partition: usize,
    pub(crate) next: LogPosition,
}

/// Everything that was asked and said.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) messages: Vec<Message>,
    pub(crate) asks: Vec<Ask>,
    pub(crate) epochs: Vec<At<Epoch>>,
    pub(crate) cursors: Vec<At<ToldCursor>>,
    pub(crate) users: Vec<At<Registered>>,
    pub(crate) logins: Vec<At<ToldLogin>>,
    pub(crate) files: Vec<At<Uploaded>>,
    pub(crate) consumed: Vec<At<Consumed>>,
}

impl History {
    /// What had happened at a cut, all of it binding from the start of what comes next.
    pub(crate) fn until(&self, position: usize) -> Self {
        let messages = self.messages.iter().filter(|message| message.sent <= position);
        let asks = self.asks.iter().filter(|ask| ask.sent <= position);
        Self {
            asks: asks
                .map(|ask| Ask {
                    sent: 0,
                    saved: ask.saved.as_ref().and_then(|saved| carried(saved, position)),
                    done: ask.done.as_ref().and_then(|done| carried(done, position)),
                    refused: false,
                    ..ask.clone()
                })
                .collect(),
            messages: messages
                .map(|message| Message {
                    sent: 0,
                    saved: message.saved.as_ref().and_then(|saved| carried(saved, position)),
                    ..message.clone()
                })
                .collect(),
            epochs: carry(&self.epochs, position),
            cursors: carry(&self.cursors, position),
            users: carry(&self.users, position),
            logins: carry(&self.logins, position),
            files: carry(&self.files, position),
            consumed: carry(&self.consumed, position),
        }
    }

    /// Of each ask that was acked, what it is.
    pub(crate) fn acked_kinds(&self) -> impl Iterator<Item = &'static str> {
        let acked = |ask: &&Ask| ask.saved.is_some() || ask.done.is_some();
        self.asks.iter().filter(acked).map(Ask::kind)
    }

    /// Those whose ack has come.
    pub(crate) fn saved(&self) -> impl Iterator<Item = (&Message, &At<Place>)> {
        self.messages.iter().filter_map(|it| it.saved.as_ref().map(|saved| (it, saved)))
    }
}

fn carry<T: Clone>(claims: &[At<T>], position: usize) -> Vec<At<T>> {
    claims.iter().filter_map(|claim| carried(claim, position)).collect()
}

fn carried<T: Clone>(claim: &At<T>, position: usize) -> Option<At<T>> {
    (claim.position <= position).then(|| At {
        position: 0,
        told: claim.position,
        what: claim.what.clone(),
    })
}
