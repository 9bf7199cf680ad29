//! What messages are beside plain texts, and what they refer to: over real sockets and over
//! HTTP, with somebody away and somebody who must not.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

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

/// The conversation's entry of a first sync.
async fn told(speaker: &mut Speaker, conversation: &Value) -> Result<Value> {
    let state = speaker.sync().await?;
    let conversations = state["conversations"].as_array().cloned().unwrap_or_default();
    let found = conversations.into_iter().find(|it| it["conversationId"] == *conversation);
    found.with_context(|| format!("{state}"))
}

#[tokio::test]
async fn reactions_are_fetched_as_they_were_told_and_go_with_a_recall() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    let said = json!({"type": "SINGLE_CHAT", "to": BOB, "body": "The storm is over."});
    let said = alice.change(said).await?;
    let (id, row) = (&said["conversationId"], &said["serverMsgId"]);
    let react = |emoji: &str, remove: bool| json!({"type": "REACTION", "serverMsgId": row, "emoji": emoji, "remove": remove});
    bob.change(react("👍", false)).await?;
    bob.change(react("🐦", false)).await?;
    alice.change(react("👍", false)).await?;
    let last = bob.change(react("🐦", true)).await?;
    assert_eq!(bob.refused(react("🐦", true)).await?, "nothing_to_change");
    assert_eq!(bob.refused(react("👍", false)).await?, "nothing_to_change");
    assert_eq!(bob.refused(react("not one", false)).await?, "invalid_field");
    assert_eq!(carol.refused(react("👍", false)).await?, "conversation_not_found");
    let told = alice.push("EVENT").await?;
    assert_eq!(
        told["change"],
        json!({"kind": "reacted", "targetSeq": said["msgSeq"], "emoji": "👍"})
    );

    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    let fetched = fetch(&mut tablet, id).await?;
    assert_eq!(fetched[0]["reactions"], json!([{"emoji": "👍", "users": [BOB, ALICE]}]));
    assert_eq!(fetched[0]["rev"], last["msgSeq"]);
    alice.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": row})).await?;
    assert_eq!(fetch(&mut tablet, id).await?[0].get("reactions"), None);
    assert_eq!(bob.refused(react("👍", false)).await?, "too_late");

    // Across a block there is no reaction.
    let said = alice.change(json!({"type": "SINGLE_CHAT", "to": BOB, "body": "again"})).await?;
    let block = json!({"type": "CONTACT", "clientMsgId": "b", "user": BOB, "action": "block"});
    alice.ask(block).await?;
    let row = &said["serverMsgId"];
    let react = json!({"type": "REACTION", "serverMsgId": row, "emoji": "👍"});
    assert_eq!(bob.refused(react).await?, "not_reachable");
    Ok(())
}

#[tokio::test]
async fn who_may_pin_is_settled_by_the_group_and_pins_are_part_of_its_state() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "harbour", "members": [BOB]});
    let group = alice.change(create).await?["conversationId"].clone();
    let say = |body: &str| json!({"type": "GROUP_CHAT", "groupId": group, "body": body});
    let first = bob.change(say("first")).await?;
    let second = bob.change(say("second")).await?;
    let pin = |said: &Value, remove| {
        let (id, seq) = (&said["conversationId"], &said["msgSeq"]);
        json!({"type": "MESSAGE_PIN", "conversationId": id, "msgSeq": seq, "remove": remove})
    };
    assert_eq!(bob.refused(pin(&first, false)).await?, "not_allowed");
    alice.change(pin(&second, false)).await?;
    let settings = json!({"type": "GROUP_SETTINGS", "groupId": group, "membersPin": true});
    alice.change(settings).await?;
    bob.change(pin(&first, false)).await?;
    assert_eq!(bob.refused(pin(&first, false)).await?, "nothing_to_change");
    let state = json!({"type": "CONVERSATION", "conversationId": group});
    let seqs = json!([second["msgSeq"], first["msgSeq"]]);
    assert_eq!(bob.ask(state.clone()).await?["pins"], seqs);
    alice.change(pin(&first, true)).await?;
    alice.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": second["serverMsgId"]})).await?;
    assert_eq!(bob.ask(state).await?.get("pins"), None);

    // In a single chat both may, by HTTP, too.
    let chat = alice.change(json!({"type": "SINGLE_CHAT", "to": BOB, "body": "you"})).await?;
    let row = chat["serverMsgId"].as_str().context("an id")?;
    let bob_calls = Caller::new(&server, BOB)?;
    let pin = format!("/api/messages/{row}/pin");
    bob_calls.ask("POST", &pin, json!({"clientMsgId": "p"})).await?;
    let state = json!({"type": "CONVERSATION", "conversationId": chat["conversationId"]});
    assert_eq!(alice.ask(state).await?["pins"], json!([chat["msgSeq"]]));
    Ok(())
}

