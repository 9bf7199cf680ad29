//! Groups with very many members: told of rather than pushed, and never in others' way.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Auth, Change, ClientFrame, Focus, GroupChat, Head, History, Pull, SavedAck, ServerAck,
    ServerFrame,
};
use petrel_testkit::client::{Client, Connect, add, found, leave, say};
use petrel_testkit::server::Server;
use petrel_types::{ConversationId, Seq, UserId};

use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

const DAVE: UserId = UserId::new(1_000_004);

/// Connects a device that takes heads.
async fn connect_with_heads(server: &Server, user: UserId) -> Result<Client> {
    let mut client = Connect::to(server.gateway_address()).open().await?;
    let auth = Auth {
        token: server.mint()?.token(user),
        v: Some(1),
        caps: vec!["head".to_owned(), "teleport".to_owned()],
        ..Auth::default()
    };
    client.send(&ClientFrame::Auth(auth)).await?;
    let auth_ok = client.expect_auth_ok().await?;
    ensure!(auth_ok.caps == ["head"], "what is in force: {:?}", auth_ok.caps);
    Ok(client)
}

async fn saved(client: &mut Client, request: &ClientFrame) -> Result<SavedAck> {
    match client.request(request).await? {
        ServerFrame::Ack(ServerAck::Saved(ack)) => Ok(ack),
        other => anyhow::bail!("{request:?} was answered with {other:?}"),
    }
}

async fn focus(client: &mut Client, focus: Focus) -> Result<Vec<Head>> {
    match client.request(&ClientFrame::Focus(focus)).await? {
        ServerFrame::Focused(focused) => Ok(focused.heads),
        other => anyhow::bail!("FOCUS was answered with {other:?}"),
    }
}

fn on(conversation: ConversationId) -> Focus {
    Focus { conversation_id: Some(conversation), ..Focus::default() }
}

fn off(conversation: ConversationId) -> Focus {
    Focus { on: Some(false), ..on(conversation) }
}

async fn next_head(client: &mut Client) -> Result<Head> {
    match client.next_frame().await? {
        ServerFrame::Head(head) => Ok(head),
        other => anyhow::bail!("expected HEAD, got {other:?}"),
    }
}

/// Waits until the own timeline has told of a group, which it does at its own time.
async fn joined(client: &mut Client) -> Result<()> {
    loop {
        if let ServerFrame::Event(event) = client.next_frame().await?
            && matches!(event.change, Change::ConversationAdded { .. })
        {
            return Ok(());
        }
    }
}

fn seqs(frames: &[ServerFrame]) -> Vec<u64> {
    let seq = |frame: &ServerFrame| match frame {
        ServerFrame::GroupChat(push) => Some(push.msg_seq.get()),
        _ => None,
    };
    frames.iter().filter_map(seq).collect()
}

#[tokio::test]
async fn who_looks_gets_bodies_who_does_not_gets_heads_and_nobody_misses_anything() -> Result<()> {
    const HEAD_INTERVAL_MS: u64 = 50;
    let limits = ["head_members=4".to_owned(), format!("head_interval_ms={HEAD_INTERVAL_MS}")];
    let mut launcher = launcher()?.bench_issuer();
    for limit in limits {
        launcher = launcher.argument("--set").argument(format!("limits.{limit}"));
    }
    let server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = connect_with_heads(&server, BOB).await?;
    let mut carol = connect_with_heads(&server, CAROL).await?;
    let mut dave = server.connect(DAVE, "phone").await?;

    // With three members it is a group like any other.
    let group = saved(&mut alice, &found("g", "petrels", vec![BOB, CAROL], History::All)).await?;
    let group = group.conversation_id;
    joined(&mut bob).await?;
    joined(&mut carol).await?;
    saved(&mut alice, &say(group, "small", "hello", false)).await?;
    assert_eq!(seqs(&bob.settle().await?), [2]);
    assert_eq!(seqs(&carol.settle().await?), [2]);

    // With four it is very large.
    saved(&mut alice, &add(group, "add", vec![DAVE])).await?;
    let head = next_head(&mut carol).await?;
    assert_eq!((head.conversation_id, head.head_seq.get()), (group, 3));
    let heads = focus(&mut bob, on(group)).await?;
    assert_eq!(heads, [Head { conversation_id: group, head_seq: Seq::new(3) }]);
    bob.settle().await?;
    dave.settle().await?;
    let since = Instant::now();
    for number in 4..=40 {
        let ack = saved(&mut alice, &say(group, &format!("m{number}"), "hello", false)).await?;
        assert_eq!(ack.msg_seq.get(), number, "the sender has its ack as ever");
    }
    let all: Vec<u64> = (4..=40).collect();
    assert_eq!(seqs(&bob.settle().await?), all, "who looks is pushed everything");
    assert_eq!(seqs(&dave.settle().await?), all, "and so is who knows no heads");

    // Carol is told how far it has come, and not once for each; the last one always comes.
    let mut told = 0;
    loop {
        let head = next_head(&mut carol).await?;
        assert_eq!(head.conversation_id, group);
        told += 1;
        if head.head_seq.get() == 40 {
            break;
        }
    }
    let spans = since.elapsed().as_millis() / u128::from(HEAD_INTERVAL_MS);
    assert!(told <= spans + 1, "{told} times in {spans} times as long as lies between two");
    carol.expect_silence().await?;
    // Looking brings the rest by pulling, without a hole.
    let heads = focus(&mut carol, on(group)).await?;
    assert_eq!(heads[0].head_seq.get(), 40);
    let page = carol
        .pull(Pull {
            conversation_id: group,
            after_seq: Some(Seq::new(2)),
            before_seq: None,
            limit: Some(200),
        })
        .await?;
    assert_eq!((page.from_seq.get(), page.to_seq.get(), page.events.len()), (3, 40, 38));
    saved(&mut alice, &say(group, "m41", "hello", false)).await?;
    assert_eq!(seqs(&[carol.next_frame().await?]), [41]);

    // Looking away again.
    assert_eq!(focus(&mut carol, off(group)).await?, []);
    saved(&mut alice, &say(group, "m42", "hello", false)).await?;
    assert_eq!(next_head(&mut carol).await?.head_seq.get(), 42);
    // A sender who does not look has its ack, and no body.
    let ack = saved(&mut carol, &say(group, "m43", "hello", false)).await?;
    assert_eq!(ack.msg_seq.get(), 43);
    carol.expect_silence().await?;
    Ok(())
}

