//! Values and frames made at random, with what is awkward more often than by chance.

mod client;
mod live;
mod server;

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    ClientFrame, ContactAction, ContactList, Custom, Degrees, GroupAdds, History, Joining,
    Location, MessageType, RequestId, Role, ServerFrame,
};
use petrel_types::limits::{CLIENT_MESSAGE_ID_BYTES_MAX, REQUEST_ID_BYTES_MAX};
use petrel_types::{ClientMessageId, ConversationId, RowId, Seq, TimestampMs, UserId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) use client::client_frame;
pub(crate) use server::{event_push, server_frame};

/// Text with what JSON must escape, and with more bytes than characters.
pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![any::<char>(), proptest::char::range('\0', '\u{7f}')], 0..40)
        .prop_map(String::from_iter)
}

pub(crate) fn client_msg_id() -> impl Strategy<Value = ClientMessageId> {
    text().prop_map(|text| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = if text.is_empty() { "m" } else { &text };
        ClientMessageId::new(cut(text, CLIENT_MESSAGE_ID_BYTES_MAX)).unwrap()
    })
}

pub(crate) fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        any::<u64>().prop_map(RequestId::Number),
        text().prop_map(|text| RequestId::Text(cut(&text, REQUEST_ID_BYTES_MAX).into())),
    ]
}

pub(crate) fn timestamp() -> impl Strategy<Value = TimestampMs> {
    any::<u64>().prop_map(TimestampMs::new)
}

pub(crate) fn joining() -> impl Strategy<Value = Joining> {
    select(&[Joining::Closed, Joining::Approval, Joining::Open][..])
}

pub(crate) fn group_adds() -> impl Strategy<Value = GroupAdds> {
    select(&GroupAdds::ALL[..])
}

pub(crate) fn contact_action() -> impl Strategy<Value = ContactAction> {
    select(&ContactAction::ALL[..])
}

pub(crate) fn contact_list() -> impl Strategy<Value = ContactList> {
    select(&ContactList::ALL[..])
}

pub(crate) fn message_type() -> impl Strategy<Value = MessageType> {
    select(&MessageType::ALL[..])
}

pub(crate) fn location() -> impl Strategy<Value = Location> {
    let degrees = || (-180.0..=180.0).prop_map(|degrees| Degrees::new(degrees).unwrap());
    (degrees(), degrees(), option::of(text()), option::of(text())).prop_map(
        |(latitude, longitude, name, address)| Location { latitude, longitude, name, address },
    )
}

pub(crate) fn custom() -> impl Strategy<Value = Custom> {
    let value = prop_oneof![any::<u64>().prop_map(Into::into), text().prop_map(Into::into)];
    (text(), vec((text(), value), 0..3))
        .prop_map(|(kind, data)| Custom { kind, data: data.into_iter().collect() })
}

/// Any JSON, with the names and words of the protocol in it more often than by chance.
pub(crate) fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        text().prop_map(Into::into),
        select(WORDS).prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            vec((select(NAMES), inner), 0..8).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    });
    let kinds: Vec<_> = [ClientFrame::TYPES, ServerFrame::TYPES].concat();
    (value, option::of(select(kinds))).prop_map(|(mut value, kind)| {
        if let (Some(members), Some(kind)) = (value.as_object_mut(), kind) {
            members.insert("type".to_owned(), kind.into());
        }
        value
    })
}

/// Words that mean something in some place.
const WORDS: &[&str] = &[
    "AUTH",
    "PING",
    "SINGLE_CHAT",
    "GROUP_CHAT",
    "ACK",
    "SYNC",
    "PULL",
    "EVENT",
    "EVENTS",
    "ERROR",
    "saved",
    "read",
    "delivered",
    "TEXT",
    "LOCATION",
    "CUSTOM",
    "member",
    "owner",
    "joined",
    "all",
    "single",
    "group",
    "personal",
    "apply",
    "approval",
    "joinRequested",
    "friends",
    "done",
    "contactChanged",
    "recalled",
    "edited",
    "membersAdded",
    "roleChanged",
    "groupDissolved",
    "1",
    "",
];

/// Names of members, some of them of many frames, and one of none.
const NAMES: &[&str] = &[
    "type",
    "id",
    "clientMsgId",
    "serverMsgId",
    "groupId",
    "to",
    "from",
    "user",
    "body",
    "title",
    "action",
    "list",
    "contact",
    "role",
    "history",
    "members",
    "msgType",
    "location",
    "custom",
    "attachment",
    "replyTo",
    "forward",
    "ackType",
    "conversationId",
    "msgSeq",
    "targetSeq",
    "kind",
    "change",
    "fallback",
    "ts",
    "firstSentTs",
    "items",
    "token",
    "limit",
    "afterSeq",
    "events",
    "reason",
    "x",
];

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

/// The longest start of a text that fits into a number of bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Ids have 63 bits.
fn id() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

/// Counters end where JavaScript's exact integers do.
fn counter() -> impl Strategy<Value = u64> {
    0..1_u64 << 53
}

fn user() -> impl Strategy<Value = UserId> {
    id().prop_map(UserId::new)
}

fn users() -> impl Strategy<Value = Vec<UserId>> {
    vec(user(), 0..4)
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    id().prop_map(ConversationId::new)
}

fn row() -> impl Strategy<Value = RowId> {
    id().prop_map(RowId::new)
}

fn seq() -> impl Strategy<Value = Seq> {
    counter().prop_map(Seq::new)
}

fn reason() -> impl Strategy<Value = ErrorReason> {
    select(ErrorReason::ALL)
}

fn role() -> impl Strategy<Value = Role> {
    select(&[Role::Member, Role::Admin, Role::Owner][..])
}

fn history() -> impl Strategy<Value = History> {
    select(&[History::Joined, History::All][..])
}
