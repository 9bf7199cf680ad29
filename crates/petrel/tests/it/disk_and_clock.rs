//! Faults below and around a node: a full disk, a stalled disk, a clock that jumps.
//!
//! The real binary, unchanged; what it asks of its machine fails or waits when a test says so
//! ([`Faults`]), or is a file system of its own that is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{ClientFrame, ServerAck, ServerFrame};
use petrel_testkit::client::{Client, Connect, chat};
use petrel_testkit::faults::Faults;
use petrel_testkit::mint::Mint;
use petrel_testkit::server::{Exit, Launcher, Server, Signal, run, write_script};
use petrel_types::UserId;
use tempfile::TempDir;

use crate::support::{ALICE, BOB, CAROL, PETREL, launcher};

/// A server on a machine that can be made to fail.
async fn server(arguments: &[&str]) -> Result<(Server, Faults)> {
    let faults = Faults::new()?;
    let mut launcher = faults.below(launcher()?.bench_issuer())?;
    for argument in arguments {
        launcher = launcher.argument(argument);
    }
    Ok((launcher.start().await?, faults))
}

/// The disk was made well again, and the server ends as ever.
async fn ends_well(server: Server) -> Result<()> {
    let Exit { code, stderr, .. } = server.stop(Signal::Terminate).await?;
    ensure!(code == Some(0), "{code:?}: {stderr}");
    Ok(())
}

/// The bodies of a conversation, in order.
async fn bodies(client: &mut Client, with: UserId) -> Result<Vec<String>> {
    let synced = client.sync_all(None).await?;
    let entry = synced.conversations.iter().find(|entry| entry.peer == Some(with));
    let timeline = client.pull_all(entry.context("no conversation")?.conversation_id).await?;
    Ok(timeline.events.into_iter().map(|event| event.body).collect())
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_comes_back_by_itself() -> Result<()> {
    let (server, faults) = server(&[]).await?;
    let mint = server.mint()?;
    is_full_for_a_while(&server, &mint, |is_full| faults.set_full(is_full)).await?;
    ends_well(server).await
}

/// The same on a file system of its own, whose room something else takes.
#[tokio::test]
async fn a_full_file_system_refuses_writes_serves_reads_and_comes_back_by_itself() -> Result<()> {
    let Some(disk) = SmallDisk::new().await? else {
        // Not by a macro, so that it is seen even if nothing fails.
        let note = "note: a full file system was not tried, for want of user namespaces; the \
                    full disk of the test before was\n";
        return Ok(io::stderr().write_all(note.as_bytes())?);
    };
    let server = disk.launcher()?.bench_issuer().start().await?;
    let mint = Mint::bench(&disk.seen_from_here(&server).join("data"))?;
    let ballast = disk.seen_from_here(&server).join("ballast");
    let set_full = |is_full| match is_full {
        true => fill(&ballast),
        false => Ok(fs::remove_file(&ballast)?),
    };
    is_full_for_a_while(&server, &mint, set_full).await?;
    ends_well(server).await
}

/// What users see of a disk that fills up and is made room on.
async fn is_full_for_a_while(
    server: &Server,
    mint: &Mint,
    set_full: impl Fn(bool) -> Result<()>,
) -> Result<()> {
    let connect =
        async |user| Connect::to(server.gateway_address()).authenticate(&mint.token(user)).await;
    let mut alice = connect(ALICE).await?;
    alice.chat(BOB, "before", "before").await?;
    alice.expect_saved().await?;

    set_full(true)?;
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
    let mut bob = connect(BOB).await?;
    assert_eq!(bodies(&mut bob, ALICE).await?, expected);
    // The order is kept: nothing overtakes what was refused.
    alice.chat(BOB, "later", &long).await?;
    alice.expect_error(ErrorReason::AfterRefused).await?;

    // Nobody does anything but make room.
    set_full(false)?;
    alice.chat(BOB, &refused, &long).await?;
    assert!(!alice.expect_saved().await?.duplicate, "it was not stored before");
    alice.chat(BOB, "later", "later").await?;
    alice.expect_saved().await?;
    expected.extend([long, "later".to_owned()]);
    assert_eq!(bodies(&mut bob, ALICE).await?, expected);
    Ok(())
}

/// A file system of 16 MiB, in a mount namespace that the server alone is in.
struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// `None` if this machine lets nobody have a namespace, as containers often don't.
    async fn new() -> Result<Option<Self>> {
        let disk = Self { directory: TempDir::with_prefix("petrel-test-")? };
        let script = disk.script();
        let text = format!(
            "#!/bin/sh\n\
             exec unshare --user --map-root-user --mount sh -c \
             'mount -t tmpfs -o size=16m petrel \"$0\" && exec {PETREL} \"$@\"' \
             \"${{0%/*}}\" \"$@\"\n"
        );
        write_script(&script, &text).await?;
        let tried = run(&script, &["--version"]).await?;
        Ok((tried.code == Some(0)).then_some(disk))
    }

    /// A server whose data are there.
    fn launcher(&self) -> Result<Launcher> {
        let launcher =
            Launcher::new(self.script())?.data_directory(self.directory.path().join("data"));
        Ok(launcher)
    }

    /// Where the other processes of this machine find it.
    fn seen_from_here(&self, server: &Server) -> PathBuf {
        let path =
            self.directory.path().strip_prefix("/").expect("temporary directories are absolute");
        PathBuf::from(format!("/proc/{}/root", server.pid())).join(path)
    }

    fn script(&self) -> PathBuf {
        self.directory.path().join("on-small-disk")
    }
}

