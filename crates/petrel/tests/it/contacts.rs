//! Contacts over real sockets: what each of two users sees, and what nobody else does.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use petrel_protocol::http::Names;
use petrel_testkit::server::Signal;
use serde_json::{Value, json};

use crate::api::Caller;
use crate::groups::Speaker;
use crate::support::{ALICE, BOB, CAROL, bench_server, launcher};

impl Speaker {
    /// Does something about another user, which must be done.
    pub(crate) async fn does(&mut self, action: &str, user: petrel_types::UserId) -> Result<Value> {
        let name = format!("{action} {user} {}", self.next_number());
        let request =
            json!({"type": "CONTACT", "clientMsgId": name, "user": user, "action": action});
        let answer = self.ask(request).await?;
        anyhow::ensure!(answer["ackType"] == "done", "{action} {user}: {answer}");
        Ok(answer)
    }

    /// The next news of a contact.
    async fn news(&mut self) -> Result<Value> {
        loop {
            let event = self.push("EVENT").await?;
            if event["change"]["kind"] == "contactChanged" {
                return Ok(event["change"].clone());
            }
        }
    }

    async fn list(&mut self, list: &str) -> Result<Vec<Value>> {
        let page = self.ask(json!({"type": "CONTACTS", "list": list})).await?;
        let contacts = page["contacts"].as_array().with_context(|| format!("{page}"))?;
        Ok(contacts.iter().map(|contact| contact["user"].clone()).collect())
    }

    async fn refused_contact(
        &mut self,
        action: &str,
        user: petrel_types::UserId,
    ) -> Result<String> {
        self.refused(json!({"type": "CONTACT", "user": user, "action": action})).await
    }
}

#[tokio::test]
async fn an_application_is_seen_on_all_devices_of_both_and_by_nobody_else() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut tablet = Speaker::connect_as(&server, ALICE, "tablet").await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let mut carol = Speaker::connect(&server, CAROL).await?;

    let apply = json!({
        "type": "CONTACT", "clientMsgId": "a", "user": BOB, "action": "apply",
        "message": "we met at sea",
    });
    let done = alice.ask(apply.clone()).await?;
    assert_eq!((&done["ackType"], done.get("conversationId")), (&json!("done"), None));
    assert_eq!(alice.ask(apply).await?["duplicate"], true);
    for device in [&mut alice, &mut tablet] {
        let news = device.news().await?;
        assert_eq!(news["contact"]["user"], json!(BOB));
        assert_eq!(news["contact"]["application"]["direction"], "outgoing");
    }
    let news = bob.news().await?;
    assert_eq!(news["contact"]["application"]["message"], "we met at sea");
    assert_eq!(bob.list("incoming").await?, [json!(ALICE)]);
    assert_eq!(alice.refused_contact("apply", BOB).await?, "nothing_to_change");
    assert_eq!(alice.refused_contact("accept", BOB).await?, "application_not_found");

    bob.does("accept", ALICE).await?;
    for (device, other) in [(&mut alice, BOB), (&mut tablet, BOB), (&mut bob, ALICE)] {
        let news = device.news().await?;
        assert_eq!((&news["contact"]["user"], &news["action"]), (&json!(other), &json!("accept")));
        assert!(news["contact"]["friendSinceTs"].is_u64(), "{news}");
        assert_eq!(device.list("friends").await?, [json!(other)]);
        assert_eq!(device.list("incoming").await?, [Value::Null; 0]);
    }
    carol.client.expect_silence().await?;
    assert_eq!(carol.list("friends").await?, [Value::Null; 0]);

    // A device that was away finds all of it, by events and by lists.
    let mut late = Speaker::connect_as(&server, BOB, "late").await?;
    let state = late.sync().await?;
    let conversations = state["conversations"].as_array().context("a list")?;
    assert_eq!(conversations.len(), 1, "the pair itself is nobody's conversation: {state}");
    assert_eq!(conversations[0]["kind"], "personal");
    let events = late.pull(&conversations[0]["conversationId"]).await?;
    assert_eq!(events.len(), 2);
    assert_eq!(late.list("friends").await?, [json!(ALICE)]);
    Ok(())
}

