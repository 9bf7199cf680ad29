//! What users and groups are called and look like, as admins see it and clear it.

use anyhow::{Context, Result};
use petrel_testkit::client::Connect;
use petrel_testkit::server::{Server, Signal};
use serde_json::{Value, json};

use crate::avatars::{Person, address, befriended, named};
use crate::files::upload::{files_below, until};
use crate::files::{id, png};
use crate::groups::Speaker;
use crate::support::{launcher, petrel_admin, start_with_admin};

const USERS: &str = "/api/admin/users";

/// A server with the admin ada, and ben and cay, who are friends.
struct World {
    server: Server,
    ada: Person,
    ben: Person,
    cay: Person,
}

impl World {
    async fn new() -> Result<Self> {
        let (server, ada) = start_with_admin(&launcher()?).await?;
        let ada = Person::of(server.http(), ada);
        let ben = Person::register(&server, "ben").await?;
        let cay = Person::register(&server, "cay").await?;
        befriended(&ben, &cay).await?;
        Ok(Self { server, ada, ben, cay })
    }

    async fn connect(&self, person: &Person) -> Result<Speaker> {
        let client = Connect::to(self.server.gateway_address()).authenticate(&person.token).await?;
        Ok(Speaker::of(client))
    }

    /// The user names that a search finds.
    async fn finds(&self, search: &str) -> Result<Vec<Value>> {
        let found = self.ada.ask("GET", &format!("{USERS}?search={search}"), Value::Null).await?;
        let users = found["users"].as_array().context("users")?;
        Ok(users.iter().map(|user| user["username"].clone()).collect())
    }

    /// What the audit log tells of somebody or something, newest first.
    async fn recorded(&self, query: &str) -> Result<Vec<(Value, Value)>> {
        let log = self.ada.ask("GET", &format!("/api/admin/audit?{query}"), Value::Null).await?;
        let records = log["records"].as_array().context("records")?;
        Ok(records.iter().map(|it| (it["action"].clone(), it["detail"].clone())).collect())
    }
}

/// The next change that a device is told and that is of this kind.
async fn told(device: &mut Speaker, kind: &str) -> Result<Value> {
    loop {
        let event = device.push("EVENT").await?;
        if event["change"]["kind"] == kind {
            return Ok(event);
        }
    }
}

