//! Two people chat, on several devices, some of them away.

use anyhow::Result;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Ack, AckItem, ClientAckType, ClientFrame, Pull, ReceiptKind, Sync};
use petrel_testkit::client::{Client, ack, chat, chats_of};
use petrel_types::limits::{BODY_UTF16_UNITS_MAX, FRAME_BYTES_MAX, PULL_EVENTS_MAX};
use petrel_types::{ConversationId, RowId, Seq, UserId};
use serde_json::json;

use crate::support::{ALICE, BOB, CAROL, bench_server};

/// The largest number that every JSON parser reads exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;

#[tokio::test]
async fn two_users_chat_and_the_one_who_was_away_catches_up() -> Result<()> {
    let server = bench_server().await?;
    let mut phone = server.connect(ALICE, "phone").await?;
    let mut laptop = server.connect(ALICE, "laptop").await?;
    let epoch = phone.auth_ok().map(|auth_ok| auth_ok.epoch);
    assert_eq!(epoch, laptop.auth_ok().map(|auth_ok| auth_ok.epoch));

    // The type in any case, ids as numbers, an `id` to be echoed, an unknown field.
    phone
        .send_text(
            json!({
                "type": "single_chat", "id": "r-1", "clientMsgId": "m1",
                "to": BOB.get(), "body": "are you there? 🐦", "mood": "hopeful",
            })
            .to_string(),
        )
        .await?;
    let first = phone.next_json().await?;
    assert_eq!(
        first,
        json!({
            "id": "r-1", "type": "ACK", "ackType": "saved", "clientMsgId": "m1",
            "serverMsgId": first["serverMsgId"], "conversationId": first["conversationId"],
            "msgSeq": 1, "durability": "fsync", "ts": first["ts"],
        })
    );
    assert!(first["serverMsgId"].is_string() && first["conversationId"].is_string());
    assert!(first["ts"].as_u64() > Some(1_700_000_000_000));
    phone.chat(BOB, "m2", "well then").await?;
    let second = phone.expect_saved().await?;
    assert_eq!((second.msg_seq, second.duplicate), (Seq::new(2), false));

    // The sender's other device has both, in order; the sending session neither.
    let pushed = laptop.next_json().await?;
    assert_eq!(
        pushed,
        json!({
            "type": "SINGLE_CHAT", "from": ALICE.to_string(), "to": BOB.to_string(),
            "clientMsgId": "m1", "serverMsgId": first["serverMsgId"],
            "conversationId": first["conversationId"], "msgSeq": 1, "msgType": "TEXT",
            "body": "are you there? 🐦", "ts": first["ts"],
        })
    );
    assert_eq!(laptop.expect_chat().await?.msg_seq, Seq::new(2));
    phone.expect_silence().await?;

    // Bob comes back. Nothing is pushed that he has not asked for.
    let mut bob = server.connect(BOB, "phone").await?;
    bob.expect_silence().await?;
    let request = ClientFrame::Sync(Sync::default());
    bob.send(&request).await?;
    let state = bob.next_json().await?;
    let conversation = second.conversation_id;
    assert_eq!(
        state,
        json!({
            "type": "SYNC_STATE", "epoch": epoch, "token": state["token"], "more": false,
            "conversations": [{
                "conversationId": conversation, "kind": "single", "peer": ALICE, "headSeq": 2, "headMsgNo": 2,
                "readSeq": 0, "deliveredSeq": 0, "peerReadSeq": 2, "peerDeliveredSeq": 2,
                "unread": 2, "ts": second.ts,
            }],
        })
    );
    bob.send(&pull(conversation, Some(0), None, None)).await?;
    let events = bob.next_json().await?;
    assert_eq!(events["events"][0], pushed, "pulled as it was pushed");
    assert_eq!(
        events,
        json!({
            "type": "EVENTS", "conversationId": conversation, "fromSeq": 1, "toSeq": 2,
            "headSeq": 2, "trimmedBefore": 1, "hasMore": false,
            "events": [pushed, events["events"][1]],
        })
    );

    // He answers; both of Alice's devices have it, and he has no echo.
    bob.chat(ALICE, "m1", "here").await?;
    assert_eq!(bob.expect_saved().await?.msg_seq, Seq::new(3));
    for device in [&mut phone, &mut laptop] {
        let push = device.expect_chat().await?;
        assert_eq!((push.from, push.body.as_str()), (BOB, "here"));
        device.expect_silence().await?;
    }
    bob.expect_silence().await?;
    Ok(())
}

