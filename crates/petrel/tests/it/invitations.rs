//! Being asked before one is taken into a group: who is in at once, who is asked, what an
//! answer does, and that nobody else can answer.

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_testkit::client::Client;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, ask, ask_as, bench_server};

const DAVE: UserId = UserId::new(1_000_004);

struct World {
    server: Server,
}

impl World {
    async fn new() -> Result<Self> {
        Ok(Self { server: bench_server().await? })
    }

    async fn http(&self, who: UserId, method: &str, path: &str, body: Value) -> Result<Value> {
        let token = self.server.mint()?.token(who);
        ask_as(&self.server.http(), &token, method, path, body).await?.json()
    }

    async fn decide(&self, who: UserId, group_adds: &str) -> Result<()> {
        let body = json!({"clientMsgId": format!("s-{group_adds}"), "groupAdds": group_adds});
        let told = self.http(who, "PATCH", "/api/users/me/settings", body).await?;
        assert_eq!(told["code"], 0, "{told}");
        let told = self.http(who, "GET", "/api/users/me/settings", Value::Null).await?;
        let decided = told["data"]["groupAdds"].as_str().unwrap_or("everybody");
        assert_eq!(decided, group_adds, "{told}");
        Ok(())
    }

    async fn invitations(&self, who: UserId, query: &str) -> Result<Value> {
        let path = format!("/api/invitations{query}");
        Ok(self.http(who, "GET", &path, Value::Null).await?["data"].take())
    }

    async fn befriend(&self, one: UserId, other: UserId) -> Result<()> {
        for (who, whom, action) in [(one, other, "apply"), (other, one, "accept")] {
            let path = format!("/api/contacts/{whom}/{action}");
            let told = self.http(who, "POST", &path, json!({"clientMsgId": "f"})).await?;
            assert_eq!(told["code"], 0, "{told}");
        }
        Ok(())
    }
}

/// The next event of a kind, passing over others.
async fn event(client: &mut Client, kind: &str) -> Result<Value> {
    let wanted = async {
        loop {
            let frame = client.next_json().await?;
            if frame["change"]["kind"] == kind {
                return anyhow::Ok(frame);
            }
        }
    };
    petrel_testkit::in_time(kind, wanted).await?
}

async fn found(owner: &mut Client, name: &str, members: &[UserId]) -> Result<String> {
    let create =
        json!({"type": "GROUP_CREATE", "clientMsgId": name, "title": "Storms", "members": members});
    let founded = ask(owner, create).await?;
    Ok(founded["conversationId"].as_str().with_context(|| format!("{founded}"))?.to_owned())
}

fn answer_with(name: &str, group: &str, accept: bool) -> Value {
    json!({"type": "GROUP_INVITATION", "clientMsgId": name, "groupId": group, "accept": accept})
}