#[tokio::test]
async fn a_block_is_felt_and_not_seen_and_outlives_a_crash() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let say = |to, name: &str| json!({"type": "SINGLE_CHAT", "clientMsgId": name, "to": to, "body": "hello"});
    let first = bob.change(say(ALICE, "m1")).await?;
    alice.push("SINGLE_CHAT").await?;
    alice.does("block", BOB).await?;
    let news = alice.news().await?;
    assert_eq!((&news["contact"]["blocked"], &news["action"]), (&json!(true), &json!("block")));

    assert_eq!(bob.refused(say(ALICE, "m2")).await?, "not_reachable");
    assert_eq!(alice.refused(say(BOB, "m2")).await?, "blocked_by_you");
    assert_eq!(bob.refused_contact("apply", ALICE).await?, "not_reachable");
    let edit = json!({
        "type": "MESSAGE_EDIT", "conversationId": first["conversationId"], "msgSeq": 1,
        "body": "something else",
    });
    assert_eq!(bob.refused(edit).await?, "not_reachable");
    let create = json!({"type": "GROUP_CREATE", "title": "storm", "members": [ALICE]});
    assert_eq!(bob.refused(create).await?, "not_reachable");
    alice.client.expect_silence().await?;
    bob.client.expect_silence().await?;
    assert_eq!(bob.sync().await?["conversations"].as_array().map(Vec::len), Some(1));

    server.kill().await?;
    let server = launcher.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    assert_eq!(bob.refused(say(ALICE, "m3")).await?, "not_reachable");
    assert_eq!(alice.list("blocked").await?, [json!(BOB)]);
    assert_eq!(bob.list("blocked").await?, [Value::Null; 0]);
    alice.does("unblock", BOB).await?;
    alice.news().await?;
    assert_eq!(alice.list("friends").await?, [Value::Null; 0]);
    bob.change(say(ALICE, "m4")).await?;
    alice.push("SINGLE_CHAT").await?;
    server.stop(Signal::Terminate).await?;
    Ok(())
}

#[tokio::test]
async fn contacts_are_led_by_http_alone() -> Result<()> {
    let server = bench_server().await?;
    let (alice, bob) = (Caller::new(&server, ALICE)?, Caller::new(&server, BOB)?);
    let mut bobs_phone = Speaker::connect(&server, BOB).await?;
    let of = |user, action: &str| format!("/api/contacts/{user}/{action}");
    let named = |name: &str| json!({"clientMsgId": name});

    let apply = json!({"clientMsgId": "a", "message": "we met at sea"});
    let done = alice.ask("POST", &of(BOB, "apply"), apply.clone()).await?;
    assert_eq!(done["ackType"], "done");
    bobs_phone.news().await?;
    let page = bob.ask("GET", "/api/contacts?list=incoming", Value::Null).await?;
    assert_eq!(page["contacts"][0]["application"]["message"], "we met at sea");
    bob.ask("POST", &of(ALICE, "reject"), named("r")).await?;
    let again = json!({"clientMsgId": "b"});
    assert_eq!(alice.refused("POST", &of(BOB, "apply"), again).await?, "too_many_requests");
    bob.ask("POST", &of(ALICE, "apply"), named("b")).await?;
    alice.ask("POST", &of(BOB, "accept"), named("c")).await?;
    alice.ask("PUT", &of(BOB, "remark"), json!({"clientMsgId": "d", "remark": "Bo"})).await?;
    // The phone hears of each change of what Bob sees, and not of the remark.
    for action in ["reject", "apply", "accept"] {
        assert_eq!(bobs_phone.news().await?["action"], action);
    }
    bob.ask("POST", &of(ALICE, "remove"), named("e")).await?;
    assert_eq!(bobs_phone.news().await?["action"], "remove");
    let failure = alice.refused("POST", &of(BOB, "remove"), named("f")).await?;
    assert_eq!(failure, "nothing_to_change");
    assert_eq!(
        alice.refused("POST", &of(ALICE, "block"), named("g")).await?,
        "cannot_send_to_self"
    );
    assert_eq!(
        alice.refused("POST", "/api/contacts/99999999999/block", named("h")).await?,
        "user_not_found"
    );
    assert_eq!(
        alice.refused("GET", "/api/contacts?list=everybody", Value::Null).await?,
        "invalid_field"
    );
    Ok(())
}

