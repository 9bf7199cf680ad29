//! Conversations of other people, by every frame and every route: as good as none.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use petrel_protocol::frame::ClientFrame;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, ask, bench_server};

const DAVE: UserId = UserId::new(1_000_004);

/// What an outsider might know of.
struct Known {
    conversation: String,
    row: String,
}

struct World {
    server: Server,
    /// A group that Dave has left, a chat, and something that never was.
    group: Known,
    chat: Known,
    nothing: Known,
}

impl World {
    async fn new() -> Result<Self> {
        let server = bench_server().await?;
        let mut alice = server.connect(ALICE, "phone").await?;
        let founded = ask(
            &mut alice,
            json!({"type": "GROUP_CREATE", "clientMsgId": "g", "title": "t", "members": [BOB, DAVE]}),
        )
        .await?;
        let group = text(&founded["conversationId"])?;
        let mut dave = server.connect(DAVE, "phone").await?;
        let left =
            ask(&mut dave, json!({"type": "GROUP_LEAVE", "clientMsgId": "l", "groupId": group}));
        assert_eq!(left.await?["ackType"], "saved");
        let said = ask(
            &mut alice,
            json!({"type": "GROUP_CHAT", "clientMsgId": "m", "groupId": group, "body": "private"}),
        )
        .await?;
        let chat = ask(
            &mut alice,
            json!({"type": "SINGLE_CHAT", "clientMsgId": "m", "to": BOB, "body": "private"}),
        )
        .await?;
        Ok(Self {
            server,
            group: Known { conversation: group, row: text(&said["serverMsgId"])? },
            chat: Known {
                conversation: text(&chat["conversationId"])?,
                row: text(&chat["serverMsgId"])?,
            },
            nothing: Known { conversation: "999999999".to_owned(), row: "999999999".to_owned() },
        })
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("no id: {value}"))?.to_owned())
}

/// Every frame of a type that names a conversation, in every way in which it can.
fn frames(kind: &str, known: &Known) -> Vec<Value> {
    let Known { conversation, row } = known;
    let by_place = json!({"conversationId": conversation, "msgSeq": 1});
    let with = |base: &Value, more: Value| {
        let mut frame = base.clone();
        for (name, value) in more.as_object().into_iter().flatten() {
            frame[name] = value.clone();
        }
        frame["type"] = json!(kind);
        frame["clientMsgId"] = json!("x");
        frame
    };
    let group = json!({"groupId": conversation});
    match kind {
        // These name no conversation.
        "AUTH" | "PING" | "SINGLE_CHAT" | "SYNC" | "GROUP_CREATE" | "REAUTH" | "CONTACT"
        | "CONTACTS" | "GROUP_JOIN" | "GROUP_INVITATIONS" | "PRESENCE_SUBSCRIBE"
        | "PRESENCE_QUERY" | "CALL_OFFER" | "CALL_ANSWER" | "CALL_ICE" | "CALL_HANGUP"
        | "CALL_REJECT" | "TURN" => Vec::new(),
        "GROUP_CHAT" => vec![with(&group, json!({"body": "b"}))],
        "MESSAGE_REVOKE" => {
            vec![with(&by_place, json!({})), with(&json!({"serverMsgId": row}), json!({}))]
        }
        "MESSAGE_EDIT" => {
            let body = json!({"body": "b"});
            vec![with(&by_place, body.clone()), with(&json!({"serverMsgId": row}), body)]
        }
        "REACTION" => {
            let emoji = json!({"emoji": "x"});
            vec![with(&by_place, emoji.clone()), with(&json!({"serverMsgId": row}), emoji)]
        }
        "MESSAGE_PIN" => {
            vec![with(&by_place, json!({})), with(&json!({"serverMsgId": row}), json!({}))]
        }
        "MESSAGE_HIDE" => vec![
            with(&json!({"conversationId": conversation}), json!({"msgSeqs": [1]})),
            with(&json!({"conversationId": conversation}), json!({"upToSeq": 1})),
        ],
        "CONVERSATION_SETTINGS" => {
            vec![with(&json!({"conversationId": conversation}), json!({"muted": true}))]
        }
        "READERS" => vec![with(&by_place, json!({}))],
        "GROUP_ADD" => vec![with(&group, json!({"members": [CAROL]}))],
        "GROUP_REMOVE" => vec![with(&group, json!({"members": [ALICE]}))],
        "GROUP_LEAVE" | "GROUP_DISSOLVE" => vec![with(&group, json!({}))],
        "GROUP_ROLE" => vec![with(&group, json!({"user": CAROL, "role": "owner"}))],
        "GROUP_TITLE" => vec![with(&group, json!({"title": "mine"}))],
        "GROUP_SETTINGS" => vec![
            with(&group, json!({"announcement": "mine"})),
            with(&group, json!({"renewCode": true})),
        ],
        "GROUP_MEMBER" => vec![
            with(&group, json!({"user": CAROL, "nickname": "mine"})),
            with(&group, json!({"user": ALICE, "muteMs": 60_000})),
        ],
        "GROUP_ANSWER" => vec![with(&group, json!({"user": CAROL, "accept": true}))],
        "GROUP_REQUESTS" | "GROUP_INVITED" => vec![with(&group, json!({}))],
        "GROUP_WITHDRAW" => vec![with(&group, json!({"user": CAROL}))],
        "GROUP_INVITATION" => {
            vec![with(&group, json!({"accept": true})), with(&group, json!({"accept": false}))]
        }
        "ACK" => vec![
            with(&by_place, json!({"ackType": "read"})),
            with(&json!({"serverMsgId": row}), json!({"ackType": "delivered"})),
            with(&json!({"items": [by_place]}), json!({"ackType": "read"})),
        ],
        "PULL" => vec![
            with(&json!({"conversationId": conversation}), json!({"afterSeq": 0})),
            with(&json!({"conversationId": conversation}), json!({"beforeSeq": 9})),
        ],
        // Without a conversation it finds nothing of others': see `search`.
        "SEARCH" => vec![with(&json!({"conversationId": conversation}), json!({"q": "private"}))],
        "TYPING" => vec![
            with(&json!({"conversationId": conversation}), json!({})),
            with(&json!({"conversationId": conversation}), json!({"stopped": true})),
        ],
        "CONVERSATION" => vec![with(&json!({"conversationId": conversation}), json!({}))],
        "FOCUS" => vec![
            with(&json!({"conversationId": conversation}), json!({})),
            with(&json!({"conversationIds": [conversation]}), json!({})),
        ],
        other => panic!("{other} is new: does it name a conversation?"),
    }
}

