//! Peers of which nothing is heard, and processes that stand still for a while.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use petrel_protocol::close::{CloseCode, CloseReason};
use petrel_protocol::frame::{ClientFrame, Ping, ServerFrame};
use petrel_testkit::client::{Client, Connect, Received};
use petrel_testkit::http::Http;
use petrel_testkit::in_time;
use petrel_testkit::server::{Launcher, Server, Signal, send_signal};
use petrel_types::{Seq, UserId};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{ALICE, BOB, CAROL, connections_become, launcher};
use crate::websocket::{Raw, frame};

const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

/// How long a peer may be silent in these tests: short, and yet long for a process that is
/// never stopped.
const IDLE_TIMEOUT: Duration = Duration::from_millis(1_000);

fn impatient() -> Result<Launcher> {
    Ok(launcher()?
        .bench_issuer()
        .argument("--set")
        .argument("gateway.ping_interval=250ms")
        .argument("--set")
        .argument(format!("gateway.idle_timeout={}ms", IDLE_TIMEOUT.as_millis())))
}

async fn series(server: &Server, name: &str) -> Result<f64> {
    let text = Http::new(server.admin_address()).get("/metrics").await?.body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name}"))?.parse()?)
}

/// Keeps a client's pings answered until it is asked to stop, and returns it.
struct Attended {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<Client>>,
}

impl Attended {
    /// A client that is heard of all the time, because its library answers pings while
    /// somebody reads.
    fn new(mut client: Client) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = stopped => Ok(client),
                received = client.receive() => anyhow::bail!("unexpected {:?}", received?),
            }
        });
        Self { stop, task }
    }

    async fn take_back(self) -> Result<Client> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

/// The closing frame of a peer that was silent for too long.
fn ensure_idle(payload: &[u8]) -> Result<()> {
    let (code, reason) = payload.split_first_chunk().context("a code")?;
    ensure!(u16::from_be_bytes(*code) == CloseCode::Idle.get(), "{payload:?}");
    let reason: CloseReason = serde_json::from_slice(reason)?;
    ensure!(reason.reason == "idle" && reason.retry_after_ms.is_some(), "{reason:?}");
    Ok(())
}

#[tokio::test]
async fn a_half_open_peer_is_pinged_and_then_given_up_and_misses_nothing() -> Result<()> {
    let server = impatient()?.start().await?;
    let gateway = server.gateway_http();
    let alice = server.connect(ALICE, "phone").await?;
    let limits = alice.auth_ok().context("connected")?.limits.clone();
    assert_eq!((limits.ping_interval_ms, limits.idle_timeout_ms), (250, 1_000));
    let alice = Attended::new(alice);
    // It writes nothing from here on, and nobody takes its connection down: to the server
    // it looks like a phone in a tunnel.
    let mut vanished = Raw::open(&server, BOB).await?;
    connections_become(&gateway, 2).await?;
    assert_eq!(gateway.get("/stats").await?.json()?["users_online"], 2);

    // Given up, with everything that belonged to it; who answers pings is still there.
    connections_become(&gateway, 1).await?;
    let stats = gateway.get("/stats").await?.json()?;
    assert_eq!(stats["users_online"], 1, "{stats}");
    assert_eq!(series(&server, "petrel_gateway_closes_total{reason=\"idle\"}").await?, 1.0);
    assert_eq!(series(&server, "petrel_gateway_sessions").await?, 1.0);

    // It was asked again and again, and told in the end, should it ever look.
    let mut pings = 0;
    loop {
        let frame = vanished.frame().await?.context("ended without a goodbye")?;
        match frame.first {
            PING => pings += 1,
            CLOSE => break ensure_idle(&frame.payload)?,
            other => anyhow::bail!("{other:#x}"),
        }
    }
    assert!((2..=4).contains(&pings), "{pings} pings");

    // What was said to it meanwhile waits for it.
    let mut alice = alice.take_back().await?;
    alice.chat(BOB, "m1", "where are you?").await?;
    let ack = alice.expect_saved().await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let missed = bob.pull_after(ack.conversation_id, Seq::ZERO).await?;
    assert_eq!(missed.events.len(), 1);
    Ok(())
}

