//! Calls over real sockets: who is rung, who is told what, and what is written down.

use anyhow::{Context, Result, ensure};
use petrel_testkit::server::{Launcher, Server, Signal};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

impl Speaker {
    async fn calls(&mut self, call: &str, to: UserId) -> Result<Value> {
        self.ask(json!({
            "type": "CALL_OFFER", "callId": call, "to": to, "media": "video", "sdp": "v=0 offer",
        }))
        .await
    }

    async fn resumes(&mut self, call: &str, to: UserId, first: &str) -> Result<Value> {
        self.ask(json!({
            "type": "CALL_OFFER", "callId": call, "to": to, "media": "video", "sdp": "v=0 offer",
            "resumes": first,
        }))
        .await
    }

    async fn signals(&mut self, kind: &str, call: &str) -> Result<Value> {
        let mut frame = json!({"type": kind, "callId": call});
        if kind == "CALL_ANSWER" {
            frame["sdp"] = json!("v=0 answer");
        }
        self.ask(frame).await
    }

    async fn candidate(&mut self, call: &str, candidate: &str) -> Result<()> {
        let frame = json!({"type": "CALL_ICE", "callId": call, "candidate": candidate});
        self.client.send_text(frame.to_string()).await
    }

    /// The next that is told of a call: `reason` or state.
    async fn told(&mut self, call: &str) -> Result<String> {
        let state = self.push("CALL_STATE").await?;
        ensure!(state["callId"] == call, "{state}");
        Ok(text(state.get("reason").unwrap_or(&state["state"])))
    }

    /// The record of a call, as it is pushed, after those of earlier calls.
    async fn record(&mut self, call: &str) -> Result<Value> {
        let mut record = self.push("SINGLE_CHAT").await?;
        while record["call"]["callId"] != call {
            record = self.push("SINGLE_CHAT").await?;
        }
        ensure!(record["msgType"] == "CALL" && record["body"] == "", "{record}");
        Ok(record)
    }

    /// All messages with a user, of which there is a chat: type and outcome.
    async fn history(&mut self, chat: &Value) -> Result<Vec<String>> {
        let pull = json!({"type": "PULL", "conversationId": chat, "afterSeq": 0, "limit": 200});
        let events = self.ask(pull).await?;
        let events = events["events"].as_array().with_context(|| format!("{events}"))?;
        Ok(events
            .iter()
            .map(|event| format!("{} {}", text(&event["msgType"]), text(&event["call"]["outcome"])))
            .collect())
    }