#[tokio::test]
async fn who_wants_to_be_asked_is_no_member_before_saying_yes() -> Result<()> {
    let world = World::new().await?;
    world.decide(CAROL, "ask").await?;
    let mut alice = world.server.connect(ALICE, "phone").await?;
    let mut phone = world.server.connect(CAROL, "phone").await?;
    let mut laptop = world.server.connect(CAROL, "laptop").await?;
    let group = found(&mut alice, "g", &[BOB, CAROL]).await?;

    // Every device is told, and nobody takes it for a membership.
    for device in [&mut phone, &mut laptop] {
        let invited = event(device, "groupInvited").await?;
        assert_eq!(invited["change"]["conversationId"], group, "{invited}");
        assert_eq!(invited["change"]["title"], "Storms", "{invited}");
        assert_eq!(invited["from"], ALICE.to_string(), "{invited}");
    }
    let said = json!({"type": "GROUP_CHAT", "clientMsgId": "m", "groupId": group, "body": "psst"});
    ask(&mut alice, said).await?;
    phone.expect_silence().await?;
    let pull = json!({"type": "PULL", "conversationId": group, "afterSeq": 0});
    assert_eq!(ask(&mut phone, pull.clone()).await?["reason"], "conversation_not_found");
    let pulled = ask(&mut alice, pull.clone()).await?;
    let kinds: Vec<_> =
        pulled["events"].as_array().context("events")?.iter().map(|it| &it["change"]).collect();
    assert_eq!(kinds[0]["members"], json!([BOB]), "{pulled}");
    assert_eq!(
        (&kinds[1]["kind"], &kinds[1]["members"]),
        (&json!("membersInvited"), &json!([CAROL]))
    );

    // To add somebody again who is invited is to add nobody.
    let add = |name: &str, users: &[UserId]| json!({"type": "GROUP_ADD", "clientMsgId": name, "groupId": group, "members": users});
    let again = ask(&mut alice, add("a1", &[BOB, CAROL])).await?;
    assert_eq!(again["reason"], "nothing_to_change", "{again}");
    let listed = world.invitations(CAROL, "").await?;
    let invitation = &listed["invitations"][0];
    assert_eq!((&invitation["groupId"], &invitation["by"]), (&json!(group), &json!(ALICE)));
    let lifetime = invitation["expiresTs"].as_u64().zip(invitation["ts"].as_u64());
    let days = lifetime.map(|(end, begin)| (end - begin).div_ceil(24 * 3600 * 1000));
    assert_eq!(days, Some(7), "{invitation}");
    let by_frame = ask(&mut phone, json!({"type": "GROUP_INVITATIONS"})).await?;
    assert_eq!(by_frame["invitations"], listed["invitations"]);

    // Nobody else can answer, and a member has nothing to answer.
    let mut dave = world.server.connect(DAVE, "phone").await?;
    let refused = ask(&mut dave, answer_with("x", &group, true)).await?;
    assert_eq!(refused["reason"], "conversation_not_found", "{refused}");
    let mut bob = world.server.connect(BOB, "phone").await?;
    let refused = ask(&mut bob, answer_with("x", &group, true)).await?;
    assert_eq!(refused["reason"], "nothing_to_change", "{refused}");

    let accepted = ask(&mut phone, answer_with("yes", &group, true)).await?;
    assert_eq!(accepted["ackType"], "saved", "{accepted}");
    let duplicate = ask(&mut phone, answer_with("yes", &group, true)).await?;
    assert_eq!(
        (&duplicate["duplicate"], &duplicate["msgSeq"]),
        (&json!(true), &accepted["msgSeq"])
    );
    let added = event(&mut laptop, "conversationAdded").await?;
    assert_eq!(added["change"]["conversationId"], group, "{added}");
    let joined = event(&mut alice, "membersAdded").await?;
    assert_eq!((&joined["from"], &joined["change"]["members"]), (&json!(CAROL), &json!([CAROL])));
    assert_eq!(world.invitations(CAROL, "").await?["invitations"], json!([]));
    // What was said before is not theirs, as the group has settled it.
    let pulled = ask(&mut phone, pull).await?;
    assert!(!pulled.to_string().contains("psst"), "{pulled}");
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_and_leaves_nothing_to_accept_but_another_invitation() -> Result<()> {
    let world = World::new().await?;
    world.decide(CAROL, "ask").await?;
    let mut alice = world.server.connect(ALICE, "phone").await?;
    let mut carol = world.server.connect(CAROL, "phone").await?;
    let group = found(&mut alice, "g", &[BOB]).await?;
    let path = format!("/api/invitations/{group}");
    let add = |name: &str| json!({"type": "GROUP_ADD", "clientMsgId": name, "groupId": group, "members": [CAROL]});
    let invited = ask(&mut alice, add("a1")).await?;
    assert_eq!(invited["msgSeq"], 2, "{invited}");
    event(&mut carol, "groupInvited").await?;
    let refused =
        world.http(CAROL, "POST", &path, json!({"clientMsgId": "no", "accept": false})).await?;
    assert_eq!(refused["code"], 0, "{refused}");
    let told = event(&mut alice, "invitationRefused").await?;
    assert_eq!(told["from"], CAROL.to_string(), "{told}");
    let ended = event(&mut carol, "groupInvitationEnded").await?;
    assert_eq!(ended["change"]["conversationId"], group, "{ended}");
    let late =
        world.http(CAROL, "POST", &path, json!({"clientMsgId": "yes", "accept": true})).await?;
    assert_eq!(late["reason"], "conversation_not_found", "{late}");

    // Asked again, and the group ends before the answer.
    assert_eq!(ask(&mut alice, add("a2")).await?["ackType"], "saved");
    event(&mut carol, "groupInvited").await?;
    let dissolve = json!({"type": "GROUP_DISSOLVE", "clientMsgId": "d", "groupId": group});
    assert_eq!(ask(&mut alice, dissolve).await?["ackType"], "saved");
    event(&mut carol, "groupInvitationEnded").await?;
    assert_eq!(world.invitations(CAROL, "").await?["invitations"], json!([]));
    let late = ask(&mut carol, answer_with("yes2", &group, true)).await?;
    assert_eq!(late["reason"], "conversation_not_found", "{late}");
    Ok(())
}

#[tokio::test]
async fn friends_are_in_at_once_if_one_says_so_and_who_is_blocked_invites_nobody() -> Result<()> {
    let world = World::new().await?;
    world.decide(CAROL, "friends").await?;
    world.befriend(ALICE, CAROL).await?;
    let mut alice = world.server.connect(ALICE, "phone").await?;
    let mut bob = world.server.connect(BOB, "phone").await?;
    let mut carol = world.server.connect(CAROL, "phone").await?;
    let of_friend = found(&mut alice, "g1", &[CAROL]).await?;
    let added = event(&mut carol, "conversationAdded").await?;
    assert_eq!(added["change"]["conversationId"], of_friend, "{added}");
    let of_stranger = found(&mut bob, "g2", &[CAROL]).await?;
    let invited = event(&mut carol, "groupInvited").await?;
    assert_eq!(invited["change"]["conversationId"], of_stranger, "{invited}");

    let block = json!({"clientMsgId": "b"});
    world.http(CAROL, "POST", &format!("/api/contacts/{BOB}/block"), block).await?;
    let create =
        json!({"type": "GROUP_CREATE", "clientMsgId": "g3", "title": "t", "members": [CAROL]});
    let refused = ask(&mut bob, create).await?;
    assert_eq!(refused["reason"], ErrorReason::NotReachable.as_str(), "{refused}");
    // Whom everybody may take in is taken in by a stranger.
    world.decide(CAROL, "everybody").await?;
    let mut dave = world.server.connect(DAVE, "phone").await?;
    found(&mut dave, "g4", &[CAROL]).await?;
    event(&mut carol, "conversationAdded").await?;
    Ok(())
}

#[tokio::test]
async fn invitations_are_listed_in_pages_outlive_a_crash_and_are_bounded() -> Result<()> {
    let launcher = crate::support::launcher()?.bench_issuer();
    let world = World { server: launcher.start().await? };
    world.decide(CAROL, "ask").await?;
    let mut alice = world.server.connect(ALICE, "phone").await?;
    for number in 0..100 {
        found(&mut alice, &format!("g{number}"), &[CAROL]).await?;
    }
    let mut carol = world.server.connect(CAROL, "phone").await?;
    let all = async || {
        let listed = world.invitations(CAROL, "?limit=200").await?;
        let listed = listed["invitations"].as_array().context("a list")?.len();
        Ok((listed == 100).then_some(()))
    };
    petrel_testkit::until("all invitations", all).await?;
    let create = json!({"type": "GROUP_CREATE", "clientMsgId": "one more", "title": "t", "members": [CAROL]});
    let beyond = ask(&mut alice, create).await?;
    assert_eq!(beyond["reason"], ErrorReason::LimitReached.as_str(), "{beyond}");
    drop((alice, carol.settle().await?));
    world.server.kill().await?;

    let world = World { server: launcher.start().await? };
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.invitations(CAROL, &format!("?limit=40{after}")).await?;
        let groups = page["invitations"].as_array().context("a page")?;
        assert!(groups.len() <= 40, "{page}");
        seen.extend(groups.iter().map(|it| it["groupId"].as_str().unwrap_or_default().to_owned()));
        if page["more"] == false {
            break;
        }
        after = format!("&groupsAfter={}", seen.last().context("a group")?);
    }
    assert_eq!(seen.len(), 100);
    let mut carol = world.server.connect(CAROL, "phone").await?;
    let accepted = ask(&mut carol, answer_with("yes", &seen[50], true)).await?;
    assert_eq!(accepted["ackType"], "saved", "{accepted}");
    Ok(())
}

