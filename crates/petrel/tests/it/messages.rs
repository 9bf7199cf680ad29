//! What messages are beside plain texts, and what they refer to: over real sockets and over
//! HTTP, with somebody away and somebody who must not.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server};

/// The events of a conversation, as a device fetches them that was away.
async fn fetch(speaker: &mut Speaker, conversation: &Value) -> Result<Vec<Value>> {
    let pull = json!({"type": "PULL", "conversationId": conversation, "afterSeq": 0});
    let events = speaker.ask(pull).await?;
    Ok(events["events"].as_array().with_context(|| format!("{events}"))?.clone())
}

#[tokio::test]
async fn places_and_custom_messages_arrive_as_they_were_sent_and_are_gone_once_recalled()
-> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let place = json!({"latitude": 54.3233, "longitude": -10.1394001, "name": "The pier"});
    let custom = json!({"type": "poll", "data": {"question": "Which?", "answers": ["tea", 1]}});
    let meet = json!({
        "type": "SINGLE_CHAT", "to": BOB, "msgType": "location", "body": "Meet me here.",
        "location": place,
    });
    let poll = json!({"type": "SINGLE_CHAT", "to": BOB, "msgType": "CUSTOM", "custom": custom});
    let met = alice.change(meet).await?;
    let polled = alice.change(poll).await?;
    let pushed = bob.push("SINGLE_CHAT").await?;
    assert_eq!((&pushed["msgType"], &pushed["location"]), (&json!("LOCATION"), &place));
    assert_eq!(bob.push("SINGLE_CHAT").await?["custom"], custom);

    let id = &met["conversationId"];
    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    let fetched = fetch(&mut tablet, id).await?;
    assert_eq!((&fetched[0]["location"], &fetched[1]["custom"]), (&place, &custom));
    for message in [&met, &polled] {
        let row = &message["serverMsgId"];
        alice.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": row})).await?;
    }
    for message in &fetch(&mut tablet, id).await?[..2] {
        assert_eq!((&message["recalled"], &message["body"]), (&json!(true), &json!("")));
        assert_eq!((message.get("location"), message.get("custom")), (None, None));
    }
    Ok(())
}

#[tokio::test]
async fn a_message_of_no_kind_or_of_a_mixed_one_is_refused_and_told_why() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let caller = Caller::new(&server, ALICE)?;
    for (message, reason) in [
        (json!({"msgType": "TELEPATHY", "body": "x"}), "invalid_field"),
        (json!({"msgType": "CALL", "body": "x"}), "invalid_field"),
        (json!({"msgType": "TEXT"}), "missing_body"),
        (json!({"msgType": "LOCATION", "body": "here"}), "invalid_field"),
        (
            json!({"msgType": "LOCATION", "location": {"latitude": 91, "longitude": 0}}),
            "invalid_field",
        ),
        (json!({"body": "x", "custom": {"type": "poll"}}), "invalid_field"),
        (
            json!({"msgType": "CUSTOM", "custom": {"type": "x", "data": {"a": "x".repeat(9000)}}}),
            "invalid_field",
        ),
        (json!({"msgType": "IMAGE", "attachment": {"fileId": "nothing"}}), "file_not_found"),
        (json!({"body": "x", "replyTo": 1}), "message_not_found"),
        (json!({"body": "x", "forward": {"conversationId": "1", "msgSeq": 1}}), "invalid_field"),
    ] {
        let mut frame = message.clone();
        (frame["type"], frame["to"]) = (json!("SINGLE_CHAT"), json!(BOB));
        assert_eq!(alice.refused(frame).await?, reason, "{message}");
        let mut body = message.clone();
        (body["clientMsgId"], body["to"]) = (json!("m"), json!(BOB));
        assert_eq!(caller.refused("POST", "/api/messages", body).await?, reason, "{message}");
    }
    assert_eq!(alice.sync().await?["conversations"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_reply_names_what_it_replies_to_and_survives_its_recall() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "harbour", "members": [BOB]});
    let group = alice.change(create).await?["conversationId"].clone();
    let say = json!({"type": "GROUP_CHAT", "groupId": group, "body": "Who is at the harbour?"});
    let asked = alice.change(say).await?;
    let reply = json!({
        "type": "GROUP_CHAT", "groupId": group, "body": "I am.", "replyTo": asked["msgSeq"],
        // Who is no member is passed over.
        "mentions": [ALICE, CAROL],
    });
    bob.change(reply.clone()).await?;
    let expected = json!({"msgSeq": asked["msgSeq"], "from": ALICE});
    let pushed = alice.push("GROUP_CHAT").await?;
    assert_eq!((&pushed["replyTo"], &pushed["mentions"]), (&expected, &json!([ALICE])));
    let revoke = json!({"type": "MESSAGE_REVOKE", "serverMsgId": asked["serverMsgId"]});
    alice.change(revoke).await?;
    let fetched = fetch(&mut bob, &group).await?;
    assert_eq!((&fetched[1]["recalled"], &fetched[2]["replyTo"]), (&json!(true), &expected));
    assert!(!fetched[2].to_string().contains("Who is"), "{}", fetched[2]);

    // A member from now on can't reply to what was before.
    alice.change(json!({"type": "GROUP_ADD", "groupId": group, "members": [CAROL]})).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    assert_eq!(carol.refused(reply).await?, "message_not_found");
    Ok(())
}

#[tokio::test]
async fn what_one_may_read_is_sent_on_and_nothing_else() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    let place = json!({"latitude": 54.3233, "longitude": 10.1394});
    let meet = json!({
        "type": "SINGLE_CHAT", "to": BOB, "msgType": "LOCATION", "body": "here", "location": place,
    });
    let met = alice.change(meet).await?;
    let what = json!({"conversationId": met["conversationId"], "msgSeq": met["msgSeq"]});
    let send_on = |to| json!({"type": "SINGLE_CHAT", "to": to, "forward": what});
    assert_eq!(carol.refused(send_on(ALICE)).await?, "message_not_found");
    bob.change(send_on(CAROL)).await?;
    let pushed = carol.push("SINGLE_CHAT").await?;
    assert_eq!((&pushed["location"], &pushed["body"]), (&place, &json!("here")));
    assert_eq!((&pushed["from"], &pushed["forwardedFrom"]), (&json!(BOB), &json!({"user": ALICE})));

    // By HTTP, into a group, and by who got it so.
    let carol_calls = Caller::new(&server, CAROL)?;
    let create = json!({"clientMsgId": "g", "title": "harbour", "members": [ALICE]});
    let group = carol_calls.ask("POST", "/api/groups", create).await?["conversationId"].clone();
    let got = json!({"conversationId": pushed["conversationId"], "msgSeq": pushed["msgSeq"]});
    let message = json!({"clientMsgId": "f", "groupId": group, "forward": got});
    carol_calls.ask("POST", "/api/messages", message).await?;
    let pushed = alice.push("GROUP_CHAT").await?;
    assert_eq!(
        (&pushed["forwardedFrom"]["user"], &pushed["msgType"]),
        (&json!(ALICE), &json!("LOCATION"))
    );

    // What is taken back is not sent on any more.
    alice.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": met["serverMsgId"]})).await?;
    assert_eq!(bob.refused(send_on(CAROL)).await?, "message_not_found");
    Ok(())
}
