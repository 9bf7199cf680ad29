//! Who asks for too much is slowed down, is told, and holds nobody else up.

use anyhow::{Context, Result, ensure};
use futures_util::future::select;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{ClientFrame, ServerAck, ServerFrame, Sync};
use petrel_testkit::client::{Client, Connect, chat};
use petrel_testkit::faults::Faults;
use petrel_testkit::http::Answer;
use petrel_testkit::server::{Server, Signal};
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

async fn server_with(limits: &[&str]) -> Result<Server> {
    let mut launcher = launcher()?.bench_issuer();
    for limit in limits {
        launcher = launcher.argument("--set").argument(format!("limits.{limit}"));
    }
    launcher.start().await
}

/// Reads acks until there are so many. Returns how often the session was told to slow down.
async fn acks_of(client: &mut Client, messages: u64) -> Result<u64> {
    let (mut saved, mut told) = (0, 0);
    while saved < messages {
        match client.next_frame().await? {
            ServerFrame::Ack(ServerAck::Saved(ack)) => {
                saved += 1;
                ensure!(ack.msg_seq.get() == saved, "in order: {ack:?}");
            }
            ServerFrame::Error(error) if error.reason == ErrorReason::TooManyRequests => {
                ensure!(error.retry_after_ms > Some(0), "{error:?}");
                ensure!(error.client_msg_id.is_none(), "it is about no one message: {error:?}");
                told += 1;
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok(told)
}

#[tokio::test]
async fn a_flood_of_one_user_is_slowed_and_told_once_and_nobody_else_notices() -> Result<()> {
    const FLOOD: u64 = 200;
    let server = server_with(&["session_sends_per_second=20", "session_sends_burst=40"]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let mut carol = server.connect(CAROL, "phone").await?;

    let flood = tokio::spawn(async move {
        alice.send_all((1..=FLOOD).map(|number| chat(BOB, &format!("m{number}"), "x"))).await?;
        let told = acks_of(&mut alice, FLOOD).await?;
        // It was never closed, and nothing was lost.
        alice.expect_silence().await?;
        anyhow::Ok(told)
    });
    // Eight seconds of work at her rate. Meanwhile others talk as ever.
    for number in 0..20 {
        carol.chat(BOB, &format!("c{number}"), "hello").await?;
        carol.expect_saved().await?;
    }
    ensure!(!flood.is_finished(), "she was not slowed down");
    assert_eq!(flood.await??, 1, "she is told once");
    let pushed = bob.settle().await?;
    assert_eq!(pushed.len() as u64, FLOOD + 20);
    Ok(())
}

#[tokio::test]
async fn a_user_has_no_more_with_more_sessions() -> Result<()> {
    let limits = ["session_sends_per_second=1", "session_sends_burst=10", "user_sessions_worth=1"];
    let server = server_with(&limits).await?;
    let mut phone = server.connect(ALICE, "phone").await?;
    let mut laptop = server.connect(ALICE, "laptop").await?;
    phone.send_all((0..10).map(|number| chat(BOB, &format!("p{number}"), "x"))).await?;
    for _ in 0..10 {
        phone.expect_saved().await?;
    }
    // Her burst is used up, although not by this session: alone it could send as many.
    laptop.send_all((0..10).map(|number| chat(CAROL, &format!("l{number}"), "x"))).await?;
    let mut saved = 0;
    while saved < 10 {
        match laptop.next_frame().await? {
            ServerFrame::Error(error) => {
                assert_eq!(error.reason, ErrorReason::TooManyRequests);
                return Ok(());
            }
            ServerFrame::Ack(_) => saved += 1,
            // What the phone has said.
            _ => {}
        }
    }
    anyhow::bail!("all of it was let through")
}

#[tokio::test]
async fn a_flood_without_end_is_closed() -> Result<()> {
    // So slow that no pause of the machine's is a rest after which she were told again.
    let limits =
        ["session_frames_per_second=2", "session_frames_burst=10", "flood_patience_ms=300"];
    let server = server_with(&limits).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let ping = json!({"type": "PING"}).to_string();
    // More than it takes: what comes after the end is not read by anybody.
    for _ in 0..100 {
        if alice.send_text(ping.clone()).await.is_err() {
            break;
        }
    }
    let mut told = 0;
    let closed = loop {
        match alice.receive().await? {
            petrel_testkit::client::Received::Closed(closed) => break closed,
            petrel_testkit::client::Received::Text(text) => {
                told += u32::from(text.contains("too_many_requests"));
            }
        }
    };
    assert_eq!((closed.code, told), (Some(CloseCode::Banned.get()), 1), "{closed:?}");
    assert!(closed.reason.contains("retryAfterMs"), "{closed:?}");
    bob.expect_silence().await
}

#[tokio::test]
async fn frames_that_cannot_be_read_are_answered_and_many_of_them_close() -> Result<()> {
    const FORGIVEN: usize = 5;
    let limits = [&*format!("malformed_frames_burst={FORGIVEN}"), "malformed_frames_per_minute=1"];
    let server = server_with(&limits).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    for text in ["{", "[]", "{}", r#"{"type":"NO_SUCH"}"#, r#"{"type":"PULL"}"#] {
        alice.send_text(text).await?;
        assert!(matches!(alice.next_frame().await?, ServerFrame::Error(_)), "{text}");
    }
    alice.expect_silence().await?;
    alice.send_text("{").await?;
    alice.expect_error(ErrorReason::BadJson).await?;
    alice.expect_closed_with(CloseCode::Banned).await?;
    // What was forgiven once is forgiven to a new session.
    server.connect(ALICE, "phone").await?.expect_silence().await
}

#[tokio::test]
async fn expensive_reads_are_bounded_and_all_are_answered() -> Result<()> {
    const READS: usize = 8;
    let server = server_with(&["session_reads_per_second=2", "session_reads_burst=5"]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.send_all((0..READS).map(|_| ClientFrame::Sync(Sync::default()))).await?;
    let frames = alice.settle().await?;
    let synced = frames.iter().filter(|frame| matches!(frame, ServerFrame::SyncState(_))).count();
    let told = frames.iter().filter(|frame| matches!(frame, ServerFrame::Error(_))).count();
    assert_eq!((synced, told), (READS, 1), "{frames:?}");
    Ok(())
}

#[tokio::test]
async fn an_ack_counts_for_every_position_it_has() -> Result<()> {
    let server =
        server_with(&["session_frames_per_second=1000", "session_frames_burst=50"]).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.chat(BOB, "m", "x").await?;
    let conversation = alice.expect_saved().await?.conversation_id;
    let item = json!({"conversationId": conversation, "msgSeq": 1});
    let items = vec![item; 200];
    alice.send_text(json!({"type": "ACK", "ackType": "read", "items": items}).to_string()).await?;
    alice.expect_error(ErrorReason::TooManyRequests).await?;
    Ok(())
}

#[tokio::test]
async fn http_requests_of_a_user_are_bounded() -> Result<()> {
    let limits = ["http_user_requests_per_second=1", "http_user_requests_burst=3"];
    let server = server_with(&limits).await?;
    let http = server.http();
    let (alice, bob) = (server.mint()?.token(ALICE), server.mint()?.token(BOB));
    let mut refused = None;
    for _ in 0..10 {
        let answer = http.get_as(&alice, "/api/conversations").await?;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("ten requests at once went through")?;
    assert_eq!(refused.failure()?.reason, ErrorReason::TooManyRequests);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(http.get_as(&bob, "/api/conversations").await?.status, 200);
    Ok(())
}

/// What is in memory, or costs no more than a row.
const UNGATED: [&str; 3] = ["/api/devices", "/api/users/me", "/api/calls/turn"];

#[tokio::test]
async fn every_read_by_http_waits_at_the_gate() -> Result<()> {
    let faults = Faults::new()?;
    let mut launcher = faults.below(launcher()?.bench_issuer())?;
    for limit in ["reads_at_once=1", "admission_wait_ms=1"] {
        launcher = launcher.argument("--set").argument(format!("limits.{limit}"));
    }
    let server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.chat(BOB, "m", "hello").await?;
    let conversation = alice.expect_saved().await?.conversation_id;
    server.stop(Signal::Terminate).await?;
    // Started anew it has nothing in memory, and one read that stalls closes the gate.
    let server = launcher.start().await?;
    let (http, token) = (server.http(), server.mint()?.token(ALICE));
    let document = http.get("/openapi.json").await?.json()?;
    faults.set_reads_stalled(true)?;
    let events = format!("/api/conversations/{conversation}/events");
    let read = || {
        let (http, token, events) = (http.clone(), token.clone(), events.clone());
        tokio::spawn(async move { http.get_as(&token, &events).await })
    };
    // Of two one is through the gate, and stalls; the other finds it closed.
    let (refused, first) = select(read(), read()).await.factor_first();
    refused_at_the_gate(&events, &refused??)?;

    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().context("paths")? {
        let Some(operation) = operations.get("get") else { continue };
        if UNGATED.contains(&path.as_str()) {
            continue;
        }
        let answer = http.get_as(&token, &filled(path, operation)).await?;
        // What is refused for its form, or to everybody but admins, has read nothing.
        if [400, 403].contains(&answer.status) {
            continue;
        }
        refused_at_the_gate(path, &answer)?;
        asked += 1;
    }
    ensure!(asked >= 7, "only {asked} reads");
    // What looks something up before it changes something.
    for (method, path, body) in [
        ("POST", "/api/groups/join", json!({"clientMsgId": "c", "code": "ABCDEFGHJKMN"})),
        ("PATCH", "/api/messages/1", json!({"clientMsgId": "c", "body": "b"})),
        ("POST", "/api/messages/1/revoke", json!({"clientMsgId": "c"})),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = http.request(method, path, &headers, &body.to_string()).await?;
        refused_at_the_gate(path, &answer)?;
    }
    // The gate is one: a session is refused at it as well.
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.send_text(json!({"type": "SYNC"}).to_string()).await?;
    alice.expect_error(ErrorReason::ServerBusy).await?;

    faults.set_reads_stalled(false)?;
    ensure!(first.await??.status == 200);
    ensure!(http.get_as(&token, &events).await?.status == 200);
    Ok(())
}

/// A path with something in the place of what it names, and what its query must have.
fn filled(path: &str, operation: &Value) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let required = parameters.filter(|it| it["in"] == "query" && it["required"] == true);
    let names = required.filter_map(|it| it["name"].as_str());
    let query: Vec<_> = names.map(|name| format!("{name}=1")).collect();
    match path.as_str() {
        "/api/users/search" => format!("{path}?username=somebody"),
        _ => format!("{path}?{}", query.join("&")),
    }
}

fn refused_at_the_gate(path: &str, answer: &Answer) -> Result<()> {
    ensure!(answer.status == 503, "{path} goes around the gate: {answer:?}");
    ensure!(answer.failure()?.reason == ErrorReason::ServerBusy, "{path}: {answer:?}");
    ensure!(answer.header("retry-after").is_some(), "{path}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_limits_told_are_those_in_force() -> Result<()> {
    let server = server_with(&["session_sends_per_second=7", "head_members=33"]).await?;
    let alice = server.connect(ALICE, "phone").await?;
    let limits = &alice.auth_ok().context("connected")?.limits;
    assert_eq!((limits.rates.sends_per_second, limits.head_members), (7, 33));
    let usual = bench_server().await?;
    let bob = usual.connect(BOB, "phone").await?;
    assert_eq!(bob.auth_ok().context("connected")?.limits.rates.sends_per_second, 20_000);

    let wrong =
        launcher()?.argument("--set").argument("limits.session_sends=7").start_and_fail().await?;
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
    assert!(
        wrong.stderr.contains("did you mean limits.session_sends_"),
        "it names what there is: {wrong:?}"
    );
    Ok(())
}

#[tokio::test]
async fn when_too_many_connect_at_once_some_are_told_when_to_come_back() -> Result<()> {
    // Who waits has a turn in the end: the last one's turn goes on for a moment after AUTH_OK.
    let limits = ["handshakes_at_once=1", "admission_queue=1", "admission_wait_ms=20000"];
    let server = server_with(&limits).await?;
    let token = server.mint()?.token(ALICE);
    let connect = Connect::to(server.gateway_address()).query("token", &token);
    // Whoever is refused is told so properly; whoever is not has a session. Which of them is
    // a matter of chance.
    let attempts: Vec<_> = (0..100)
        .map(|_| {
            let connect = connect.clone();
            tokio::spawn(async move {
                match connect.try_open().await? {
                    Ok(mut client) => {
                        client.expect_auth_ok().await?;
                        anyhow::Ok(())
                    }
                    Err(answer) => {
                        ensure!(answer.status == 503, "{answer:?}");
                        ensure!(answer.failure()?.reason == ErrorReason::ServerBusy, "{answer:?}");
                        ensure!(answer.header("retry-after").is_some(), "{answer:?}");
                        Ok(())
                    }
                }
            })
        })
        .collect();
    for attempt in attempts {
        attempt.await??;
    }
    // And afterwards there is room for everybody.
    connect.open_authenticated().await?.expect_silence().await
}