#[tokio::test]
async fn the_same_message_again_is_answered_as_the_first_time_and_stored_once() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    alice.chat(BOB, "m1", "hello").await?;
    let first = alice.expect_saved().await?;
    assert_eq!((first.duplicate, first.body_differs), (false, false));

    for (body, retry) in [("hello", true), ("hello", false), ("other", true)] {
        let mut again = chat(BOB, "m1", body);
        if let ClientFrame::SingleChat(chat) = &mut again {
            chat.retry = retry;
        }
        alice.send(&again).await?;
        let second = alice.expect_saved().await?;
        assert!(second.duplicate);
        assert_eq!(second.body_differs, body != "hello");
        assert_eq!(
            (second.msg_seq, second.server_msg_id, second.ts),
            (first.msg_seq, first.server_msg_id, first.ts)
        );
    }
    // Twice in one write, and so most likely in one batch.
    alice.send_all([chat(BOB, "m2", "twice"), chat(BOB, "m2", "twice")]).await?;
    let (once, twice) = (alice.expect_saved().await?, alice.expect_saved().await?);
    assert_eq!((once.duplicate, twice.duplicate), (false, true));
    assert_eq!(once.msg_seq, twice.msg_seq);

    let pushed = bob.settle().await?;
    assert_eq!(pushed.len(), 2, "each is pushed once: {pushed:?}");
    let timeline = bob.pull_all(first.conversation_id).await?;
    let bodies: Vec<_> = timeline.events.iter().map(|event| &*event.body).collect();
    assert_eq!(bodies, ["hello", "twice"]);

    // The name is the sender's: Bob's message of the same name is another message.
    bob.chat(ALICE, "m1", "hello").await?;
    let his = bob.expect_saved().await?;
    assert_eq!((his.duplicate, his.msg_seq), (false, Seq::new(3)));
    // And in another conversation it is another message again.
    alice.chat(CAROL, "m1", "hello").await?;
    assert_eq!(alice.expect_chat().await?.from, BOB);
    let hers = alice.expect_saved().await?;
    assert!(!hers.duplicate && hers.conversation_id != first.conversation_id);
    Ok(())
}