#[tokio::test]
async fn a_focus_is_for_members_and_bounded() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = connect_with_heads(&server, BOB).await?;
    let group = saved(&mut alice, &found("g", "petrels", vec![BOB], History::All)).await?;
    let group = group.conversation_id;
    bob.settle().await?;
    assert_eq!(focus(&mut bob, on(group)).await?.len(), 1);
    saved(&mut bob, &leave(group, "leave")).await?;
    for request in [on(group), on(ConversationId::new(99_999))] {
        bob.send(&ClientFrame::Focus(request)).await?;
        assert_eq!(refusal(&mut bob).await?, ErrorReason::ConversationNotFound);
    }
    let many = (1..=33).map(ConversationId::new).collect();
    for request in [Focus::default(), Focus { conversation_ids: many, ..Focus::default() }] {
        bob.send(&ClientFrame::Focus(request)).await?;
        assert_eq!(refusal(&mut bob).await?, ErrorReason::InvalidField);
    }
    assert_eq!(focus(&mut bob, Focus { on: Some(false), ..Focus::default() }).await?, []);
    Ok(())
}

/// The reason of the next refusal. The entries of the personal timeline come when they
/// come.
async fn refusal(client: &mut Client) -> Result<ErrorReason> {
    loop {
        match client.next_frame().await? {
            ServerFrame::Error(error) => return Ok(error.reason),
            ServerFrame::Event(_) => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_to_thousands_does_not_hold_up_a_chat_of_two() -> Result<()> {
    // What a test can afford; ten thousand who are all online are measured
    // (docs/benchmarks.md, `group-fanout --conns 10000`).
    const MEMBERS: u64 = 3_000;
    const MESSAGES: u64 = 20;
    // As many as descriptors allow; the server has as many as we have.
    let online = (MEMBERS / 2).min(descriptors().saturating_sub(600));
    let server = bench_server().await?;
    let member = |number| UserId::new(2_000_000 + number);
    let mut owner = server.connect(member(0), "phone").await?;
    let first: Vec<_> = (1..500).map(member).collect();
    let group = saved(&mut owner, &found("g", "everybody", first, History::All)).await?;
    let group = group.conversation_id;
    for (part, from) in (500..MEMBERS).step_by(500).enumerate() {
        let more: Vec<_> = (from..(from + 500).min(MEMBERS)).map(member).collect();
        saved(&mut owner, &add(group, &format!("add{part}"), more)).await?;
    }
    let mint = server.mint()?;
    let mut members = Vec::new();
    for number in 1..=online {
        let token = mint.token(member(number));
        let connect = Connect::to(server.gateway_address()).query("token", &token).query("v", "1");
        members.push(connect.open_authenticated().await?);
    }
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;

    let says = (0..MESSAGES).map(|number| {
        let name = petrel_types::ClientMessageId::new(format!("m{number}")).unwrap();
        ClientFrame::GroupChat(GroupChat::text(name, group, "to everybody".to_owned()))
    });
    owner.send_all(says).await?;
    // While tens of thousands of pushes are on their way, these two go on talking.
    for number in 0..50 {
        alice.chat(BOB, &format!("c{number}"), "hello").await?;
        alice.expect_saved().await?;
        assert_eq!(bob.expect_chat().await?.msg_seq.get(), number + 1);
    }

    // Everybody gets everything once and in order, the sender its acks.
    let mut acks = 0;
    while acks < MESSAGES {
        if let ServerFrame::Ack(ServerAck::Saved(_)) = owner.next_frame().await? {
            acks += 1;
        }
    }
    let mut start = None;
    for member in &mut members {
        let mut got = Vec::new();
        while (got.len() as u64) < MESSAGES {
            if let ServerFrame::GroupChat(push) = member.next_frame().await? {
                got.push(push.msg_seq.get());
            }
        }
        let first = *got.first().context("messages")?;
        assert_eq!(*start.get_or_insert(first), first);
        assert_eq!(got, (first..first + MESSAGES).collect::<Vec<_>>());
    }
    Ok(())
}

/// How many files this process may have open.
fn descriptors() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(1024)
}
