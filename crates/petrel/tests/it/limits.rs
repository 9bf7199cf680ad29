//! Everything has a limit, and beyond it a defined answer.

use anyhow::Result;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::ServerFrame;
use petrel_testkit::client::{Connect, chat};
use petrel_types::limits::{
    BODY_BYTES_MAX, BODY_UTF16_UNITS_MAX, CLIENT_MESSAGE_ID_BYTES_MAX, FRAME_BYTES_MAX,
    REQUEST_ID_BYTES_MAX,
};
use petrel_types::{Seq, UserId};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::support::{ALICE, BOB, bench_server, connections_become, launcher};

#[tokio::test]
async fn wrong_frames_are_answered_with_their_reason_and_do_no_harm() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let long_name = "x".repeat(CLIENT_MESSAGE_ID_BYTES_MAX + 1);
    let long_id = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
    let cases = [
        ("{".to_owned(), "bad_json"),
        ("hello".to_owned(), "bad_json"),
        (String::new(), "bad_json"),
        ("[]".to_owned(), "bad_json"),
        ("7".to_owned(), "bad_json"),
        (r#"{"type":"PING"} {}"#.to_owned(), "bad_json"),
        ("{}".to_owned(), "missing_type"),
        (r#"{"id":1}"#.to_owned(), "missing_type"),
        (json!({"type": 1}).to_string(), "invalid_field"),
        (json!({"type": "AUTH_OK"}).to_string(), "unknown_type"),
        (json!({"type": "NO_SUCH"}).to_string(), "unknown_type"),
        (json!({"type": "PING", "id": long_id}).to_string(), "invalid_field"),
        (json!({"type": "PING", "id": -1}).to_string(), "invalid_field"),
        (single_chat(json!({"to": null})), "missing_to"),
        (single_chat(json!({"to": "bob"})), "invalid_field"),
        (single_chat(json!({"body": null})), "missing_body"),
        (single_chat(json!({"body": ""})), "missing_body"),
        (single_chat(json!({"body": " \n\t"})), "missing_body"),
        (single_chat(json!({"body": 7})), "invalid_field"),
        (single_chat(json!({"clientMsgId": null})), "missing_msg_id"),
        (single_chat(json!({"clientMsgId": ""})), "missing_msg_id"),
        (single_chat(json!({"clientMsgId": long_name})), "invalid_field"),
        (single_chat(json!({"clientMsgId": "a\nb"})), "invalid_field"),
        (single_chat(json!({"msgType": "SMELL"})), "invalid_field"),
        (json!({"type": "ACK"}).to_string(), "missing_ack_type"),
        (json!({"type": "ACK", "ackType": "seen"}).to_string(), "invalid_field"),
        (json!({"type": "ACK", "ackType": "read"}).to_string(), "invalid_field"),
        (json!({"type": "PULL"}).to_string(), "invalid_field"),
        (json!({"type": "SYNC", "token": 1}).to_string(), "invalid_field"),
        // An array is no object, wherever it stands.
        (
            json!({"type": "ACK", "ackType": "read", "items": [["1", 1]]}).to_string(),
            "invalid_field",
        ),
    ];
    for (text, reason) in cases {
        alice.send_text(text.clone()).await?;
        let answer = alice.next_json().await?;
        assert_eq!(
            (answer["type"].as_str(), answer["reason"].as_str()),
            (Some("ERROR"), Some(reason)),
            "{text}: {answer}"
        );
        assert!(answer["message"].as_str().is_some_and(|m| !m.is_empty()));
    }
    alice.expect_silence().await?;

    // A wrong frame is answered to whom it may concern.
    alice
        .send_text(
            json!({"type": "SINGLE_CHAT", "id": "r", "clientMsgId": "m", "to": BOB}).to_string(),
        )
        .await?;
    let answer = alice.next_json().await?;
    assert_eq!(
        answer,
        json!({
            "id": "r", "type": "ERROR", "reason": "missing_body", "clientMsgId": "m",
            "message": answer["message"],
        })
    );
    Ok(())
}

/// Also when it is refused only where commands are decided.
#[tokio::test]
async fn a_refused_receipt_echoes_the_id_of_its_request() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.chat(BOB, "m", "hello").await?;
    let conversation = alice.expect_saved().await?.conversation_id;
    let good = json!({"conversationId": conversation, "msgSeq": 1});
    let beyond = json!({"conversationId": conversation, "msgSeq": 2});
    let nowhere = json!({"conversationId": "4095", "msgSeq": 1});
    let receipt = |id: &str, items: &[&serde_json::Value]| {
        json!({"type": "ACK", "id": id, "ackType": "read", "items": items}).to_string()
    };
    // One in order has no answer; in others each position that is wrong has one.
    alice.send_text(receipt("good", &[&good])).await?;
    alice.send_text(receipt("beyond", &[&good, &beyond, &good])).await?;
    alice.send_text(receipt("nowhere", &[&nowhere, &beyond])).await?;
    alice
        .send_text(json!({"type": "ACK", "ackType": "read", "items": [beyond]}).to_string())
        .await?;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let answer = alice.next_json().await?;
        let told = |name: &str| answer[name].as_str().unwrap_or("none").to_owned();
        answers.push((told("type"), told("id"), told("reason")));
    }
    let expected = [
        ("beyond", "invalid_field"),
        ("nowhere", "conversation_not_found"),
        ("nowhere", "invalid_field"),
        ("none", "invalid_field"),
    ];
    let expected = expected.map(|(id, reason)| ("ERROR".into(), id.into(), reason.into()));
    assert_eq!(answers, expected);
    alice.expect_silence().await
}

