//! Frames from the server.

use petrel_protocol::frame::*;
use petrel_types::{
    ConversationId, Epoch, FileId, MessageNumber, RowId, Seq, SessionId, TimestampMs,
};
use proptest::array::{uniform4, uniform5};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;

use super::{
    client_msg_id, contact_action, contact_list, conversation, counter, custom, group_adds,
    history, id, joining, live, location, message_type, reason, role, row, seq, text, texts,
    timestamp, user, users,
};

/// Whatever a server may say, and what it never says of itself but a client may read:
/// kinds that are unknown.
pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        auth_ok().prop_map(ServerFrame::AuthOk),
        (reason(), text())
            .prop_map(|(reason, message)| ServerFrame::AuthFail(AuthFail { reason, message })),
        timestamp().prop_map(|ts| ServerFrame::Pong(Pong { ts })),
        counter().prop_map(|expires_in_ms| ServerFrame::ReauthOk(ReauthOk { expires_in_ms })),
        counter().prop_map(|in_ms| ServerFrame::AuthExpiring(AuthExpiring { in_ms })),
        (text(), text()).prop_map(|(reason, message)| ServerFrame::Kick(Kick { reason, message })),
        event_of_timeline(),
        server_ack().prop_map(ServerFrame::Ack),
        sync_state().prop_map(ServerFrame::SyncState),
        events().prop_map(ServerFrame::Events),
        conversation_state().prop_map(ServerFrame::ConversationState),
        (conversation(), seq()).prop_map(|(conversation_id, head_seq)| ServerFrame::Gap(Gap {
            conversation_id,
            head_seq,
        })),
        contact_state().prop_map(ServerFrame::ContactState),
        reader_state().prop_map(ServerFrame::ReaderState),
        (conversation(), seq(), vec(join_request(), 0..4), any::<bool>()).prop_map(
            |(group_id, as_of_seq, requests, more)| ServerFrame::GroupRequestState(
                GroupRequestState { group_id, as_of_seq, requests, more }
            )
        ),
        (option::of(conversation()), seq(), vec(invitation(), 0..4), any::<bool>()).prop_map(
            |(conversation_id, as_of_seq, invitations, more)| {
                ServerFrame::GroupInvitationState(GroupInvitationState {
                    conversation_id,
                    as_of_seq,
                    invitations,
                    more,
                })
            }
        ),
        (conversation(), seq(), vec(invited(), 0..4), any::<bool>()).prop_map(
            |(group_id, as_of_seq, invited, more)| ServerFrame::GroupInvitedState(
                GroupInvitedState { group_id, as_of_seq, invited, more }
            )
        ),
        rates().prop_map(|rates| ServerFrame::Limits(LimitsChanged { rates })),
        found().prop_map(ServerFrame::Found),
        head().prop_map(ServerFrame::Head),
        vec(head(), 0..4).prop_map(|heads| ServerFrame::Focused(Focused { heads })),
        live::server_frame(),
        error().prop_map(ServerFrame::Error),
    ]
}

fn invitation() -> impl Strategy<Value = Invitation> {
    (conversation(), text(), user(), timestamp(), timestamp()).prop_map(
        |(group_id, title, by, ts, expires_ts)| Invitation { group_id, title, by, ts, expires_ts },
    )
}

fn invited() -> impl Strategy<Value = Invited> {
    (user(), user(), timestamp()).prop_map(|(user, by, expires_ts)| Invited {
        user,
        by,
        expires_ts,
    })
}

pub(crate) fn event_push() -> impl Strategy<Value = EventPush> {
    (user(), option::of(client_msg_id()), place(), change(), text(), any::<bool>()).prop_map(
        |(from, client_msg_id, place, change, fallback, redelivered)| {
            let (server_msg_id, conversation_id, msg_seq, ts) = place;
            EventPush {
                from,
                client_msg_id,
                server_msg_id,
                conversation_id,
                msg_seq,
                change,
                fallback,
                ts,
                redelivered,
            }
        },
    )
}

fn auth_ok() -> impl Strategy<Value = AuthOk> {
    (any::<u32>(), user(), id(), id(), timestamp(), texts(), limits()).prop_map(
        |(v, from, session, epoch, ts, caps, limits)| AuthOk {
            v,
            from,
            session_id: SessionId::new(session),
            epoch: Epoch::new(epoch),
            ts,
            caps,
            limits,
        },
    )
}

