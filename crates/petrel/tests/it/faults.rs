//! What goes wrong at the edge of a node, and what was promised for it
//! (docs/reliability.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::{CloseCode, CloseReason};
use petrel_protocol::frame::{ClientAckType, ServerAck, ServerFrame};
use petrel_testkit::http::Http;
use petrel_testkit::in_time;
use petrel_testkit::server::{Launcher, Server, Signal, run, write_script};
use petrel_types::UserId;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{ALICE, BOB, CAROL, PETREL, bench_server, connections_become, launcher};
use crate::websocket::{Raw, upgrade_request};

/// That somebody else's trouble does not concern this device.
async fn goes_on(client: &mut petrel_testkit::client::Client) -> Result<()> {
    client.send_text(json!({"type": "PING"}).to_string()).await?;
    ensure!(matches!(client.next_frame().await?, ServerFrame::Pong(_)));
    Ok(())
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_dropped() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let whole = upgrade_request("/ws");
    let mut waiting = Vec::new();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        waiting.push(Raw::send_request(&server, &whole.as_bytes()[..length]).await?);
    }
    goes_on(&mut alice).await?;
    for mut raw in waiting {
        // With an answer or without; what counts is that it is over.
        while raw.head().await?.is_some() {}
    }
    goes_on(&mut alice).await
}

#[tokio::test]
async fn malformed_requests_are_refused() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let long = format!("GET /ws HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET /ws HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let cases: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost : x\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in cases {
        let mut raw = match Raw::send_request(&server, bytes).await {
            Ok(raw) => raw,
            // Refused before it was all said.
            Err(_) => continue,
        };
        // An answer, the end or a reset: but no upgrade.
        if let Ok(Some(head)) = raw.head().await {
            let status = head.split(' ').nth(1).context("a status")?;
            ensure!(status.starts_with('4'), "{head}");
        }
    }
    goes_on(&mut alice).await
}