#[tokio::test]
async fn receipts_are_relayed_and_never_go_back() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let conversation = send_some(&mut alice, BOB, 5).await?;
    let rows = alice.pull_all(conversation).await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let mut tablet = server.connect(BOB, "tablet").await?;
    let mut carol = server.connect(CAROL, "phone").await?;

    // Received: told to the peer, not to one's own other devices.
    bob.acknowledge(ClientAckType::Delivered, conversation, 2).await?;
    let receipt = alice.next_json().await?;
    assert_eq!(
        receipt,
        json!({
            "type": "ACK", "ackType": "delivered", "from": BOB,
            "conversationId": conversation, "msgSeq": 2, "ts": receipt["ts"],
        })
    );
    tablet.expect_silence().await?;

    // Read: told to the peer and to one's own other devices.
    bob.acknowledge(ClientAckType::Read, conversation, 3).await?;
    for device in [&mut alice, &mut tablet] {
        let receipt = device.expect_receipt().await?;
        assert_eq!(
            (receipt.ack_type, receipt.from, receipt.msg_seq.get()),
            (ReceiptKind::Read, BOB, 3)
        );
    }

    // What is read is received, so neither of these says anything new. The last one does,
    // and comes next.
    for (kind, seq) in [
        (ClientAckType::Read, 3),
        (ClientAckType::Read, 1),
        (ClientAckType::Delivered, 3),
        (ClientAckType::Delivered, 2),
        (ClientAckType::Delivered, 0),
        (ClientAckType::Delivered, 4),
    ] {
        bob.acknowledge(kind, conversation, seq).await?;
    }
    let receipt = alice.expect_receipt().await?;
    assert_eq!((receipt.ack_type, receipt.msg_seq.get()), (ReceiptKind::Delivered, 4));

    // By message instead of by place.
    bob.send(&ClientFrame::Ack(Ack {
        ack_type: ClientAckType::Read,
        conversation_id: None,
        msg_seq: None,
        server_msg_id: Some(rows.events[4].server_msg_id),
        items: Vec::new(),
    }))
    .await?;
    assert_eq!(alice.expect_receipt().await?.msg_seq.get(), 5);
    assert_eq!(tablet.expect_receipt().await?.msg_seq.get(), 5);
    bob.expect_silence().await?;

    let state = bob.sync(None, None).await?;
    let entry = &state.conversations[0];
    assert_eq!((entry.read_seq.get(), entry.delivered_seq.get(), entry.unread), (5, 5, 0));
    let state = alice.sync(None, None).await?;
    let entry = &state.conversations[0];
    assert_eq!(
        (entry.peer_read_seq, entry.peer_delivered_seq),
        (Some(Seq::new(5)), Some(Seq::new(5)))
    );

    // Wrong ones are refused and move nothing.
    bob.acknowledge(ClientAckType::Read, conversation, 6).await?;
    bob.expect_error(ErrorReason::InvalidField).await?;
    bob.send(&ack(ClientAckType::Read, Vec::new())).await?;
    bob.expect_error(ErrorReason::InvalidField).await?;
    let item = AckItem { conversation_id: conversation, msg_seq: Seq::new(1) };
    bob.send(&ack(ClientAckType::Read, vec![item; 257])).await?;
    bob.expect_error(ErrorReason::InvalidField).await?;
    carol.acknowledge(ClientAckType::Read, conversation, 1).await?;
    carol.expect_error(ErrorReason::ConversationNotFound).await?;
    alice.expect_silence().await?;
    tablet.expect_silence().await?;
    Ok(())
}

#[tokio::test]
async fn several_positions_move_with_one_ack() -> Result<()> {
    let server = bench_server().await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let mut peers = Vec::new();
    for user in [ALICE, CAROL] {
        let mut peer = server.connect(user, "phone").await?;
        let conversation = send_some(&mut peer, BOB, 2).await?;
        peers.push((peer, conversation));
    }
    let items = peers
        .iter()
        .map(|(_, conversation)| AckItem { conversation_id: *conversation, msg_seq: Seq::new(2) })
        .collect();
    bob.send(&ack(ClientAckType::Read, items)).await?;
    for (peer, conversation) in &mut peers {
        let receipt = peer.expect_receipt().await?;
        assert_eq!((receipt.conversation_id, receipt.msg_seq.get()), (*conversation, 2));
    }
    Ok(())
}

#[tokio::test]
async fn a_timeline_is_pulled_forwards_and_backwards_in_pages_that_cover_it() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let conversation = send_some(&mut alice, BOB, 10).await?;
    let mut bob = server.connect(BOB, "phone").await?;

    // (afterSeq, beforeSeq, limit) → (fromSeq, toSeq, hasMore)
    let cases = [
        ((Some(0), None, Some(4)), (1, 4, true)),
        ((Some(4), None, Some(4)), (5, 8, true)),
        ((Some(8), None, Some(4)), (9, 10, false)),
        ((Some(6), None, Some(4)), (7, 10, false)),
        ((Some(10), None, Some(4)), (11, 10, false)),
        // Nobody has more than there is.
        ((Some(99), None, None), (11, 10, false)),
        ((None, None, None), (1, 10, false)),
        ((None, Some(11), Some(4)), (7, 10, true)),
        ((None, Some(7), Some(4)), (3, 6, true)),
        ((None, Some(3), Some(4)), (1, 2, false)),
        ((None, Some(1), Some(4)), (1, 0, false)),
        ((None, Some(0), Some(4)), (1, 0, false)),
        ((None, Some(99), Some(2)), (9, 10, true)),
        ((None, Some(NUMBER_MAX), Some(2)), (9, 10, true)),
        // A limit of nothing is a limit of one.
        ((Some(0), None, Some(0)), (1, 1, true)),
    ];
    for ((after, before, limit), (from, to, more)) in cases {
        let page = pull_page(&mut bob, conversation, after, before, limit).await?;
        let case = format!("afterSeq {after:?}, beforeSeq {before:?}, limit {limit:?}");
        assert_eq!(
            (page.from_seq.get(), page.to_seq.get(), page.has_more),
            (from, to, more),
            "{case}"
        );
        assert_eq!((page.head_seq.get(), page.trimmed_before.get()), (10, 1), "{case}");
        let seqs: Vec<u64> = chats_of(&page)?.iter().map(|e| e.msg_seq.get()).collect();
        assert_eq!(seqs, (from..=to).collect::<Vec<_>>(), "{case}");
    }

    bob.send(&pull(conversation, Some(1), Some(5), None)).await?;
    bob.expect_error(ErrorReason::InvalidField).await?;
    Ok(())
}

