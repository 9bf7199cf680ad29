//! What is said of the moment, in both directions.

use petrel_protocol::frame::*;
use petrel_types::NoticeId;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{conversation, counter, text, timestamp, user, users};

pub(super) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        users().prop_map(|users| ClientFrame::PresenceSubscribe(PresenceSubscribe { users })),
        users().prop_map(|users| ClientFrame::PresenceQuery(PresenceQuery { users })),
        (option::of(conversation()), option::of(user()), any::<bool>()).prop_map(
            |(conversation_id, to, stopped)| {
                ClientFrame::Typing(Typing { conversation_id, to, stopped })
            }
        ),
    ]
}

pub(super) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        presences().prop_map(|items| ServerFrame::PresenceState(PresenceState { items })),
        presences().prop_map(|items| ServerFrame::Presence(PresenceChange { items })),
        (counter(), text(), timestamp(), option::of(timestamp())).prop_map(
            |(id, text, ts, until_ts)| {
                let notice_id = NoticeId::new(id);
                ServerFrame::Notice(Notice { notice_id, text, ts, until_ts })
            }
        ),
        counter().prop_map(|id| {
            ServerFrame::NoticeWithdrawn(NoticeWithdrawn { notice_id: NoticeId::new(id) })
        }),
        (conversation(), user(), any::<bool>(), counter()).prop_map(
            |(conversation_id, from, stopped, expires_in_ms)| {
                ServerFrame::Typing(TypingPush { conversation_id, from, stopped, expires_in_ms })
            }
        ),
    ]
}

fn presences() -> impl Strategy<Value = Vec<UserPresence>> {
    let presence = (user(), any::<bool>(), option::of(timestamp()))
        .prop_map(|(user, online, last_seen_ts)| UserPresence { user, online, last_seen_ts });
    vec(presence, 0..4)
}