/// What a request says whoever may not make it.
async fn refusal(client: &mut Client, request: Value) -> Result<Value> {
    Ok(ask(client, request).await?["reason"].take())
}

#[tokio::test]
async fn the_owner_and_admins_see_who_is_invited_and_take_it_back_and_nobody_else() -> Result<()> {
    let world = World::new().await?;
    for user in [CAROL, DAVE] {
        world.decide(user, "ask").await?;
    }
    let mut alice = world.server.connect(ALICE, "phone").await?;
    let mut bob = world.server.connect(BOB, "phone").await?;
    let mut carol = world.server.connect(CAROL, "phone").await?;
    let group = found(&mut alice, "g", &[BOB, CAROL, DAVE]).await?;
    let invited = event(&mut carol, "groupInvited").await?;
    let list = json!({"type": "GROUP_INVITED", "groupId": group});
    let page = ask(&mut alice, list.clone()).await?;
    let expires = &invited["change"]["expiresTs"];
    let both = json!([
        {"user": CAROL, "by": ALICE, "expiresTs": expires},
        {"user": DAVE, "by": ALICE, "expiresTs": expires},
    ]);
    assert_eq!((&page["type"], &page["invited"]), (&json!("GROUP_INVITED_STATE"), &both));
    assert_eq!((&page["asOfSeq"], &page["more"]), (&json!(2), &json!(false)), "{page}");

    // A member, one who is invited and a stranger: to them there is nothing of the kind.
    let withdraw = |name: &str, user: UserId| json!({"type": "GROUP_WITHDRAW", "clientMsgId": name, "groupId": group, "user": user});
    let mut stranger = world.server.connect(UserId::new(1_000_009), "phone").await?;
    let unknown = ErrorReason::ConversationNotFound.as_str();
    for outsider in [&mut bob, &mut carol, &mut stranger] {
        assert_eq!(refusal(outsider, list.clone()).await?, unknown);
        assert_eq!(refusal(outsider, withdraw("x", CAROL)).await?, unknown);
    }
    let path = format!("/api/groups/{group}/invitations");
    let by_http = world.http(BOB, "GET", &path, Value::Null).await?;
    assert_eq!(by_http["reason"], unknown, "{by_http}");
    let role = json!({"type": "GROUP_ROLE", "clientMsgId": "r", "groupId": group, "user": BOB, "role": "admin"});
    assert_eq!(ask(&mut alice, role).await?["ackType"], "saved");

    // An admin takes back what the owner has said; in pages, by HTTP.
    let first =
        world.http(BOB, "GET", &format!("{path}?limit=1"), Value::Null).await?["data"].take();
    assert_eq!((&first["invited"][0]["user"], &first["more"]), (&json!(CAROL), &json!(true)));
    let rest = format!("{path}?limit=1&usersAfter={CAROL}");
    let rest = world.http(BOB, "GET", &rest, Value::Null).await?["data"].take();
    assert_eq!((&rest["invited"], &rest["more"]), (&json!([both[1]]), &json!(false)), "{rest}");
    let saved = ask(&mut bob, withdraw("w1", CAROL)).await?;
    assert_eq!(saved["ackType"], "saved", "{saved}");
    let told = event(&mut alice, "invitationWithdrawn").await?;
    assert_eq!((&told["from"], &told["change"]["user"]), (&json!(BOB), &json!(CAROL)), "{told}");
    let ended = event(&mut carol, "groupInvitationEnded").await?;
    assert_eq!(ended["change"]["conversationId"], group, "{ended}");
    assert_eq!(world.invitations(CAROL, "").await?["invitations"], json!([]));
    assert_eq!(refusal(&mut carol, answer_with("late", &group, true)).await?, unknown);
    let again = ask(&mut bob, withdraw("w1", CAROL)).await?;
    assert_eq!((&again["duplicate"], &again["msgSeq"]), (&json!(true), &saved["msgSeq"]));
    let nobody = ErrorReason::UserNotFound.as_str();
    assert_eq!(refusal(&mut bob, withdraw("w2", CAROL)).await?, nobody);

    let by_http = format!("{path}/{DAVE}/withdraw");
    let by_http = world.http(ALICE, "POST", &by_http, json!({"clientMsgId": "w3"})).await?;
    assert_eq!(by_http["code"], 0, "{by_http}");
    assert_eq!(ask(&mut alice, list).await?["invited"], json!([]));
    // Who was not let go may be invited anew.
    let add =
        json!({"type": "GROUP_ADD", "clientMsgId": "a", "groupId": group, "members": [CAROL]});
    assert_eq!(ask(&mut alice, add).await?["ackType"], "saved");
    event(&mut carol, "groupInvited").await?;
    let accepted = ask(&mut carol, answer_with("yes", &group, true)).await?;
    assert_eq!(accepted["ackType"], "saved", "{accepted}");
    Ok(())
}

