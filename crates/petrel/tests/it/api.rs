//! The HTTP API beside the WebSocket: the same timelines by another door.

use anyhow::{Context, Result};
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, bench_server};

/// The bearer of a user's token.
pub(crate) struct Caller {
    http: Http,
    token: String,
}

impl Caller {
    pub(crate) fn new(server: &Server, user: UserId) -> Result<Self> {
        Ok(Self { http: server.http(), token: server.mint()?.token(user) })
    }

    /// The bearer of this token.
    pub(crate) fn of(server: &Server, token: String) -> Self {
        Self { http: server.http(), token }
    }

    /// The answer to any request.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.request(method, path, &headers, &body).await
    }

    /// What a request that must succeed is answered with.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        self.call(method, path, &body).await?.data().with_context(|| format!("{method} {path}"))
    }

    /// Why a request is refused.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> Result<String> {
        let failure = self.call(method, path, &body).await?.failure()?;
        Ok(failure.reason.to_string())
    }
}

#[tokio::test]
async fn what_is_sent_by_http_arrives_by_websocket_and_the_other_way_round() -> Result<()> {
    let server = bench_server().await?;
    let alice = Caller::new(&server, ALICE)?;
    let bob = Caller::new(&server, BOB)?;
    let mut bobs_phone = server.connect(BOB, "phone").await?;

    let message = json!({"clientMsgId": "m1", "to": BOB, "body": "by post"});
    let saved = alice.ask("POST", "/api/messages", message.clone()).await?;
    assert_eq!((&saved["ackType"], &saved["msgSeq"]), (&json!("saved"), &json!(1)));
    let push = bobs_phone.expect_chat().await?;
    assert_eq!((push.from, push.body.as_str()), (ALICE, "by post"));
    let again = alice.ask("POST", "/api/messages", message).await?;
    assert_eq!(again["duplicate"], true);
    bobs_phone.chat(ALICE, "m2", "by wire").await?;
    bobs_phone.expect_saved().await?;

    let conversation = saved["conversationId"].as_str().context("an id")?.to_owned();
    let events = format!("/api/conversations/{conversation}/events");
    let page = alice.ask("GET", &format!("{events}?afterSeq=1"), Value::Null).await?;
    assert_eq!(page["events"][0]["body"], "by wire");
    let page = alice.ask("GET", &format!("{events}?beforeSeq=2&limit=1"), Value::Null).await?;
    assert_eq!((&page["events"][0]["body"], &page["hasMore"]), (&json!("by post"), &json!(false)));

    let receipts = format!("/api/conversations/{conversation}/receipts");
    alice.ask("POST", &receipts, json!({"ackType": "read", "msgSeq": 2})).await?;
    assert_eq!(bobs_phone.expect_receipt().await?.msg_seq.get(), 2);
    let beyond = json!({"ackType": "read", "msgSeq": 3});
    assert_eq!(alice.refused("POST", &receipts, beyond).await?, "invalid_field");

    let row = saved["serverMsgId"].as_str().context("an id")?.to_owned();
    let edit = json!({"clientMsgId": "e1", "body": "by courier"});
    alice.ask("PATCH", &format!("/api/messages/{row}"), edit).await?;
    let revoke = format!("/api/messages/{row}/revoke");
    let named = json!({"clientMsgId": "r1"});
    assert_eq!(bob.refused("POST", &revoke, named.clone()).await?, "not_allowed");
    alice.ask("POST", &revoke, named).await?;
    let page = bob.ask("GET", &events, Value::Null).await?;
    assert_eq!(
        (&page["events"][0]["body"], &page["events"][0]["recalled"]),
        (&json!(""), &json!(true))
    );
    Ok(())
}

#[tokio::test]
async fn a_group_is_led_by_http_alone() -> Result<()> {
    let server = bench_server().await?;
    let alice = Caller::new(&server, ALICE)?;
    let bob = Caller::new(&server, BOB)?;
    let create = json!({"clientMsgId": "g", "title": "storm", "members": [BOB]});
    let founded = alice.ask("POST", "/api/groups", create).await?;
    let group = founded["conversationId"].as_str().context("an id")?.to_owned();
    let path = |rest: &str| format!("/api/groups/{group}{rest}");

    alice.ask("POST", &path("/members"), json!({"clientMsgId": "a", "members": [CAROL]})).await?;
    let role = path(&format!("/members/{BOB}/role"));
    alice.ask("PUT", &role, json!({"clientMsgId": "b", "role": "admin"})).await?;
    bob.ask("PUT", &path("/title"), json!({"clientMsgId": "c", "title": "gale"})).await?;
    bob.ask("POST", &path("/members/remove"), json!({"clientMsgId": "d", "members": [CAROL]}))
        .await?;
    let message = json!({"clientMsgId": "m", "groupId": group, "body": "hello"});
    bob.ask("POST", "/api/messages", message).await?;

    let state = format!("/api/conversations/{group}?limit=1");
    let state = alice.ask("GET", &state, Value::Null).await?;
    assert_eq!((&state["title"], &state["memberCount"]), (&json!("gale"), &json!(2)));
    assert_eq!(
        (state["members"].as_array().map(Vec::len), &state["more"]),
        (Some(1), &json!(true))
    );
    let list = bob.ask("GET", "/api/conversations", Value::Null).await?;
    let titles: Vec<_> =
        list["conversations"].as_array().into_iter().flatten().map(|it| &it["title"]).collect();
    assert!(titles.contains(&&json!("gale")), "{list}");

    bob.ask("POST", &path("/leave"), json!({"clientMsgId": "l"})).await?;
    alice.ask("POST", &path("/dissolve"), json!({"clientMsgId": "x"})).await?;
    let rename = json!({"clientMsgId": "t", "title": "x"});
    let refused = alice.refused("PUT", &path("/title"), rename).await?;
    assert_eq!(refused, "conversation_not_found");
    Ok(())
}

