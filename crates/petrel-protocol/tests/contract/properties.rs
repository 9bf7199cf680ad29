//! What is true of every frame, on frames made at random.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::*;
use petrel_types::limits::{CLIENT_MESSAGE_ID_BYTES_MAX, REQUEST_ID_BYTES_MAX};
use petrel_types::{
    ClientMessageId, ConversationId, Epoch, MessageNumber, RowId, Seq, SessionId, TimestampMs,
    UserId,
};
use proptest::array::{uniform4, uniform7};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::value::RawValue;

/// Text with what JSON must escape, and with more bytes than characters.
fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![any::<char>(), proptest::char::range('\0', '\u{7f}')], 0..40)
        .prop_map(String::from_iter)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

/// The longest start of a text that fits into a number of bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

fn client_msg_id() -> impl Strategy<Value = ClientMessageId> {
    text().prop_map(|text| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = if text.is_empty() { "m" } else { &text };
        ClientMessageId::new(cut(text, CLIENT_MESSAGE_ID_BYTES_MAX)).unwrap()
    })
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

fn conversation() -> impl Strategy<Value = ConversationId> {
    id().prop_map(ConversationId::new)
}

fn row() -> impl Strategy<Value = RowId> {
    id().prop_map(RowId::new)
}

fn seq() -> impl Strategy<Value = Seq> {
    counter().prop_map(Seq::new)
}

fn timestamp() -> impl Strategy<Value = TimestampMs> {
    any::<u64>().prop_map(TimestampMs::new)
}