#[tokio::test]
async fn a_pull_from_beyond_every_place_finds_nothing() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let conversation = send_some(&mut alice, BOB, 1).await?;
    alice.send(&pull(conversation, Some(NUMBER_MAX), None, None)).await?;
    assert_eq!(
        alice.next_json().await?,
        json!({
            "type": "EVENTS", "conversationId": conversation, "fromSeq": 2, "toSeq": 1,
            "headSeq": 1, "trimmedBefore": 1, "hasMore": false, "events": [],
        }),
    );
    for beyond in [NUMBER_MAX + 1, 1 << 63, u64::MAX] {
        for place in [(Some(beyond), None), (None, Some(beyond))] {
            alice.send(&pull(conversation, place.0, place.1, None)).await?;
            alice.expect_error(ErrorReason::InvalidField).await?;
        }
        alice.acknowledge(ClientAckType::Read, conversation, beyond).await?;
        alice.expect_error(ErrorReason::InvalidField).await?;
    }
    Ok(())
}

#[tokio::test]
async fn pages_are_bounded_in_events_and_in_bytes() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let many = u64::from(PULL_EVENTS_MAX) + 5;
    let conversation = send_some(&mut alice, BOB, many).await?;
    for (limit, expected) in [(None, 50), (Some(u32::MAX), u64::from(PULL_EVENTS_MAX))] {
        let page = pull_page(&mut alice, conversation, Some(0), None, limit).await?;
        assert_eq!((page.to_seq.get(), page.has_more), (expected, true));
        let page = pull_page(&mut alice, conversation, None, Some(many + 1), limit).await?;
        assert_eq!(page.from_seq.get(), many + 1 - expected);
        assert_eq!(page.to_seq.get(), many);
    }

    // Each character is three bytes, or a six-byte escape: the longest there is on the
    // wire. The client refuses frames that are larger than the cap, as it should.
    for (peer, body) in [(BOB, "鸟"), (CAROL, "\u{1}")] {
        let mut last = None;
        for number in 0..8 {
            let name = format!("long-{number}");
            let body = format!("x{}", body.repeat(BODY_UTF16_UNITS_MAX - 1));
            alice.chat(peer, &name, &body).await?;
            last = Some(alice.expect_saved().await?);
        }
        let last = last.expect("eight were sent");
        let start = last.msg_seq.get() - 8;
        let timeline = alice.pull_after(last.conversation_id, Seq::new(start)).await?;
        assert_eq!(timeline.events.len(), 8);
        let before = last.msg_seq.get() + 1;
        let page = pull_page(&mut alice, last.conversation_id, None, Some(before), Some(8)).await?;
        let size: usize = page.events.iter().map(|event| event.get().len()).sum();
        assert!(!page.events.is_empty() && size < FRAME_BYTES_MAX);
        assert_eq!(page.to_seq, last.msg_seq, "backwards begins at the end");
    }
    Ok(())
}