#[tokio::test]
async fn a_body_is_bounded_in_units_and_in_bytes() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let units = BODY_UTF16_UNITS_MAX;
    let allowed = ["x".repeat(units), "鸟".repeat(units), "🐦".repeat(units / 2)];
    let refused = [
        "x".repeat(units + 1),
        "鸟".repeat(units + 1),
        "🐦".repeat(units / 2 + 1),
        "x".repeat(BODY_BYTES_MAX + 1),
    ];
    for (number, body) in refused.iter().enumerate() {
        let name = format!("refused-{number}");
        alice.chat(BOB, &name, body).await?;
        let error = alice.expect_error(ErrorReason::BodyTooLong).await?;
        assert_eq!(error.client_msg_id.unwrap().as_str(), name);
    }
    for (number, body) in allowed.iter().enumerate() {
        alice.chat(BOB, &format!("allowed-{number}"), body).await?;
        assert_eq!(alice.expect_saved().await?.msg_seq.get(), number as u64 + 1);
        assert_eq!(&bob.expect_chat().await?.body, body);
    }
    Ok(())
}

#[tokio::test]
async fn a_frame_is_bounded() -> Result<()> {
    let server = bench_server().await?;
    let padded = |bytes: usize| {
        let empty = json!({"type": "PING", "padding": ""}).to_string();
        let padding = "x".repeat(bytes - empty.len());
        json!({"type": "PING", "padding": padding}).to_string()
    };
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.send_text(padded(FRAME_BYTES_MAX)).await?;
    assert!(matches!(alice.next_frame().await?, ServerFrame::Pong(_)));

    let part = |text: &str, code, is_last| {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        Message::Frame(Frame::message(payload, OpCode::Data(code), is_last))
    };
    let large = padded(FRAME_BYTES_MAX + 1);
    let (first, rest) = large.split_at(FRAME_BYTES_MAX / 2);
    let too_large = [
        vec![Message::text(large.clone())],
        vec![Message::text(padded(4 * FRAME_BYTES_MAX))],
        // More than the sockets hold: it is still being written when it is refused.
        vec![Message::text(padded(128 * FRAME_BYTES_MAX))],
        vec![part(first, Data::Text, false), part(rest, Data::Continue, true)],
    ];
    for messages in too_large {
        let mut client = server.connect(ALICE, "laptop").await?;
        for message in messages {
            client.send_message(message).await?;
        }
        assert_eq!(client.expect_closed().await?.code, Some(1009));
        // Before authentication, too.
        let mut stranger = Connect::to(server.gateway_address()).open().await?;
        stranger.send_text(large.clone()).await?;
        assert_eq!(stranger.expect_closed().await?.code, Some(1009));
    }
    alice.expect_silence().await?;
    Ok(())
}