#[tokio::test]
async fn any_sign_of_life_keeps_a_session() -> Result<()> {
    // Longer than a peer may be silent: six pings, a quarter of a second apart.
    const PINGS: u32 = 6;
    let server = impatient()?.start().await?;
    let mut answers_pings = Raw::open(&server, ALICE).await?;
    let mut speaks = Raw::open(&server, BOB).await?;
    for _ in 0..PINGS {
        let asked = answers_pings.frame().await?.context("given up")?;
        assert_eq!(asked.first, PING, "{asked:?}");
        answers_pings.write(&frame(PONG, &asked.payload)).await?;
        // This one answers no ping, but says something of its own each time.
        speaks.write(&frame(0x81, br#"{"type":"PING"}"#)).await?;
        while speaks.frame().await?.context("given up")?.first == PING {}
    }
    connections_become(&server.gateway_http(), 2).await
}

/// A server that was stopped for longer than peers may be silent has nothing to hold
/// against them.
#[tokio::test]
async fn a_server_that_stood_still_gives_nobody_up_for_it() -> Result<()> {
    let server = impatient()?.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let bob = Attended::new(server.connect(BOB, "phone").await?);
    server.signal(Signal::Stop).await?;
    alice.chat(CAROL, "m1", "are you there?").await?;
    // There is no event to wait for: that time passes is the fault that is tested.
    tokio::time::sleep(2 * IDLE_TIMEOUT).await;
    server.signal(Signal::Continue).await?;
    assert_eq!(alice.expect_saved().await?.msg_seq.get(), 1);
    let mut bob = bob.take_back().await?;
    for client in [&mut alice, &mut bob] {
        let answer = client.request(&ClientFrame::Ping(Ping {})).await?;
        assert!(matches!(answer, ServerFrame::Pong(_)), "{answer:?}");
    }
    assert_eq!(series(&server, "petrel_gateway_closes_total{reason=\"idle\"}").await?, 0.0);
    Ok(())
}

/// A client in a process of its own, which tells what it hears.
struct ClientProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Variables by which a client's process learns where to connect.
const CHILD_ADDRESS: &str = "CLIENT_PROCESS_ADDRESS";
const CHILD_TOKEN: &str = "CLIENT_PROCESS_TOKEN";
const CHILD_SAYS: &str = "client process: ";

impl ClientProcess {
    /// The same program as this test, running the one test that is a client.
    async fn start(server: &Server, user: UserId) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "silence::a_client_process", "--ignored", "--nocapture"])
            .env(CHILD_ADDRESS, server.gateway_address().to_string())
            .env(CHILD_TOKEN, server.mint()?.token(user))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut process = Self { child, lines: BufReader::new(stdout).lines() };
        ensure!(process.hears().await? == "connected");
        Ok(process)
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        send_signal(self.child.id().context("it runs")?, signal).await
    }

    /// The next thing it says.
    async fn hears(&mut self) -> Result<String> {
        let read = async {
            while let Some(line) = self.lines.next_line().await? {
                // The frame around a test says things of its own, also on the same line.
                if let Some((_, said)) = line.split_once(CHILD_SAYS) {
                    return anyhow::Ok(said.to_owned());
                }
            }
            anyhow::bail!("it ended")
        };
        in_time("a client process to say something", read).await?
    }
}

/// Not a test, but the client of others: it acknowledges nothing, and tells what it hears.
#[tokio::test]
#[ignore = "the child process of other tests"]
async fn a_client_process() -> Result<()> {
    let address = std::env::var(CHILD_ADDRESS).context("started by another test")?;
    let connect = Connect::to(address.parse()?).device("phone");
    let mut client = connect.authenticate(&std::env::var(CHILD_TOKEN)?).await?;
    println!("{CHILD_SAYS}connected");
    loop {
        let Ok(received) = client.receive().await else {
            // Answering the pings of a connection that is over breaks it.
            println!("{CHILD_SAYS}broken");
            return Ok(());
        };
        match received {
            Received::Text(text) => match ServerFrame::decode(&text)?.frame {
                ServerFrame::SingleChat(push) => println!("{CHILD_SAYS}{}", push.msg_seq),
                other => println!("{CHILD_SAYS}{}", other.type_name()),
            },
            Received::Closed(closed) => {
                let code = closed.code.map_or_else(String::new, |code| code.to_string());
                println!("{CHILD_SAYS}closed {code}");
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_is_stopped_and_continued_goes_on_where_it_was() -> Result<()> {
    const MESSAGES: u64 = 20;
    let server = launcher()?.bench_issuer().start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = ClientProcess::start(&server, BOB).await?;
    alice.chat(BOB, "m1", "before").await?;
    alice.expect_saved().await?;
    ensure!(bob.hears().await? == "1");

    bob.signal(Signal::Stop).await?;
    for number in 2..=MESSAGES {
        alice.chat(BOB, &format!("m{number}"), "are you there?").await?;
        ensure!(alice.expect_saved().await?.msg_seq.get() == number);
    }
    bob.signal(Signal::Continue).await?;
    for number in 2..=MESSAGES {
        assert_eq!(bob.hears().await?, number.to_string());
    }
    connections_become(&server.gateway_http(), 2).await
}

#[tokio::test]
async fn a_client_that_is_stopped_for_too_long_is_told_and_misses_nothing() -> Result<()> {
    const MESSAGES: u64 = 20;
    let server = impatient()?.start().await?;
    let gateway = server.gateway_http();
    let mut bob = ClientProcess::start(&server, BOB).await?;
    bob.signal(Signal::Stop).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut conversation = None;
    for number in 1..=MESSAGES {
        alice.chat(BOB, &format!("m{number}"), "are you there?").await?;
        conversation = Some(alice.expect_saved().await?.conversation_id);
    }
    let alice = Attended::new(alice);
    connections_become(&gateway, 1).await?;

    // Awake again, it hears what it was pushed, without a hole, and then that it is over:
    // by the close code, or because it answers a ping of a connection that is gone.
    bob.signal(Signal::Continue).await?;
    let mut position = 0;
    let end = loop {
        let said = bob.hears().await?;
        match said.parse::<u64>() {
            Ok(seq) => assert_eq!(seq, position + 1),
            Err(_) => break said,
        }
        position += 1;
    };
    assert!(["closed 4504", "broken"].contains(&end.as_str()), "{end}");
    let mut again = server.connect(BOB, "phone").await?;
    let all = again.pull_all(conversation.context("messages")?).await?;
    assert_eq!(all.events.len() as u64, MESSAGES);
    drop(alice.take_back().await?);
    again.send_text(json!({"type": "PING"}).to_string()).await?;
    assert!(matches!(again.next_frame().await?, ServerFrame::Pong(_)));
    Ok(())
}
