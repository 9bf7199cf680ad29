//! Groups over real sockets: who is told what, who may read what, also after a crash.

use anyhow::{Context, Result, bail};
use petrel_testkit::client::Client;
use petrel_testkit::server::{Server, Signal};
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

/// A client that speaks JSON, as somebody would who has only read the contract.
pub(crate) struct Speaker {
    pub(crate) client: Client,
    /// What was pushed and not yet looked at.
    pub(crate) pushed: Vec<Value>,
    names: u32,
}

impl Speaker {
    pub(crate) async fn connect(server: &Server, user: petrel_types::UserId) -> Result<Self> {
        Self::connect_as(server, user, "phone").await
    }

    pub(crate) async fn connect_as(
        server: &Server,
        user: petrel_types::UserId,
        device: &str,
    ) -> Result<Self> {
        Ok(Self::of(server.connect(user, device).await?))
    }

    /// By a connection that is there.
    pub(crate) fn of(client: Client) -> Self {
        Self { client, pushed: Vec::new(), names: 0 }
    }

    /// A number for a name of one's own.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.names += 1;
        self.names
    }

    /// Sends a request and returns its answer.
    pub(crate) async fn ask(&mut self, mut request: Value) -> Result<Value> {
        self.names += 1;
        let id = format!("q{}", self.names);
        request["id"] = json!(id);
        self.client.send_text(request.to_string()).await?;
        loop {
            let frame = self.client.next_json().await?;
            if frame["id"] == json!(id) {
                return Ok(frame);
            }
            self.pushed.push(frame);
        }
    }

    /// Sends a change under a name of its own, and expects it to be stored.
    pub(crate) async fn change(&mut self, mut request: Value) -> Result<Value> {
        if request.get("clientMsgId").is_none() {
            self.names += 1;
            request["clientMsgId"] = json!(format!("c{}", self.names));
        }
        let answer = self.ask(request.clone()).await?;
        if answer["ackType"] != "saved" {
            bail!("{request} was answered with {answer}");
        }
        Ok(answer)
    }

    /// Sends a change, and expects it to be refused.
    pub(crate) async fn refused(&mut self, mut request: Value) -> Result<String> {
        request["clientMsgId"] = json!("refused");
        let answer = self.ask(request.clone()).await?;
        let reason = answer["reason"].as_str().with_context(|| format!("{request}: {answer}"))?;
        Ok(reason.to_owned())
    }

    /// The next push of a type.
    pub(crate) async fn push(&mut self, kind: &str) -> Result<Value> {
        if let Some(index) = self.pushed.iter().position(|frame| frame["type"] == kind) {
            return Ok(self.pushed.remove(index));
        }
        loop {
            let frame = self.client.next_json().await?;
            if frame["type"] == kind {
                return Ok(frame);
            }
            self.pushed.push(frame);
        }
    }

    /// What a user may read of a conversation, as `(msgSeq, what)`.
    pub(crate) async fn pull(&mut self, conversation: &Value) -> Result<Vec<(u64, String)>> {
        let pull = json!({"type": "PULL", "conversationId": conversation, "afterSeq": 0});
        let events = self.ask(pull).await?;
        let events = events["events"].as_array().with_context(|| format!("{events}"))?;
        let line = |event: &Value| {
            let what = match event["type"].as_str() {
                Some("EVENT") => event["change"]["kind"].as_str().unwrap_or("?").to_owned(),
                _ => event["body"].as_str().unwrap_or("?").to_owned(),
            };
            (event["msgSeq"].as_u64().unwrap_or(0), what)
        };
        Ok(events.iter().map(line).collect())
    }

    pub(crate) async fn sync(&mut self) -> Result<Value> {
        self.ask(json!({"type": "SYNC"})).await
    }
}

fn lines(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
    lines.iter().map(|(seq, what)| (*seq, (*what).to_owned())).collect()
}

