//! Who is online, over real sockets: who is told, who is not, and what is left of it.

use anyhow::{Context, Result, ensure};
use petrel_testkit::server::{Launcher, Server, Signal};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, launcher};

const DAVE: UserId = UserId::new(1_000_004);

/// Nobody waits for long to count as gone.
fn quick() -> Result<Launcher> {
    Ok(launcher()?.bench_issuer().variable("PETREL_PRESENCE__OFFLINE_AFTER", "50ms"))
}

impl Speaker {
    /// Makes a friend.
    pub(crate) async fn befriend(
        &mut self,
        user: UserId,
        friend: &mut Self,
        own: UserId,
    ) -> Result<()> {
        self.does("apply", user).await?;
        friend.does("accept", own).await?;
        Ok(())
    }

    async fn watch(&mut self, users: &[UserId]) -> Result<Vec<Value>> {
        let state = self.ask(json!({"type": "PRESENCE_SUBSCRIBE", "users": users})).await?;
        items(&state, "PRESENCE_STATE")
    }

    async fn presence(&mut self, users: &[UserId]) -> Result<Vec<Value>> {
        let state = self.ask(json!({"type": "PRESENCE_QUERY", "users": users})).await?;
        items(&state, "PRESENCE_STATE")
    }

    /// The next that is told of one user.
    async fn told_of(&mut self, user: UserId) -> Result<Value> {
        loop {
            let told = items(&self.push("PRESENCE").await?, "PRESENCE")?;
            if let Some(item) = told.into_iter().find(|item| item["user"] == json!(user)) {
                return Ok(item);
            }
        }
    }

    /// Makes sure that nothing was told of anybody.
    async fn hears_nothing_of_presence(&mut self) -> Result<()> {
        let settled = self.client.settle().await?;
        let told = settled.iter().find(|frame| frame.type_name() == "PRESENCE");
        ensure!(told.is_none(), "{told:?}");
        let told = self.pushed.iter().find(|frame| frame["type"] == "PRESENCE");
        ensure!(told.is_none(), "{told:?}");
        Ok(())
    }
}

fn items(frame: &Value, kind: &str) -> Result<Vec<Value>> {
    ensure!(frame["type"] == kind, "{frame}");
    Ok(frame["items"].as_array().with_context(|| format!("{frame}"))?.clone())
}

fn online(user: UserId) -> Value {
    json!({"user": user, "online": true})
}

/// Also what a stranger, a hidden user and a block look like.
fn offline(user: UserId) -> Value {
    json!({"user": user, "online": false})
}

async fn by_http(server: &Server, user: UserId, users: &[UserId]) -> Result<Vec<Value>> {
    let users: Vec<_> = users.iter().map(UserId::to_string).collect();
    let path = format!("/api/presence?users={}", users.join(","));
    let state = Caller::new(server, user)?.ask("GET", &path, Value::Null).await?;
    Ok(state["items"].as_array().context("items")?.clone())
}

#[tokio::test]
async fn friends_see_each_other_come_and_go_and_strangers_do_not() -> Result<()> {
    let launcher = quick()?;
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    alice.befriend(BOB, &mut bob, ALICE).await?;

    assert_eq!(alice.watch(&[CAROL, BOB, BOB]).await?, [online(BOB), offline(CAROL)]);
    assert_eq!(carol.watch(&[ALICE, BOB]).await?, [offline(ALICE), offline(BOB)]);
    assert_eq!(
        by_http(&server, ALICE, &[BOB, CAROL, ALICE]).await?,
        [online(ALICE), online(BOB), offline(CAROL),]
    );
    assert_eq!(by_http(&server, CAROL, &[BOB, CAROL]).await?, [offline(BOB), online(CAROL)]);

    // A second device changes nothing; the last one to go does.
    let tablet = server.connect(BOB, "tablet").await?;
    bob.client.close().await?;
    tablet.close().await?;
    let gone = alice.told_of(BOB).await?;
    assert_eq!(gone["online"], false);
    let last_seen = gone["lastSeenTs"].as_u64().context("a time")?;
    assert_eq!(alice.presence(&[BOB]).await?, [gone]);
    let mut bob = Speaker::connect(&server, BOB).await?;
    assert_eq!(alice.told_of(BOB).await?, online(BOB));

    // Who becomes a friend is seen from then on, without asking again.
    alice.befriend(CAROL, &mut carol, ALICE).await?;
    assert_eq!(alice.told_of(CAROL).await?, online(CAROL));
    assert_eq!(carol.told_of(ALICE).await?, online(ALICE));
    alice.does("remove", CAROL).await?;
    assert_eq!(carol.told_of(ALICE).await?, offline(ALICE));
    assert_eq!(alice.told_of(CAROL).await?, offline(CAROL));

    // When somebody was last online outlives the server.
    bob.watch(&[]).await?;
    bob.client.close().await?;
    server.stop(Signal::Terminate).await?;
    let server = launcher.start().await?;
    let presence = by_http(&server, ALICE, &[BOB]).await?;
    assert_eq!(presence[0]["online"], false);
    assert!(presence[0]["lastSeenTs"].as_u64() >= Some(last_seen), "{presence:?}");
    Ok(())
}

