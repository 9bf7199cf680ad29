//! Faults below and around a node: a full disk, a stalled disk, a clock that jumps.
//!
//! The node runs in this process, with everything it has but the command line, so that its
//! disk and its clock can be made to fail. Clients come over real sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use petrel_node::config::{Config, Listen};
use petrel_node::{BenchIssuer, LogControl, Node, NodeConfig};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{ClientFrame, ServerAck, ServerFrame};
use petrel_testkit::client::{Client, Connect, chat};
use petrel_testkit::disk::Disk;
use petrel_testkit::mint::Mint;
use petrel_types::{Clock, ManualClock, OperatingLimits, SystemClock, TimestampMs, UserId};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{ALICE, BOB, CAROL};

struct InProcess {
    data: TempDir,
    disk: Disk,
    gateway: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), petrel_node::RunError>>,
}

impl InProcess {
    async fn start(clock: Arc<dyn Clock>) -> Result<Self> {
        Self::start_with(clock, OperatingLimits::default()).await
    }

    async fn start_with(clock: Arc<dyn Clock>, limits: OperatingLimits) -> Result<Self> {
        let data = TempDir::with_prefix("petrel-test-")?;
        let disk = Disk::of(data.path())?;
        let config = NodeConfig { limits, ..config(data.path())? };
        let node = Node::start_with_clock(config, LogControl::none(), clock).await?;
        let gateway = node.gateway_address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(node.run_until(async move {
            let _ = stopped.await;
        }));
        Ok(Self { data, disk, gateway, stop, running })
    }

    async fn connect(&self, user: UserId) -> Result<Client> {
        let token = Mint::bench(self.data.path())?.token(user);
        Connect::to(self.gateway).authenticate(&token).await
    }

    async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(self.running.await??)
    }
}

fn config(data: &Path) -> Result<NodeConfig> {
    Ok(NodeConfig {
        data_directory: data.to_owned(),
        http: "127.0.0.1:0".parse()?,
        gateway: "127.0.0.1:0".parse()?,
        bench_issuer: BenchIssuer::LoopbackOnly,
        admin: Listen::Off,
        ..Config::default().node()
    })
}

