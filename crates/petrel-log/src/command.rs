//! The record format of the log.

use std::fmt;

use bytes::Bytes;
use petrel_protocol::frame::{
    AttachmentRef, CallRecord, ContactAction, Custom, Forward, GroupAdds, History, Joining,
    Location, MessageType, Role,
};
use petrel_protocol::http::admin::{GroupPart, ProfilePart};
use petrel_types::{
    ClientMessageId, ConversationId, FileId, NodeId, Partition, Seq, SessionId, Slot, TimestampMs,
    UserId,
};

/// What a session asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where the answer goes.
    pub origin: Origin,
    /// Who asks. Taken from the access token, never from the request.
    pub actor: UserId,
    /// What is asked.
    pub request: Request,
}

/// The session that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The node that holds the session.
    pub node: NodeId,
    /// The session.
    pub session: SessionId,
    /// The session's own number for the request, repeated with the answer.
    pub tag: u64,
}

/// What can be asked of a sequencer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Put something into a timeline.
    Send(SendRequest),
    /// Move a cursor forward.
    AdvanceCursor {
        /// The conversation.
        conversation: ConversationId,
        /// Which cursor.
        kind: ReceiptKind,
        /// To here.
        seq: Seq,
    },
    /// Carry out what followed for a user from a change elsewhere. Asked by the system.
    Derived {
        /// The timeline it follows from.
        home: ConversationId,
        /// Its number among those of that timeline.
        number: u64,
        /// Whose personal timeline it concerns.
        user: UserId,
        /// What to write there, as `petrel-logic` encodes it.
        entry: Bytes,
    },
    /// Give up the beginning of a timeline. Asked by the system.
    Trim {
        /// The conversation.
        conversation: ConversationId,
        /// The first event that stays.
        before: Seq,
    },
}

/// Something that a user puts into a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRequest {
    /// Into which.
    pub to: Destination,
    /// The sender's own name for it.
    pub client_message_id: ClientMessageId,
    /// What.
    pub content: Content,
    /// Look beyond the recent messages for an earlier copy.
    pub retry: bool,
    /// When it was first sent, if the sender knows.
    pub first_sent: Option<TimestampMs>,
}

/// Which timeline a command goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// The single chat with a user.
    User(UserId),
    /// A conversation that exists.
    Conversation(ConversationId),
    /// A group that begins with this command.
    NewGroup,
    /// What the actor and a user are to each other.
    Pair(UserId),
    /// The actor's own personal timeline.
    Own,
}

/// What a user puts into a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A message that is more than a plain text.
    Message(Box<NewMessage>),
    /// What stays of a call. Asked by the system.
    Call(CallRecord),
    /// The end of a message's text.
    Recall {
        /// The message.
        target: Seq,
    },
    /// Another text for a message.
    Edit {
        /// The message.
        target: Seq,
        /// The text.
        body: String,
    },
    /// A reaction to a message.
    React {
        /// The message.
        target: Seq,
        /// With what.
        emoji: String,
        /// Whether it is taken back.
        remove: bool,
    },
    /// A message that is pinned.
    Pin {
        /// The message.
        target: Seq,
        /// Whether it is taken down.
        remove: bool,
    },
    /// Messages that are deleted for the actor alone.
    Hide {
        /// These.
        targets: Vec<Seq>,
        /// And everything up to here.
        up_to: Option<Seq>,
    },
    /// What a conversation is to the actor alone. What is missing stays as it is.
    SetConversation {
        /// Whether news of it make no sound.
        muted: Option<bool>,
        /// Whether it stands above the others.
        pinned: Option<bool>,
        /// Whether it is out of the way.
        archived: Option<bool>,
    },
    /// A group.
    CreateGroup {
        /// Its title.
        title: String,
        /// Who is in it, beside its owner.
        members: Vec<UserId>,
        /// What those may read who join later.
        history: History,
    },
    /// More members.
    AddMembers(Vec<UserId>),
    /// Fewer members.
    RemoveMembers(Vec<UserId>),
    /// The end of one's own membership.
    Leave,
    /// Another role for a member.
    SetRole {
        /// Whose.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// Another title.
    SetTitle(String),
    /// The end of the group.
    Dissolve,
    /// What a group is, beside its title and members. What is missing stays as it is.
    ChangeGroup(GroupChange),
    /// What a member is called, and for how long one may not speak. What is missing stays
    /// as it is.
    ChangeMember {
        /// Which member.
        user: UserId,
        /// The name; an empty one for none.
        nickname: Option<String>,
        /// For how long, in milliseconds from now.
        mute_ms: Option<u64>,
    },
    /// To be a member, by the code of the group.
    Join {
        /// The code.
        code: String,
        /// What to say to those who decide.
        message: Option<String>,
    },
    /// An answer to one who has asked to join.
    AnswerJoin {
        /// Who.
        user: UserId,
        /// Whether the user is let in.
        accept: bool,
    },
    /// An answer of one who was invited.
    AnswerInvitation {
        /// Whether the user comes in.
        accept: bool,
    },
    /// The end of an invitation that was not answered.
    WithdrawInvitation {
        /// Who is invited.
        user: UserId,
    },
    /// What an admin of the system has done to a group, whoever is in it. Asked by the system.
    Rule(GroupRuling),
    /// A part of what a user is called and looks like, of which an admin of the system wants
    /// to see no more. It goes to the user's personal timeline. Asked by the system.
    ClearProfile(ProfilePart),
    /// A change of what two users are to each other.
    Contact {
        /// Which.
        action: ContactAction,
        /// The message of an application, or a remark.
        text: Option<String>,
    },
    /// What a user decides about himself or herself. What is missing stays as it is.
    Settings {
        /// Whether others find the user by the user name.
        findable: Option<bool>,
        /// Whether the user looks offline to everybody else.
        presence_hidden: Option<bool>,
        /// Who takes the user into groups at once.
        group_adds: Option<GroupAdds>,
        /// Another friend code, made up by who asks.
        friend_code: Option<String>,
    },
    /// What a user is called and looks like to others.
    Profile(ProfileChange),
}