#[tokio::test]
async fn what_somebody_deletes_is_gone_for_that_user_on_all_devices_and_for_nobody_else()
-> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut phone = Speaker::connect(&server, BOB).await?;
    let mut laptop = Speaker::connect_as(&server, BOB, "laptop").await?;
    let mut said = Vec::new();
    for body in ["one", "two", "three", "four"] {
        said.push(alice.change(json!({"type": "SINGLE_CHAT", "to": BOB, "body": body})).await?);
    }
    let id = &said[0]["conversationId"];
    let hide = json!({
        "type": "MESSAGE_HIDE", "clientMsgId": "h", "conversationId": id, "msgSeqs": [2, 4],
    });
    let done = phone.ask(hide.clone()).await?;
    assert_eq!((&done["ackType"], done.get("duplicate")), (&json!("done"), None), "{done}");
    assert_eq!(phone.ask(hide).await?["duplicate"], true);
    let event = laptop.push("EVENT").await?;
    let expected = json!({"kind": "messagesHidden", "conversationId": id, "msgSeqs": [2, 4]});
    assert_eq!(event["change"], expected);

    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    let bodies = |lines: &[(u64, String)]| lines.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
    assert_eq!(bodies(&tablet.pull(id).await?), ["one", "three"]);
    assert_eq!(told(&mut tablet, id).await?["unread"], 2);
    let forward = json!({
        "type": "SINGLE_CHAT", "to": CAROL, "forward": {"conversationId": id, "msgSeq": 2},
    });
    assert_eq!(phone.refused(forward).await?, "message_not_found");
    let reply = json!({"type": "SINGLE_CHAT", "to": ALICE, "body": "?", "replyTo": 4});
    assert_eq!(phone.refused(reply).await?, "message_not_found");
    assert_eq!(bodies(&alice.pull(id).await?), ["one", "two", "three", "four"]);

    // And everything up to the third, after a restart, by HTTP.
    server.kill().await?;
    let server = launcher.start().await?;
    let bob = Caller::new(&server, BOB)?;
    let path = format!("/api/conversations/{}/hide", id.as_str().context("an id")?);
    bob.ask("POST", &path, json!({"clientMsgId": "c", "upToSeq": 3})).await?;
    let beyond = json!({"clientMsgId": "d", "upToSeq": 9});
    assert_eq!(bob.refused("POST", &path, beyond).await?, "invalid_field");
    let nothing = json!({"clientMsgId": "d", "msgSeqs": [9]});
    assert_eq!(bob.refused("POST", &path, nothing).await?, "message_not_found");
    let mut alice = Speaker::connect(&server, ALICE).await?;
    // Under a name that was not used before the restart.
    let five = json!({"type": "SINGLE_CHAT", "clientMsgId": "five", "to": BOB, "body": "five"});
    alice.change(five).await?;
    let mut phone = Speaker::connect(&server, BOB).await?;
    assert_eq!(bodies(&phone.pull(id).await?), ["five"]);
    assert_eq!(told(&mut phone, id).await?["unread"], 1);
    assert_eq!(alice.pull(id).await?.len(), 5);
    let mut carol = Speaker::connect(&server, CAROL).await?;
    let strange = json!({"type": "MESSAGE_HIDE", "conversationId": id, "msgSeqs": [1]});
    assert_eq!(carol.refused(strange).await?, "conversation_not_found");
    Ok(())
}

#[tokio::test]
async fn a_conversation_is_muted_pinned_and_archived_for_oneself_on_all_devices() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let chat = alice.change(json!({"type": "SINGLE_CHAT", "to": BOB, "body": "hello"})).await?;
    let id = &chat["conversationId"];
    let set = json!({
        "type": "CONVERSATION_SETTINGS", "clientMsgId": "s", "conversationId": id, "muted": true,
        "archived": true,
    });
    assert_eq!(bob.ask(set.clone()).await?["ackType"], "done");
    assert_eq!(bob.ask(set).await?["duplicate"], true);
    let change = bob.push("EVENT").await?["change"].clone();
    assert_eq!(change["settings"], json!({"muted": true, "archived": true}));
    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    assert_eq!(told(&mut tablet, id).await?["settings"], json!({"muted": true, "archived": true}));
    assert_eq!(told(&mut alice, id).await?.get("settings"), None);
    let path = format!("/api/conversations/{}/settings", id.as_str().context("an id")?);
    let back = json!({"clientMsgId": "t", "muted": false, "archived": false, "pinned": true});
    Caller::new(&server, BOB)?.ask("PATCH", &path, back).await?;
    assert_eq!(tablet.push("EVENT").await?["change"]["settings"], json!({"pinned": true}));
    assert_eq!(told(&mut bob, id).await?["settings"], json!({"pinned": true}));
    Ok(())
}

#[tokio::test]
async fn who_has_read_a_message_is_told_to_who_has_sent_it() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "harbour", "members": [BOB, CAROL]});
    let group = alice.change(create).await?["conversationId"].clone();
    let said = alice.change(json!({"type": "GROUP_CHAT", "groupId": group, "body": "?"})).await?;
    let seq = &said["msgSeq"];
    let read = json!({"ackType": "read", "msgSeq": seq});
    let path = format!("/api/conversations/{}/receipts", group.as_str().context("an id")?);
    Caller::new(&server, BOB)?.ask("POST", &path, read).await?;
    let readers = json!({"type": "READERS", "conversationId": group, "msgSeq": seq});
    let state = alice.ask(readers.clone()).await?;
    let expected = json!([
        {"user": BOB, "delivered": true, "read": true},
        {"user": CAROL, "delivered": false, "read": false},
    ]);
    assert_eq!(state["readers"], expected);
    let mut page = readers.clone();
    (page["limit"], page["usersAfter"]) = (json!(1), json!(BOB));
    let page = alice.ask(page).await?;
    assert_eq!((&page["readers"], &page["more"]), (&json!([expected[1]]), &json!(false)));
    assert_eq!(bob.ask(readers).await?["reason"], "not_allowed");
    let row = said["serverMsgId"].as_str().context("an id")?;
    let path = format!("/api/messages/{row}/readers");
    let by_http = Caller::new(&server, ALICE)?.ask("GET", &path, Value::Null).await?;
    assert_eq!(by_http["readers"], expected);
    Ok(())
}