/// The bodies of a conversation, in order.
async fn bodies(client: &mut Client, with: UserId) -> Result<Vec<String>> {
    let synced = client.sync_all(None).await?;
    let entry = synced.conversations.iter().find(|entry| entry.peer == Some(with));
    let timeline = client.pull_all(entry.context("no conversation")?.conversation_id).await?;
    Ok(timeline.events.into_iter().map(|event| event.body).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_serves_reads_and_comes_back_by_itself() -> Result<()> {
    let node = InProcess::start(Arc::new(SystemClock)).await?;
    let mut alice = node.connect(ALICE).await?;
    alice.chat(BOB, "before", "before").await?;
    alice.expect_saved().await?;

    node.disk.set_full(true);
    // What fits into the space that the files have already is still stored.
    let long = "x".repeat(4096);
    let mut expected = vec!["before".to_owned()];
    let mut refused = None;
    for number in 0..10_000 {
        let name = format!("m{number}");
        alice.chat(BOB, &name, &long).await?;
        match alice.next_frame().await? {
            ServerFrame::Ack(ServerAck::Saved(_)) => expected.push(long.clone()),
            ServerFrame::Error(error) => {
                ensure!(error.reason == ErrorReason::StorageFull, "{error:?}");
                ensure!(error.retry_after_ms.is_some(), "{error:?}");
                refused = Some(name);
                break;
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
    let refused = refused.context("the disk was never full")?;
    // Reads go on, for old and new devices, and so do sessions.
    assert_eq!(bodies(&mut alice, BOB).await?, expected);
    let mut bob = node.connect(BOB).await?;
    assert_eq!(bodies(&mut bob, ALICE).await?, expected);
    // The order is kept: nothing overtakes what was refused.
    alice.chat(BOB, "later", &long).await?;
    alice.expect_error(ErrorReason::AfterRefused).await?;

    // Nobody does anything but make room.
    node.disk.set_full(false);
    alice.chat(BOB, &refused, &long).await?;
    assert!(!alice.expect_saved().await?.duplicate, "it was not stored before");
    alice.chat(BOB, "later", "later").await?;
    alice.expect_saved().await?;
    expected.extend([long, "later".to_owned()]);
    assert_eq!(bodies(&mut bob, ALICE).await?, expected);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_under_way_when_the_disk_fills_up_keep_their_order() -> Result<()> {
    let node = InProcess::start(Arc::new(SystemClock)).await?;
    let mut alice = node.connect(ALICE).await?;
    let body = "x".repeat(4096);
    let names: Vec<_> = (0..2_000).map(|number| format!("m{number}")).collect();
    // Pipelined, so that much is in the queue when a commit fails.
    let mut unsent: Vec<&String> = names.iter().collect();
    let mut stored = Vec::new();
    let mut rounds = 0;
    while !unsent.is_empty() {
        rounds += 1;
        ensure!(rounds < 100, "it does not come back");
        if rounds <= 5 {
            // One commit finds the disk full, the next one does not.
            node.disk.set_full_once();
        }
        alice.send_all(unsent.iter().map(|name| chat(BOB, name, &body))).await?;
        let mut answered = 0;
        while answered < unsent.len() {
            match alice.next_frame().await? {
                ServerFrame::Ack(ServerAck::Saved(ack)) => stored.push(ack),
                ServerFrame::Error(error) => {
                    let reason = error.reason;
                    ensure!(
                        matches!(reason, ErrorReason::StorageFull | ErrorReason::AfterRefused),
                        "{error:?}"
                    );
                }
                other => anyhow::bail!("{other:?}"),
            }
            answered += 1;
        }
        unsent.retain(|name| !stored.iter().any(|ack| ack.client_msg_id.as_str() == **name));
    }
    assert!(rounds > 1, "nothing was refused: the test proves nothing");
    let mut bob = node.connect(BOB).await?;
    let synced = bob.sync_all(None).await?;
    let timeline = bob.pull_all(synced.conversations[0].conversation_id).await?;
    let order: Vec<_> = timeline.events.iter().map(|event| event.client_msg_id.as_str()).collect();
    assert_eq!(order, names, "in the order in which they were sent first");
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_disk_delays_acks_and_makes_none_up() -> Result<()> {
    let node = InProcess::start(Arc::new(SystemClock)).await?;
    let mut alice = node.connect(ALICE).await?;
    let mut bob = node.connect(BOB).await?;
    alice.chat(BOB, "before", "before").await?;
    alice.expect_saved().await?;
    bob.expect_chat().await?;

    node.disk.set_stalled(true);
    alice.chat(BOB, "during", "during").await?;
    tokio::task::block_in_place(|| node.disk.await_stalled())?;
    // Nothing is acknowledged or pushed, sessions live, and reads go on.
    alice.expect_silence().await?;
    bob.expect_silence().await?;
    assert_eq!(bodies(&mut bob, ALICE).await?, ["before"]);
    let mut carol = node.connect(CAROL).await?;
    carol.expect_silence().await?;

    // After fifteen seconds the outcome is called unknown, and not before it is.
    let error = alice.expect_error(ErrorReason::Timeout).await?;
    assert_eq!(error.client_msg_id.as_ref().map(|name| name.as_str()), Some("during"));
    assert!(error.outcome.is_some(), "{error:?}");

    // It recovers, and a retry tells what became of it.
    node.disk.set_stalled(false);
    assert_eq!(bob.expect_chat().await?.body, "during");
    let mut again = chat(BOB, "during", "during");
    if let ClientFrame::SingleChat(chat) = &mut again {
        chat.retry = true;
    }
    alice.send(&again).await?;
    let (late, again) = (alice.expect_saved().await?, alice.expect_saved().await?);
    assert_eq!((late.duplicate, again.duplicate), (false, true));
    assert_eq!(late.server_msg_id, again.server_msg_id);
    assert_eq!(bodies(&mut bob, ALICE).await?, ["before", "during"]);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stalls_fills_the_queue_and_then_senders_are_told_to_come_back() -> Result<()> {
    const QUEUED_MAX: u32 = 64;
    const SENDS: usize = 200;
    let limits = OperatingLimits { commands_queued: QUEUED_MAX, ..OperatingLimits::default() };
    let node = InProcess::start_with(Arc::new(SystemClock), limits).await?;
    let mut alice = node.connect(ALICE).await?;
    let mut bob = node.connect(BOB).await?;
    let names: Vec<_> = (0..SENDS).map(|number| format!("m{number}")).collect();
    let say = |name: &String| chat(BOB, name, name);

    node.disk.set_stalled(true);
    alice.send(&say(&names[0])).await?;
    tokio::task::block_in_place(|| node.disk.await_stalled())?;
    // One is under way, so many find room in the queue, and the rest is told so at once: the
    // first that it may come again, the others that they must not overtake it.
    let refused = &names[1 + QUEUED_MAX as usize..];
    alice.send_all(names[1..].iter().map(say)).await?;
    for (number, name) in refused.iter().enumerate() {
        let reason = match number {
            0 => ErrorReason::ServerBusy,
            _ => ErrorReason::AfterRefused,
        };
        let error = alice.expect_error(reason).await?;
        ensure!(error.client_msg_id.as_ref().map(|name| name.as_str()) == Some(name), "{error:?}");
        ensure!(error.retry_after_ms.is_some() && error.outcome.is_none(), "{error:?}");
    }
    alice.expect_silence().await?;
    bob.expect_silence().await?;

    // It was no more than a moment. What was let in is stored, what was refused comes again.
    node.disk.set_stalled(false);
    for name in &names[..names.len() - refused.len()] {
        ensure!(alice.expect_saved().await?.client_msg_id.as_str() == name);
    }
    for name in refused {
        alice.send(&say(name)).await?;
        let ack = alice.expect_saved().await?;
        ensure!(ack.client_msg_id.as_str() == name && !ack.duplicate, "{ack:?}");
    }
    assert_eq!(bodies(&mut bob, ALICE).await?, names);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_drops_no_session_and_turns_no_order_round() -> Result<()> {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let start = clock.now().get();
    let node = InProcess::start(clock.clone()).await?;
    let mut alice = node.connect(ALICE).await?;
    let mut bob = node.connect(BOB).await?;

    // A day ahead, back by two, and home again. (Tokens of the test last an hour.)
    let times = [start, start + 24 * HOUR_MS, start - 24 * HOUR_MS, start];
    let mut acks = Vec::new();
    for (number, time) in times.into_iter().enumerate() {
        clock.set(TimestampMs::new(time));
        alice.chat(BOB, &format!("m{number}"), "tick").await?;
        let ack = alice.expect_saved().await?;
        let push = bob.expect_chat().await?;
        assert_eq!((push.msg_seq, push.ts), (ack.msg_seq, ack.ts));
        acks.push(ack);
        alice.expect_silence().await?;
        bob.expect_silence().await?;
        // A new connection is judged by the clock as it is: the token is of another time.
        let fresh = node.connect(CAROL).await;
        assert_eq!(fresh.is_ok(), time <= start, "at {time}, began at {start}");
    }
    for pair in acks.windows(2) {
        assert_eq!(pair[1].msg_seq, pair[0].msg_seq.next());
        assert!(pair[1].server_msg_id > pair[0].server_msg_id, "ids are not made of time");
        assert!(pair[1].ts >= pair[0].ts, "no event is older than one before it");
    }
    // The same message is the same message, whatever the clock says.
    clock.set(TimestampMs::new(start + HOUR_MS));
    let mut again = chat(BOB, "m0", "tick");
    if let ClientFrame::SingleChat(chat) = &mut again {
        chat.retry = true;
    }
    alice.send(&again).await?;
    assert_eq!(alice.expect_saved().await?.server_msg_id, acks[0].server_msg_id);
    // The clock does not decide who is silent.
    clock.advance(Duration::from_secs(365 * 24 * 60 * 60));
    alice.expect_silence().await?;
    node.stop().await
}