#[tokio::test]
async fn sync_tells_newest_first_in_pages_and_then_only_what_changed() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let peers: Vec<UserId> = (1..=5).map(|number| UserId::new(2_000 + number)).collect();
    for peer in &peers {
        send_some(&mut alice, *peer, 1).await?;
    }
    // The oldest becomes the newest.
    alice.chat(peers[0], "again", "and").await?;
    alice.expect_saved().await?;

    let newest_first = [peers[0], peers[4], peers[3], peers[2], peers[1]];
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut token = None;
    loop {
        let page = alice.sync(token.as_deref(), Some(2)).await?;
        assert!(!page.resync);
        sizes.push(page.conversations.len());
        seen.extend(page.conversations.iter().filter_map(|entry| entry.peer));
        token = Some(page.token);
        if !page.more {
            break;
        }
        // What changes during a pass is not lost: the next sync tells it.
        if sizes.len() == 1 {
            alice.chat(peers[3], "during", "the pass").await?;
            alice.expect_saved().await?;
        }
    }
    assert_eq!(sizes.iter().max(), Some(&2));
    let told: Vec<_> = newest_first.into_iter().filter(|peer| seen.contains(peer)).collect();
    assert_eq!(seen, told, "newest first, each once");
    for peer in &peers {
        assert!(seen.contains(peer) || *peer == peers[3], "{peer} is missing");
    }

    let changed = alice.sync_all(token.as_deref()).await?;
    let peers_of = |synced: &petrel_testkit::client::Synced| -> Vec<UserId> {
        synced.conversations.iter().filter_map(|entry| entry.peer).collect()
    };
    assert_eq!(peers_of(&changed), [peers[3]]);
    let nothing = alice.sync_all(Some(&changed.token)).await?;
    assert_eq!(peers_of(&nothing), []);

    // A message from the peer is a change; so is one's own reading, for one's other
    // devices.
    let mut peer = server.connect(peers[2], "phone").await?;
    peer.chat(ALICE, "m", "hello").await?;
    let saved = peer.expect_saved().await?;
    let changed = alice.sync_all(Some(&nothing.token)).await?;
    assert_eq!(peers_of(&changed), [peers[2]]);
    assert_eq!(changed.conversations[0].unread, 1);
    let mut laptop = server.connect(ALICE, "laptop").await?;
    alice.acknowledge(ClientAckType::Read, saved.conversation_id, 2).await?;
    laptop.expect_receipt().await?;
    let read = laptop.sync_all(Some(&changed.token)).await?;
    assert_eq!(peers_of(&read), [peers[2]]);
    assert_eq!(read.conversations[0].unread, 0);

    alice
        .send(&ClientFrame::Sync(Sync { token: Some("not a token".to_owned()), limit: None }))
        .await?;
    assert_eq!(alice.expect_chat().await?.from, peers[2]);
    alice.expect_error(ErrorReason::BadSyncToken).await?;
    Ok(())
}

#[tokio::test]
async fn a_token_of_another_epoch_starts_anew() -> Result<()> {
    let (old, new) = (bench_server().await?, bench_server().await?);
    let mut alice = old.connect(ALICE, "phone").await?;
    send_some(&mut alice, BOB, 3).await?;
    let old_sync = alice.sync_all(None).await?;

    let mut alice = new.connect(ALICE, "phone").await?;
    send_some(&mut alice, CAROL, 1).await?;
    let synced = alice.sync_all(Some(&old_sync.token)).await?;
    assert!(synced.resync);
    assert_ne!(synced.epoch, old_sync.epoch);
    assert_eq!(Some(synced.epoch), alice.auth_ok().map(|auth_ok| auth_ok.epoch));
    assert_eq!(synced.conversations.len(), 1, "all there is");
    let after = alice.sync(Some(&synced.token), None).await?;
    assert!(!after.resync && after.conversations.is_empty());
    Ok(())
}

