//! Files in messages: membership decides who may have them, and recalling erases them.

use anyhow::{Context, Result};
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::{Value, json};

use super::upload::{files_below, until};
use super::{Uploader, id, noise, png};
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server};

async fn may_have(server: &Server, user: UserId, file: &str) -> Result<bool> {
    let answer = Uploader::new(server, user)?;
    let answer = answer.send("GET", &format!("/api/files/{file}/link"), &[], b"").await?.text()?;
    if answer.status == 200 {
        return Ok(true);
    }
    assert_eq!(answer.failure()?.reason.as_str(), "file_not_found");
    Ok(false)
}

#[tokio::test]
async fn who_reads_the_message_may_have_the_file_until_it_is_recalled() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let picture = png(500, 400);
    let file = alice.upload("harbour.png", &picture).await?;
    let file_id = id(&file)?;
    assert!(!may_have(&server, BOB, &file_id).await?);
    let mut speaker = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let said = json!({
        "type": "SINGLE_CHAT", "to": BOB, "msgType": "IMAGE", "body": "The harbour",
        "attachment": {"fileId": file_id, "width": 9, "height": 9},
    });
    let said = speaker.change(said).await?;
    let pushed = bob.push("SINGLE_CHAT").await?;
    let expected = json!({
        "fileId": file_id, "name": "harbour.png", "size": picture.len(), "contentType": "image/png",
        "width": 500, "height": 400, "thumbnail": true,
    });
    assert_eq!(pushed["attachment"], expected);
    assert!(may_have(&server, BOB, &file_id).await? && !may_have(&server, CAROL, &file_id).await?);
    let bobs = Uploader::new(&server, BOB)?;
    assert_eq!(bobs.content(&file_id).await?, picture);
    let known = alice.ask("GET", &format!("/api/files/{file_id}"), b"").await?;
    assert_eq!(known.get("expiresTs"), None);
    let path = format!("/api/files/{file_id}");
    assert_eq!(alice.refused("DELETE", &path, b"").await?, "not_allowed");

    // Whoever was sent it on may have it, too.
    let forward = json!({
        "type": "SINGLE_CHAT", "to": CAROL,
        "forward": {"conversationId": said["conversationId"], "msgSeq": 1},
    });
    let sent_on = bob.change(forward).await?;
    assert!(may_have(&server, CAROL, &file_id).await?);
    // The same file is nobody else's to send as a file of one's own.
    let stolen = json!({
        "type": "SINGLE_CHAT", "clientMsgId": "stolen", "to": CAROL, "msgType": "IMAGE",
        "attachment": {"fileId": file_id},
    });
    assert_eq!(bob.ask(stolen).await?["reason"], "file_not_found");

    let objects = server.data().join("files");
    let link = alice.link(&file_id, "url").await?;
    let row = &said["serverMsgId"];
    speaker.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": row})).await?;
    assert!(!may_have(&server, ALICE, "0").await?);
    assert!(may_have(&server, CAROL, &file_id).await?);
    assert_eq!(files_below(&objects)?.len(), 2, "the file and its thumbnail");
    let row = &sent_on["serverMsgId"];
    bob.change(json!({"type": "MESSAGE_REVOKE", "serverMsgId": row})).await?;
    // With the ack nobody may have it any more, by whatever link; then its bytes go.
    for user in [ALICE, BOB, CAROL] {
        assert!(!may_have(&server, user, &file_id).await?);
    }
    assert_eq!(alice.http.get(&link).await?.status, 404);
    until(|| Ok(files_below(&objects)?.is_empty())).await
}

#[tokio::test]
async fn in_a_group_it_counts_who_was_there_when_it_was_said() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let mut speaker = Speaker::connect(&server, ALICE).await?;
    let founded = json!({"type": "GROUP_CREATE", "title": "t", "members": [BOB]});
    let group = speaker.change(founded).await?["conversationId"].clone();
    let mut send = async |name: &str| -> Result<String> {
        let file = id(&alice.upload(name, &noise(10)).await?)?;
        let said = json!({
            "type": "GROUP_CHAT", "groupId": group, "msgType": "FILE",
            "attachment": {"fileId": file},
        });
        speaker.change(said).await?;
        Ok(file)
    };
    let first = send("first").await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    bob.change(json!({"type": "GROUP_LEAVE", "groupId": group})).await?;
    let second = send("second").await?;
    assert!(may_have(&server, BOB, &first).await?, "he was there");
    assert!(!may_have(&server, BOB, &second).await?, "he had gone");
    let mut other = Speaker::connect_as(&server, ALICE, "tablet").await?;
    let add = json!({
        "type": "GROUP_ADD", "clientMsgId": "add", "groupId": group, "members": [CAROL],
    });
    other.change(add).await?;
    let third = send("third").await?;
    assert!(!may_have(&server, CAROL, &second).await?, "she was not there yet");
    assert!(may_have(&server, CAROL, &third).await? && !may_have(&server, BOB, &third).await?);
    Ok(())
}

#[tokio::test]
async fn a_message_with_a_file_is_refused_for_what_the_file_is() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let html = id(&alice.upload("photo.png", b"<!DOCTYPE html>").await?)?;
    let bobs = id(&Uploader::new(&server, BOB)?.upload("b.png", &png(9, 9)).await?)?;
    for (file, reason) in [(&html, "wrong_file_kind"), (&bobs, "file_not_found")] {
        let said = json!({
            "clientMsgId": "m", "to": BOB, "msgType": "IMAGE", "attachment": {"fileId": file},
        });
        let headers = [("content-type", "application/json")];
        let said = said.to_string();
        let answer = alice.send("POST", "/api/messages", &headers, said.as_bytes()).await?;
        assert_eq!(answer.text()?.failure()?.reason.as_str(), reason);
    }
    let said: Value = json!({
        "clientMsgId": "m", "to": BOB, "msgType": "FILE", "attachment": {"fileId": html},
    });
    let headers = [("content-type", "application/json")];
    let answer = alice.send("POST", "/api/messages", &headers, said.to_string().as_bytes()).await?;
    let saved: Value = answer.text()?.data()?;
    saved["msgSeq"].as_u64().context("it is not stored").map(drop)
}