#[tokio::test]
async fn another_users_conversation_is_as_good_as_none_by_every_route() -> Result<()> {
    let server = bench_server().await?;
    let alice = Caller::new(&server, ALICE)?;
    let mallory = Caller::new(&server, CAROL)?;
    let message = json!({"clientMsgId": "m", "to": BOB, "body": "private"});
    let saved = alice.ask("POST", "/api/messages", message).await?;
    let create = json!({"clientMsgId": "g", "title": "private", "members": [BOB]});
    let group = alice.ask("POST", "/api/groups", create).await?["conversationId"].clone();
    let (chat, row) = (&saved["conversationId"], &saved["serverMsgId"]);
    let named = json!({"clientMsgId": "x"});
    for conversation in [chat, &group, &json!("99999")] {
        let id = conversation.as_str().context("an id")?;
        let routes = [
            ("GET", format!("/api/conversations/{id}"), Value::Null),
            ("GET", format!("/api/conversations/{id}/events"), Value::Null),
            (
                "POST",
                format!("/api/conversations/{id}/receipts"),
                json!({"ackType": "read", "msgSeq": 1}),
            ),
            (
                "POST",
                "/api/messages".to_owned(),
                json!({"clientMsgId": "y", "groupId": id, "body": "b"}),
            ),
            (
                "POST",
                format!("/api/groups/{id}/members"),
                json!({"clientMsgId": "x", "members": [CAROL]}),
            ),
            (
                "POST",
                format!("/api/groups/{id}/members/remove"),
                json!({"clientMsgId": "x", "members": [ALICE]}),
            ),
            (
                "PUT",
                format!("/api/groups/{id}/members/{CAROL}/role"),
                json!({"clientMsgId": "x", "role": "owner"}),
            ),
            ("PUT", format!("/api/groups/{id}/title"), json!({"clientMsgId": "x", "title": "t"})),
            ("POST", format!("/api/groups/{id}/leave"), named.clone()),
            ("POST", format!("/api/groups/{id}/dissolve"), named.clone()),
        ];
        for (method, path, body) in routes {
            let reason = mallory.refused(method, &path, body).await?;
            assert_eq!(reason, "conversation_not_found", "{method} {path}");
        }
    }
    let row = row.as_str().context("an id")?;
    let edit = json!({"clientMsgId": "x", "body": "b"});
    let reason = mallory.refused("PATCH", &format!("/api/messages/{row}"), edit).await?;
    assert_eq!(reason, "conversation_not_found");
    let reason = mallory.refused("POST", &format!("/api/messages/{row}/revoke"), named).await?;
    assert_eq!(reason, "conversation_not_found");
    Ok(())
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_told_what_is_wrong_in_plain_words() -> Result<()> {
    let server = bench_server().await?;
    let (http, bearer) = (server.http(), format!("Bearer {}", server.mint()?.token(ALICE)));
    let json = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let large = "x".repeat(65_537);
    let cases = [
        ("POST", "/api/auth/login", &json[..], "{", 400, "the body is not JSON: EOF while"),
        ("POST", "/api/auth/login", &json, "[]", 400, "must be a JSON object"),
        ("POST", "/api/auth/login", &json, r#"{"username": 1}"#, 400, "the body: invalid type"),
        ("POST", "/api/auth/login", &json[1..], "{}", 415, "`content-type: application/json`"),
        ("POST", "/api/auth/login", &json, &large, 413, "at most 65536 bytes"),
        ("GET", "/api/devices?limit=0", &json, "", 400, "the query: limit: ask for 1 at least"),
        ("GET", "/api/contacts?limit=0", &json, "", 400, "the query: limit: ask for 1 at least"),
        ("GET", "/api/devices?limit=x", &json, "", 400, "the query: limit: invalid digit"),
        ("GET", "/api/conversations/x", &json, "", 400, "the path: "),
        ("GET", "/api/nothing", &json, "", 404, "nothing at this path"),
        ("PUT", "/api/auth/login", &json, "", 405, "does not take this method"),
    ];
    for (method, path, headers, body, status, words) in cases {
        let answer = http.request(method, path, headers, body).await?;
        let failure = answer.failure()?;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(failure.message.contains(words), "{method} {path}: {}", failure.message);
        assert!(!failure.message.contains("Failed"), "{method} {path}: {}", failure.message);
    }
    Ok(())
}

#[tokio::test]
async fn no_list_has_pages_of_nothing() -> Result<()> {
    let server = bench_server().await?;
    let (http, bearer) = (server.http(), format!("Bearer {}", server.mint()?.token(ALICE)));
    let document = http.get("/openapi.json").await?.json()?;
    let mut lists = 0;
    for (path, operations) in document["paths"].as_object().context("paths")? {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        let Some(limit) = parameters.into_iter().find(|it| it["name"] == "limit") else { continue };
        assert_eq!(limit["schema"]["minimum"], 1, "{path}: {limit}");
        lists += 1;
        if path.starts_with("/api/admin/") {
            continue;
        }
        let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let headers = [("authorization", bearer.as_str())];
        let answer = http.request("GET", &format!("{path}?limit=0"), &headers, "").await?;
        assert_eq!(answer.status, 400, "{path}");
    }
    assert!(lists >= 15, "{lists}");
    Ok(())
}

#[tokio::test]
async fn every_route_but_the_door_wants_a_token() -> Result<()> {
    let server = bench_server().await?;
    let http = server.http();
    let document = http.get("/openapi.json").await?.json()?;
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().context("paths")? {
        for (method, operation) in operations.as_object().context("operations")? {
            if operation["security"] == json!([]) {
                // The door; links that are signed; and what tus may ask before it asks.
                let is_open = ["/api/auth/", "/files/"].iter().any(|at| path.starts_with(at))
                    || method == "options";
                assert!(is_open, "{method} {path} is open");
                continue;
            }
            let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            let answer = http.request(&method.to_uppercase(), &path, &[], "").await?;
            assert_eq!(answer.status, 401, "{method} {path}");
            asked += 1;
            if method == "head" {
                continue;
            }
            assert_eq!(answer.failure()?.reason.to_string(), "missing_token", "{method} {path}");
        }
    }
    assert!(asked > 10, "only {asked} routes were asked");
    Ok(())
}

#[tokio::test]
async fn the_document_is_whole_and_can_be_tried_without_another_host() -> Result<()> {
    let server = bench_server().await?;
    let http = server.http();
    let document = http.get("/openapi.json").await?.json()?;
    assert_eq!(document["openapi"], "3.1.0");
    let mut pending = vec![&document];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').context("a local reference")?;
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                pending.extend(fields.values());
            }
            Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }

    let page = http.get("/swagger/").await?;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("://"), "the page asks another host: {}", page.body);
    for part in ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"] {
        assert!(page.body.contains(part), "{part}");
        // Some of them come in gzip only.
        let file = http.exchange("GET", &format!("/swagger/{part}"), &[], &[]).await?;
        assert_eq!(file.status, 200, "{part}");
    }
    Ok(())
}