fn reason() -> impl Strategy<Value = ErrorReason> {
    proptest::sample::select(ErrorReason::ALL)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        any::<u64>().prop_map(RequestId::Number),
        text().prop_map(|text| RequestId::Text(cut(&text, REQUEST_ID_BYTES_MAX).into())),
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

fn single_chat() -> impl Strategy<Value = SingleChat> {
    (client_msg_id(), user(), text(), any::<bool>()).prop_map(|(client_msg_id, to, body, retry)| {
        SingleChat { client_msg_id, to, msg_type: MessageType::Text, body, retry }
    })
}

fn ack_item() -> impl Strategy<Value = AckItem> {
    (conversation(), seq())
        .prop_map(|(conversation_id, msg_seq)| AckItem { conversation_id, msg_seq })
}

fn client_ack() -> impl Strategy<Value = Ack> {
    let ack_type = proptest::sample::select(&[ClientAckType::Delivered, ClientAckType::Read][..]);
    (
        ack_type,
        option::of(conversation()),
        option::of(seq()),
        option::of(row()),
        vec(ack_item(), 0..4),
    )
        .prop_map(|(ack_type, conversation_id, msg_seq, server_msg_id, items)| Ack {
            ack_type,
            conversation_id,
            msg_seq,
            server_msg_id,
            items,
        })
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

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        auth().prop_map(ClientFrame::Auth),
        Just(ClientFrame::Ping(Ping {})),
        single_chat().prop_map(ClientFrame::SingleChat),
        client_ack().prop_map(ClientFrame::Ack),
        (option::of(text()), option::of(any::<u32>()))
            .prop_map(|(token, limit)| ClientFrame::Sync(Sync { token, limit })),
        pull().prop_map(ClientFrame::Pull),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (any::<[u64; 6]>(), any::<u32>()).prop_map(|(numbers, pull_events)| {
        let [
            frame_bytes,
            body_units,
            body_bytes,
            sends_in_flight,
            ping_interval_ms,
            idle_timeout_ms,
        ] = numbers;
        Limits {
            frame_bytes,
            body_units,
            body_bytes,
            sends_in_flight,
            pull_events,
            ping_interval_ms,
            idle_timeout_ms,
        }
    })
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

fn push() -> impl Strategy<Value = SingleChatPush> {
    let place = (row(), conversation(), seq());
    (user(), user(), client_msg_id(), place, text(), timestamp(), any::<bool>()).prop_map(
        |(from, to, client_msg_id, place, body, ts, redelivered)| {
            let (server_msg_id, conversation_id, msg_seq) = place;
            SingleChatPush {
                from,
                to,
                client_msg_id,
                server_msg_id,
                conversation_id,
                msg_seq,
                msg_type: MessageType::Text,
                body,
                ts,
                redelivered,
            }
        },
    )
}

fn server_ack() -> impl Strategy<Value = ServerAck> {
    let saved = (client_msg_id(), row(), conversation(), seq(), timestamp(), any::<[bool; 2]>())
        .prop_map(|(client_msg_id, server_msg_id, conversation_id, msg_seq, ts, flags)| SavedAck {
            ack_type: SavedTag::Saved,
            client_msg_id,
            server_msg_id,
            conversation_id,
            msg_seq,
            durability: Durability::Fsync,
            ts,
            duplicate: flags[0],
            body_differs: flags[1],
        });
    let kind = proptest::sample::select(&[ReceiptKind::Delivered, ReceiptKind::Read][..]);
    let receipt = (kind, user(), conversation(), seq(), timestamp()).prop_map(
        |(ack_type, from, conversation_id, msg_seq, ts)| ReceiptAck {
            ack_type,
            from,
            conversation_id,
            msg_seq,
            ts,
        },
    );
    prop_oneof![saved.prop_map(ServerAck::Saved), receipt.prop_map(ServerAck::Receipt)]
}

fn sync_conversation() -> impl Strategy<Value = SyncConversation> {
    (conversation(), user(), uniform7(counter()), timestamp()).prop_map(
        |(conversation_id, peer, numbers, ts)| SyncConversation {
            conversation_id,
            peer,
            head_seq: Seq::new(numbers[0]),
            head_msg_no: MessageNumber::new(numbers[1]),
            read_seq: Seq::new(numbers[2]),
            delivered_seq: Seq::new(numbers[3]),
            peer_read_seq: Seq::new(numbers[4]),
            peer_delivered_seq: Seq::new(numbers[5]),
            unread: numbers[6],
            ts,
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

fn events() -> impl Strategy<Value = Events> {
    let event = push().prop_map(|push| {
        RawValue::from_string(ServerFrame::SingleChat(push).encode(None)).unwrap()
    });
    (conversation(), uniform4(counter()), any::<bool>(), vec(event, 0..4)).prop_map(
        |(conversation_id, seqs, has_more, events)| {
            let [from_seq, to_seq, head_seq, trimmed_before] = seqs.map(Seq::new);
            Events { conversation_id, from_seq, to_seq, head_seq, trimmed_before, has_more, events }
        },
    )
}

fn error() -> impl Strategy<Value = Error> {
    (
        reason(),
        text(),
        option::of(client_msg_id()),
        option::of(any::<u64>()),
        option::of(Just(Outcome::Unknown)),
    )
        .prop_map(|(reason, message, client_msg_id, retry_after_ms, outcome)| Error {
            reason,
            message,
            client_msg_id,
            retry_after_ms,
            outcome,
        })
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        auth_ok().prop_map(ServerFrame::AuthOk),
        (reason(), text())
            .prop_map(|(reason, message)| ServerFrame::AuthFail(AuthFail { reason, message })),
        timestamp().prop_map(|ts| ServerFrame::Pong(Pong { ts })),
        push().prop_map(ServerFrame::SingleChat),
        server_ack().prop_map(ServerFrame::Ack),
        sync_state().prop_map(ServerFrame::SyncState),
        events().prop_map(ServerFrame::Events),
        (conversation(), seq()).prop_map(|(conversation_id, head_seq)| ServerFrame::Gap(Gap {
            conversation_id,
            head_seq,
        })),
        error().prop_map(ServerFrame::Error),
    ]
}

/// Any JSON, with the names and words of the protocol in it more often than by chance.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word = proptest::sample::select(vec![
        "AUTH",
        "PING",
        "SINGLE_CHAT",
        "ACK",
        "SYNC",
        "PULL",
        "EVENTS",
        "ERROR",
        "saved",
        "read",
        "delivered",
        "TEXT",
        "1",
        "",
    ]);
    let name = proptest::sample::select(vec![
        "type",
        "id",
        "clientMsgId",
        "to",
        "from",
        "body",
        "msgType",
        "ackType",
        "conversationId",
        "msgSeq",
        "items",
        "token",
        "limit",
        "afterSeq",
        "events",
        "reason",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        text().prop_map(Into::into),
        word.prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(3, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            vec((name.clone(), inner), 0..8).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    });
    let kinds: Vec<_> = [ClientFrame::TYPES, ServerFrame::TYPES].concat();
    (value, option::of(proptest::sample::select(kinds))).prop_map(|(mut value, kind)| {
        if let (Some(members), Some(kind)) = (value.as_object_mut(), kind) {
            members.insert("type".to_owned(), kind.into());
        }
        value
    })
}

/// Reading either frame or error is fine; what was read must survive the way back.
fn survives(text: &str) {
    if let Ok(decoded) = ClientFrame::decode(text) {
        let encoded = decoded.frame.encode(decoded.id.as_ref());
        assert_eq!(ClientFrame::decode(&encoded).as_ref(), Ok(&decoded));
    }
    if let Ok(decoded) = ServerFrame::decode(text) {
        let encoded = decoded.frame.encode(decoded.id.as_ref());
        assert_eq!(ServerFrame::decode(&encoded).as_ref(), Ok(&decoded));
    }
}

proptest! {
    #[test]
    fn a_client_frame_comes_back_as_it_was(
        frame in client_frame(),
        id in option::of(request_id()),
    ) {
        let text = frame.encode(id.as_ref());
        prop_assert_eq!(ClientFrame::decode(&text), Ok(Decoded { id, frame }), "{}", text);
    }

    #[test]
    fn a_server_frame_comes_back_as_it_was(
        frame in server_frame(),
        id in option::of(request_id()),
    ) {
        let text = frame.encode(id.as_ref());
        prop_assert_eq!(ServerFrame::decode(&text), Ok(Decoded { id, frame }), "{}", text);
    }

    #[test]
    fn an_id_is_echoed_as_it_came(id in request_id(), ts in timestamp()) {
        let request = ClientFrame::Ping(Ping {}).encode(Some(&id));
        let echoed = ClientFrame::decode(&request).unwrap().id.unwrap();
        let answer = ServerFrame::Pong(Pong { ts }).encode(Some(&echoed));
        let member = |text: &str| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["id"].clone()
        };
        prop_assert_eq!(member(&request), member(&answer));
        prop_assert_eq!(member(&answer), serde_json::to_value(&id).unwrap());
    }

    #[test]
    fn a_refused_request_keeps_its_id(id in request_id(), client_msg_id in client_msg_id()) {
        let mut request = serde_json::json!({
            "type": "SINGLE_CHAT", "id": id, "clientMsgId": client_msg_id, "to": "x", "body": "b",
        });
        let error = ClientFrame::decode(&request.to_string()).unwrap_err();
        prop_assert_eq!(error.id, Some(id.clone()));
        prop_assert_eq!(error.client_msg_id, Some(client_msg_id.clone()));

        request["type"] = "NO_SUCH_TYPE".into();
        let error = ClientFrame::decode(&request.to_string()).unwrap_err();
        prop_assert_eq!(error.id, Some(id));
        prop_assert_eq!(error.client_msg_id, Some(client_msg_id));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_json_is_read_or_refused(value in json()) {
        survives(&value.to_string());
    }

    #[test]
    fn a_damaged_frame_is_read_or_refused(
        frame in prop_oneof![
            client_frame().prop_map(|frame| frame.encode(None)),
            server_frame().prop_map(|frame| frame.encode(None)),
        ],
        at in any::<proptest::sample::Index>(),
        instead in text(),
    ) {
        let mut characters: Vec<char> = frame.chars().collect();
        let at = at.index(characters.len());
        characters.splice(at..=at, instead.chars());
        survives(&String::from_iter(characters));
    }
}