#[tokio::test]
async fn registered_users_chat_with_each_other_and_not_with_nobody() -> Result<()> {
    let server = crate::support::launcher()?.start().await?;
    let (ann, ben) = (server.http().new_user("ann").await?, server.http().new_user("ben").await?);
    let connect = petrel_testkit::client::Connect::to(server.gateway_address());
    let mut ann_phone = connect.authenticate(&ann.access_token).await?;
    let mut ben_phone = connect.authenticate(&ben.access_token).await?;
    ann_phone.chat(ben.user_id, "m1", "hello").await?;
    ann_phone.expect_saved().await?;
    assert_eq!(ben_phone.expect_chat().await?.from, ann.user_id);

    for nobody in [UserId::new(ben.user_id.get() + 1), UserId::new(7), UserId::new(0)] {
        ann_phone.chat(nobody, "m2", "hello?").await?;
        let error = ann_phone.expect_error(ErrorReason::UserNotFound).await?;
        assert_eq!(error.client_msg_id.unwrap().as_str(), "m2");
    }
    ann_phone.chat(ann.user_id, "m3", "dear diary").await?;
    ann_phone.expect_error(ErrorReason::CannotSendToSelf).await?;
    // A refused message took no place.
    ann_phone.chat(ben.user_id, "m2", "still there?").await?;
    assert_eq!(ann_phone.expect_saved().await?.msg_seq, Seq::new(2));
    Ok(())
}

#[tokio::test]
async fn strangers_learn_nothing_of_a_conversation() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let conversation = send_some(&mut alice, BOB, 2).await?;
    let row = alice.pull_all(conversation).await?.events[0].server_msg_id;
    let mut carol = server.connect(CAROL, "phone").await?;

    let nowhere = ConversationId::new(conversation.get() + (1 << 20));
    let item = |conversation_id| vec![AckItem { conversation_id, msg_seq: Seq::new(1) }];
    let by_row = |row| {
        ClientFrame::Ack(Ack {
            ack_type: ClientAckType::Read,
            conversation_id: None,
            msg_seq: None,
            server_msg_id: Some(row),
            items: Vec::new(),
        })
    };
    let somebodys_and_nobodys = [
        (pull(conversation, Some(0), None, None), pull(nowhere, Some(0), None, None)),
        (pull(conversation, None, Some(2), None), pull(nowhere, None, Some(2), None)),
        (ack(ClientAckType::Read, item(conversation)), ack(ClientAckType::Read, item(nowhere))),
        (
            ack(ClientAckType::Delivered, item(conversation)),
            ack(ClientAckType::Delivered, item(nowhere)),
        ),
        (by_row(row), by_row(RowId::new(row.get() + 1_000_000))),
    ];
    for (somebodys, nobodys) in somebodys_and_nobodys {
        carol.send(&somebodys).await?;
        let answer = carol.next_json().await?;
        assert_eq!(answer["reason"], "conversation_not_found", "{somebodys:?}");
        carol.send(&nobodys).await?;
        assert_eq!(carol.next_json().await?, answer, "{nobodys:?}");
    }
    assert!(carol.sync_all(None).await?.conversations.is_empty());
    alice.expect_silence().await?;
    Ok(())
}

/// Sends messages `1..=count` one after another and returns their conversation.
async fn send_some(client: &mut Client, to: UserId, count: u64) -> Result<ConversationId> {
    let frames = (1..=count).map(|number| chat(to, &format!("m{number}"), "hello"));
    client.send_all(frames).await?;
    let mut conversation = ConversationId::default();
    for _ in 0..count {
        conversation = client.expect_saved().await?.conversation_id;
    }
    Ok(conversation)
}

async fn pull_page(
    client: &mut Client,
    conversation: ConversationId,
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<u32>,
) -> Result<petrel_protocol::frame::Events> {
    client
        .pull(Pull {
            conversation_id: conversation,
            after_seq: after.map(Seq::new),
            before_seq: before.map(Seq::new),
            limit,
        })
        .await
}

fn pull(
    conversation: ConversationId,
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<u32>,
) -> ClientFrame {
    ClientFrame::Pull(Pull {
        conversation_id: conversation,
        after_seq: after.map(Seq::new),
        before_seq: before.map(Seq::new),
        limit,
    })
}