#[tokio::test]
async fn a_group_from_its_foundation_to_its_end() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;

    let create = json!({
        "type": "GROUP_CREATE", "clientMsgId": "founding", "title": "storm watch",
        "members": [BOB],
    });
    let founded = alice.change(create.clone()).await?;
    let group = founded["conversationId"].clone();
    assert_eq!(founded["msgSeq"], 1);
    assert_eq!(alice.change(create).await?["duplicate"], true);
    let event = bob.push("EVENT").await?;
    assert_eq!(event["change"]["kind"], "groupCreated");
    assert_eq!(event["change"]["title"], "storm watch");
    // What it means for Bob stands in his personal timeline.
    let notice = bob.push("EVENT").await?;
    assert_eq!(notice["change"], json!({"kind": "conversationAdded", "conversationId": group}));

    let said = json!({"type": "GROUP_CHAT", "groupId": group, "body": "wind is rising"});
    alice.change(said).await?;
    let heard = bob.push("GROUP_CHAT").await?;
    assert_eq!((&heard["body"], &heard["groupId"]), (&json!("wind is rising"), &group));
    let intruder = json!({"type": "GROUP_CHAT", "groupId": group, "body": "let me in"});
    assert_eq!(carol.refused(intruder).await?, "conversation_not_found");
    let look = json!({"type": "CONVERSATION", "conversationId": group});
    assert_eq!(carol.ask(look.clone()).await?["reason"], "conversation_not_found");

    alice.change(json!({"type": "GROUP_ADD", "groupId": group, "members": [CAROL]})).await?;
    assert_eq!(carol.push("EVENT").await?["change"]["kind"], "membersAdded");
    carol.change(json!({"type": "GROUP_CHAT", "groupId": group, "body": "hello"})).await?;
    assert_eq!(carol.pull(&group).await?, lines(&[(3, "membersAdded"), (4, "hello")]));
    let state = carol.ask(look).await?;
    assert_eq!((&state["memberCount"], &state["title"]), (&json!(3), &json!("storm watch")));
    assert_eq!(state["members"][0], json!({"user": ALICE, "role": "owner"}));

    alice.change(json!({"type": "GROUP_REMOVE", "groupId": group, "members": [BOB]})).await?;
    alice.change(json!({"type": "GROUP_CHAT", "groupId": group, "body": "Bob is gone"})).await?;
    let seen = bob.pull(&group).await?;
    assert_eq!(seen.last(), Some(&(5, "membersRemoved".to_owned())));
    let synced = bob.sync().await?;
    let entries = synced["conversations"].as_array().context("a list")?;
    let entry = entries.iter().find(|entry| entry["conversationId"] == group);
    let entry = entry.context("the group Bob was in")?;
    assert_eq!((&entry["left"], &entry["headSeq"]), (&json!(true), &json!(5)));
    assert_eq!(entry.get("title"), None);

    let transfer = json!({"type": "GROUP_ROLE", "groupId": group, "user": CAROL, "role": "owner"});
    alice.change(transfer).await?;
    alice.change(json!({"type": "GROUP_LEAVE", "groupId": group})).await?;
    carol.change(json!({"type": "GROUP_TITLE", "groupId": group, "title": "alone"})).await?;
    carol.change(json!({"type": "GROUP_DISSOLVE", "groupId": group})).await?;
    let over = json!({"type": "GROUP_CHAT", "groupId": group, "body": "anybody?"});
    assert_eq!(carol.refused(over).await?, "conversation_not_found");
    // Nothing that was said after him has reached Bob: the answer comes behind all pushes.
    bob.ask(json!({"type": "PING"})).await?;
    bob.ask(json!({"type": "PING"})).await?;
    let told = bob.pushed.iter().any(|frame| frame["msgSeq"].as_u64() > Some(5));
    assert!(!told, "{:?}", bob.pushed);
    Ok(())
}

#[tokio::test]
async fn a_recalled_text_is_gone_from_every_answer_and_from_the_disk() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let secret = "the-password-is-albatross";
    let message = json!({"type": "SINGLE_CHAT", "to": BOB, "body": secret});
    let saved = alice.change(message).await?;
    let conversation = saved["conversationId"].clone();
    assert_eq!(bob.push("SINGLE_CHAT").await?["body"], secret);

    let edit = json!({
        "type": "MESSAGE_EDIT", "serverMsgId": saved["serverMsgId"], "body": format!("{secret}2"),
    });
    let edited = alice.change(edit).await?;
    assert_eq!(bob.push("EVENT").await?["change"]["body"], format!("{secret}2"));
    assert_eq!(bob.pull(&conversation).await?[0], (1, format!("{secret}2")));
    let revoke = json!({
        "type": "MESSAGE_REVOKE", "conversationId": conversation, "msgSeq": saved["msgSeq"],
    });
    assert_eq!(bob.refused(revoke.clone()).await?, "not_allowed");
    let recalled = alice.change(revoke).await?;
    assert_eq!(recalled["msgSeq"], edited["msgSeq"].as_u64().unwrap_or(0) + 1);
    let event = bob.push("EVENT").await?;
    assert_eq!(event["change"], json!({"kind": "recalled", "targetSeq": 1}));
    let seen = bob.pull(&conversation).await?;
    assert_eq!(seen, lines(&[(1, ""), (2, "edited"), (3, "recalled")]));

    server.stop(Signal::Terminate).await?;
    for entry in std::fs::read_dir(launcher.data())? {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?;
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the text is in {}", path.display());
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_follows_for_others_survives_a_crash_and_happens_once() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let mut groups = Vec::new();
    let mut alice = Speaker::connect(&server, ALICE).await?;
    for number in 0..20 {
        let create = json!({
            "type": "GROUP_CREATE", "title": format!("group {number}"), "members": [BOB],
        });
        groups.push(alice.change(create).await?["conversationId"].clone());
    }
    server.kill().await?;
    let server = launcher.start().await?;

    let mut bob = Speaker::connect(&server, BOB).await?;
    let added = wait_for_notices(&mut bob, groups.len()).await?;
    let mut expected = groups.clone();
    let mut added = added;
    expected.sort_by_key(ToString::to_string);
    added.sort_by_key(ToString::to_string);
    assert_eq!(added, expected);
    Ok(())
}

/// What stands in a user's personal timeline, once there is enough of it. Derivations are
/// carried out behind the answer, so this asks until they are.
async fn wait_for_notices(user: &mut Speaker, count: usize) -> Result<Vec<Value>> {
    let poll = async {
        loop {
            let synced = user.sync().await?;
            let entries = synced["conversations"].as_array().context("a list")?.clone();
            let personal = entries.iter().find(|entry| entry["kind"] == "personal");
            if let Some(personal) = personal
                && personal["headSeq"].as_u64() >= Some(count as u64)
            {
                let id = &personal["conversationId"];
                let pull = json!({"type": "PULL", "conversationId": id, "limit": 200});
                let events = user.ask(pull).await?;
                let events = events["events"].as_array().context("a list")?;
                let about = |event: &Value| event["change"]["conversationId"].clone();
                return anyhow::Ok(events.iter().map(about).collect());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(petrel_testkit::PATIENCE, poll).await?
}