fn head() -> impl Strategy<Value = Head> {
    (conversation(), seq())
        .prop_map(|(conversation_id, head_seq)| Head { conversation_id, head_seq })
}

fn rates() -> impl Strategy<Value = Rates> {
    any::<[u32; 6]>().prop_map(|numbers| Rates {
        frames_per_second: numbers[0],
        frames_burst: numbers[1],
        sends_per_second: numbers[2],
        sends_burst: numbers[3],
        reads_per_second: numbers[4],
        reads_burst: numbers[5],
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    (any::<[u64; 16]>(), any::<[u32; 3]>(), rates()).prop_map(|(numbers, pages, rates)| Limits {
        frame_bytes: numbers[0],
        body_units: numbers[1],
        body_bytes: numbers[2],
        sends_in_flight: numbers[3],
        pull_events: pages[0],
        group_members: numbers[4],
        change_members: numbers[10],
        title_units: numbers[11],
        state_members: pages[1],
        sync_conversations: pages[2],
        ack_items: numbers[12],
        ack_interval_ms: numbers[13],
        focus_conversations: numbers[14],
        head_members: numbers[15],
        recall_window_ms: numbers[5],
        edit_window_ms: numbers[6],
        retry_window_ms: numbers[7],
        ping_interval_ms: numbers[8],
        idle_timeout_ms: numbers[9],
        rates,
    })
}

/// Where an event is, and when it came there.
type Place = (RowId, ConversationId, Seq, TimestampMs);

fn place() -> impl Strategy<Value = Place> {
    (row(), conversation(), seq(), timestamp())
}

/// What became of a message: `rev`, and whether it is edited, recalled and redelivered.
fn fate() -> impl Strategy<Value = (Option<Seq>, [bool; 3])> {
    (option::of(seq()), any::<[bool; 3]>())
}

fn event_of_timeline() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        single_chat().prop_map(ServerFrame::SingleChat),
        group_chat().prop_map(ServerFrame::GroupChat),
        event_push().prop_map(ServerFrame::Event),
    ]
}

/// What a message says.
#[derive(Clone, Debug)]
struct Content {
    msg_type: MessageType,
    body: String,
    attachment: Option<Box<Attachment>>,
    location: Option<Box<Location>>,
    custom: Option<Box<Custom>>,
    reply_to: Option<ReplyTo>,
    forwarded_from: Option<ForwardedFrom>,
    reactions: Vec<Reaction>,
}

fn content() -> impl Strategy<Value = Content> {
    let parts = (option::of(attachment()), option::of(location()), option::of(custom()));
    let reply_to = (seq(), user()).prop_map(|(msg_seq, from)| ReplyTo { msg_seq, from });
    let forwarded_from = user().prop_map(|user| ForwardedFrom { user });
    let reactions = (text(), users()).prop_map(|(emoji, users)| Reaction { emoji, users });
    let refers = (option::of(reply_to), option::of(forwarded_from), vec(reactions, 0..3));
    (message_type(), text(), parts, refers).prop_map(
        |(msg_type, body, (attachment, location, custom), refers)| Content {
            msg_type,
            body,
            attachment: attachment.map(Box::new),
            location: location.map(Box::new),
            custom: custom.map(Box::new),
            reply_to: refers.0,
            forwarded_from: refers.1,
            reactions: refers.2,
        },
    )
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let sizes = (any::<[Option<u32>; 2]>(), option::of(any::<u64>()), any::<bool>());
    (vec(text(), 3), any::<u64>(), sizes).prop_map(
        |(texts, size, ([width, height], duration_ms, thumbnail))| {
            let [file_id, name, content_type] = texts.try_into().unwrap();
            Attachment { file_id, name, size, content_type, width, height, duration_ms, thumbnail }
        },
    )
}

