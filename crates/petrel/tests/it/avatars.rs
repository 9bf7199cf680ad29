//! Display names and avatars: who sees them, who must not, and what becomes of the pictures.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use petrel_protocol::http::LoggedIn;
use petrel_testkit::client::Connect;
use petrel_testkit::http::Http;
use petrel_testkit::server::{Server, Signal, run, write_script};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::files::upload::{files_below, until};
use crate::files::{Uploader, id, noise, png};
use crate::groups::Speaker;
use crate::support::{launcher, petrel_admin};

const ME: &str = "/api/users/me";

/// Somebody who is registered.
pub(crate) struct Person {
    pub(crate) user: UserId,
    pub(crate) token: String,
    pub(crate) who: Uploader,
}

impl Person {
    pub(crate) async fn register(server: &Server, name: &str) -> Result<Self> {
        Ok(Self::of(server.http(), server.http().new_user(name).await?))
    }

    pub(crate) fn of(
        http: Http,
        LoggedIn { user_id: user, access_token: token, .. }: LoggedIn,
    ) -> Self {
        Self { user, who: Uploader { http, token: token.clone() }, token }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        self.call(method, path, &body).await?.data().with_context(|| format!("{method} {path}"))
    }

    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> Result<String> {
        Ok(self.call(method, path, &body).await?.failure()?.reason.to_string())
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<petrel_testkit::http::Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let json = [("content-type", "application/json")];
        self.who.send(method, path, &json, body.as_bytes()).await?.text()
    }

    /// Changes how oneself is shown.
    pub(crate) async fn shows(&self, change: Value) -> Result<Value> {
        self.ask("PATCH", ME, named(change)).await
    }

    /// What there is to see of a user, if it is known.
    pub(crate) async fn sees(&self, user: UserId, more: &str) -> Result<Option<Value>> {
        let path = format!("/api/users?ids={user}{more}");
        let names = self.ask("GET", &path, Value::Null).await?;
        Ok(names["users"].as_array().and_then(|users| users.first()).cloned())
    }

    pub(crate) async fn picture(&self, side: u32) -> Result<String> {
        id(&self.who.upload("me.png", &png(side, side)).await?)
    }
}

/// A change with a name of its own.
pub(crate) fn named(mut change: Value) -> Value {
    static NAMED: AtomicU32 = AtomicU32::new(0);
    change["clientMsgId"] = json!(format!("p{}", NAMED.fetch_add(1, Ordering::Relaxed)));
    change
}

pub(crate) async fn befriended(one: &Person, other: &Person) -> Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let path = format!("/api/contacts/{}/apply", to.user);
        from.ask("POST", &path, json!({"clientMsgId": format!("with {}", to.user)})).await?;
    }
    sight_becomes(one, other, true).await?;
    sight_becomes(other, one, true).await
}

pub(crate) fn address(shown: &Value) -> Result<String> {
    Ok(shown["avatar"]["url"].as_str().with_context(|| format!("no picture: {shown}"))?.to_owned())
}

