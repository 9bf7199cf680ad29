//! Frames from a client.

use petrel_protocol::frame::*;
use petrel_types::{ConversationId, RowId, Seq};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{
    client_msg_id, contact_action, contact_list, conversation, custom, history, joining, live,
    location, message_type, role, row, seq, text, texts, timestamp, user, users,
};

pub(crate) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        auth().prop_map(ClientFrame::Auth),
        text().prop_map(|token| ClientFrame::Reauth(Reauth { token })),
        Just(ClientFrame::Ping(Ping {})),
        single_chat().prop_map(ClientFrame::SingleChat),
        group_chat().prop_map(ClientFrame::GroupChat),
        change_of_message(),
        reaction_or_pin(),
        own_view(),
        (conversation(), seq(), option::of(user()), option::of(any::<u32>())).prop_map(
            |(conversation_id, msg_seq, users_after, limit)| ClientFrame::Readers(Readers {
                conversation_id,
                msg_seq,
                users_after,
                limit
            })
        ),
        change_of_group(),
        live::client_frame(),
        contact_change().prop_map(ClientFrame::Contact),
        (contact_list(), option::of(user()), option::of(any::<u32>())).prop_map(
            |(list, users_after, limit)| ClientFrame::Contacts(ContactsRequest {
                list,
                users_after,
                limit
            })
        ),
        ack().prop_map(ClientFrame::Ack),
        (option::of(text()), option::of(any::<u32>()))
            .prop_map(|(token, limit)| ClientFrame::Sync(Sync { token, limit })),
        pull().prop_map(ClientFrame::Pull),
        (conversation(), option::of(user()), option::of(any::<u32>())).prop_map(
            |(conversation_id, members_after, limit)| ClientFrame::Conversation(Conversation {
                conversation_id,
                members_after,
                limit
            })
        ),
        search().prop_map(ClientFrame::Search),
        (option::of(conversation()), vec(conversation(), 0..4), option::of(any::<bool>()))
            .prop_map(|(conversation_id, conversation_ids, on)| {
                ClientFrame::Focus(Focus { conversation_id, conversation_ids, on })
            }),
    ]
}

fn auth() -> impl Strategy<Value = Auth> {
    (text(), option::of(any::<u32>()), texts(), vec(option::of(text()), 3)).prop_map(
        |(token, v, caps, device)| {
            let [device_id, platform, client] = device.try_into().unwrap();
            Auth { token, v, caps, device_id, platform, client }
        },
    )
}

/// What a message says, whether it makes sense or not.
#[derive(Clone, Debug)]
struct Content {
    msg_type: MessageType,
    body: String,
    attachment: Option<Box<AttachmentRef>>,
    location: Option<Box<Location>>,
    custom: Option<Box<Custom>>,
    reply_to: Option<Seq>,
    forward: Option<Forward>,
}

fn content() -> impl Strategy<Value = Content> {
    let attachment = (text(), option::of(any::<u64>()), any::<[Option<u32>; 2]>()).prop_map(
        |(file_id, duration_ms, [width, height])| AttachmentRef {
            file_id,
            duration_ms,
            width,
            height,
        },
    );
    let forward = (conversation(), seq())
        .prop_map(|(conversation_id, msg_seq)| Forward { conversation_id, msg_seq });
    let parts = (option::of(attachment), option::of(location()), option::of(custom()));
    (message_type(), text(), parts, option::of(seq()), option::of(forward)).prop_map(
        |(msg_type, body, (attachment, location, custom), reply_to, forward)| Content {
            msg_type,
            body,
            attachment: attachment.map(Box::new),
            location: location.map(Box::new),
            custom: custom.map(Box::new),
            reply_to,
            forward,
        },
    )
}

fn single_chat() -> impl Strategy<Value = SingleChat> {
    (client_msg_id(), user(), content(), any::<bool>(), option::of(timestamp())).prop_map(
        |(client_msg_id, to, content, retry, first_sent_ts)| {
            let Content { msg_type, body, attachment, location, custom, reply_to, forward } =
                content;
            SingleChat {
                client_msg_id,
                to,
                msg_type,
                body,
                attachment,
                location,
                custom,
                reply_to,
                forward,
                retry,
                first_sent_ts,
            }
        },
    )
}