#[tokio::test]
async fn an_admin_sees_and_clears_names_and_pictures_of_users() -> Result<()> {
    let world = World::new().await?;
    let World { server, ada, ben, cay } = &world;
    let objects = server.data().join("files");
    let mut device = world.connect(ben).await?;
    let picture = ben.picture(600).await?;
    ben.shows(json!({"displayName": "Ünfit 🐦", "avatar": picture})).await?;
    let settings = told(&mut device, "settingsChanged").await?;
    assert_eq!(settings["from"], ben.user.to_string());

    // In the list, alone, and by either name, whatever the case.
    let path = format!("{USERS}/{}", ben.user);
    let listed = ada.ask("GET", USERS, Value::Null).await?["users"][1].clone();
    let shown = ada.ask("GET", &path, Value::Null).await?["user"].clone();
    for user in [&listed, &shown] {
        assert_eq!((&user["username"], &user["displayName"]), (&json!("ben"), &json!("Ünfit 🐦")));
        assert_eq!(user["avatar"]["fileId"], picture, "{user}");
        let small = server.http().exchange("GET", &address(user)?, &[], b"").await?;
        assert_eq!(image::load_from_memory(&small.bytes)?.width(), 320);
    }
    for search in ["%C3%BCNFIT", "ben", "BEN", "fit"] {
        assert_eq!(world.finds(search).await?, ["ben"], "{search}");
    }
    assert_eq!(world.finds("nothing").await?, [Value::Null; 0]);
    assert_eq!(world.finds("a").await?, ["ada", "cay"]);

    // Nobody else may, not even for oneself, and nothing comes of it.
    let clear = format!("{path}/clear");
    for person in [ben, cay] {
        let refused = person.refused("POST", &clear, json!({"part": "displayName"})).await?;
        assert_eq!(refused, "not_found");
    }
    assert_eq!(cay.sees(ben.user, "").await?.context("known")?["displayName"], "Ünfit 🐦");

    ada.ask("POST", &clear, json!({"part": "displayName"})).await?;
    let event = told(&mut device, "settingsChanged").await?;
    let settings = &event["change"]["settings"];
    assert_eq!((settings.get("displayName"), &settings["avatar"]), (None, &json!(picture)));
    assert_eq!(event["from"], "0", "{event}");
    let seen = cay.sees(ben.user, "").await?.context("known")?;
    assert_eq!((seen.get("displayName"), &seen["username"]), (None, &json!("ben")));
    assert_eq!(world.finds("fit").await?, [Value::Null; 0]);

    let link = address(&seen)?;
    ada.ask("POST", &clear, json!({"part": "avatar"})).await?;
    let event = told(&mut device, "settingsChanged").await?;
    assert_eq!(event["change"]["settings"].get("avatar"), None, "{event}");
    assert_eq!(cay.sees(ben.user, "").await?.context("known")?.get("avatar"), None);
    until(|| Ok(files_below(&objects)?.is_empty())).await?;
    assert_eq!(server.http().get(&link).await?.status, 404);
    let gone = ben.refused("GET", &format!("/api/files/{picture}"), Value::Null).await?;
    assert_eq!(gone, "file_not_found");
    assert_eq!(ada.ask("GET", &path, Value::Null).await?["user"].get("avatar"), None);

    for part in ["displayName", "avatar"] {
        let refused = ada.refused("POST", &clear, json!({ "part": part })).await?;
        assert_eq!(refused, "nothing_to_change");
        // Somebody of whom nothing was ever stored, and nobody.
        for (user, reason) in
            [(ada.user.to_string(), "nothing_to_change"), ("77".to_owned(), "user_not_found")]
        {
            let clear = format!("{USERS}/{user}/clear");
            assert_eq!(ada.refused("POST", &clear, json!({ "part": part })).await?, reason);
        }
    }
    for wrong in [json!({}), json!({"part": "username"}), json!({"part": null})] {
        assert_eq!(ada.refused("POST", &clear, wrong).await?, "invalid_field");
    }
    let recorded = world.recorded(&format!("user={}", ben.user)).await?;
    let record = |detail: &str| (json!("userProfileCleared"), json!(detail));
    let picture = format!("avatar: file {picture}");
    assert_eq!(recorded, [record(&picture), record("displayName: Ünfit 🐦")]);

    // It forbids nothing.
    ben.shows(json!({"displayName": "Ben"})).await?;
    assert_eq!(cay.sees(ben.user, "").await?.context("known")?["displayName"], "Ben");
    Ok(())
}