#[tokio::test]
async fn another_users_conversation_is_as_good_as_none_by_every_frame() -> Result<()> {
    let world = World::new().await?;
    let mut outsider = world.server.connect(CAROL, "phone").await?;
    let mut asked = 0;
    for kind in ClientFrame::TYPES {
        let unknown = frames(kind, &world.nothing);
        for known in [&world.group, &world.chat] {
            for (request, same) in frames(kind, known).into_iter().zip(&unknown) {
                let answer = ask(&mut outsider, request.clone()).await?;
                assert_eq!(answer["reason"], "conversation_not_found", "{request}: {answer}");
                assert_eq!(answer, ask(&mut outsider, same.clone()).await?, "{request}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 2 * 18, "only {asked} were asked");
    outsider.expect_silence().await
}

#[tokio::test]
async fn a_former_member_is_an_outsider_but_for_what_was_said_before() -> Result<()> {
    let world = World::new().await?;
    let mut former = world.server.connect(DAVE, "laptop").await?;
    for kind in ClientFrame::TYPES {
        // What may still be read is read up to the end of the membership, see below.
        // So is what is the user's own business.
        if matches!(*kind, "PULL" | "ACK" | "SEARCH" | "MESSAGE_HIDE" | "CONVERSATION_SETTINGS") {
            continue;
        }
        let unknown = frames(kind, &world.nothing);
        for (request, same) in frames(kind, &world.group).into_iter().zip(&unknown) {
            let answer = ask(&mut former, request.clone()).await?;
            assert_eq!(answer["type"], "ERROR", "{request}: {answer}");
            let expected = ask(&mut former, same.clone()).await?;
            assert_eq!(answer, expected, "{request}");
        }
    }
    let conversation = &world.group.conversation;
    for place in [json!({"afterSeq": 0}), json!({"beforeSeq": 99}), json!({"afterSeq": 2})] {
        let mut pull = place;
        pull["type"] = json!("PULL");
        pull["conversationId"] = json!(conversation);
        let page = ask(&mut former, pull.clone()).await?;
        assert_eq!(page["headSeq"], 2, "{pull}: {page}");
        assert!(!page.to_string().contains("private"), "{pull}: {page}");
    }
    let beyond = json!({"type": "ACK", "ackType": "read", "serverMsgId": world.group.row});
    assert_eq!(ask(&mut former, beyond).await?["reason"], "conversation_not_found");
    Ok(())
}

/// The body that a route wants, by method and path of the document.
fn body(method: &str, path: &str) -> Option<Value> {
    let named = json!({"clientMsgId": "x"});
    let body = match (method, path) {
        ("get", _) => Value::Null,
        ("post", "/api/conversations/{conversationId}/receipts") => {
            json!({"ackType": "read", "msgSeq": 1})
        }
        ("post", "/api/groups/{groupId}/members") => {
            json!({"clientMsgId": "x", "members": [CAROL]})
        }
        ("post", "/api/groups/{groupId}/members/remove") => {
            json!({"clientMsgId": "x", "members": [ALICE]})
        }
        ("put", "/api/groups/{groupId}/members/{userId}/role") => {
            json!({"clientMsgId": "x", "role": "owner"})
        }
        ("patch", "/api/groups/{groupId}") => {
            json!({"clientMsgId": "x", "announcement": "mine", "renewCode": true})
        }
        ("patch", "/api/groups/{groupId}/members/{userId}") => {
            json!({"clientMsgId": "x", "nickname": "mine"})
        }
        ("post", "/api/groups/{groupId}/requests/{userId}") => {
            json!({"clientMsgId": "x", "accept": true})
        }
        ("post", "/api/invitations/{groupId}") => json!({"clientMsgId": "x", "accept": true}),
        ("put", "/api/groups/{groupId}/title") => json!({"clientMsgId": "x", "title": "mine"}),
        ("post", "/api/groups/{groupId}/leave" | "/api/groups/{groupId}/dissolve") => named,
        ("post", "/api/groups/{groupId}/invitations/{userId}/withdraw") => named,
        ("patch", "/api/messages/{serverMsgId}") => json!({"clientMsgId": "x", "body": "b"}),
        ("post", "/api/messages/{serverMsgId}/revoke" | "/api/messages/{serverMsgId}/pin") => named,
        ("post", "/api/messages/{serverMsgId}/reactions") => {
            json!({"clientMsgId": "x", "emoji": "x"})
        }
        ("post", "/api/conversations/{conversationId}/hide") => {
            json!({"clientMsgId": "x", "upToSeq": 1})
        }
        ("patch", "/api/conversations/{conversationId}/settings") => {
            json!({"clientMsgId": "x", "muted": true})
        }
        _ => return None,
    };
    Some(body)
}

#[tokio::test]
async fn another_users_conversation_is_as_good_as_none_by_every_route_of_the_document() -> Result<()>
{
    let world = World::new().await?;
    let http = world.server.http();
    let token = world.server.mint()?.token(CAROL);
    let document = http.get("/openapi.json").await?.json()?;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut asked = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().context("paths")? {
        let names = ["{conversationId}", "{groupId}", "{serverMsgId}"];
        // Of what is for admins, `administration` tells.
        let is_admins = path.starts_with("/api/admin/");
        if is_admins || !names.iter().any(|name| path.contains(name)) {
            continue;
        }
        for method in operations.as_object().context("operations")?.keys() {
            let Some(body) = body(method, path) else {
                bail!("{method} {path} is new: add it here")
            };
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let mut answers = Vec::new();
            for known in [&world.group, &world.chat, &world.nothing] {
                let path = path
                    .replace("{conversationId}", &known.conversation)
                    .replace("{groupId}", &known.conversation)
                    .replace("{serverMsgId}", &known.row)
                    .replace("{userId}", &CAROL.to_string());
                let answer = http.request(&method.to_uppercase(), &path, &headers, &body).await?;
                let mut failure = answer.json()?;
                failure["requestId"] = Value::Null;
                answers.push((answer.status, failure));
            }
            assert_eq!(answers[2].1["reason"], "conversation_not_found", "{method} {path}");
            assert_eq!(answers[0], answers[2], "{method} {path}");
            assert_eq!(answers[1], answers[2], "{method} {path}");
            asked.insert(format!("{method} {path}"));
        }
    }
    assert!(asked.len() >= 15, "{asked:?}");

    // And the one route that names a conversation in its body.
    for known in [&world.group, &world.chat, &world.nothing] {
        let message = json!({"clientMsgId": "y", "groupId": known.conversation, "body": "b"});
        let answer = http.request("POST", "/api/messages", &headers, &message.to_string()).await?;
        assert_eq!(answer.failure()?.reason.as_str(), "conversation_not_found");
    }
    Ok(())
}