fn group_chat() -> impl Strategy<Value = GroupChat> {
    let names = (vec(user(), 0..3), any::<bool>());
    (client_msg_id(), conversation(), content(), names, any::<bool>(), option::of(timestamp()))
        .prop_map(
            |(client_msg_id, group_id, content, (mentions, mention_all), retry, first_sent_ts)| {
                let Content { msg_type, body, attachment, location, custom, reply_to, forward } =
                    content;
                GroupChat {
                    mentions,
                    mention_all,
                    client_msg_id,
                    group_id,
                    msg_type,
                    body,
                    attachment,
                    location,
                    custom,
                    reply_to,
                    forward,
                    retry,
                    first_sent_ts,
                }
            },
        )
}

type Target = (Option<ConversationId>, Option<Seq>, Option<RowId>);

/// How a message is named: any combination can be read, whether it makes sense or not.
fn target() -> impl Strategy<Value = Target> {
    (option::of(conversation()), option::of(seq()), option::of(row()))
}

fn change_of_message() -> impl Strategy<Value = ClientFrame> {
    (client_msg_id(), target(), option::of(text())).prop_map(|(client_msg_id, target, body)| {
        let (conversation_id, msg_seq, server_msg_id) = target;
        match body {
            None => ClientFrame::MessageRevoke(MessageRevoke {
                client_msg_id,
                conversation_id,
                msg_seq,
                server_msg_id,
            }),
            Some(body) => ClientFrame::MessageEdit(MessageEdit {
                client_msg_id,
                conversation_id,
                msg_seq,
                server_msg_id,
                body,
            }),
        }
    })
}

fn reaction_or_pin() -> impl Strategy<Value = ClientFrame> {
    (client_msg_id(), target(), option::of(text()), any::<bool>()).prop_map(
        |(client_msg_id, (conversation_id, msg_seq, server_msg_id), emoji, remove)| match emoji {
            Some(emoji) => ClientFrame::Reaction(MessageReact {
                client_msg_id,
                conversation_id,
                msg_seq,
                server_msg_id,
                emoji,
                remove,
            }),
            None => ClientFrame::MessagePin(MessagePin {
                client_msg_id,
                conversation_id,
                msg_seq,
                server_msg_id,
                remove,
            }),
        },
    )
}

/// What changes a conversation for one user alone.
fn own_view() -> impl Strategy<Value = ClientFrame> {
    let named = || (client_msg_id(), conversation());
    prop_oneof![
        (named(), vec(seq(), 0..4), option::of(seq())).prop_map(
            |((client_msg_id, conversation_id), msg_seqs, up_to_seq)| {
                ClientFrame::MessageHide(MessageHide {
                    client_msg_id,
                    conversation_id,
                    msg_seqs,
                    up_to_seq,
                })
            }
        ),
        (named(), any::<[Option<bool>; 3]>()).prop_map(
            |((client_msg_id, conversation_id), [muted, pinned, archived])| {
                ClientFrame::ConversationSettings(ConversationSettingsChange {
                    client_msg_id,
                    conversation_id,
                    muted,
                    pinned,
                    archived,
                })
            }
        ),
    ]
}

