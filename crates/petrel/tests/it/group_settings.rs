//! Groups beyond who is in them, over real sockets and over HTTP.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server};

#[tokio::test]
async fn who_asks_to_join_by_the_code_is_let_in_and_others_learn_nothing() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "harbour", "members": [BOB]});
    let group = alice.change(create).await?["conversationId"].clone();
    let settings = json!({"type": "GROUP_SETTINGS", "groupId": group, "joining": "approval"});
    assert_eq!(bob.refused(settings.clone()).await?, "not_allowed");
    assert_eq!(carol.refused(settings.clone()).await?, "conversation_not_found");
    alice.change(settings).await?;
    let state = alice.ask(json!({"type": "CONVERSATION", "conversationId": group})).await?;
    let code = state["group"]["code"].as_str().context("a code")?.to_lowercase();

    let wrong = json!({"type": "GROUP_JOIN", "code": "2222-3333-4444"});
    assert_eq!(carol.refused(wrong).await?, "conversation_not_found");
    let join = json!({
        "type": "GROUP_JOIN", "clientMsgId": "j", "code": code, "message": "we met at sea",
    });
    let done = carol.ask(join.clone()).await?;
    assert_eq!((&done["ackType"], done.get("conversationId")), (&json!("done"), None));
    assert_eq!(carol.ask(join).await?["duplicate"], true);
    let requests = json!({"type": "GROUP_REQUESTS", "groupId": group});
    let page = alice.ask(requests.clone()).await?;
    assert_eq!(page["requests"][0]["user"], json!(CAROL));
    assert_eq!(page["requests"][0]["message"], "we met at sea");
    assert_eq!(bob.ask(requests.clone()).await?["reason"], "not_allowed");
    assert_eq!(carol.ask(requests).await?["reason"], "conversation_not_found");
    carol.client.expect_silence().await?;

    let answer = json!({"type": "GROUP_ANSWER", "groupId": group, "user": CAROL, "accept": true});
    assert_eq!(bob.refused(answer.clone()).await?, "not_allowed");
    alice.change(answer).await?;
    assert_eq!(carol.push("EVENT").await?["change"]["kind"], "membersAdded");
    let said = json!({"type": "GROUP_CHAT", "groupId": group, "body": "hello"});
    carol.change(said).await?;
    assert_eq!(bob.push("GROUP_CHAT").await?["body"], "hello");
    Ok(())
}

#[tokio::test]
async fn mentions_are_counted_apart_and_cleared_by_reading() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "harbour", "members": [BOB]});
    let group = alice.change(create).await?["conversationId"].clone();
    let say = |body: &str| json!({"type": "GROUP_CHAT", "groupId": group, "body": body});
    let mut named = say("@Bo, the boat!");
    named["mentions"] = json!([BOB]);
    let mut all = say("@all");
    all["mentionAll"] = json!(true);
    alice.change(say("nobody")).await?;
    alice.change(named).await?;
    let last = alice.change(all.clone()).await?;
    assert_eq!(bob.refused(all).await?, "not_allowed");
    bob.push("GROUP_CHAT").await?;
    assert_eq!(bob.push("GROUP_CHAT").await?["mentions"], json!([BOB]));
    assert_eq!(bob.push("GROUP_CHAT").await?["mentionAll"], true);

    let of_group = |state: &Value| {
        let conversations = state["conversations"].as_array().cloned().unwrap_or_default();
        conversations.into_iter().find(|it| it["conversationId"] == group).unwrap_or_default()
    };
    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    let told = of_group(&tablet.sync().await?);
    assert_eq!((&told["unread"], &told["unreadMentions"]), (&json!(3), &json!(2)));
    let read = json!({
        "type": "ACK", "ackType": "read", "conversationId": group, "msgSeq": last["msgSeq"],
    });
    bob.client.send_text(read.to_string()).await?;
    tablet.push("ACK").await?;
    let told = of_group(&tablet.sync().await?);
    assert_eq!((&told["unread"], told.get("unreadMentions")), (&json!(0), None));
    Ok(())
}

#[tokio::test]
async fn a_group_is_settled_and_its_members_muted_by_http_alone() -> Result<()> {
    let server = bench_server().await?;
    let (alice, bob) = (Caller::new(&server, ALICE)?, Caller::new(&server, BOB)?);
    let carol = Caller::new(&server, CAROL)?;
    let create = json!({"clientMsgId": "g", "title": "harbour", "members": [BOB]});
    let founded = alice.ask("POST", "/api/groups", create).await?;
    let group = founded["conversationId"].as_str().context("an id")?.to_owned();
    let path = |rest: &str| format!("/api/groups/{group}{rest}");
    let settings = json!({"clientMsgId": "s", "announcement": "No sailing", "joining": "open"});
    alice.ask("PATCH", &path(""), settings).await?;
    let state = bob.ask("GET", &format!("/api/conversations/{group}"), Value::Null).await?;
    assert_eq!(state["group"]["announcement"], "No sailing");
    let code = state["group"]["code"].as_str().context("a code")?;
    let join = json!({"clientMsgId": "j", "code": code});
    let joined = carol.ask("POST", "/api/groups/join", join).await?;
    assert_eq!(joined["groupId"], json!(group));

    let member = path(&format!("/members/{CAROL}"));
    let mute = json!({"clientMsgId": "m", "muteMs": 600_000});
    assert_eq!(bob.refused("PATCH", &member, mute.clone()).await?, "not_allowed");
    alice.ask("PATCH", &member, mute).await?;
    let say = json!({"clientMsgId": "m1", "groupId": group, "body": "hello"});
    assert_eq!(carol.refused("POST", "/api/messages", say.clone()).await?, "muted");
    alice.ask("PATCH", &member, json!({"clientMsgId": "n", "muteMs": 0})).await?;
    carol.ask("POST", "/api/messages", say).await?;
    carol.ask("PATCH", &member, json!({"clientMsgId": "o", "nickname": "Skipper"})).await?;
    let state = bob.ask("GET", &format!("/api/conversations/{group}"), Value::Null).await?;
    assert_eq!(state["members"][2]["nickname"], "Skipper");
    assert_eq!(state["members"][2].get("mutedUntilTs"), None);
    assert_eq!(bob.refused("GET", &path("/requests"), Value::Null).await?, "not_allowed");
    Ok(())
}