#[tokio::test]
async fn a_name_and_a_picture_are_seen_by_those_who_know_the_user_alone() -> Result<()> {
    let launcher = launcher()?;
    let server = launcher.start().await?;
    let [ada, ben, eve] = [
        Person::register(&server, "ada").await?,
        Person::register(&server, "ben").await?,
        Person::register(&server, "eve").await?,
    ];
    befriended(&ada, &ben).await?;
    let picture = ada.picture(600).await?;
    let saved = ada.shows(json!({"displayName": "  Ada 🐦 ", "avatar": picture})).await?;
    assert_eq!(saved["ackType"], "saved");

    let own = ada.ask("GET", ME, Value::Null).await?;
    assert_eq!(
        (&own["displayName"], &own["avatar"]["fileId"]),
        (&json!("Ada 🐦"), &json!(picture))
    );
    let seen = ben.sees(ada.user, "").await?.context("known")?;
    assert_eq!((&seen["username"], &seen["displayName"]), (&json!("ada"), &json!("Ada 🐦")));
    let found = eve.ask("GET", "/api/users/search?username=ada", Value::Null).await?;
    assert_eq!(found["displayName"], "Ada 🐦", "who knows the name may find the user");
    assert_eq!(eve.sees(ada.user, "").await?, None);
    assert_eq!(eve.sees(ada.user, "&conversationId=1").await?, None);

    // A small picture for whoever has the link, and the file itself for nobody else.
    let link = address(&seen)?;
    let small = server.http().exchange("GET", &link, &[], b"").await?;
    let small = image::load_from_memory(&small.bytes)?;
    assert_eq!((small.width(), small.height()), (320, 320));
    for whole in [link.replace("/thumbnail", ""), link.replace("signature=", "signature=A")] {
        assert_eq!(server.http().get(&whole).await?.failure()?.reason.as_str(), "invalid_link");
    }
    for person in [&ben, &eve] {
        for path in [format!("/api/files/{picture}"), format!("/api/files/{picture}/link")] {
            assert_eq!(person.refused("GET", &path, Value::Null).await?, "file_not_found");
        }
    }
    assert_eq!(ada.who.content(&picture).await?, png(600, 600));

    // In a group its members see each other.
    let group = json!({"clientMsgId": "g", "title": "Harbour", "members": [ben.user, eve.user]});
    let founded = ben.ask("POST", "/api/groups", group).await?;
    let here = format!("&conversationId={}", founded["conversationId"].as_str().context("id")?);
    assert_eq!(eve.sees(ada.user, &here).await?, None, "ada is not in it");
    assert_eq!(eve.sees(ben.user, &here).await?.context("a member")?.get("displayName"), None);
    ben.shows(json!({"displayName": "Ben"})).await?;
    assert_eq!(eve.sees(ben.user, &here).await?.context("a member")?["displayName"], "Ben");

    // It is not in memory only.
    server.kill().await?;
    let server = launcher.start().await?;
    let ada = Person::of(server.http(), server.http().login("ada", "correct horse").await?.data()?);
    let own = ada.ask("GET", ME, Value::Null).await?;
    assert_eq!(
        (&own["displayName"], &own["avatar"]["fileId"]),
        (&json!("Ada 🐦"), &json!(picture))
    );
    let small = server.http().exchange("GET", &address(&own)?, &[], b"").await?;
    assert_eq!(small.status, 200);
    server.stop(Signal::Terminate).await?;
    Ok(())
}

/// Waits until somebody sees another, or no longer: what is derived comes a moment later.
async fn sight_becomes(one: &Person, other: &Person, expected: bool) -> Result<()> {
    let looking =
        async || Ok((one.sees(other.user, "").await?.is_some() == expected).then_some(()));
    petrel_testkit::until("a name", looking).await
}

