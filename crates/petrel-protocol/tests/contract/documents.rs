//! Keeps `docs/` true: what is generated there is fresh, and its examples are frames
//! and bodies that this crate reads.
//!
//! With `PETREL_UPDATE=1` the tests write what is generated instead of checking it.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use petrel_protocol::ErrorReason;
use petrel_protocol::close::{CloseCode, CloseReason};
use petrel_protocol::frame::{
    ClientFrame, Events, Limits, PresenceState, Rates, ServerFrame, UserSettings, json_schema,
};
use petrel_protocol::http::{
    Credentials, Devices, Failure, FileLinks, Invite, LoggedIn, Names, NewInvite, Profile,
    ProfileChange, RefreshRequest, Revoked, SettingsChange, Success, UploadedFile, admin,
};
use petrel_protocol::token::Claims;
use petrel_types::{OperatingLimits, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const UPDATE: &str = "PETREL_UPDATE=1 cargo test -p petrel-protocol";

fn document(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "docs", name].iter().collect()
}

fn read(name: &str) -> String {
    let path = document(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Replaces a document at once: other tests may be reading it.
fn write(name: &str, text: &str) {
    let next = document(&format!("{name}.next"));
    std::fs::write(&next, text).unwrap();
    std::fs::rename(&next, document(name)).unwrap();
}

fn updating() -> bool {
    std::env::var_os("PETREL_UPDATE").is_some_and(|value| value == "1")
}

#[test]
fn the_schema_is_fresh() {
    let fresh = json_schema();
    if updating() {
        let text = format!("{}\n", serde_json::to_string_pretty(&fresh).unwrap());
        write("protocol.schema.json", &text);
    }
    let kept: Value = serde_json::from_str(&read("protocol.schema.json")).unwrap_or_default();
    assert!(kept == fresh, "docs/protocol.schema.json is stale; update it with: {UPDATE}");
}

#[test]
fn what_the_schema_lets_a_client_send_is_what_is_taken() {
    let schema = json_schema();
    let types = |name: &str| schema["$defs"][name].clone();
    let sendable = types("SendableMessageType")["enum"].as_array().cloned().unwrap();
    let all = types("MessageType")["oneOf"].as_array().cloned().unwrap();
    assert!(sendable.len() < all.len());
    for kind in all.iter().map(|it| &it["const"]) {
        let frames = [
            serde_json::json!({"type": "SINGLE_CHAT", "to": 2, "clientMsgId": "m", "msgType": kind}),
            serde_json::json!({"type": "GROUP_CHAT", "groupId": 2, "clientMsgId": "m", "msgType": kind}),
        ];
        for frame in frames {
            let taken = ClientFrame::decode(&frame.to_string()).is_ok();
            assert_eq!(taken, sendable.contains(kind), "{frame}");
        }
    }
    for frame in ["SingleChat", "GroupChat"] {
        let msg_type = types(frame)["properties"]["msgType"].to_string();
        assert!(msg_type.contains("SendableMessageType"), "{msg_type}");
    }
}

#[test]
fn the_tables_are_fresh() {
    let kept = read("protocol.md");
    let mut fresh = kept.clone();
    for (name, table) in [("errors", table_of_errors()), ("close codes", table_of_close_codes())] {
        let begin = format!("<!-- begin generated: {name} -->\n");
        let end = format!("<!-- end generated: {name} -->");
        let (before, rest) = fresh.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
        fresh = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    if updating() {
        write("protocol.md", &fresh);
    } else {
        assert!(kept == fresh, "a table in docs/protocol.md is stale; update it with: {UPDATE}");
    }
}

fn table_of_errors() -> String {
    let mut table = "| `reason` | HTTP | `code` | meaning |\n|---|---|---|---|\n".to_owned();
    for reason in ErrorReason::ALL {
        let (status, code, meaning) = (reason.http_status(), reason.code(), reason.meaning());
        writeln!(table, "| `{reason}` | {status} | {code} | {meaning} |").unwrap();
    }
    table
}

fn table_of_close_codes() -> String {
    let mut table =
        "| code | `reason` | come back by yourself | meaning |\n|---|---|---|---|\n".to_owned();
    for code in CloseCode::ALL {
        let (number, word, meaning) = (code.get(), code.as_str(), code.meaning());
        let back = if code.may_return() { "yes, with back-off" } else { "no" };
        writeln!(table, "| {number} | `{word}` | {back} | {meaning} |").unwrap();
    }
    table
}

/// The blocks of the document that claim to be JSON.
fn examples(text: &str) -> Vec<&str> {
    text.split("\n```json\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

#[test]
fn every_example_is_what_it_seems() {
    let text = read("protocol.md");
    let examples = examples(&text);
    assert!(!examples.is_empty(), "no examples found");
    let mut shown = HashSet::new();
    for example in examples {
        let kind = kind_of(example).unwrap_or_else(|| panic!("neither frame nor body:\n{example}"));
        shown.insert(kind);
        // Some are the same in both directions.
        shown.extend(server_frame_of(example));
    }
    let frames = |direction: &str, types: &[&str]| -> Vec<String> {
        types.iter().map(|kind| format!("{direction} {kind}")).collect()
    };
    let mut expected = frames("client", ClientFrame::TYPES);
    expected.extend(frames("server", ServerFrame::TYPES));
    expected.extend(
        [
            "credentials",
            "logged in",
            "refresh request",
            "devices",
            "revoked",
            "file",
            "links",
            "profile",
            "profile change",
            "clear profile",
            "settings",
            "settings change",
            "failure",
            "health",
            "stats",
            "claims",
            "close",
        ]
        .map(str::to_owned),
    );
    for kind in expected {
        assert!(shown.contains(&kind), "there is no example of: {kind}");
    }
}

/// What an example shows. A frame or body counts only if nothing of it is lost on the
/// way through the types, so that a misspelt field does not pass for an unknown one.
fn server_frame_of(example: &str) -> Option<String> {
    let decoded = ServerFrame::decode(example).ok()?;
    let text = decoded.frame.encode(decoded.id.as_ref());
    let is_same = serde_json::from_str::<Value>(&text).ok() == serde_json::from_str(example).ok();
    is_same.then(|| format!("server {}", decoded.frame.type_name()))
}

fn kind_of(example: &str) -> Option<String> {
    let value: Value = serde_json::from_str(example).ok()?;
    let same = |text: String| serde_json::from_str::<Value>(&text).unwrap() == value;
    if let Ok(decoded) = ClientFrame::decode(example)
        && same(decoded.frame.encode(decoded.id.as_ref()))
    {
        return Some(format!("client {}", decoded.frame.type_name()));
    }
    if let Ok(decoded) = ServerFrame::decode(example)
        && same(decoded.frame.encode(decoded.id.as_ref()))
    {
        if let ServerFrame::Events(events) = &decoded.frame {
            check_events(events);
        }
        return Some(format!("server {}", decoded.frame.type_name()));
    }
    let kind = match () {
        () if is::<Success<LoggedIn>>(&value) => "logged in",
        () if is::<Success<Profile>>(&value) => "profile",
        () if is::<Success<UserSettings>>(&value) => "settings",
        () if is::<SettingsChange>(&value) => "settings change",
        () if is::<Success<Devices>>(&value) => "devices",
        () if is::<Success<Revoked>>(&value) => "revoked",
        () if is::<Success<PresenceState>>(&value) => "presence",
        () if is::<Success<UploadedFile>>(&value) => "file",
        () if is::<Success<FileLinks>>(&value) => "links",
        () if is::<Failure>(&value) => {
            check_failure(&value);
            "failure"
        }
        () if is::<Credentials>(&value) => "credentials",
        () if is::<Claims>(&value) => "claims",
        () if is::<CloseReason>(&value) => "close",
        () if value == serde_json::json!({ "status": "ok" }) => "health",
        () if is::<Success<admin::AdminUsers>>(&value) => "users",
        () if is::<Success<Names>>(&value) => "names",
        () if is::<admin::NewFilterWords>(&value) => "words",
        () if is::<admin::NewNotice>(&value) => "notice",
        () if value != serde_json::json!({}) && is::<admin::LimitsChange>(&value) => "limits",
        () if is::<admin::ClearProfile>(&value) => "clear profile",
        () if is::<admin::PasswordChange>(&value) => "password change",
        () if is::<admin::RedeemReset>(&value) => "reset",
        () if is::<NewInvite>(&value) => "new invite",
        () if is::<Success<Invite>>(&value) => "invite",
        () if is::<ProfileChange>(&value) => "profile change",
        () if is::<RefreshRequest>(&value) => "refresh request",
        () if value["total_connections"].is_u64() => "stats",
        () => return None,
    };
    Some(kind.to_owned())
}

fn is<T: Serialize + DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok_and(|body| serde_json::to_value(body).unwrap() == *value)
}

/// The events lie where the answer says, in order. Not every seq has one: some are not
/// for the one who asks.
fn check_events(events: &Events) {
    let covered = events.from_seq.get()..=events.to_seq.get();
    let mut last = 0;
    for event in &events.events {
        assert!(ServerFrame::decode(event.get()).is_ok(), "not a frame: {event}");
        let event: Value = serde_json::from_str(event.get()).unwrap();
        let seq = event["msgSeq"].as_u64().unwrap();
        assert!(covered.contains(&seq) && seq > last, "{seq} has no place in {covered:?}");
        assert_eq!(event["conversationId"], events.conversation_id.to_string(), "{event}");
        last = seq;
    }
}

fn check_failure(value: &Value) {
    let failure: Failure = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(failure.code, failure.reason.code(), "{value}");
}

#[test]
fn the_limits_shown_are_the_limits_in_force() {
    let operating = OperatingLimits::default();
    let in_force = Limits {
        frame_bytes: limits::FRAME_BYTES_MAX as u64,
        body_units: limits::BODY_UTF16_UNITS_MAX as u64,
        body_bytes: limits::BODY_BYTES_MAX as u64,
        sends_in_flight: limits::SENDS_IN_FLIGHT_MAX as u64,
        pull_events: limits::PULL_EVENTS_MAX,
        group_members: limits::GROUP_MEMBERS_MAX as u64,
        change_members: limits::GROUP_CHANGE_MEMBERS_MAX as u64,
        title_units: limits::GROUP_TITLE_UTF16_UNITS_MAX as u64,
        state_members: limits::STATE_MEMBERS_MAX,
        sync_conversations: limits::SYNC_CONVERSATIONS_MAX,
        ack_items: limits::ACK_ITEMS_MAX as u64,
        ack_interval_ms: limits::ACK_INTERVAL_MS,
        focus_conversations: limits::FOCUS_CONVERSATIONS_MAX as u64,
        head_members: operating.head_members.into(),
        recall_window_ms: limits::RECALL_WINDOW_MS,
        edit_window_ms: limits::EDIT_WINDOW_MS,
        retry_window_ms: limits::RETRY_WINDOW_MS,
        ping_interval_ms: 30_000,
        idle_timeout_ms: 90_000,
        rates: Rates {
            frames_per_second: operating.session_frames_per_second,
            frames_burst: operating.session_frames_burst,
            sends_per_second: operating.session_sends_per_second,
            sends_burst: operating.session_sends_burst,
            reads_per_second: operating.session_reads_per_second,
            reads_burst: operating.session_reads_burst,
        },
    };
    let text = read("protocol.md");
    let shown = examples(&text)
        .into_iter()
        .filter_map(|example| match ServerFrame::decode(example).ok()?.frame {
            ServerFrame::AuthOk(ok) => Some(ok.limits),
            _ => None,
        })
        .next();
    assert_eq!(shown, Some(in_force));
}

/// Every field of every frame stands in a table of the document.
#[test]
fn every_field_is_explained() {
    let text = read("protocol.md");
    let fields = fields(&json_schema());
    assert!(fields.contains("targetSeq"), "the fields of changes are not among {fields:?}");
    for field in fields {
        assert!(text.contains(&format!("\n| `{field}` |")), "`{field}` is missing");
    }
}

/// The names of all properties anywhere in a schema.
fn fields(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            names.extend(members.values().flat_map(fields));
        }
        Value::Array(items) => names.extend(items.iter().flat_map(fields)),
        _ => {}
    }
    names
}

/// Every kind of change has an example of its own.
#[test]
fn every_kind_of_change_is_shown() {
    let text = read("protocol.md");
    let shown: BTreeSet<String> = examples(&text)
        .into_iter()
        .filter_map(|example| serde_json::from_str::<Value>(example).ok())
        .filter(|example| example["type"] == "EVENT")
        .filter_map(|example| example["change"]["kind"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(shown, super::kinds_of_changes());
}