fn single_chat() -> impl Strategy<Value = SingleChatPush> {
    (user(), user(), client_msg_id(), place(), content(), fate()).prop_map(
        |(from, to, client_msg_id, place, content, (rev, [edited, recalled, redelivered]))| {
            let (server_msg_id, conversation_id, msg_seq, ts) = place;
            let Content { msg_type, body, attachment, location, custom, .. } = content;
            let (call_id, duration_ms) = (client_msg_id.clone(), rev.map(Seq::get));
            let Content { reply_to, forwarded_from, reactions, .. } = content;
            SingleChatPush {
                from,
                to,
                client_msg_id,
                server_msg_id,
                conversation_id,
                msg_seq,
                msg_type,
                body,
                attachment,
                location,
                custom,
                call: live::call_record(&call_id, duration_ms),
                reply_to,
                forwarded_from,
                reactions,
                ts,
                rev,
                edited,
                recalled,
                redelivered,
            }
        },
    )
}

fn group_chat() -> impl Strategy<Value = GroupChatPush> {
    (user(), conversation(), client_msg_id(), place(), content(), fate()).prop_map(
        |(
            from,
            group_id,
            client_msg_id,
            place,
            content,
            (rev, [edited, recalled, redelivered]),
        )| {
            let (server_msg_id, conversation_id, msg_seq, ts) = place;
            let Content { msg_type, body, attachment, location, custom, .. } = content;
            let Content { reply_to, forwarded_from, reactions, .. } = content;
            GroupChatPush {
                mentions: if edited { vec![from] } else { Vec::new() },
                mention_all: recalled,
                from,
                group_id,
                client_msg_id,
                server_msg_id,
                conversation_id,
                msg_seq,
                msg_type,
                body,
                attachment,
                location,
                custom,
                reply_to,
                forwarded_from,
                reactions,
                ts,
                rev,
                edited,
                recalled,
                redelivered,
            }
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        seq().prop_map(|target_seq| Change::Recalled { target_seq }),
        (seq(), option::of(text()))
            .prop_map(|(target_seq, body)| Change::Edited { target_seq, body }),
        (seq(), text(), any::<bool>()).prop_map(|(target_seq, emoji, removed)| {
            Change::Reacted { target_seq, emoji, removed }
        }),
        (seq(), any::<bool>())
            .prop_map(|(target_seq, removed)| Change::Pinned { target_seq, removed }),
        (conversation(), vec(seq(), 0..4), option::of(seq())).prop_map(
            |(conversation_id, msg_seqs, up_to_seq)| Change::MessagesHidden {
                conversation_id,
                msg_seqs,
                up_to_seq
            }
        ),
        (conversation(), conversation_settings()).prop_map(|(conversation_id, settings)| {
            Change::ConversationSettingsChanged { conversation_id, settings }
        }),
        (text(), users(), history()).prop_map(|(title, members, history)| {
            Change::GroupCreated { title, members, history }
        }),
        users().prop_map(|members| Change::MembersAdded { members }),
        users().prop_map(|members| Change::MembersRemoved { members }),
        Just(Change::MemberLeft),
        (user(), role()).prop_map(|(user, role)| Change::RoleChanged { user, role }),
        text().prop_map(|title| Change::TitleChanged { title }),
        group_info().prop_map(|group| Change::GroupChanged { group }),
        (user(), option::of(text()), option::of(timestamp())).prop_map(
            |(user, nickname, muted_until_ts)| {
                Change::MemberChanged { user, nickname, muted_until_ts }
            }
        ),
        Just(Change::JoinRequested),
        user().prop_map(|user| Change::JoinRefused { user }),
        (users(), timestamp())
            .prop_map(|(members, expires_ts)| Change::MembersInvited { members, expires_ts }),
        Just(Change::InvitationRefused),
        user().prop_map(|user| Change::InvitationWithdrawn { user }),
        (conversation(), text(), timestamp()).prop_map(|(conversation_id, title, expires_ts)| {
            Change::GroupInvited { conversation_id, title, expires_ts }
        }),
        conversation().prop_map(|conversation_id| Change::GroupInvitationEnded { conversation_id }),
        conversation().prop_map(|conversation_id| Change::ConversationRefused { conversation_id }),
        Just(Change::GroupDissolved),
        conversation().prop_map(|conversation_id| Change::ConversationAdded { conversation_id }),
        conversation().prop_map(|conversation_id| Change::ConversationRemoved { conversation_id }),
        (contact(), contact_action())
            .prop_map(|(contact, action)| Change::ContactChanged { contact, action }),
        (
            any::<bool>(),
            option::of(text()),
            option::of(text()),
            option::of(id().prop_map(FileId::new)),
            group_adds(),
        )
            .prop_map(|(findable, friend_code, display_name, avatar, group_adds)| {
                Change::SettingsChanged {
                    settings: UserSettings {
                        findable,
                        presence_hidden: !findable,
                        group_adds,
                        friend_code,
                        display_name,
                        avatar,
                    },
                }
            }),
        Just(Change::Unknown),
    ]
}

fn conversation_settings() -> impl Strategy<Value = ConversationSettings> {
    any::<[bool; 3]>().prop_map(|[muted, pinned, archived]| ConversationSettings {
        muted,
        pinned,
        archived,
    })
}

fn reader_state() -> impl Strategy<Value = ReaderState> {
    let reader = (user(), any::<[bool; 2]>()).prop_map(|(user, [delivered, read])| Reader {
        user,
        delivered,
        read,
    });
    (conversation(), seq(), vec(reader, 0..4), any::<bool>(), option::of(user())).prop_map(
        |(conversation_id, msg_seq, readers, more, last_user)| ReaderState {
            conversation_id,
            msg_seq,
            readers,
            more,
            last_user,
        },
    )
}

fn server_ack() -> impl Strategy<Value = ServerAck> {
    let saved = (client_msg_id(), place(), any::<[bool; 3]>()).prop_map(
        |(client_msg_id, place, [duplicate, body_differs, words_replaced])| {
            let (server_msg_id, conversation_id, msg_seq, ts) = place;
            SavedAck {
                ack_type: SavedTag::Saved,
                client_msg_id,
                server_msg_id,
                conversation_id,
                msg_seq,
                durability: Durability::Fsync,
                ts,
                duplicate,
                body_differs,
                words_replaced,
            }
        },
    );
    let kind = select(&[ReceiptKind::Delivered, ReceiptKind::Read][..]);
    let receipt = (kind, user(), conversation(), seq(), timestamp()).prop_map(
        |(ack_type, from, conversation_id, msg_seq, ts)| ReceiptAck {
            ack_type,
            from,
            conversation_id,
            msg_seq,
            ts,
        },
    );
    let done =
        (client_msg_id(), timestamp(), any::<bool>()).prop_map(|(client_msg_id, ts, duplicate)| {
            DoneAck { ack_type: DoneTag::Done, client_msg_id, ts, duplicate }
        });
    let done = done.prop_map(ServerAck::Done);
    prop_oneof![saved.prop_map(ServerAck::Saved), done, receipt.prop_map(ServerAck::Receipt)]
}

fn join_request() -> impl Strategy<Value = JoinRequest> {
    (user(), option::of(text()), timestamp()).prop_map(|(user, message, ts)| JoinRequest {
        user,
        message,
        ts,
    })
}

fn group_info() -> impl Strategy<Value = GroupInfo> {
    let texts = vec(option::of(text()), 4);
    (texts, joining(), option::of(any::<u64>()), any::<bool>()).prop_map(
        |(texts, joining, member_limit, muted)| {
            let [description, avatar, announcement, code] = texts.try_into().unwrap();
            GroupInfo {
                description,
                avatar,
                announcement,
                joining,
                code,
                member_limit,
                muted,
                members_pin: muted,
            }
        },
    )
}

fn contact() -> impl Strategy<Value = Contact> {
    let direction = select(&[Direction::Incoming, Direction::Outgoing][..]);
    let application = (direction, option::of(text()), timestamp(), timestamp()).prop_map(
        |(direction, message, ts, expires_ts)| Application { direction, message, ts, expires_ts },
    );
    (user(), option::of(timestamp()), option::of(text()), any::<bool>(), option::of(application))
        .prop_map(|(user, friend_since_ts, remark, blocked, application)| Contact {
            user,
            friend_since_ts,
            remark,
            blocked,
            application,
        })
}

fn contact_state() -> impl Strategy<Value = ContactState> {
    let contacts = vec(contact(), 0..4);
    (contact_list(), option::of(conversation()), seq(), contacts, any::<bool>()).prop_map(
        |(list, conversation_id, as_of_seq, contacts, more)| ContactState {
            list,
            conversation_id,
            as_of_seq,
            contacts,
            more,
        },
    )
}

fn conversation_kind() -> impl Strategy<Value = ConversationKind> {
    select(
        &[
            ConversationKind::Single,
            ConversationKind::Group,
            ConversationKind::Personal,
            ConversationKind::Unknown,
        ][..],
    )
}

fn sync_conversation() -> impl Strategy<Value = SyncConversation> {
    let name = (conversation(), conversation_kind());
    let peer = (option::of(user()), option::of(seq()), option::of(seq()));
    let group = (option::of(text()), option::of(any::<u64>()));
    (name, peer, group, any::<bool>(), uniform5(counter()), timestamp()).prop_map(
        |((conversation_id, kind), peer, (title, member_count), left, numbers, ts)| {
            let (peer, peer_read_seq, peer_delivered_seq) = peer;
            SyncConversation {
                conversation_id,
                kind,
                peer,
                title,
                member_count,
                left,
                head_seq: Seq::new(numbers[0]),
                head_msg_no: MessageNumber::new(numbers[1]),
                read_seq: Seq::new(numbers[2]),
                delivered_seq: Seq::new(numbers[3]),
                peer_read_seq,
                peer_delivered_seq,
                unread: numbers[4],
                unread_mentions: numbers[4] / 2,
                ts,
                settings: ConversationSettings { muted: left, ..Default::default() },
            }
        },
    )
}

fn sync_state() -> impl Strategy<Value = SyncState> {
    (id(), any::<[bool; 2]>(), vec(sync_conversation(), 0..4), text()).prop_map(
        |(epoch, [resync, more], conversations, token)| SyncState {
            epoch: Epoch::new(epoch),
            resync,
            conversations,
            token,
            more,
        },
    )
}

fn conversation_state() -> impl Strategy<Value = ConversationState> {
    let name = (conversation(), conversation_kind());
    let group = (option::of(text()), option::of(history()), option::of(group_info()));
    let member = (user(), role(), option::of(text()), option::of(timestamp())).prop_map(
        |(user, role, nickname, muted_until_ts)| StateMember {
            user,
            role,
            nickname,
            muted_until_ts,
        },
    );
    (name, seq(), seq(), group, any::<u64>(), vec(member, 0..4), any::<bool>()).prop_map(
        |(name, as_of_seq, trimmed_before, (title, history, group), count, members, more)| {
            let (conversation_id, kind) = name;
            ConversationState {
                conversation_id,
                kind,
                as_of_seq,
                trimmed_before,
                title,
                history,
                group,
                pins: vec![as_of_seq; usize::from(more)],
                member_count: count,
                members,
                more,
            }
        },
    )
}

fn events() -> impl Strategy<Value = Events> {
    let event =
        event_of_timeline().prop_map(|event| RawValue::from_string(event.encode(None)).unwrap());
    (conversation(), uniform4(counter()), any::<bool>(), vec(event, 0..4)).prop_map(
        |(conversation_id, seqs, has_more, events)| {
            let [from_seq, to_seq, head_seq, trimmed_before] = seqs.map(Seq::new);
            Events { conversation_id, from_seq, to_seq, head_seq, trimmed_before, has_more, events }
        },
    )
}

fn found() -> impl Strategy<Value = Found> {
    let mark = (counter(), counter()).prop_map(|(start, length)| Mark { start, length });
    let excerpt = (text(), vec(mark, 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(text, marks, cut_start, cut_end)| Excerpt { text, marks, cut_start, cut_end });
    let hit = (place(), user(), excerpt).prop_map(|(place, from, excerpt)| {
        let (server_msg_id, conversation_id, msg_seq, ts) = place;
        let msg_type = MessageType::Text;
        Hit { conversation_id, msg_seq, server_msg_id, from, msg_type, ts, excerpt }
    });
    (vec(hit, 0..3), option::of(text()), row(), counter()).prop_map(
        |(hits, cursor, indexed_up_to, behind)| Found { hits, cursor, indexed_up_to, behind },
    )
}

fn error() -> impl Strategy<Value = Error> {
    (
        reason(),
        text(),
        (option::of(client_msg_id()), option::of(client_msg_id())),
        option::of(any::<u64>()),
        option::of(Just(Outcome::Unknown)),
    )
        .prop_map(|(reason, message, (client_msg_id, call_id), retry_after_ms, outcome)| {
            Error { reason, message, client_msg_id, call_id, retry_after_ms, outcome }
        })
}