#[tokio::test]
async fn who_invites_or_applies_and_who_is_asked_see_each_other_and_nobody_else_does() -> Result<()>
{
    let server = launcher()?.start().await?;
    let mut people = Vec::new();
    for name in ["ada", "ben", "cem", "dora", "eve"] {
        let person = Person::register(&server, name).await?;
        person.shows(json!({"displayName": name.to_uppercase()})).await?;
        people.push(person);
    }
    let [ada, ben, cem, dora, eve] = &people[..] else { anyhow::bail!("five people") };
    ada.shows(json!({"avatar": ada.picture(40).await?})).await?;
    cem.shows(json!({"avatar": cem.picture(40).await?})).await?;
    cem.ask("PATCH", "/api/users/me/settings", named(json!({"groupAdds": "ask"}))).await?;
    sight_becomes(cem, ada, false).await?;

    let members = json!([ben.user, cem.user, eve.user]);
    let group = named(json!({"title": "Harbour", "members": members}));
    let founded = ada.ask("POST", "/api/groups", group).await?;
    let group = founded["conversationId"].as_str().context("an id")?;
    let here = format!("&conversationId={group}");
    let role = format!("/api/groups/{group}/members/{}/role", eve.user);
    ada.ask("PUT", &role, named(json!({"role": "admin"}))).await?;
    sight_becomes(cem, ada, true).await?;
    for (one, other, name) in [(cem, ada, "ADA"), (ada, cem, "CEM")] {
        for more in ["", here.as_str()] {
            let seen = one.sees(other.user, more).await?.context("known")?;
            assert_eq!(seen["displayName"], name, "{seen}");
            let small = server.http().exchange("GET", &address(&seen)?, &[], b"").await?;
            assert_eq!(small.status, 200);
        }
    }
    // An admin, who may take it back, sees who is invited, in the group alone.
    assert_eq!(eve.sees(cem.user, &here).await?.context("known")?["displayName"], "CEM");
    assert_eq!(eve.sees(cem.user, "").await?, None);
    for (one, other) in [(ben, cem), (dora, cem), (dora, ada), (cem, ben), (cem, eve), (cem, dora)]
    {
        for more in ["", here.as_str()] {
            assert_eq!(one.sees(other.user, more).await?, None);
        }
    }
    let withdraw = format!("/api/groups/{group}/invitations/{}/withdraw", cem.user);
    eve.ask("POST", &withdraw, named(json!({}))).await?;
    sight_becomes(cem, ada, false).await?;
    for (one, other) in [(ada, cem), (eve, cem), (cem, ada)] {
        for more in ["", here.as_str()] {
            assert_eq!(one.sees(other.user, more).await?, None, "it is over");
        }
    }

    dora.ask("POST", &format!("/api/contacts/{}/apply", cem.user), named(json!({}))).await?;
    sight_becomes(cem, dora, true).await?;
    sight_becomes(dora, cem, true).await?;
    assert_eq!(dora.sees(cem.user, "").await?.context("known")?["displayName"], "CEM");
    assert_eq!(cem.sees(dora.user, "").await?.context("known")?["displayName"], "DORA");
    for person in [ada, ben, eve] {
        assert_eq!(person.sees(dora.user, "").await?, None);
    }
    Ok(())
}

#[tokio::test]
async fn ones_other_devices_are_told_of_a_change_and_nobody_else() -> Result<()> {
    let server = launcher()?.start().await?;
    let (ada, ben) =
        (Person::register(&server, "ada").await?, Person::register(&server, "ben").await?);
    let connect = async |person: &Person| {
        let client = Connect::to(server.gateway_address()).authenticate(&person.token).await?;
        anyhow::Ok(Speaker::of(client))
    };
    let (mut adas, mut bens) = (connect(&ada).await?, connect(&ben).await?);
    befriended(&ada, &ben).await?;
    for device in [&mut adas, &mut bens] {
        while device.push("EVENT").await?["change"]["contact"].get("friendSinceTs").is_none() {}
    }
    let picture = ada.picture(20).await?;
    let change = named(json!({"displayName": "Ada", "avatar": picture}));
    ada.ask("PATCH", ME, change.clone()).await?;
    let told = adas.push("EVENT").await?;
    let settings = &told["change"]["settings"];
    assert_eq!(told["change"]["kind"], "settingsChanged");
    assert_eq!((&settings["displayName"], &settings["avatar"]), (&json!("Ada"), &json!(picture)));
    assert_eq!(ada.ask("GET", "/api/users/me/settings", Value::Null).await?, *settings);
    bens.client.expect_silence().await?;

    // The same once more is the same; the same under another name is nothing.
    assert_eq!(ada.ask("PATCH", ME, change.clone()).await?["duplicate"], true);
    let again = json!({"clientMsgId": "again", "displayName": "Ada", "avatar": picture});
    assert_eq!(ada.refused("PATCH", ME, again).await?, "nothing_to_change");
    // What is not named stays; `null` takes away.
    ada.shows(json!({"displayName": null})).await?;
    let settings = adas.push("EVENT").await?["change"]["settings"].clone();
    assert_eq!((settings.get("displayName"), &settings["avatar"]), (None, &json!(picture)));
    adas.client.expect_silence().await
}