#[tokio::test]
async fn a_user_is_found_by_the_exact_name_or_a_code_and_not_unless_willing() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let ada = http.new_user("Ada").await?;
    let bob = http.new_user("bob").await?;
    let (ada, bob) = (Caller::of(&server, ada.access_token), Caller::of(&server, bob.access_token));
    let search = |query: &str| format!("/api/users/search?{query}");
    let found = bob.ask("GET", &search("username=ADA"), Value::Null).await?;
    assert_eq!((&found["username"], &found["userId"]), (&json!("Ada"), &json!("10000000001")));
    for missed in ["username=ad", "username=ada%25", "username=nobody", "code=23456789ABCD"] {
        assert_eq!(bob.refused("GET", &search(missed), Value::Null).await?, "user_not_found");
    }
    for wrong in ["", "username=a&code=b"] {
        assert_eq!(bob.refused("GET", &search(wrong), Value::Null).await?, "invalid_field");
    }

    let hide = json!({"clientMsgId": "h", "findable": false});
    ada.ask("PATCH", "/api/users/me/settings", hide).await?;
    assert_eq!(bob.refused("GET", &search("username=Ada"), Value::Null).await?, "user_not_found");
    ada.ask("POST", "/api/users/me/friend-code", json!({"clientMsgId": "c1"})).await?;
    let settings = ada.ask("GET", "/api/users/me/settings", Value::Null).await?;
    assert_eq!(settings["findable"], false);
    let first = settings["friendCode"].as_str().context("a code")?.to_owned();
    let by_code = search(&format!("code={}", first.to_lowercase()));
    let found = bob.ask("GET", &by_code, Value::Null).await?;
    assert_eq!(found["username"], "Ada");
    ada.ask("POST", "/api/users/me/friend-code", json!({"clientMsgId": "c2"})).await?;
    let old = search(&format!("code={first}"));
    assert_eq!(bob.refused("GET", &old, Value::Null).await?, "user_not_found");

    // Who goes on guessing is stopped, whenever there is room for one more; others are not.
    let mut reasons = Vec::new();
    for _ in 0..25 {
        reasons.push(bob.refused("GET", &search("username=nobody"), Value::Null).await?);
    }
    assert!(reasons.iter().any(|reason| reason == "too_many_requests"), "{reasons:?}");
    assert_eq!(
        ada.refused("GET", &search("username=nobody"), Value::Null).await?,
        "user_not_found"
    );
    Ok(())
}

#[tokio::test]
async fn an_application_that_is_sent_again_does_not_count_again() -> Result<()> {
    let server = bench_server().await?;
    let since = Instant::now();
    let ada = Caller::of(&server, server.mint()?.token(ALICE));
    let mut phone = Speaker::connect(&server, ALICE).await?;
    let apply = |to: u64, name: String, message: &str| {
        let path = format!("/api/contacts/{to}/apply");
        let body = json!({"clientMsgId": name, "message": message});
        let ada = &ada;
        async move { ada.ask("POST", &path, body).await }
    };
    apply(BOB.get(), "a".to_owned(), "Ada, from the harbour").await?;
    // As when its answer was lost; or in other frames, or another spelling.
    for _ in 0..30 {
        apply(BOB.get(), "a".to_owned(), "Ada, from the harbour").await?;
    }
    for number in 0..30 {
        let frame = json!({"type": "CONTACT", "action": "apply", "user": BOB, "clientMsgId": format!("b{number}"), "message": " Ada, from the harbour"});
        assert_eq!(phone.refused(frame).await?, "nothing_to_change");
    }
    // So there is room for the other nineteen, and no more, but for one every half a minute.
    let stranger = |number: u64| CAROL.get() + number;
    for number in 1..20 {
        apply(stranger(number), "c".to_owned(), "hello").await?;
    }
    let mut more = 0;
    // What says something else is another one.
    for to in [stranger(20), BOB.get(), stranger(21), BOB.get()] {
        let path = format!("/api/contacts/{to}/apply");
        let message = format!("It is Ada, and she has said so {more} times.");
        let other = json!({"clientMsgId": format!("d{more}"), "message": message});
        let answer = ada.call("POST", &path, &other).await?;
        match answer.status {
            200 => more += 1,
            _ => assert_eq!(answer.failure()?.reason.as_str(), "too_many_requests"),
        }
        apply(BOB.get(), "a".to_owned(), "Ada, from the harbour").await?;
    }
    assert!(more <= since.elapsed().as_secs() / 30, "{more} more");
    Ok(())
}