    /// Makes sure that nothing was told of any call.
    async fn is_not_rung(&mut self) -> Result<()> {
        let settled = self.client.settle().await?;
        let told = settled.iter().find(|frame| frame.type_name().starts_with("CALL"));
        ensure!(told.is_none(), "{told:?}");
        let of_call = |frame: &&Value| text(&frame["type"]).starts_with("CALL");
        let told = self.pushed.iter().find(of_call);
        ensure!(told.is_none(), "{told:?}");
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn reason(answer: &Value) -> String {
    text(&answer["reason"])
}

struct World {
    server: Server,
    alice: Speaker,
    bob: Speaker,
    tablet: Speaker,
}

/// Alice with a phone, Bob with a phone and a tablet.
async fn world() -> Result<World> {
    with(&launcher()?.bench_issuer()).await
}

async fn with(launcher: &Launcher) -> Result<World> {
    let server = launcher.start().await?;
    let alice = Speaker::connect(&server, ALICE).await?;
    let bob = Speaker::connect(&server, BOB).await?;
    let tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    Ok(World { server, alice, bob, tablet })
}

#[tokio::test]
async fn it_rings_on_all_devices_and_the_first_answer_wins() -> Result<()> {
    let World { server, mut alice, mut bob, mut tablet } = world().await?;
    let answer = alice.calls("c1", BOB).await?;
    assert_eq!((&answer["type"], &answer["state"]), (&json!("CALL_STATE"), &json!("ringing")));
    for device in [&mut bob, &mut tablet] {
        let ring = device.push("CALL_OFFER").await?;
        assert_eq!((&ring["from"], &ring["media"]), (&json!(ALICE), &json!("video")));
        assert_eq!((&ring["sdp"], &ring["callId"]), (&json!("v=0 offer"), &json!("c1")));
        assert!(ring["ringsForMs"].as_u64().is_some_and(|ms| ms <= 30_000), "{ring}");
    }
    // Whoever comes while it rings is rung, too, and gets the candidates so far.
    alice.candidate("c1", "first").await?;
    assert_eq!(bob.push("CALL_ICE").await?["candidate"], "first");
    let mut late = Speaker::connect_as(&server, BOB, "late").await?;
    assert_eq!(late.push("CALL_OFFER").await?["sdp"], "v=0 offer");
    assert_eq!(late.push("CALL_ICE").await?["candidate"], "first");

    assert_eq!(bob.signals("CALL_ANSWER", "c1").await?["state"], "answered");
    assert_eq!(alice.push("CALL_ANSWER").await?["sdp"], "v=0 answer");
    assert_eq!(tablet.told("c1").await?, "answeredElsewhere");
    assert_eq!(late.told("c1").await?, "answeredElsewhere");
    assert_eq!(reason(&tablet.signals("CALL_ANSWER", "c1").await?), "call_elsewhere");
    alice.candidate("c1", "second").await?;
    bob.candidate("c1", "third").await?;
    assert_eq!(bob.push("CALL_ICE").await?["candidate"], "second");
    assert_eq!(alice.push("CALL_ICE").await?["candidate"], "third");

    // A stranger knows the name of the call, and it is of no use.
    let mut carol = Speaker::connect(&server, CAROL).await?;
    for kind in ["CALL_ANSWER", "CALL_HANGUP", "CALL_REJECT"] {
        let (known, unknown) = (carol.signals(kind, "c1").await?, carol.signals(kind, "c9").await?);
        assert_eq!((reason(&known), &known["callId"]), ("call_not_found".to_owned(), &json!("c1")));
        assert_eq!(known["message"], unknown["message"]);
    }
    assert_eq!(reason(&carol.calls("c1", ALICE).await?), "call_id_taken");
    assert_eq!(reason(&carol.calls("c2", ALICE).await?), "busy");
    assert_eq!(alice.record("c2").await?["call"]["outcome"], "busy");
    assert_eq!(reason(&alice.calls("c3", CAROL).await?), "in_call");

    let over = bob.signals("CALL_HANGUP", "c1").await?;
    assert_eq!((&over["state"], &over["reason"]), (&json!("ended"), &json!("hungUp")));
    assert_eq!(alice.told("c1").await?, "hungUp");
    for device in [&mut alice, &mut bob, &mut tablet] {
        let record = device.record("c1").await?;
        assert_eq!(record["call"]["outcome"], "answered", "{record}");
        assert!(record["call"]["durationMs"].is_u64(), "{record}");
        assert_eq!((&record["from"], &record["to"]), (&json!(ALICE), &json!(BOB)));
    }
    assert_eq!(reason(&bob.signals("CALL_HANGUP", "c1").await?), "call_not_found");
    assert_eq!(reason(&alice.calls("c1", BOB).await?), "call_id_taken");
    Ok(())
}

#[tokio::test]
async fn each_way_to_end_is_told_and_written_down_once() -> Result<()> {
    let World { server, mut alice, mut bob, mut tablet } = world().await?;
    // Rejected on one device, it stops ringing on the other.
    alice.calls("c1", BOB).await?;
    bob.push("CALL_OFFER").await?;
    assert_eq!(bob.signals("CALL_REJECT", "c1").await?["reason"], "rejected");
    assert_eq!(
        (alice.told("c1").await?, tablet.told("c1").await?),
        ("rejected".into(), "rejected".into())
    );
    let chat = alice.record("c1").await?["conversationId"].clone();
    // Cancelled by the caller.
    alice.calls("c2", BOB).await?;
    assert_eq!(alice.signals("CALL_HANGUP", "c2").await?["reason"], "cancelled");
    assert_eq!(
        (bob.told("c2").await?, tablet.told("c2").await?),
        ("cancelled".into(), "cancelled".into())
    );
    // Both call each other at the same moment.
    alice.calls("c3", BOB).await?;
    assert_eq!(reason(&bob.calls("c4", ALICE).await?), "glare");
    assert_eq!(bob.signals("CALL_ANSWER", "c3").await?["state"], "answered");
    assert_eq!(tablet.told("c3").await?, "answeredElsewhere");
    // The device of the one who talks is killed: that is the end, for the other, too.
    drop(bob);
    assert_eq!(alice.told("c3").await?, "disconnected");
    // The caller's device is killed while it rings.
    let mut bob = Speaker::connect(&server, BOB).await?;
    alice.calls("c5", BOB).await?;
    bob.push("CALL_OFFER").await?;
    drop(alice);
    assert_eq!(
        (bob.told("c5").await?, tablet.told("c5").await?),
        ("cancelled".into(), "cancelled".into())
    );
    bob.record("c5").await?;
    let expected =
        ["rejected", "cancelled", "answered", "cancelled"].map(|it| format!("CALL {it}"));
    assert_eq!(bob.history(&chat).await?, expected);
    Ok(())
}

/// To its devices a call is over when one of them is gone; in the chat of the two it is one
/// with the calls by which they go on.
#[tokio::test]
async fn a_call_that_goes_on_after_a_device_was_gone_is_written_down_once() -> Result<()> {
    let World { server, mut alice, mut bob, mut tablet } = world().await?;
    alice.calls("c1", BOB).await?;
    for device in [&mut bob, &mut tablet] {
        assert_eq!(device.push("CALL_OFFER").await?.get("resumes"), None);
    }
    bob.signals("CALL_ANSWER", "c1").await?;
    tablet.told("c1").await?;
    drop(alice);
    assert_eq!(bob.told("c1").await?, "disconnected");
    let mut carol = Speaker::connect(&server, CAROL).await?;
    assert_eq!(reason(&carol.resumes("c2", BOB, "c1").await?), "call_not_found");

    let mut alice = Speaker::connect(&server, ALICE).await?;
    assert_eq!(alice.resumes("c3", BOB, "c1").await?["state"], "ringing");
    for device in [&mut bob, &mut tablet] {
        assert_eq!(device.push("CALL_OFFER").await?["resumes"], "c1");
    }
    bob.signals("CALL_ANSWER", "c3").await?;
    // Now the other one, who comes back and calls.
    drop(bob);
    assert_eq!(alice.told("c3").await?, "disconnected");
    let mut bob = Speaker::connect(&server, BOB).await?;
    assert_eq!(bob.resumes("c4", ALICE, "c1").await?["state"], "ringing");
    assert_eq!(alice.push("CALL_OFFER").await?["resumes"], "c1");
    alice.signals("CALL_ANSWER", "c4").await?;
    alice.signals("CALL_HANGUP", "c4").await?;
    let record = alice.record("c1").await?;
    assert_eq!((&record["from"], &record["to"]), (&json!(ALICE), &json!(BOB)));
    assert_eq!(record["call"]["outcome"], "answered");
    assert_eq!(alice.history(&record["conversationId"]).await?, ["CALL answered"]);
    assert_eq!(reason(&bob.resumes("c5", ALICE, "c1").await?), "call_not_found");

    // Whoever has enough while the other is gone says so, and it is written down at once.
    alice.calls("c6", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.signals("CALL_ANSWER", "c6").await?;
    drop(alice);
    assert_eq!(bob.told("c4").await?, "hungUp");
    assert_eq!(bob.told("c6").await?, "disconnected");
    assert_eq!(bob.signals("CALL_HANGUP", "c6").await?["state"], "ended");
    assert_eq!(bob.record("c6").await?["call"]["outcome"], "answered");
    let mut alice = Speaker::connect(&server, ALICE).await?;
    assert_eq!(reason(&alice.resumes("c7", BOB, "c6").await?), "call_not_found");
    let expected = ["CALL answered", "CALL answered"];
    assert_eq!(alice.history(&record["conversationId"]).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_call_goes_where_a_message_would_go_and_nowhere_else() -> Result<()> {
    let World { server: _server, mut alice, mut bob, mut tablet } = world().await?;
    assert_eq!(reason(&alice.calls("c0", ALICE).await?), "cannot_send_to_self");
    assert_eq!(reason(&alice.calls("c0", UserId::new(10_000_009_999)).await?), "user_not_found");
    bob.does("block", ALICE).await?;
    assert_eq!(reason(&alice.calls("c1", BOB).await?), "not_reachable");
    assert_eq!(reason(&bob.calls("c1", ALICE).await?), "blocked_by_you");
    for device in [&mut alice, &mut bob, &mut tablet] {
        device.is_not_rung().await?;
    }
    bob.does("unblock", ALICE).await?;

    // Who begins to block during a call has hung up.
    alice.calls("c2", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.signals("CALL_ANSWER", "c2").await?;
    bob.does("block", ALICE).await?;
    assert_eq!(
        (alice.told("c2").await?, bob.told("c2").await?),
        ("hungUp".into(), "hungUp".into())
    );
    assert_eq!(bob.record("c2").await?["call"]["outcome"], "answered");
    bob.does("unblock", ALICE).await?;
    alice.calls("c3", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.does("block", ALICE).await?;
    assert_eq!(alice.told("c3").await?, "rejected");
    Ok(())
}

#[tokio::test]
async fn only_friends_call_each_other_where_only_friends_chat() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let launcher = launcher.variable("PETREL_CONTACTS__CHATS_NEED_FRIENDSHIP", "true");
    let World { server: _server, mut alice, mut bob, .. } = with(&launcher).await?;
    assert_eq!(reason(&alice.calls("c1", BOB).await?), "not_friends");
    alice.befriend(BOB, &mut bob, ALICE).await?;
    assert_eq!(alice.calls("c2", BOB).await?["state"], "ringing");
    Ok(())
}

/// A node that is stopped ends its calls and writes them down; one that is killed forgets
/// those under way, and nothing that was written down (decision 0016).
#[tokio::test]
async fn calls_under_way_end_with_their_node() -> Result<()> {
    for (killed, answered) in [(false, false), (false, true), (true, false), (true, true)] {
        let launcher = launcher()?.bench_issuer();
        let World { server, mut alice, mut bob, tablet } = with(&launcher).await?;
        alice.calls("c1", BOB).await?;
        bob.push("CALL_OFFER").await?;
        bob.signals("CALL_REJECT", "c1").await?;
        let chat = alice.record("c1").await?["conversationId"].clone();
        alice.calls("c2", BOB).await?;
        bob.push("CALL_OFFER").await?;
        if answered {
            bob.signals("CALL_ANSWER", "c2").await?;
        }
        match killed {
            true => server.kill().await?,
            false => server.stop(Signal::Terminate).await?,
        };
        drop((alice, bob, tablet));

        let World { server: _server, mut alice, mut bob, .. } = with(&launcher).await?;
        assert_eq!(reason(&alice.signals("CALL_HANGUP", "c2").await?), "call_not_found");
        let mut expected = vec!["CALL rejected".to_owned()];
        if !killed {
            expected.push(format!("CALL {}", if answered { "answered" } else { "cancelled" }));
        }
        assert_eq!(bob.history(&chat).await?, expected, "killed: {killed}, answered: {answered}");
        // And both are free for another one.
        alice.calls("c3", BOB).await?;
        bob.push("CALL_OFFER").await?;
        bob.signals("CALL_ANSWER", "c3").await?;
    }
    Ok(())
}

#[tokio::test]
async fn candidates_and_offers_are_bounded_and_nobody_is_closed_for_them() -> Result<()> {
    // Whoever asks for much is read slowly here, but not for candidates.
    let launcher = launcher()?.bench_issuer();
    let launcher = launcher
        .variable("PETREL_LIMITS__SESSION_FRAMES_PER_SECOND", "20")
        .variable("PETREL_LIMITS__SESSION_FRAMES_BURST", "40");
    let World { server: _server, mut alice, mut bob, .. } = with(&launcher).await?;
    alice.calls("c1", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.signals("CALL_ANSWER", "c1").await?;
    alice.push("CALL_ANSWER").await?;
    for number in 0..200 {
        alice.candidate("c1", &format!("candidate {number}")).await?;
    }
    for number in 0..200 {
        assert_eq!(bob.push("CALL_ICE").await?["candidate"], format!("candidate {number}"));
    }
    alice.ask(json!({"type": "PING"})).await?;
    let slowed = alice.pushed.iter().find(|frame| frame["reason"] == "too_many_requests");
    assert!(slowed.is_none(), "{slowed:?}");

    let frame = |kind: &str, field: &str, value: String| {
        let mut frame = json!({"type": kind, "callId": "c1", "to": BOB, "media": "audio"});
        frame[field] = json!(value);
        frame
    };
    for wrong in [
        frame("CALL_ICE", "candidate", "x".repeat(2 * 1024 + 1)),
        frame("CALL_ANSWER", "sdp", "x".repeat(30 * 1024 + 1)),
        frame("CALL_OFFER", "sdp", "a\u{1}b".to_owned()),
        frame("CALL_OFFER", "sdp", " ".to_owned()),
        json!({"type": "CALL_OFFER", "callId": "c2", "to": BOB, "media": "smell", "sdp": "x"}),
        json!({"type": "CALL_HANGUP"}),
    ] {
        assert_eq!(alice.refused(wrong).await?, "invalid_field");
    }
    alice.signals("CALL_HANGUP", "c1").await?;
    let mut refused = None;
    for number in 0..20 {
        let answer = alice.calls(&format!("d{number}"), BOB).await?;
        if answer["type"] == "ERROR" {
            refused = Some(answer);
            break;
        }
        alice.signals("CALL_HANGUP", &format!("d{number}")).await?;
    }
    let refused = refused.context("nobody calls so often")?;
    assert_eq!(reason(&refused), "too_many_requests");
    assert!(refused["retryAfterMs"].as_u64().is_some_and(|ms| ms <= 6_000), "{refused}");
    Ok(())
}

#[tokio::test]
async fn turn_credentials_are_good_for_a_while_and_the_same_by_frame_and_by_http() -> Result<()> {
    let none = bench_server().await?;
    let nothing = Caller::new(&none, ALICE)?.ask("GET", "/api/calls/turn", Value::Null).await?;
    assert_eq!((&nothing["urls"], nothing.get("credential")), (&json!([]), None));

    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("turn-secret");
    std::fs::write(&secret, "a secret of both sides\n")?;
    let config = folder.path().join("petrel.toml");
    let text = format!(
        "[calls]\nstun_urls = [\"stun:stun.example.com\"]\nturn_urls = \
         [\"turn:turn.example.com?transport=udp\"]\nturn_secret_file = {secret:?}\n\
         turn_credentials_last = \"10m\"\n"
    );
    std::fs::write(&config, text)?;
    let launcher = launcher()?.bench_issuer().argument("--config").argument(&config);
    let World { server, mut alice, .. } = with(&launcher).await?;
    let made = alice.ask(json!({"type": "TURN"})).await?;
    assert_eq!(made["type"], "TURN_CREDENTIALS");
    assert_eq!(
        made["urls"],
        json!(["stun:stun.example.com", "turn:turn.example.com?transport=udp"])
    );
    assert_eq!(made["ttlMs"], 600_000);
    let (until, user) =
        made["username"].as_str().and_then(|it| it.split_once(':')).context("a name")?;
    assert_eq!(user, ALICE.to_string());
    let by_http = Caller::new(&server, ALICE)?.ask("GET", "/api/calls/turn", Value::Null).await?;
    let later = by_http["username"].as_str().and_then(|it| it.split_once(':')).context("a name")?;
    assert!(later.0.parse::<u64>()? - until.parse::<u64>()? < 60);
    // 20 bytes in base64.
    assert_eq!(made["credential"].as_str().map(str::len), Some(28));
    Ok(())
}

#[tokio::test]
async fn a_call_leaves_its_trace_whatever_the_caller_does() -> Result<()> {
    let World { server: _server, mut alice, mut bob, .. } = world().await?;
    // The name of the call is used up for a message beforehand.
    let said = json!({"type": "SINGLE_CHAT", "to": BOB, "clientMsgId": "c1", "body": "hello"});
    let chat = alice.change(said).await?["conversationId"].clone();
    alice.calls("c1", BOB).await?;
    alice.signals("CALL_HANGUP", "c1").await?;
    let record = alice.record("c1").await?;
    assert_eq!(bob.history(&chat).await?, ["TEXT ", "CALL cancelled"]);

    let at = |kind: &str| json!({"type": kind, "conversationId": chat, "msgSeq": record["msgSeq"]});
    assert_eq!(alice.refused(at("MESSAGE_REVOKE")).await?, "not_allowed");
    let mut edit = at("MESSAGE_EDIT");
    edit["body"] = json!("never");
    assert_eq!(alice.refused(edit).await?, "not_allowed");
    let forward = json!({"conversationId": chat, "msgSeq": record["msgSeq"]});
    let sent_on = json!({"type": "SINGLE_CHAT", "to": CAROL, "forward": forward});
    assert_eq!(alice.refused(sent_on).await?, "message_not_found");
    let forged =
        json!({"type": "SINGLE_CHAT", "to": BOB, "msgType": "CALL", "call": record["call"]});
    assert_eq!(alice.refused(forged).await?, "invalid_field");

    // It is unread to both until they say otherwise, and each may hide it for oneself.
    let unread = |sync: &Value| {
        let chats = sync["conversations"].as_array().cloned().unwrap_or_default();
        chats.iter().find(|it| it["conversationId"] == chat).map(|it| it["unread"].clone())
    };
    assert_eq!(unread(&alice.sync().await?), Some(json!(1)));
    assert_eq!(unread(&bob.sync().await?), Some(json!(2)));
    let mut read = at("ACK");
    read["ackType"] = json!("read");
    alice.client.send_text(read.to_string()).await?;
    assert_eq!(bob.push("ACK").await?["from"], json!(ALICE));
    assert_eq!(unread(&alice.sync().await?), Some(json!(0)));
    let hide = json!({"type": "MESSAGE_HIDE", "conversationId": chat, "clientMsgId": "h1", "msgSeqs": [record["msgSeq"]]});
    assert_eq!(alice.ask(hide).await?["ackType"], "done");
    assert_eq!(alice.history(&chat).await?, ["TEXT "]);
    assert_eq!(bob.history(&chat).await?, ["TEXT ", "CALL cancelled"]);
    Ok(())
}

#[tokio::test]
async fn a_call_that_was_answered_is_read_and_one_that_was_not_is_unread() -> Result<()> {
    let World { server: _server, mut alice, mut bob, .. } = world().await?;
    let chat_of = |sync: &Value| {
        let chats = sync["conversations"].as_array().cloned().unwrap_or_default();
        chats.into_iter().find(|it| it["kind"] == "single").unwrap_or_default()
    };
    let unread = |sync: &Value| chat_of(sync)["unread"].clone();
    alice.calls("c1", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.signals("CALL_ANSWER", "c1").await?;
    alice.signals("CALL_HANGUP", "c1").await?;
    assert_eq!(alice.record("c1").await?["call"]["outcome"], "answered");
    for one in [&mut alice, &mut bob] {
        let sync = one.sync().await?;
        assert_eq!(unread(&sync), json!(0), "{sync}");
        assert_eq!(chat_of(&sync)["headSeq"], 1, "{sync}");
    }
    alice.calls("c2", BOB).await?;
    bob.push("CALL_OFFER").await?;
    bob.signals("CALL_REJECT", "c2").await?;
    assert_eq!(alice.record("c2").await?["call"]["outcome"], "rejected");
    assert_eq!(unread(&bob.sync().await?), json!(1));
    // To delete what does not count takes nothing from what does.
    let chat = chat_of(&bob.sync().await?)["conversationId"].clone();
    let hide =
        json!({"type": "MESSAGE_HIDE", "conversationId": chat, "clientMsgId": "h", "msgSeqs": [1]});
    assert_eq!(bob.ask(hide).await?["ackType"], "done");
    assert_eq!(unread(&bob.sync().await?), json!(1));
    let said = json!({"type": "SINGLE_CHAT", "to": BOB, "clientMsgId": "m1", "body": "later?"});
    alice.change(said).await?;
    assert_eq!(unread(&bob.sync().await?), json!(2));
    Ok(())
}

/// All calls of a node end at once when it stops, and each of them is written down.
#[tokio::test]
async fn a_node_that_stops_writes_down_all_its_calls() -> Result<()> {
    const PAIRS: u64 = 40;
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let user = |index: u64| UserId::new(1_010_000 + index);
    let mut callers = Vec::new();
    for pair in 0..PAIRS {
        let mut caller = Speaker::connect(&server, user(2 * pair)).await?;
        let call = format!("c{pair}");
        assert_eq!(caller.calls(&call, user(2 * pair + 1)).await?["state"], "ringing");
        callers.push(caller);
    }
    server.stop(Signal::Terminate).await?;
    for (pair, caller) in callers.iter_mut().enumerate() {
        assert_eq!(caller.told(&format!("c{pair}")).await?, "serverStopped");
    }
    let server = launcher.start().await?;
    for pair in 0..PAIRS {
        let mut callee = Speaker::connect(&server, user(2 * pair + 1)).await?;
        let chats = callee.sync().await?;
        let chat = chats["conversations"][0]["conversationId"].clone();
        assert_eq!(callee.history(&chat).await?, ["CALL cancelled"], "{chats}");
    }
    Ok(())
}