#[tokio::test]
async fn a_text_of_which_nothing_can_be_seen_is_none() -> Result<()> {
    let server = bench_server().await?;
    let alice = Caller::new(&server, ALICE)?;
    for (number, blank) in
        ["\0", "\u{200b}", " \u{2060}\0\u{feff}\n", "\u{3164}"].iter().enumerate()
    {
        let name = format!("blank {number}");
        let said = json!({"clientMsgId": name, "to": BOB, "body": blank});
        assert_eq!(alice.refused("POST", "/api/messages", said).await?, "missing_body");
        let group = json!({"clientMsgId": name, "title": blank, "members": []});
        assert_eq!(alice.refused("POST", "/api/groups", group).await?, "bad_title");
        let apply = json!({"clientMsgId": name, "message": blank});
        let path = format!("/api/contacts/{}/apply", UserId::new(1_000_100 + number as u64));
        alice.ask("POST", &path, apply).await?;
    }
    // They come into Alice's own timeline one after the other.
    let all_four = async || {
        let page = alice.ask("GET", "/api/contacts?list=outgoing", Value::Null).await?;
        let waiting = page["contacts"].as_array().context("contacts")?.clone();
        Ok((waiting.len() == 4).then_some(waiting))
    };
    let waiting = petrel_testkit::until("all applications", all_four).await?;
    assert!(waiting.iter().all(|it| it["application"].get("message").is_none()), "{waiting:?}");
    let visible = json!({"clientMsgId": "v", "to": BOB, "body": "\u{200b}❤\u{fe0f}"});
    assert_eq!(alice.ask("POST", "/api/messages", visible).await?["ackType"], "saved");
    Ok(())
}