#[tokio::test]
async fn binary_frames_are_not_spoken() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.send_message(Message::binary(vec![0, 1, 2])).await?;
    alice.expect_error(ErrorReason::BadJson).await?;
    alice.expect_silence().await?;

    let mut stranger = Connect::to(server.gateway_address()).open().await?;
    stranger.send_message(Message::binary(vec![0])).await?;
    assert_eq!(stranger.expect_closed().await?.code, Some(1003));
    Ok(())
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_one_leaves() -> Result<()> {
    let server =
        launcher()?.bench_issuer().argument("--connections-max").argument("2").start().await?;
    let token = server.mint()?.token(ALICE);
    let connect = Connect::to(server.gateway_address()).query("token", &token);
    let first = connect.open_authenticated().await?;
    let mut second = connect.open_authenticated().await?;

    for _ in 0..3 {
        let answer = connect.refused().await?;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.failure()?.reason, ErrorReason::ServerBusy);
        assert!(answer.header("retry-after").is_some());
    }
    // The refused ones are not counted, and those inside notice nothing.
    let gateway = server.gateway_http();
    connections_become(&gateway, 2).await?;
    second.expect_silence().await?;

    first.close().await?;
    connections_become(&gateway, 1).await?;
    connect.open_authenticated().await?;
    Ok(())
}