#[tokio::test]
async fn whoever_invites_too_many_has_to_wait_and_nobody_else() -> Result<()> {
    let limits = ["user_invitations_per_minute=1", "user_invitations_burst=2"];
    let launcher = crate::support::launcher()?.bench_issuer();
    let launcher = limits
        .into_iter()
        .fold(launcher, |it, limit| it.argument("--set").argument(format!("limits.{limit}")));
    let world = World { server: launcher.start().await? };
    for user in [CAROL, DAVE] {
        world.decide(user, "ask").await?;
    }
    let mut alice = world.server.connect(ALICE, "phone").await?;
    let mut bob = world.server.connect(BOB, "phone").await?;
    // To take in who does not ask costs nothing, and neither does the same again.
    let group = found(&mut alice, "g", &[BOB, CAROL, DAVE]).await?;
    let again = found(&mut alice, "g", &[BOB, CAROL, DAVE]).await?;
    assert_eq!(group, again);
    let create = |name: &str| json!({"type": "GROUP_CREATE", "clientMsgId": name, "title": "t", "members": [BOB, CAROL]});
    let refused = ask(&mut alice, create("more")).await?;
    assert_eq!(refused["reason"], ErrorReason::TooManyRequests.as_str(), "{refused}");
    let wait_ms = refused["retryAfterMs"].as_u64().context("a time to wait")?;
    assert!((1..=60_000).contains(&wait_ms), "{refused}");
    // Nothing of it has happened.
    found(&mut alice, "without her", &[BOB]).await?;
    let groups = world.http(BOB, "GET", "/api/conversations", Value::Null).await?;
    let groups = groups["data"]["conversations"].as_array().context("a list")?;
    let groups = groups.iter().filter(|it| it["kind"] == "group").count();
    assert_eq!(groups, 2);
    assert_eq!(ask(&mut bob, create("others")).await?["ackType"], "saved");

    // An admin has another bound in force, for those who are there as well.
    let change = "limits set userInvitationsPerMinute=0 --until-restart";
    crate::support::petrel_admin(launcher.data(), change, "").await?;
    found(&mut alice, "now", &[CAROL, DAVE]).await?;
    Ok(())
}
