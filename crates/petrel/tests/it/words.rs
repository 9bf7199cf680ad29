//! The word filter, from the outside: what is refused, replaced and flagged, and that other
//! words are in force at once.

use std::fs;

use anyhow::Result;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::{AuditAction, AuditLog};
use petrel_testkit::client::Connect;
use serde_json::{Value, json};

use crate::support::{PASSWORD, launcher, petrel_admin, start_with_admin};

#[tokio::test]
async fn words_are_in_force_at_once_and_without_a_restart() -> Result<()> {
    let launcher = launcher()?;
    // Those of a stopped server are in force at its start.
    let told = petrel_admin(launcher.data(), "words add spam", "").await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    let (server, ada) = start_with_admin(&launcher).await?;
    let http = server.http();
    let (ben, cay) = (http.new_user("ben").await?, http.new_user("cay").await?);
    let connect = async |who: &LoggedIn| {
        Connect::to(server.gateway_address()).authenticate(&who.access_token).await
    };
    let (mut bens, mut cays) = (connect(&ben).await?, connect(&cay).await?);
    bens.chat(cay.user_id, "m1", "buy ＳＰＡＭ now").await?;
    let refused = bens.expect_error(ErrorReason::WordRefused).await?;
    assert!(!refused.message.to_lowercase().contains("spam"), "{refused:?}");
    bens.chat(cay.user_id, "m2", "spammer").await?;
    bens.expect_saved().await?;
    assert_eq!(cays.expect_chat().await?.body, "spammer");

    // By HTTP the same; and by edits, titles and names.
    let send = |path: &str, method: &'static str, body: Value| {
        let path = path.to_owned();
        let bearer = format!("Bearer {}", ben.access_token);
        let http = http.clone();
        async move {
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json")];
            http.request(method, &path, &headers, &body.to_string()).await
        }
    };
    let message = json!({"clientMsgId": "m3", "to": cay.user_id, "body": "s\u{200b}pam"});
    let answer = send("/api/messages", "POST", message).await?;
    assert_eq!(answer.failure()?.reason, ErrorReason::WordRefused);
    let group = json!({"clientMsgId": "g", "title": "Spam", "members": [cay.user_id]});
    let answer = send("/api/groups", "POST", group).await?;
    assert_eq!(answer.failure()?.reason, ErrorReason::WordRefused);
    for name in ["my%20spam.txt", "%EF%BC%B3pam"] {
        let answer = send(&format!("/api/files?name={name}"), "POST", json!({})).await?;
        assert_eq!(answer.failure()?.reason, ErrorReason::WordRefused, "{name}");
    }
    let named = http.register("spam", PASSWORD).await?;
    assert_eq!(named.failure()?.reason, ErrorReason::WordRefused);

    let put = json!({"words": [
        {"word": "赌博", "mode": "replace"}, {"word": "casino*", "mode": "flag"}]});
    let bearer = format!("Bearer {}", ada.access_token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = http.request("PUT", "/api/admin/words", &headers, &put.to_string()).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    bens.chat(cay.user_id, "m4", "去赌博, in casinos").await?;
    let saved = bens.expect_saved().await?;
    assert!(saved.words_replaced, "who wrote it is told to look: {saved:?}");
    assert_eq!(cays.expect_chat().await?.body, "去**, in casinos");
    // By HTTP as well, and of what is as it was sent nothing is said.
    let message = json!({"clientMsgId": "m4h", "to": cay.user_id, "body": "赌博"});
    let answer = send("/api/messages", "POST", message).await?.json()?;
    assert_eq!(answer["data"]["wordsReplaced"], true, "{answer}");
    let message = json!({"clientMsgId": "m4i", "to": cay.user_id, "body": "casinos"});
    let answer = send("/api/messages", "POST", message).await?.json()?;
    assert_eq!(answer["data"].get("wordsReplaced"), None, "{answer}");
    for body in ["**", "casinos"] {
        assert_eq!(cays.expect_chat().await?.body, body);
        bens.expect_chat().await?;
    }
    bens.chat(cay.user_id, "m4j", "好").await?;
    assert!(!bens.expect_saved().await?.words_replaced);
    assert_eq!(cays.expect_chat().await?.body, "好");
    // What is stored is what was delivered.
    let stored = format!("{:?}", cays.pull_all(saved.conversation_id).await?);
    assert!(stored.contains("去**") && !stored.contains("赌博"), "{stored}");
    let flagged = async || {
        let path = "/api/admin/audit?action=wordFlagged";
        let log: AuditLog = http.get_as(&ada.access_token, path).await?.data()?;
        Ok(log.records.into_iter().next())
    };
    let record = petrel_testkit::until("a flagged word to be recorded", flagged).await?;
    assert_eq!((record.action, record.user), (AuditAction::WordFlagged, Some(ben.user_id)));
    assert!(record.detail.contains("casino*") && !record.detail.contains("去"), "{record:?}");

    let told = petrel_admin(launcher.data(), "words remove spam", "").await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    bens.chat(cay.user_id, "m5", "spam").await?;
    bens.expect_saved().await?;
    let listed = petrel_admin(launcher.data(), "words list", "").await?.stdout;
    assert_eq!(listed, "flag: casino*\nreplace: 赌博\nThe file has 0 words.\n");
    Ok(())
}

#[tokio::test]
async fn a_file_of_words_is_read_again_when_it_changes() -> Result<()> {
    let launcher = launcher()?;
    let file = launcher.data().join("words.txt");
    fs::write(&file, "# ours\nreplace: spam\n")?;
    let launcher = launcher.argument("--set").argument(format!("words.file={}", file.display()));
    let server = launcher.start().await?;
    let met = async |text: &str| {
        let told = petrel_admin(launcher.data(), &format!("words try \"{text}\""), "").await?;
        anyhow::Ok(told.stdout)
    };
    let until = async |text: &str, expected: &str| {
        let is_read = async || Ok((met(text).await? == expected).then_some(()));
        petrel_testkit::until("the file to be read", is_read).await
    };
    let replaced = "It would go through as \"buy ****\".\n";
    until("buy spam", replaced).await?;
    // A file that is no good changes nothing.
    fs::write(&file, "***\n")?;
    fs::write(&file, "refuse: eggs and ham\nflag: toast\n")?;
    let refused = "It would be refused, for \"eggs and ham\".\n";
    until("EGGS AND HAM", refused).await?;
    assert_eq!(met("buy spam").await?, "It would go through as it is.\n");
    drop(server);
    Ok(())
}
