//! Runs the vectors in `golden/`.

use std::collections::{BTreeSet, HashSet};

use petrel_protocol::frame::{ClientFrame, DecodeError, Decoded, RequestId, ServerFrame};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    text: String,
    canonical: Option<String>,
    reason: Option<String>,
    id: Option<RequestId>,
    client_msg_id: Option<String>,
}

/// One direction of the protocol.
struct Direction<F> {
    file: &'static str,
    types: &'static [&'static str],
    decode: fn(&str) -> Result<Decoded<F>, DecodeError>,
    encode: fn(&F, Option<&RequestId>) -> String,
    type_name: fn(&F) -> &'static str,
}

#[test]
fn client_frames_agree_with_the_golden_vectors() {
    Direction {
        file: include_str!("../../golden/client.jsonl"),
        types: ClientFrame::TYPES,
        decode: ClientFrame::decode,
        encode: ClientFrame::encode,
        type_name: ClientFrame::type_name,
    }
    .check();
}

#[test]
fn server_frames_agree_with_the_golden_vectors() {
    Direction {
        file: include_str!("../../golden/server.jsonl"),
        types: ServerFrame::TYPES,
        decode: ServerFrame::decode,
        encode: ServerFrame::encode,
        type_name: ServerFrame::type_name,
    }
    .check();
}

/// `type` tells the frames of events apart no further; `kind` does.
#[test]
fn every_kind_of_change_has_a_vector_in_canonical_form() {
    let canonical: BTreeSet<String> = include_str!("../../golden/server.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Vector>(line).unwrap())
        .filter(|vector| vector.canonical.as_ref() == Some(&vector.text))
        .filter_map(|vector| match ServerFrame::decode(&vector.text).unwrap().frame {
            ServerFrame::Event(event) => Some(serde_json::to_value(event.change).unwrap()),
            _ => None,
        })
        .map(|change| change["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(canonical, super::kinds_of_changes());
}

impl<F: PartialEq + std::fmt::Debug> Direction<F> {
    fn check(&self) {
        let mut names = HashSet::new();
        let mut canonical_types = HashSet::new();
        let mut refused = 0;
        for line in self.file.lines() {
            let vector: Vector = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not a vector: {line}: {error}"));
            assert!(names.insert(vector.name.clone()), "{}: the name is taken", vector.name);
            match (&vector.canonical, &vector.reason) {
                (Some(canonical), None) => {
                    let kind = self.check_accepted(&vector, canonical);
                    if vector.text == *canonical {
                        canonical_types.insert(kind);
                    }
                }
                (None, Some(reason)) => {
                    self.check_refused(&vector, reason);
                    refused += 1;
                }
                _ => panic!("{}: give either `canonical` or `reason`", vector.name),
            }
        }
        for kind in self.types {
            assert!(canonical_types.contains(kind), "{kind} has no vector in canonical form");
        }
        assert!(refused > 0, "no vector is refused");
    }

    fn check_accepted(&self, vector: &Vector, canonical: &str) -> &'static str {
        let name = &vector.name;
        let decoded = (self.decode)(&vector.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let encoded = (self.encode)(&decoded.frame, decoded.id.as_ref());
        assert_eq!(encoded, canonical, "{name}");
        assert_eq!((self.decode)(&encoded).as_ref(), Ok(&decoded), "{name}, decoded again");
        (self.type_name)(&decoded.frame)
    }

    fn check_refused(&self, vector: &Vector, reason: &str) {
        let name = &vector.name;
        let error = (self.decode)(&vector.text).expect_err(name);
        assert_eq!(error.reason.as_str(), reason, "{name}: {error}");
        assert_eq!(error.id, vector.id, "{name}");
        let client_msg_id = error.client_msg_id.as_ref().map(|id| id.as_str());
        assert_eq!(client_msg_id, vector.client_msg_id.as_deref(), "{name}");
    }
}