#[tokio::test]
async fn a_picture_is_kept_while_it_is_shown_and_deleted_when_it_is_replaced() -> Result<()> {
    let server = launcher()?.start().await?;
    let ada = Person::register(&server, "ada").await?;
    let objects = server.data().join("files");
    let (first, second) = (ada.picture(30).await?, ada.picture(40).await?);
    let expiry = async |file: &str| {
        let known = ada.ask("GET", &format!("/api/files/{file}"), Value::Null).await?;
        anyhow::Ok(known.get("expiresTs").cloned())
    };
    assert!(expiry(&first).await?.is_some());
    ada.shows(json!({"avatar": first})).await?;
    assert_eq!(expiry(&first).await?, None);
    let path = format!("/api/files/{first}");
    assert_eq!(ada.refused("DELETE", &path, Value::Null).await?, "not_allowed");
    let link = address(&ada.ask("GET", ME, Value::Null).await?)?;
    assert_eq!(server.http().exchange("GET", &link, &[], b"").await?.status, 200);
    assert_eq!(files_below(&objects)?.len(), 4, "two pictures and their thumbnails");

    ada.shows(json!({"avatar": second})).await?;
    assert_eq!(ada.refused("GET", &path, Value::Null).await?, "file_not_found");
    assert_eq!(server.http().get(&link).await?.status, 404);
    until(|| Ok(files_below(&objects)?.len() == 2)).await?;

    // What a message refers to stays, also when it is no avatar any more.
    let ben = Person::register(&server, "ben").await?;
    let message = json!({
        "clientMsgId": "m", "to": ben.user, "msgType": "IMAGE", "attachment": {"fileId": second},
    });
    ada.ask("POST", "/api/messages", message).await?;
    ada.shows(json!({"avatar": null})).await?;
    assert_eq!(ada.ask("GET", ME, Value::Null).await?.get("avatar"), None);
    assert_eq!(expiry(&second).await?, None);
    Ok(())
}