#[tokio::test]
async fn stats_follow_connections() -> Result<()> {
    let server = bench_server().await?;
    let gateway = server.gateway_http();
    let stats = gateway.get("/stats").await?;
    assert!(stats.body.contains(r#""total_connections":0"#), "{}", stats.body);
    let mut phone = server.connect(ALICE, "phone").await?;
    let laptop = server.connect(ALICE, "laptop").await?;
    let unauthenticated = Connect::to(server.gateway_address()).open().await?;
    connections_become(&gateway, 3).await?;
    let stats = gateway.get("/stats").await?;
    assert!(stats.body.contains(r#""total_connections":3"#), "{}", stats.body);
    assert_eq!(stats.json()?["users_online"], 1);

    // With a goodbye and without.
    laptop.close().await?;
    connections_become(&gateway, 2).await?;
    drop(unauthenticated);
    connections_become(&gateway, 1).await?;
    phone.expect_silence().await?;
    drop(phone);
    connections_become(&gateway, 0).await?;
    assert_eq!(gateway.get("/stats").await?.json()?["users_online"], 0);
    Ok(())
}

#[tokio::test]
async fn both_ports_say_that_they_are_well() -> Result<()> {
    let server = bench_server().await?;
    for port in [server.http(), server.gateway_http()] {
        let answer = port.get("/healthz").await?;
        assert_eq!((answer.status, &*answer.body), (200, r#"{"status":"ok"}"#));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    Ok(())
}

#[tokio::test]
async fn wrong_paths_and_methods_are_refused_in_the_form_of_the_api() -> Result<()> {
    let server = bench_server().await?;
    let (http, gateway) = (server.http(), server.gateway_http());
    let cases = [
        (&http, "GET", "/nothing", ErrorReason::NotFound),
        (&http, "POST", "/api/nothing", ErrorReason::NotFound),
        (&http, "GET", "/api/auth/login", ErrorReason::MethodNotAllowed),
        (&http, "DELETE", "/api/users/me", ErrorReason::MethodNotAllowed),
        (&http, "POST", "/healthz", ErrorReason::MethodNotAllowed),
        (&http, "POST", "/ws", ErrorReason::MethodNotAllowed),
        (&http, "GET", "/ws", ErrorReason::InvalidField),
        (&gateway, "GET", "/nothing", ErrorReason::NotFound),
        (&gateway, "POST", "/stats", ErrorReason::MethodNotAllowed),
        (&gateway, "POST", "/ws", ErrorReason::MethodNotAllowed),
        (&gateway, "GET", "/ws", ErrorReason::InvalidField),
    ];
    let mut request_ids = std::collections::HashSet::new();
    for (port, method, path, reason) in cases {
        let answer = port.request(method, path, &[], "").await?;
        let case = format!("{method} {path}: {answer:?}");
        assert_eq!(answer.status, reason.http_status(), "{case}");
        let failure = answer.failure().map_err(|error| error.context(case.clone()))?;
        assert_eq!(failure.reason, reason, "{case}");
        assert_eq!(answer.header("x-request-id"), Some(failure.request_id.as_str()), "{case}");
        assert!(request_ids.insert(failure.request_id), "{case}");
    }
    // A body is bounded, too.
    let large = json!({"username": "ann", "password": "x".repeat(FRAME_BYTES_MAX)});
    let answer = http.post("/api/auth/login", &large.to_string()).await?;
    assert_eq!(answer.failure()?.reason, ErrorReason::FrameTooLarge);
    Ok(())
}

#[tokio::test]
async fn a_burst_of_one_sender_arrives_in_order_and_each_is_acked_once() -> Result<()> {
    const MESSAGES: u64 = 2_000;
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let reading = tokio::spawn(async move {
        for number in 1..=MESSAGES {
            let push = bob.expect_chat().await?;
            assert_eq!(push.client_msg_id.as_str(), format!("m{number}"));
            assert_eq!(push.msg_seq, Seq::new(number));
        }
        bob.expect_silence().await
    });
    let frames = (1..=MESSAGES).map(|number| chat(BOB, &format!("m{number}"), "hello"));
    alice.send_all(frames).await?;
    for number in 1..=MESSAGES {
        let ack = alice.expect_saved().await?;
        assert_eq!(ack.client_msg_id.as_str(), format!("m{number}"));
        assert_eq!((ack.msg_seq, ack.duplicate), (Seq::new(number), false));
    }
    alice.expect_silence().await?;
    reading.await?
}

#[tokio::test]
async fn many_senders_reach_one_receiver_each_in_order() -> Result<()> {
    const SENDERS: u64 = 20;
    const MESSAGES: u64 = 100;
    let server = bench_server().await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let mut sending = Vec::new();
    for number in 1..=SENDERS {
        let mut sender = server.connect(UserId::new(5_000 + number), "phone").await?;
        sending.push(tokio::spawn(async move {
            let frames = (1..=MESSAGES).map(|number| chat(BOB, &format!("m{number}"), "hello"));
            sender.send_all(frames).await?;
            for number in 1..=MESSAGES {
                assert_eq!(sender.expect_saved().await?.msg_seq, Seq::new(number));
            }
            sender.expect_silence().await
        }));
    }
    let mut last_of = std::collections::HashMap::<UserId, u64>::new();
    for _ in 0..SENDERS * MESSAGES {
        let push = bob.expect_chat().await?;
        let last = last_of.entry(push.from).or_default();
        *last += 1;
        assert_eq!(push.msg_seq.get(), *last, "from {}", push.from);
        assert_eq!(push.client_msg_id.as_str(), format!("m{last}"));
    }
    for sender in sending {
        sender.await??;
    }
    bob.expect_silence().await?;

    let synced = bob.sync_all(None).await?;
    assert_eq!(synced.conversations.len() as u64, SENDERS);
    assert!(synced.conversations.iter().all(|entry| entry.unread == MESSAGES));
    Ok(())
}

/// A good SINGLE_CHAT but for some fields; a field that is null is left out.
fn single_chat(different: serde_json::Value) -> String {
    let mut frame = json!({"type": "SINGLE_CHAT", "clientMsgId": "m", "to": BOB, "body": "b"});
    for (name, value) in different.as_object().into_iter().flatten() {
        frame[name] = value.clone();
    }
    let fields = frame.as_object_mut().into_iter().flatten();
    let given: serde_json::Map<_, _> = fields
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    serde_json::Value::Object(given).to_string()
}