#[tokio::test]
async fn what_was_cleared_stays_so_and_a_picture_that_was_sent_stays_with_its_message() -> Result<()>
{
    let launcher = launcher()?;
    let (server, _) = start_with_admin(&launcher).await?;
    let (ben, cay) =
        (Person::register(&server, "ben").await?, Person::register(&server, "cay").await?);
    let picture = ben.picture(30).await?;
    ben.shows(json!({"displayName": "Ben", "avatar": picture})).await?;
    let message = json!({
        "clientMsgId": "m", "to": cay.user, "msgType": "IMAGE", "attachment": {"fileId": picture},
    });
    ben.ask("POST", "/api/messages", message).await?;

    // As somebody at the machine, whom the server at work does it for.
    let shown = petrel_admin(server.data(), "users show ben", "").await?.stdout;
    assert!(
        shown.contains("\n  called      Ben") && shown.contains("\n  picture     file "),
        "{shown}"
    );
    let told = petrel_admin(server.data(), "users clear ben avatar", "").await?;
    assert_eq!(told.stdout, "ben has no avatar any more.\n", "{told:?}");
    let told = petrel_admin(server.data(), "users clear ben display-name", "").await?;
    assert_eq!(told.stdout, "ben has no display name any more.\n", "{told:?}");
    let told = petrel_admin(server.data(), "users clear ben avatar", "").await?;
    assert!(told.code != Some(0) && told.stderr.contains("the user has none"), "{told:?}");
    assert_eq!(cay.who.content(&picture).await?, png(30, 30));
    server.kill().await?;

    // A stopped server has nobody who could be told.
    let told = petrel_admin(launcher.data(), "users clear ben avatar", "").await?;
    assert!(told.stderr.contains("that takes a running server"), "{told:?}");
    let listed = petrel_admin(launcher.data(), "users list", "").await?.stdout;
    assert!(!listed.contains("Ben"), "{listed}");
    let server = launcher.start().await?;
    let ben = Person::of(server.http(), server.http().login("ben", "correct horse").await?.data()?);
    let own = ben.ask("GET", "/api/users/me", Value::Null).await?;
    assert_eq!((own.get("displayName"), own.get("avatar")), (None, None));
    assert_eq!(ben.who.content(&picture).await?, png(30, 30));
    ben.shows(json!({"displayName": "Benjamin"})).await?;
    server.stop(Signal::Terminate).await?;
    let listed = petrel_admin(launcher.data(), "users list benjam", "").await?.stdout;
    assert!(listed.contains("  ben  (Benjamin)\n"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn an_admin_sees_and_clears_what_a_group_is_called_and_says() -> Result<()> {
    let world = World::new().await?;
    let World { server, ada, ben, cay } = &world;
    let founded = named(json!({"title": "Unfit", "members": [cay.user]}));
    let founded = ben.ask("POST", "/api/groups", founded).await?;
    let group = founded["conversationId"].as_str().context("an id")?;
    let picture = id(&ben.who.upload("g.png", &png(40, 40)).await?)?;
    let change =
        json!({"description": "bad", "announcement": "worse\nand worse", "avatar": picture});
    ben.ask("PATCH", &format!("/api/groups/{group}"), named(change)).await?;
    let mut device = world.connect(cay).await?;

    let path = format!("/api/admin/groups/{group}");
    let listed = ada.ask("GET", "/api/admin/groups", Value::Null).await?["groups"][0].clone();
    assert_eq!(listed["avatar"]["fileId"], picture, "{listed}");
    let small = server.http().exchange("GET", &address(&listed)?, &[], b"").await?;
    assert_eq!(small.status, 200);
    let shown = ada.ask("GET", &path, Value::Null).await?;
    assert_eq!(
        (&shown["description"], &shown["announcement"]),
        (&json!("bad"), &json!("worse\nand worse"))
    );

    let clear = format!("{path}/clear");
    for person in [ben, cay] {
        let refused = person.refused("POST", &clear, json!({"part": "title"})).await?;
        assert_eq!(refused, "not_found");
    }
    ada.ask("POST", &clear, json!({"part": "title"})).await?;
    let event = told(&mut device, "titleChanged").await?;
    assert_eq!((&event["from"], &event["change"]["title"]), (&json!("0"), &json!(group)));
    for part in ["description", "announcement"] {
        ada.ask("POST", &clear, json!({ "part": part })).await?;
        let event = told(&mut device, "groupChanged").await?;
        assert_eq!(event["change"]["group"].get(part), None, "{event}");
        assert_eq!(event["change"]["group"]["avatar"], picture, "{event}");
    }
    let told_here =
        petrel_admin(server.data(), &format!("groups clear {group} avatar"), "").await?;
    assert_eq!(told_here.stdout, "Done.\n", "{told_here:?}");
    let event = told(&mut device, "groupChanged").await?;
    assert_eq!(event["change"]["group"].get("avatar"), None, "{event}");
    let objects = server.data().join("files");
    until(|| Ok(files_below(&objects)?.is_empty())).await?;
    for part in ["title", "description", "announcement", "avatar"] {
        let refused = ada.refused("POST", &clear, json!({ "part": part })).await?;
        assert_eq!(refused, "nothing_to_change", "{part}");
    }

    // An address in the place of a picture is shown, and looked at by nobody.
    let address = json!({"avatar": "https://example.com/bad.png"});
    ben.ask("PATCH", &format!("/api/groups/{group}"), named(address)).await?;
    let shown = ada.ask("GET", &path, Value::Null).await?;
    assert_eq!(shown["avatarAddress"], "https://example.com/bad.png", "{shown}");
    assert_eq!(shown["group"].get("avatar"), None, "{shown}");
    ada.ask("POST", &clear, json!({"part": "avatar"})).await?;

    let recorded = world.recorded(&format!("group={group}")).await?;
    let record = |detail: &str| (json!("groupProfileCleared"), json!(detail));
    let expected = [
        record("avatar: https://example.com/bad.png"),
        record(&format!("avatar: {picture}")),
        record("announcement: worse and worse"),
        record("description: bad"),
        record("title: Unfit"),
    ];
    assert_eq!(recorded, expected);
    let nothing =
        ada.refused("POST", "/api/admin/groups/77/clear", json!({"part": "title"})).await?;
    assert_eq!(nothing, "conversation_not_found");
    ada.ask("POST", &format!("{path}/dissolve"), Value::Null).await?;
    let refused = ada.refused("POST", &clear, json!({"part": "title"})).await?;
    assert_eq!(refused, "nothing_to_change");
    Ok(())
}