#[tokio::test]
async fn what_is_no_name_and_no_picture_of_ones_own_is_refused() -> Result<()> {
    let launcher = launcher()?;
    let told = petrel_admin(launcher.data(), "words add spam", "").await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    let server = launcher.start().await?;
    let (ada, eve) =
        (Person::register(&server, "ada").await?, Person::register(&server, "eve").await?);
    let hers = eve.picture(20).await?;
    let text = id(&ada.who.upload("a.png", b"<svg xmlns='x'/>").await?)?;
    let broken = id(&ada.who.upload("b.png", &png(20, 20)[..50]).await?)?;
    let large = [&png(20, 20)[..], &noise(8 * 1024 * 1024)].concat();
    let large = id(&ada.who.upload("c.png", &large).await?)?;
    let long = "名".repeat(65);
    for (change, reason) in [
        (json!({"displayName": ""}), "invalid_field"),
        (json!({"displayName": " \u{200b}\u{3164} "}), "invalid_field"),
        (json!({"displayName": "\0"}), "invalid_field"),
        (json!({"displayName": "A\nB"}), "invalid_field"),
        (json!({"displayName": "A\u{202e}B"}), "invalid_field"),
        (json!({"displayName": long}), "invalid_field"),
        (json!({"displayName": 7}), "invalid_field"),
        (json!({"displayName": "S\u{200b}pam"}), "word_refused"),
        (json!({}), "invalid_field"),
        (json!({"avatar": hers}), "file_not_found"),
        (json!({"avatar": "999999"}), "file_not_found"),
        (json!({"avatar": text}), "wrong_file_kind"),
        (json!({"avatar": broken}), "wrong_file_kind"),
        (json!({"avatar": large}), "file_too_large"),
        (json!({"avatar": "x"}), "invalid_field"),
    ] {
        assert_eq!(ada.refused("PATCH", ME, named(change.clone())).await?, reason, "{change}");
    }
    let known = ada.ask("GET", ME, Value::Null).await?;
    assert_eq!((known.get("displayName"), known.get("avatar")), (None, None));
    // The longest name there may be.
    ada.shows(json!({"displayName": "名".repeat(64)})).await?;
    let strange = ada.who.http.request("PATCH", ME, &[("content-type", "application/json")], "{}");
    assert_eq!(strange.await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn the_picture_of_a_group_is_for_its_members() -> Result<()> {
    let server = launcher()?.start().await?;
    let [ada, ben, eve] = [
        Person::register(&server, "ada").await?,
        Person::register(&server, "ben").await?,
        Person::register(&server, "eve").await?,
    ];
    let group = json!({"clientMsgId": "g", "title": "Harbour", "members": [ben.user]});
    let founded = ada.ask("POST", "/api/groups", group).await?;
    let group = founded["conversationId"].as_str().context("an id")?.to_owned();
    let path = format!("/api/groups/{group}");
    let (first, hers) = (ada.picture(400).await?, eve.picture(20).await?);
    let stolen = named(json!({"avatar": hers}));
    assert_eq!(ada.refused("PATCH", &path, stolen).await?, "file_not_found");
    ada.ask("PATCH", &path, named(json!({"avatar": first}))).await?;
    let state = ben.ask("GET", &format!("/api/conversations/{group}"), Value::Null).await?;
    assert_eq!(state["group"]["avatar"], json!(first));

    let file = format!("/api/files/{first}/link");
    let links = ben.ask("GET", &file, Value::Null).await?;
    let link = links["url"].as_str().context("a link")?;
    assert_eq!(links["thumbnailUrl"], link, "members get the thumbnail and nothing else");
    let small = server.http().exchange("GET", link, &[], b"").await?;
    assert_eq!(image::load_from_memory(&small.bytes)?.width(), 320);
    let facts = format!("/api/files/{first}");
    assert_eq!(ben.refused("GET", &facts, Value::Null).await?, "file_not_found");
    assert_eq!(eve.refused("GET", &file, Value::Null).await?, "file_not_found");
    let go = json!({"clientMsgId": "l"});
    ben.ask("POST", &format!("{path}/leave"), go.clone()).await?;
    assert_eq!(ben.refused("GET", &file, Value::Null).await?, "file_not_found");

    // An address is an address, and takes the place of the picture.
    let elsewhere = named(json!({"avatar": "https://example.com/a.png"}));
    ada.ask("PATCH", &path, elsewhere).await?;
    assert_eq!(ada.refused("GET", &facts, Value::Null).await?, "file_not_found");
    // The picture of a group that ends ends with it.
    let second = ada.picture(30).await?;
    ada.ask("PATCH", &path, named(json!({"avatar": second}))).await?;
    ada.ask("POST", &format!("{path}/dissolve"), go).await?;
    let objects = server.data().join("files");
    until(|| Ok(files_below(&objects)?.len() == 2)).await
}

#[tokio::test]
async fn a_picture_on_which_the_decoder_dies_is_a_file_without_a_thumbnail() -> Result<()> {
    let place = tempfile::tempdir()?;
    let program = place.path().join("petrel");
    if std::fs::hard_link(crate::support::PETREL, &program).is_err() {
        // By another process, as below.
        let paths = [crate::support::PETREL, program.to_str().context("a path in UTF-8")?];
        assert_eq!(run("cp", &paths).await?.code, Some(0));
    }
    let launcher = petrel_testkit::server::Launcher::new(&program)?;
    let server = launcher.start().await?;
    let ada = Person::register(&server, "ada").await?;
    let whole = ada.who.upload("a.png", &png(500, 500)).await?;
    assert_eq!(whole["thumbnail"], true);

    // The server runs its own program for each picture; this one panics on all of them.
    let other = place.path().join("other");
    let panics = "#!/bin/sh\necho \"thread 'main' panicked\" >&2\nkill -ABRT $$\n";
    write_script(&other, panics).await?;
    std::fs::rename(&other, &program)?;
    let file = ada.who.upload("b.png", &png(500, 500)).await?;
    assert_eq!((&file["kind"], &file["thumbnail"]), (&json!("image"), &json!(false)));
    assert_eq!(ada.who.content(&id(&file)?).await?, png(500, 500));
    assert_eq!(server.http().get("/healthz").await?.status, 200);
    let stopped = server.stop(Signal::Terminate).await?;
    assert!(stopped.stderr.contains("panicked"), "nobody is told: {}", stopped.stderr);
    Ok(())
}