#[tokio::test]
async fn names_are_told_to_those_who_have_something_in_common() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let mut people = Vec::new();
    for name in ["ada", "bob", "cem", "dora"] {
        let logged_in = http.new_user(name).await?;
        people.push((logged_in.user_id, Caller::of(&server, logged_in.access_token)));
    }
    let [(ada, as_ada), (bob, as_bob), (cem, as_cem), (dora, as_dora)] = &people[..] else {
        bail!("four people");
    };
    let everybody = format!("{ada},{bob},{cem},{dora},10000000099");
    let names = async |caller: &Caller, more: &str| -> Result<Vec<String>> {
        let path = format!("/api/users?ids={everybody}{more}");
        let data = caller.ask("GET", &path, Value::Null).await?;
        let names: Names = serde_json::from_value(data)?;
        Ok(names.users.into_iter().filter_map(|user| user.username).collect())
    };
    assert_eq!(names(as_ada, "").await?, ["ada"]);
    let apply = format!("/api/contacts/{bob}/apply");
    as_ada.ask("POST", &apply, json!({"clientMsgId": "a"})).await?;
    as_cem
        .ask("POST", "/api/messages", json!({"clientMsgId": "m", "to": ada, "body": "hi"}))
        .await?;
    // That she applies comes into her own timeline a moment later.
    let known = async || Ok(Some(names(as_ada, "").await?).filter(|names| names.len() > 2));
    assert_eq!(petrel_testkit::until("a name", known).await?, ["ada", "bob", "cem"]);
    assert_eq!(names(as_cem, "").await?, ["ada", "cem"]);

    // In a group its members know each other, and only by way of it.
    let group = json!({"clientMsgId": "g", "title": "Harbour", "members": [bob]});
    let founded = as_ada.ask("POST", "/api/groups", group).await?;
    let group = founded["conversationId"].as_str().context("an id")?.to_owned();
    let here = format!("&conversationId={group}");
    assert_eq!(names(as_bob, &here).await?, ["ada", "bob"]);
    assert_eq!(names(as_dora, &here).await?, ["dora"]);
    assert_eq!(names(as_dora, "&conversationId=999999").await?, ["dora"]);
    let settings = json!({"clientMsgId": "s", "joining": "approval"});
    as_ada.ask("PATCH", &format!("/api/groups/{group}"), settings).await?;
    let state = as_ada.ask("GET", &format!("/api/conversations/{group}"), Value::Null).await?;
    let code = state["group"]["code"].as_str().context("a code")?.to_owned();
    as_dora.ask("POST", "/api/groups/join", json!({"clientMsgId": "j", "code": code})).await?;
    assert_eq!(names(as_ada, &here).await?, ["ada", "bob", "cem", "dora"]);
    assert_eq!(names(as_bob, &here).await?, ["ada", "bob"]);
    assert_eq!(names(as_dora, &here).await?, ["dora"]);

    // Who has left knows those of before, and nobody who came later.
    as_bob.ask("POST", &format!("/api/groups/{group}/leave"), json!({"clientMsgId": "l"})).await?;
    let answer = json!({"clientMsgId": "y", "accept": true});
    as_ada.ask("POST", &format!("/api/groups/{group}/requests/{dora}"), answer).await?;
    assert_eq!(names(as_dora, &here).await?, ["ada", "bob", "dora"]);
    assert_eq!(names(as_bob, &here).await?, ["ada", "bob"]);

    for wrong in ["", "ada", "1,,2", &vec!["1"; 101].join(",")] {
        let path = format!("/api/users?ids={wrong}");
        assert_eq!(as_ada.refused("GET", &path, Value::Null).await?, "invalid_field", "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn only_friends_can_chat_where_the_operator_says_so() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.variable("PETREL_CONTACTS__CHATS_NEED_FRIENDSHIP", "true");
    let server = server.start().await?;
    let mut alice = Speaker::connect(&server, ALICE).await?;
    let mut bob = Speaker::connect(&server, BOB).await?;
    let say = json!({"type": "SINGLE_CHAT", "clientMsgId": "m", "to": BOB, "body": "hello"});
    assert_eq!(alice.refused(say.clone()).await?, "not_friends");
    alice.does("apply", BOB).await?;
    bob.does("apply", ALICE).await?;
    alice.change(say).await?;
    bob.push("SINGLE_CHAT").await?;
    Ok(())
}