#[tokio::test]
async fn a_device_that_never_reads_is_closed_and_others_go_on() -> Result<()> {
    const MESSAGES: u64 = 2_000;
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let deaf = Raw::open(&server, BOB).await?;
    let gateway = server.gateway_http();
    connections_become(&gateway, 2).await?;
    // More than the buffers of both kernels and the outbox hold.
    let body = "鸟".repeat(4096);
    for number in 1..=MESSAGES {
        alice.chat(BOB, &format!("m{number}"), &body).await?;
        ensure!(alice.expect_saved().await?.msg_seq.get() == number);
    }
    // The connection stands, but for the server's decision to end it.
    connections_become(&gateway, 1).await?;
    drop(deaf);
    goes_on(&mut alice).await
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_so() -> Result<()> {
    const CLOSE: u8 = 0x88;
    let mut launcher = launcher()?.bench_issuer();
    for setting in [
        "gateway.outbox_high_water_bytes=65536",
        "gateway.outbox_low_water_bytes=32768",
        "gateway.close_unwritable_after=200ms",
    ] {
        launcher = launcher.argument("--set").argument(setting);
    }
    let server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut slow = Raw::open(&server, BOB).await?;
    let body = "鸟".repeat(4096);
    let mut said = 0;
    // It reads nothing until the server has had enough of that.
    while closes(&server, "slow").await? == 0 {
        for _ in 0..5 {
            said += 1;
            alice.chat(BOB, &format!("m{said}"), &body).await?;
            alice.expect_saved().await?;
        }
    }
    // Then it does, at once: the goodbye does not wait for ever behind what it has not read.
    let mut pushes = Vec::new();
    let goodbye = loop {
        let frame = slow.frame().await?.context("ended without a goodbye")?;
        if frame.first == CLOSE {
            break frame;
        }
        pushes.push(frame.payload);
    };
    // Every frame is whole, and the last one says what was the matter.
    for push in pushes {
        let push: serde_json::Value = serde_json::from_slice(&push)?;
        ensure!(push["type"] == "SINGLE_CHAT" || push["type"] == "GAP", "{push}");
    }
    let (code, reason) = goodbye.payload.split_first_chunk().context("a code")?;
    assert_eq!(u16::from_be_bytes(*code), CloseCode::Slow.get());
    let reason: CloseReason = serde_json::from_slice(reason)?;
    ensure!(reason.reason == "slow" && reason.retry_after_ms.is_some(), "{reason:?}");
    goes_on(&mut alice).await
}

/// How many sessions have ended for this reason.
async fn closes(server: &Server, reason: &str) -> Result<u64> {
    let text = Http::new(server.admin_address()).get("/metrics").await?.body;
    let series = format!("petrel_gateway_closes_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    Ok(line.context("all reasons are counted")?.parse()?)
}

#[tokio::test]
async fn a_stopped_server_goes_on_where_it_was() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    server.signal(Signal::Stop).await?;
    for number in 1..=10 {
        alice.chat(BOB, &format!("m{number}"), "are you there?").await?;
    }
    server.signal(Signal::Continue).await?;
    for number in 1..=10 {
        ensure!(alice.expect_saved().await?.msg_seq.get() == number);
        ensure!(bob.expect_chat().await?.msg_seq.get() == number);
    }
    alice.expect_silence().await?;
    bob.expect_silence().await
}

/// A server whose shell has set this limit before.
pub(crate) async fn server_with_limit(limit: &str) -> Result<(TempDir, Server)> {
    let directory = TempDir::with_prefix("petrel-test-")?;
    let script = directory.path().join("petrel");
    let line = format!("#!/bin/sh\nulimit {limit} && exec {PETREL} \"$@\"\n");
    write_script(&script, &line).await?;
    let data = directory.path().join("data");
    let server = Launcher::new(script)?.data_directory(data).bench_issuer().start().await?;
    Ok((directory, server))
}

/// A file that may not grow any more, by `ulimit -f` or a quota, is a full disk.
#[tokio::test]
async fn a_limit_on_files_is_a_full_disk_and_when_it_is_lifted_everything_goes_on() -> Result<()> {
    // 4 MiB, in the shell's unit.
    let (_directory, server) = server_with_limit("-S -f 8192").await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let body = "鸟".repeat(4096);
    let mut stored = 0;
    let refused = loop {
        let name = format!("m{}", stored + 1);
        alice.chat(BOB, &name, &body).await?;
        match alice.next_frame().await? {
            ServerFrame::Ack(ServerAck::Saved(ack)) => stored = ack.msg_seq.get(),
            ServerFrame::Error(error) => {
                ensure!(error.reason == ErrorReason::StorageFull, "{error:?}");
                break name;
            }
            other => anyhow::bail!("{other:?}"),
        }
        ensure!(stored < 10_000, "there is no limit: the test proves nothing");
    };
    // Reads and sessions go on, and the process did not end.
    let mut bob = server.connect(BOB, "phone").await?;
    let conversation = bob.sync_all(None).await?.conversations[0].conversation_id;
    ensure!(bob.pull_all(conversation).await?.events.len() as u64 == stored);

    let line = format!("prlimit --pid {} --fsize=unlimited:", server.pid());
    let lifted = run("sh", &["-c", line.as_str()]).await?;
    ensure!(lifted.code == Some(0), "{line}: {}", lifted.stderr);
    alice.chat(BOB, &refused, &body).await?;
    let ack = alice.expect_saved().await?;
    ensure!(ack.msg_seq.get() == stored + 1 && !ack.duplicate, "{ack:?}");
    ensure!(bob.expect_chat().await?.msg_seq == ack.msg_seq);

    // What the disk holds after all that is whole.
    let data = server.data().to_owned();
    server.kill().await?;
    let verified = run(PETREL, &["verify", "--data-dir", &data.display().to_string()]).await?;
    ensure!(verified.code == Some(0), "{verified:?}");
    Ok(())
}

#[tokio::test]
async fn without_descriptors_sessions_go_on_and_newcomers_wait_for_room() -> Result<()> {
    const DESCRIPTORS: u32 = 100;
    let (_directory, server) = server_with_limit(&format!("-n {DESCRIPTORS}")).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    // The kernel takes them all; the server can accept only some.
    let mut crowd = JoinSet::new();
    for number in 0..DESCRIPTORS {
        let path = format!("/ws?v=1&token={}", server.mint()?.token(UserId::new(5_000)));
        let mut raw = Raw::send_request(&server, upgrade_request(&path).as_bytes()).await?;
        crowd.spawn(async move { (number, raw.head().await, raw) });
    }
    let mut inside = Vec::new();
    while inside.len() < DESCRIPTORS as usize / 2 {
        let (_, head, raw) = crowd.join_next().await.context("nobody got in")??;
        ensure!(head?.context("no answer")?.starts_with("HTTP/1.1 101 "));
        inside.push(raw);
    }
    // Whoever is inside notices nothing, and what is stored is stored.
    let mut seq = 0;
    for _ in 0..10 {
        seq += 1;
        alice.chat(BOB, &format!("m{seq}"), "still here").await?;
        ensure!(alice.expect_saved().await?.msg_seq.get() == seq);
    }
    // When some leave, the others come in, without coming again.
    drop(inside);
    while let Some(answered) = crowd.join_next().await {
        let (number, head, _raw) = answered?;
        let head = head.with_context(|| format!("connection {number}"))?;
        ensure!(head.context("no answer")?.starts_with("HTTP/1.1 101 "));
    }
    goes_on(&mut alice).await
}

#[tokio::test]
async fn ten_thousand_connect_at_once_while_two_talk_and_those_beyond_the_cap_are_told_so()
-> Result<()> {
    let everybody = 10_000.min(open_files_max()?.saturating_sub(500)).min(taken_in_time().await?);
    let cap = everybody * 9 / 10;
    let server = launcher()?
        .bench_issuer()
        .argument("--connections-max")
        .argument((cap + 2).to_string())
        .start()
        .await?;
    let (talk, over) = talk(&server).await?;
    let path = format!("/ws?v=1&token={}", server.mint()?.token(CAROL));
    let request = upgrade_request(&path);
    let mut crowd = JoinSet::new();
    let server = Arc::new(server);
    for _ in 0..everybody {
        let (server, request) = (Arc::clone(&server), request.clone());
        crowd.spawn(async move {
            let mut raw = Raw::send_request(&server, request.as_bytes()).await?;
            // However long it takes: the next answer to anybody is waited for below.
            let head = raw.head_at_last().await?.context("no answer")?;
            anyhow::Ok((head, raw))
        });
    }
    let (mut inside, mut refused) = (Vec::new(), 0);
    while let Some(answered) = in_time("the next answer", crowd.join_next()).await? {
        let (head, raw) = answered??;
        if head.starts_with("HTTP/1.1 101 ") {
            inside.push(raw);
        } else {
            ensure!(head.starts_with("HTTP/1.1 503 "), "{head}");
            ensure!(head.to_ascii_lowercase().contains("\r\nretry-after: "), "{head}");
            refused += 1;
        }
    }
    // Who was here before has noticed nothing but that it took longer.
    over.store(true, Ordering::Relaxed);
    ensure!(talk.await?? > 0, "nothing was said during the storm");
    ensure!((inside.len(), refused) == (cap, everybody - cap), "{} in", inside.len());
    // Each of them is served.
    for raw in inside.iter_mut().step_by(500) {
        let first = raw.frame().await?.context("no AUTH_OK")?;
        ensure!(String::from_utf8_lossy(&first.payload).contains("AUTH_OK"));
    }
    drop(inside);
    connections_become(&server.gateway_http(), 0).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    goes_on(&mut alice).await
}

/// How many this machine can take at once before those who are there are told that the server
/// has no answer in time: that is by design, and on a machine that others keep busy it comes
/// long before ten thousand are in.
async fn taken_in_time() -> Result<usize> {
    const SOME: u32 = 500;
    const STORM_MAX: Duration = Duration::from_secs(8);
    let server = Arc::new(bench_server().await?);
    let request = upgrade_request(&format!("/ws?v=1&token={}", server.mint()?.token(CAROL)));
    let since = Instant::now();
    let mut some = JoinSet::new();
    for _ in 0..SOME {
        let (server, request) = (Arc::clone(&server), request.clone());
        some.spawn(async move {
            let mut raw = Raw::send_request(&server, request.as_bytes()).await?;
            raw.head_at_last().await.map(|head| (head, raw))
        });
    }
    for answered in some.join_all().await {
        answered?;
    }
    let each = since.elapsed() / SOME;
    Ok(usize::try_from(STORM_MAX.as_micros() / each.as_micros().max(1))?)
}

/// Two who talk until it is over: each message is acknowledged and arrives, in order, before
/// the next one is said. Returns how many it were.
async fn talk(server: &Server) -> Result<(JoinHandle<Result<u64>>, Arc<AtomicBool>)> {
    let mut alice = server.connect(ALICE, "talking").await?;
    let mut bob = server.connect(BOB, "talking").await?;
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let talk = tokio::spawn(async move {
        let mut said = 0;
        while !is_over.load(Ordering::Relaxed) {
            said += 1;
            alice.chat(BOB, &format!("m{said}"), "all is well").await?;
            ensure!(alice.expect_saved().await?.msg_seq.get() == said);
            let push = bob.expect_chat().await?;
            ensure!(push.msg_seq.get() == said, "{push:?}");
            bob.acknowledge(ClientAckType::Delivered, push.conversation_id, said).await?;
            alice.expect_receipt().await?;
        }
        alice.expect_silence().await?;
        bob.expect_silence().await?;
        for client in [alice, bob] {
            client.close().await?;
        }
        Ok(said)
    });
    Ok((talk, over))
}

/// How many files this process may have open, as its children may.
fn open_files_max() -> Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)).context("a soft limit")?;
    Ok(soft.parse()?)
}