#[tokio::test]
async fn a_block_and_a_hidden_user_look_alike_and_are_told_at_once() -> Result<()> {
    let server = quick()?.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;
    alice.befriend(BOB, &mut bob, ALICE).await?;
    carol.befriend(BOB, &mut bob, CAROL).await?;
    alice.watch(&[BOB]).await?;
    carol.watch(&[BOB]).await?;

    bob.does("block", ALICE).await?;
    assert_eq!(alice.presence(&[BOB]).await?, [offline(BOB)], "from the ack on");
    assert_eq!(by_http(&server, ALICE, &[BOB]).await?, [offline(BOB)]);
    assert_eq!(alice.told_of(BOB).await?, offline(BOB));
    // Bob goes and comes. His friend hears of it, the blocked one does not.
    for _ in 0..2 {
        bob.client.close().await?;
        let gone = carol.told_of(BOB).await?;
        assert!(gone["lastSeenTs"].is_u64(), "{gone}");
        bob = Speaker::connect(&server, BOB).await?;
        assert_eq!(carol.told_of(BOB).await?, online(BOB));
    }
    alice.hears_nothing_of_presence().await?;
    bob.does("unblock", ALICE).await?;
    assert_eq!(alice.told_of(BOB).await?, online(BOB));

    let own = Caller::new(&server, BOB)?;
    let settings =
        |name: &str, hidden: bool| json!({"clientMsgId": name, "presenceHidden": hidden});
    own.ask("PATCH", "/api/users/me/settings", settings("s1", true)).await?;
    assert_eq!(alice.told_of(BOB).await?, offline(BOB));
    assert_eq!(carol.told_of(BOB).await?, offline(BOB));
    assert_eq!(by_http(&server, CAROL, &[BOB]).await?, [offline(BOB)]);
    assert_eq!(by_http(&server, BOB, &[BOB]).await?, [online(BOB)]);
    let stored = own.ask("GET", "/api/users/me/settings", Value::Null).await?;
    assert_eq!(stored["presenceHidden"], true);
    own.ask("PATCH", "/api/users/me/settings", settings("s2", false)).await?;
    assert_eq!(alice.told_of(BOB).await?, online(BOB));
    Ok(())
}

#[tokio::test]
async fn members_of_a_group_see_each_other_until_one_goes() -> Result<()> {
    let server = quick()?.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    assert_eq!(bob.watch(&[ALICE, DAVE]).await?, [offline(ALICE), offline(DAVE)]);
    let create = json!({"type": "GROUP_CREATE", "title": "storm", "members": [BOB, DAVE]});
    let group = alice.change(create).await?["conversationId"].clone();
    assert_eq!(bob.told_of(ALICE).await?, online(ALICE));
    let dave = server.connect(DAVE, "phone").await?;
    assert_eq!(bob.told_of(DAVE).await?, online(DAVE));
    let removed = json!({"type": "GROUP_REMOVE", "groupId": group, "members": [BOB]});
    alice.change(removed).await?;
    assert_eq!(bob.presence(&[ALICE, DAVE]).await?, [offline(ALICE), offline(DAVE)]);
    assert_eq!(bob.told_of(ALICE).await?, offline(ALICE));
    drop(dave);
    Ok(())
}

#[tokio::test]
async fn who_is_asked_about_is_bounded_and_said_in_the_right_form() -> Result<()> {
    let server = quick()?.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let many = |count: u64| (1..=count).map(UserId::new).collect::<Vec<_>>();
    for kind in ["PRESENCE_SUBSCRIBE", "PRESENCE_QUERY"] {
        assert_eq!(
            alice.refused(json!({"type": kind, "users": many(257)})).await?,
            "invalid_field"
        );
        assert_eq!(alice.refused(json!({"type": kind})).await?, "invalid_field");
        let most = alice.ask(json!({"type": kind, "users": many(256)})).await?;
        assert_eq!(items(&most, "PRESENCE_STATE")?.len(), 256);
    }
    let caller = Caller::new(&server, ALICE)?;
    for path in ["/api/presence", "/api/presence?users=", "/api/presence?users=1,x"] {
        assert_eq!(caller.refused("GET", path, Value::Null).await?, "invalid_field", "{path}");
    }
    let stranger = Caller::of(&server, "nobody's".to_owned());
    assert_eq!(
        stranger.refused("GET", "/api/presence?users=1", Value::Null).await?,
        "invalid_token"
    );
    Ok(())
}
