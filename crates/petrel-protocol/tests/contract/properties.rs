//! What is true of every frame, on frames made at random.

use std::collections::BTreeSet;
use std::fmt::Debug;

use petrel_protocol::frame::*;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::strategies::{
    client_frame, client_msg_id, event_push, json, request_id, server_frame, text, timestamp,
};

/// Reading either frame or error is fine; what was read must survive the way back.
fn survives(text: &str) {
    if let Ok(decoded) = ClientFrame::decode(text) {
        let encoded = decoded.frame.encode(decoded.id.as_ref());
        assert_eq!(ClientFrame::decode(&encoded).as_ref(), Ok(&decoded));
    }
    if let Ok(decoded) = ServerFrame::decode(text) {
        let encoded = decoded.frame.encode(decoded.id.as_ref());
        assert_eq!(ServerFrame::decode(&encoded).as_ref(), Ok(&decoded));
    }
}

proptest! {
    #[test]
    fn a_client_frame_comes_back_as_it_was(
        frame in client_frame(),
        id in option::of(request_id()),
    ) {
        let text = frame.encode(id.as_ref());
        prop_assert_eq!(ClientFrame::decode(&text), Ok(Decoded { id, frame }), "{}", text);
    }

    #[test]
    fn a_server_frame_comes_back_as_it_was(
        frame in server_frame(),
        id in option::of(request_id()),
    ) {
        let text = frame.encode(id.as_ref());
        prop_assert_eq!(ServerFrame::decode(&text), Ok(Decoded { id, frame }), "{}", text);
    }

    #[test]
    fn an_id_is_echoed_as_it_came(id in request_id(), ts in timestamp()) {
        let request = ClientFrame::Ping(Ping {}).encode(Some(&id));
        let echoed = ClientFrame::decode(&request).unwrap().id.unwrap();
        let answer = ServerFrame::Pong(Pong { ts }).encode(Some(&echoed));
        let member = |text: &str| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["id"].clone()
        };
        prop_assert_eq!(member(&request), member(&answer));
        prop_assert_eq!(member(&answer), serde_json::to_value(&id).unwrap());
    }

    #[test]
    fn a_refused_request_keeps_its_id(id in request_id(), client_msg_id in client_msg_id()) {
        let mut request = serde_json::json!({
            "type": "SINGLE_CHAT", "id": id, "clientMsgId": client_msg_id, "to": "x", "body": "b",
        });
        let error = ClientFrame::decode(&request.to_string()).unwrap_err();
        prop_assert_eq!(error.id, Some(id.clone()));
        prop_assert_eq!(error.client_msg_id, Some(client_msg_id.clone()));

        request["type"] = "NO_SUCH_TYPE".into();
        let error = ClientFrame::decode(&request.to_string()).unwrap_err();
        prop_assert_eq!(error.id, Some(id));
        prop_assert_eq!(error.client_msg_id, Some(client_msg_id));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_json_is_read_or_refused(value in json()) {
        survives(&value.to_string());
    }

    #[test]
    fn a_damaged_frame_is_read_or_refused(
        frame in prop_oneof![
            client_frame().prop_map(|frame| frame.encode(None)),
            server_frame().prop_map(|frame| frame.encode(None)),
        ],
        at in any::<proptest::sample::Index>(),
        instead in text(),
    ) {
        let mut characters: Vec<char> = frame.chars().collect();
        let at = at.index(characters.len());
        characters.splice(at..=at, instead.chars());
        survives(&String::from_iter(characters));
    }

    /// Whatever a later kind carries, the rest of the event stays readable.
    #[test]
    fn a_change_of_an_unknown_kind_leaves_the_event_readable(
        event in event_push(),
        kind in text(),
        members in json(),
    ) {
        let mut change = members.as_object().cloned().unwrap_or_default();
        change.insert("kind".to_owned(), format!("later {kind}").into());
        let mut frame = serde_json::to_value(ServerFrame::Event(event.clone())).unwrap();
        frame["change"] = change.into();

        let read = ServerFrame::decode(&frame.to_string()).unwrap().frame;
        let expected = EventPush { change: Change::Unknown, ..event };
        prop_assert_eq!(read, ServerFrame::Event(expected));
    }
}

/// The properties above say nothing about a frame that is never made.
#[test]
fn frames_of_every_type_are_made() {
    let client = made(client_frame(), ClientFrame::type_name);
    assert_eq!(client, BTreeSet::from_iter(ClientFrame::TYPES.iter().copied()));
    let server = made(server_frame(), ServerFrame::type_name);
    assert_eq!(server, BTreeSet::from_iter(ServerFrame::TYPES.iter().copied()));
}

fn made<F: Debug, T: Ord>(frames: impl Strategy<Value = F>, told_by: fn(&F) -> T) -> BTreeSet<T> {
    let mut runner = TestRunner::deterministic();
    (0..2000).map(|_| told_by(&frames.new_tree(&mut runner).unwrap().current())).collect()
}