/// What is to change about a user's profile. What is missing stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What others call the user; `Some(None)` for nothing but the user name.
    pub display_name: Option<Option<String>>,
    /// The file that is the user's picture; `Some(None)` for none.
    pub avatar: Option<Option<FileId>>,
}

/// What an admin of the system can do to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRuling {
    /// End it for everybody.
    Dissolve,
    /// Take a member out.
    Remove(UserId),
    /// Make a member its owner.
    HandOver(UserId),
    /// Clear what it is called, says or looks like.
    Clear(GroupPart),
}

/// A message that is more than a plain text, in the form that was asked for; what it refers
/// to is looked up by the sequencer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// What it is.
    pub msg_type: MessageType,
    /// The text or caption.
    pub body: String,
    /// Whom it names.
    pub mentions: Vec<UserId>,
    /// Whether it names everybody.
    pub mention_all: bool,
    /// The file that goes with it.
    pub attachment: Option<Box<AttachmentRef>>,
    /// The place that it tells.
    pub location: Option<Box<Location>>,
    /// What only clients understand.
    pub custom: Option<Box<Custom>>,
    /// The message to which it replies.
    pub reply_to: Option<Seq>,
    /// The message whose content it takes over, in the place of one of its own.
    pub forward: Option<Forward>,
}

/// What is to change about a group. An empty text is for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// What it is for.
    pub description: Option<String>,
    /// Its picture: the id of a file, or an address.
    pub avatar: Option<String>,
    /// What everybody should know.
    pub announcement: Option<String>,
    /// Who may join by the code.
    pub joining: Option<Joining>,
    /// The most members.
    pub member_limit: Option<u64>,
    /// Whether only the owner and admins may speak.
    pub muted: Option<bool>,
    /// Whether every member may pin messages.
    pub members_pin: Option<bool>,
    /// Another code is wanted.
    pub renew_code: bool,
    /// A code made up by who asks, for when one is needed.
    pub new_code: String,
}

/// Which cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptKind {
    /// Received by a device.
    Delivered,
    /// Seen by the user; implies received.
    Read,
}

impl Content {
    /// Whether it is a message, which counts for unread.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Message(_) | Self::Call(_))
    }
}

impl Origin {
    /// Nobody waits: the system itself asks.
    pub const NOBODY: Self = Self { node: NodeId::new(0), session: SessionId::new(0), tag: 0 };

    /// In place of a session, for those who have none, such as HTTP requests. No session
    /// has this name.
    pub const REQUESTER: SessionId = SessionId::new(1);
}

/// The name of a request in the log, from the one who asks to the one who is told.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.tag)
    }
}

impl Command {
    /// The slot whose sequencer decides.
    pub fn slot(&self) -> Slot {
        match &self.request {
            Request::Send(send) => match send.to {
                Destination::User(to) | Destination::Pair(to) => Slot::of_pair(self.actor, to),
                Destination::Conversation(conversation) => conversation.slot(),
                // Beside its founder's personal timeline, where a retry is recognised.
                Destination::NewGroup | Destination::Own => Slot::of_pair(self.actor, self.actor),
            },
            Request::AdvanceCursor { conversation, .. } | Request::Trim { conversation, .. } => {
                conversation.slot()
            }
            Request::Derived { user, .. } => Slot::of_pair(*user, *user),
        }
    }

    /// The partition among `partitions` that decides.
    pub fn partition(&self, partitions: u16) -> Partition {
        self.slot().partition(partitions)
    }
}