fn change_of_group() -> impl Strategy<Value = ClientFrame> {
    let named = || (client_msg_id(), conversation());
    prop_oneof![
        (client_msg_id(), text(), users(), history()).prop_map(
            |(client_msg_id, title, members, history)| {
                ClientFrame::GroupCreate(GroupCreate { client_msg_id, title, members, history })
            }
        ),
        (named(), users()).prop_map(|((client_msg_id, group_id), members)| {
            ClientFrame::GroupAdd(GroupAdd { client_msg_id, group_id, members })
        }),
        (named(), users()).prop_map(|((client_msg_id, group_id), members)| {
            ClientFrame::GroupRemove(GroupRemove { client_msg_id, group_id, members })
        }),
        named().prop_map(|(client_msg_id, group_id)| {
            ClientFrame::GroupLeave(GroupLeave { client_msg_id, group_id })
        }),
        (named(), user(), role()).prop_map(|((client_msg_id, group_id), user, role)| {
            ClientFrame::GroupRole(GroupRole { client_msg_id, group_id, user, role })
        }),
        (named(), text()).prop_map(|((client_msg_id, group_id), title)| {
            ClientFrame::GroupTitle(GroupTitle { client_msg_id, group_id, title })
        }),
        (named(), vec(option::of(text()), 3), joining(), option::of(any::<u64>()), any::<bool>())
            .prop_map(|((client_msg_id, group_id), texts, joining, member_limit, renew_code)| {
                let [description, avatar, announcement] = texts.try_into().unwrap();
                ClientFrame::GroupSettings(GroupSettings {
                    client_msg_id,
                    group_id,
                    description,
                    avatar,
                    announcement,
                    joining: Some(joining).filter(|_| !renew_code),
                    member_limit,
                    muted: Some(renew_code).filter(|_| member_limit.is_some()),
                    members_pin: Some(renew_code).filter(|_| member_limit.is_none()),
                    renew_code,
                })
            }),
        (named(), user(), option::of(text()), option::of(any::<u64>())).prop_map(
            |((client_msg_id, group_id), user, nickname, mute_ms)| {
                ClientFrame::GroupMember(GroupMember {
                    client_msg_id,
                    group_id,
                    user,
                    nickname,
                    mute_ms,
                })
            }
        ),
        (client_msg_id(), text(), option::of(text())).prop_map(|(client_msg_id, code, message)| {
            ClientFrame::GroupJoin(GroupJoin { client_msg_id, code, message })
        }),
        (named(), user(), any::<bool>()).prop_map(|((client_msg_id, group_id), user, accept)| {
            ClientFrame::GroupAnswer(GroupAnswer { client_msg_id, group_id, user, accept })
        }),
        (named(), any::<bool>()).prop_map(|((client_msg_id, group_id), accept)| {
            ClientFrame::GroupInvitation(GroupInvitation { client_msg_id, group_id, accept })
        }),
        (option::of(conversation()), option::of(any::<u32>())).prop_map(|(groups_after, limit)| {
            ClientFrame::GroupInvitations(GroupInvitations { groups_after, limit })
        }),
        (conversation(), option::of(user()), option::of(any::<u32>())).prop_map(
            |(group_id, users_after, limit)| {
                ClientFrame::GroupRequests(GroupRequests { group_id, users_after, limit })
            }
        ),
        (conversation(), option::of(user()), option::of(any::<u32>())).prop_map(
            |(group_id, users_after, limit)| {
                ClientFrame::GroupInvited(GroupInvited { group_id, users_after, limit })
            }
        ),
        (named(), user()).prop_map(|((client_msg_id, group_id), user)| {
            ClientFrame::GroupWithdraw(GroupWithdraw { client_msg_id, group_id, user })
        }),
        named().prop_map(|(client_msg_id, group_id)| {
            ClientFrame::GroupDissolve(GroupDissolve { client_msg_id, group_id })
        }),
    ]
}

fn contact_change() -> impl Strategy<Value = ContactChange> {
    (client_msg_id(), user(), contact_action(), option::of(text()), option::of(text())).prop_map(
        |(client_msg_id, user, action, message, remark)| ContactChange {
            client_msg_id,
            user,
            action,
            message,
            remark,
        },
    )
}

fn ack_item() -> impl Strategy<Value = AckItem> {
    (conversation(), seq())
        .prop_map(|(conversation_id, msg_seq)| AckItem { conversation_id, msg_seq })
}

fn ack() -> impl Strategy<Value = Ack> {
    let ack_type = proptest::sample::select(&[ClientAckType::Delivered, ClientAckType::Read][..]);
    (ack_type, target(), vec(ack_item(), 0..4)).prop_map(|(ack_type, target, items)| {
        let (conversation_id, msg_seq, server_msg_id) = target;
        Ack { ack_type, conversation_id, msg_seq, server_msg_id, items }
    })
}

fn search() -> impl Strategy<Value = Search> {
    let about = (option::of(text()), option::of(conversation()), option::of(user()));
    let times = (option::of(timestamp()), option::of(timestamp()));
    (about, any::<bool>(), times, option::of(text()), option::of(1..u32::MAX)).prop_map(
        |((q, conversation_id, from), is_text, (after_ts, before_ts), cursor, limit)| Search {
            q,
            conversation_id,
            from,
            msg_type: is_text.then_some(MessageType::Text),
            after_ts,
            before_ts,
            cursor,
            limit,
        },
    )
}

fn pull() -> impl Strategy<Value = Pull> {
    (conversation(), option::of(seq()), option::of(seq()), option::of(any::<u32>())).prop_map(
        |(conversation_id, after_seq, before_seq, limit)| Pull {
            conversation_id,
            after_seq,
            before_seq,
            limit,
        },
    )
}
