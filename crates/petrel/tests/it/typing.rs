//! Who is told that somebody types.

use anyhow::{Result, ensure};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

impl Speaker {
    async fn types(&mut self, place: Value) -> Result<()> {
        let mut frame = place;
        frame["type"] = json!("TYPING");
        self.client.send_text(frame.to_string()).await
    }

    /// Makes sure that nobody's typing was told.
    async fn hears_nobody_type(&mut self) -> Result<()> {
        let settled = self.client.settle().await?;
        let told = settled.iter().find(|frame| frame.type_name() == "TYPING");
        ensure!(told.is_none(), "{told:?}");
        ensure!(self.pushed.iter().all(|frame| frame["type"] != "TYPING"));
        Ok(())
    }

    async fn says(&mut self, to: UserId, name: &str) -> Result<Value> {
        let chat = json!({"type": "SINGLE_CHAT", "clientMsgId": name, "to": to, "body": "hello"});
        self.change(chat).await
    }

    /// A round trip after which everything that was asked before has been carried out.
    async fn settles(&mut self) -> Result<()> {
        self.ask(json!({"type": "PING"})).await.map(drop)
    }
}

#[tokio::test]
async fn the_other_one_of_a_chat_is_told_on_all_devices_and_nothing_is_stored() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut own_tablet = Speaker::connect_as(&server, ALICE, "tablet").await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut tablet = Speaker::connect_as(&server, BOB, "tablet").await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;

    // Before the first message there is no chat.
    alice.types(json!({"to": BOB})).await?;
    alice.settles().await?;
    bob.hears_nobody_type().await?;
    let chat = alice.says(BOB, "m1").await?["conversationId"].clone();

    alice.types(json!({"conversationId": chat})).await?;
    for device in [&mut bob, &mut tablet] {
        let told = device.push("TYPING").await?;
        let expected = json!({
            "type": "TYPING", "conversationId": chat, "from": ALICE, "expiresInMs": 6000,
        });
        assert_eq!(told, expected);
    }
    alice.types(json!({"conversationId": chat, "stopped": true})).await?;
    let told = bob.push("TYPING").await?;
    assert_eq!((&told["stopped"], &told["expiresInMs"]), (&json!(true), &json!(0)));
    bob.types(json!({"to": ALICE})).await?;
    assert_eq!(own_tablet.push("TYPING").await?["from"], json!(BOB));

    // What is said over and over is passed on once.
    for _ in 0..100 {
        carol.types(json!({"to": BOB})).await?;
    }
    carol.settles().await?;
    for device in [&mut carol, &mut own_tablet, &mut bob] {
        device.hears_nobody_type().await?;
    }
    let events = bob.pull(&chat).await?;
    assert_eq!(events.len(), 1, "only what was said is there: {events:?}");
    Ok(())
}

#[tokio::test]
async fn across_a_block_nobody_types() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    alice.says(BOB, "m1").await?;
    let create = json!({"type": "GROUP_CREATE", "title": "storm", "members": [BOB, CAROL]});
    let group = alice.change(create).await?["conversationId"].clone();
    // It is known who is told, before it changes.
    bob.types(json!({"to": ALICE})).await?;
    bob.types(json!({"conversationId": group})).await?;
    for _ in 0..2 {
        assert_eq!(alice.push("TYPING").await?["from"], json!(BOB));
    }
    assert_eq!(carol.push("TYPING").await?["conversationId"], group);

    alice.does("block", BOB).await?;
    for (typist, other) in [(&mut bob, ALICE), (&mut alice, BOB)] {
        typist.types(json!({"to": other, "stopped": true})).await?;
        typist.types(json!({"conversationId": group, "stopped": true})).await?;
        // Who is not concerned is told as ever.
        assert_eq!(carol.push("TYPING").await?["stopped"], true);
    }
    alice.hears_nobody_type().await?;
    bob.hears_nobody_type().await
}

#[tokio::test]
async fn only_members_who_may_speak_type_in_a_group_that_is_not_too_large() -> Result<()> {
    let launcher = launcher()?.bench_issuer().variable("PETREL_LIMITS__TYPING_MEMBERS", "2");
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    let create = json!({"type": "GROUP_CREATE", "title": "storm", "members": [BOB]});
    let group = alice.change(create).await?["conversationId"].clone();
    let typing = json!({"type": "TYPING", "conversationId": group});
    assert_eq!(carol.refused(typing.clone()).await?, "conversation_not_found");
    assert_eq!(carol.refused(json!({"type": "TYPING"})).await?, "invalid_field");
    bob.types(typing.clone()).await?;
    assert_eq!(alice.push("TYPING").await?["from"], json!(BOB));

    let mute = |mute_ms: u64| json!({"type": "GROUP_MEMBER", "groupId": group, "user": BOB, "muteMs": mute_ms});
    alice.change(mute(60_000)).await?;
    bob.types(json!({"conversationId": group, "stopped": true})).await?;
    bob.settles().await?;
    alice.hears_nobody_type().await?;
    alice.change(mute(0)).await?;

    // A third member is one too many.
    alice.change(json!({"type": "GROUP_ADD", "groupId": group, "members": [CAROL]})).await?;
    alice.types(typing.clone()).await?;
    carol.types(typing).await?;
    alice.settles().await?;
    carol.settles().await?;
    for device in [&mut alice, &mut bob, &mut carol] {
        device.hears_nobody_type().await?;
    }
    Ok(())
}
