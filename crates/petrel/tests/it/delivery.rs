//! Devices that are online and yet don't take what they are pushed.

use anyhow::{Result, bail};
use petrel_protocol::frame::{Auth, ClientAckType, ClientFrame, ServerFrame};
use petrel_testkit::client::{Client, Connect, Received};
use petrel_testkit::server::Server;
use petrel_types::{ConversationId, Seq};

use crate::support::{ALICE, BOB, bench_server};

/// As many bytes as a body may have in as many UTF-16 units as it may have.
const LONG_BODY: &str = "鸟";

/// A client that knows nothing of protocol versions.
async fn connect_legacy(server: &Server) -> Result<Client> {
    let token = server.mint()?.token(BOB);
    let mut client = Connect::to(server.gateway_address()).open().await?;
    client.send(&ClientFrame::Auth(Auth { token, ..Auth::default() })).await?;
    client.expect_auth_ok().await?;
    Ok(client)
}

#[tokio::test]
async fn a_legacy_client_is_pushed_what_its_user_has_missed() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    for name in ["m1", "m2", "m3"] {
        alice.chat(BOB, name, name).await?;
        alice.expect_saved().await?;
    }

    let mut bob = connect_legacy(&server).await?;
    let mut conversation = ConversationId::default();
    for expected in 1..=3 {
        let push = bob.expect_chat().await?;
        assert_eq!((push.msg_seq.get(), push.body), (expected, format!("m{expected}")));
        conversation = push.conversation_id;
    }
    bob.expect_silence().await?;
    bob.acknowledge(ClientAckType::Delivered, conversation, 2).await?;
    // Alice is told once the acknowledgement counts.
    alice.expect_receipt().await?;
    bob.close().await?;

    let mut again = connect_legacy(&server).await?;
    assert_eq!(again.expect_chat().await?.msg_seq, Seq::new(3));
    again.expect_silence().await
}

#[tokio::test]
async fn what_a_device_does_not_acknowledge_is_pushed_again() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut silent = server.connect(BOB, "phone").await?;
    let mut attentive = server.connect(BOB, "laptop").await?;
    alice.chat(BOB, "m1", "are you there?").await?;
    let first = silent.expect_chat().await?;
    assert!(!first.redelivered);
    let pushed = attentive.expect_chat().await?;
    attentive.acknowledge(ClientAckType::Delivered, pushed.conversation_id, 1).await?;

    // Some ten seconds later.
    let again = silent.expect_chat().await?;
    assert!(again.redelivered);
    assert_eq!((again.server_msg_id, again.msg_seq), (first.server_msg_id, first.msg_seq));
    attentive.expect_silence().await
}

#[tokio::test]
async fn a_device_that_does_not_read_costs_nobody_anything_and_misses_nothing() -> Result<()> {
    const MESSAGES: u64 = 2_000;
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut idle = server.connect(BOB, "phone").await?;
    let mut attentive = server.connect(BOB, "laptop").await?;
    let body = LONG_BODY.repeat(4096);

    // Far more than sockets and the outbox hold. Everybody else goes on as ever.
    for seq in 1..=MESSAGES {
        alice.chat(BOB, &format!("m{seq}"), &body).await?;
        assert_eq!(alice.expect_saved().await?.msg_seq.get(), seq);
        assert_eq!(attentive.expect_chat().await?.msg_seq.get(), seq);
    }

    // Pushed is a part from the start without a hole. Then the device is told that there
    // is more, or it was sent away for reading too slowly.
    let mut position = 0;
    let mut conversation = None;
    let told = loop {
        // Whoever was sent away while nothing could be written finds the connection reset.
        let Ok(received) = idle.receive().await else { break None };
        match received {
            Received::Text(text) => match ServerFrame::decode(&text)?.frame {
                ServerFrame::SingleChat(push) => {
                    position += 1;
                    assert_eq!(push.msg_seq.get(), position);
                    conversation = Some(push.conversation_id);
                }
                ServerFrame::Gap(gap) => break Some(gap),
                other => bail!("unexpected {other:?}"),
            },
            Received::Closed(closed) => {
                assert!(closed.code.is_none_or(|code| code == 4508), "{closed:?}");
                break None;
            }
        }
    };
    assert!(position < MESSAGES, "everything fitted: the test proves nothing");
    if told.is_none() {
        idle = server.connect(BOB, "phone").await?;
    }
    let conversation = conversation.or(told.map(|gap| gap.conversation_id));
    let conversation = conversation.expect("something was pushed or told");
    let rest = idle.pull_after(conversation, Seq::new(position)).await?;
    let seqs: Vec<_> = rest.events.iter().map(|event| event.msg_seq.get()).collect();
    assert_eq!(seqs, (position + 1..=MESSAGES).collect::<Vec<_>>());
    Ok(())
}