/// Takes all the room that there is.
fn fill(ballast: &PathBuf) -> Result<()> {
    let mut file = File::create(ballast)?;
    let filled = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    ensure!(filled.kind() == io::ErrorKind::StorageFull, "{filled}");
    Ok(())
}

#[tokio::test]
async fn sends_under_way_when_the_disk_fills_up_keep_their_order() -> Result<()> {
    // The search index, which begins its file when others have done their work, must not be
    // the one that finds the disk full.
    let (server, faults) = server(&["--set", "search.enabled=false"]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
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
            faults.set_full_once()?;
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
    let mut bob = server.connect(BOB, "phone").await?;
    let synced = bob.sync_all(None).await?;
    let timeline = bob.pull_all(synced.conversations[0].conversation_id).await?;
    let order: Vec<_> = timeline.events.iter().map(|event| event.client_msg_id.as_str()).collect();
    assert_eq!(order, names, "in the order in which they were sent first");
    ends_well(server).await
}

#[tokio::test]
async fn a_stalled_disk_delays_acks_and_makes_none_up() -> Result<()> {
    let (server, faults) = server(&[]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    alice.chat(BOB, "before", "before").await?;
    alice.expect_saved().await?;
    bob.expect_chat().await?;

    faults.set_stalled(true)?;
    alice.chat(BOB, "during", "during").await?;
    faults.await_stalled().await?;
    // Nothing is acknowledged or pushed, sessions live, and reads go on.
    alice.expect_silence().await?;
    bob.expect_silence().await?;
    assert_eq!(bodies(&mut bob, ALICE).await?, ["before"]);
    let mut carol = server.connect(CAROL, "phone").await?;
    carol.expect_silence().await?;

    // After fifteen seconds the outcome is called unknown, and not before it is.
    let error = alice.expect_error(ErrorReason::Timeout).await?;
    assert_eq!(error.client_msg_id.as_ref().map(|name| name.as_str()), Some("during"));
    assert!(error.outcome.is_some(), "{error:?}");

    // It recovers, and a retry tells what became of it.
    faults.set_stalled(false)?;
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
    ends_well(server).await
}

#[tokio::test]
async fn a_disk_that_stalls_fills_the_queue_and_then_senders_are_told_to_come_back() -> Result<()> {
    const QUEUED_MAX: usize = 64;
    const SENDS: usize = 200;
    let queued_max = format!("limits.commands_queued={QUEUED_MAX}");
    // Of all that sync nothing but the commit may be the one that is seen to wait.
    let (server, faults) = server(&["--set", &queued_max, "--set", "search.enabled=false"]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let names: Vec<_> = (0..SENDS).map(|number| format!("m{number}")).collect();
    let say = |name: &String| chat(BOB, name, name);

    faults.set_stalled(true)?;
    alice.send(&say(&names[0])).await?;
    faults.await_stalled().await?;
    // One is under way, so many find room in the queue, and the rest is told so at once: the
    // first that it may come again, the others that they must not overtake it.
    let refused = &names[1 + QUEUED_MAX..];
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
    faults.set_stalled(false)?;
    for name in &names[..names.len() - refused.len()] {
        ensure!(alice.expect_saved().await?.client_msg_id.as_str() == name);
    }
    for name in refused {
        alice.send(&say(name)).await?;
        let ack = alice.expect_saved().await?;
        ensure!(ack.client_msg_id.as_str() == name && !ack.duplicate, "{ack:?}");
    }
    assert_eq!(bodies(&mut bob, ALICE).await?, names);
    ends_well(server).await
}

#[tokio::test]
async fn a_clock_that_jumps_drops_no_session_and_turns_no_order_round() -> Result<()> {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let (server, faults) = server(&[]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;

    // A day ahead, back by two, and home again. (Tokens of the test last an hour.)
    let offsets_ms = [0, 24 * HOUR_MS, -24 * HOUR_MS, 0];
    let mut acks = Vec::new();
    for (number, offset_ms) in offsets_ms.into_iter().enumerate() {
        faults.set_clock_offset_ms(offset_ms)?;
        alice.chat(BOB, &format!("m{number}"), "tick").await?;
        let ack = alice.expect_saved().await?;
        let push = bob.expect_chat().await?;
        assert_eq!((push.msg_seq, push.ts), (ack.msg_seq, ack.ts));
        acks.push(ack);
        alice.expect_silence().await?;
        bob.expect_silence().await?;
        // A new connection is judged by the clock as it is: the token is of another time.
        let fresh = server.connect(CAROL, "phone").await;
        assert_eq!(fresh.is_ok(), offset_ms <= 0, "{offset_ms}");
    }
    for pair in acks.windows(2) {
        assert_eq!(pair[1].msg_seq, pair[0].msg_seq.next());
        assert!(pair[1].server_msg_id > pair[0].server_msg_id, "ids are not made of time");
        assert!(pair[1].ts >= pair[0].ts, "no event is older than one before it");
    }
    // The same message is the same message, whatever the clock says.
    faults.set_clock_offset_ms(HOUR_MS)?;
    let mut again = chat(BOB, "m0", "tick");
    if let ClientFrame::SingleChat(chat) = &mut again {
        chat.retry = true;
    }
    alice.send(&again).await?;
    assert_eq!(alice.expect_saved().await?.server_msg_id, acks[0].server_msg_id);
    // The clock does not decide who is silent.
    faults.set_clock_offset_ms(365 * 24 * HOUR_MS)?;
    alice.expect_silence().await?;
    ends_well(server).await
}
