//! The optional `id` of a request, echoed on its answer.

use std::fmt;

use petrel_types::limits::REQUEST_ID_BYTES_MAX;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What a client put into `id`: a number or a short string. It goes back as it
/// came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum RequestId {
    /// A non-negative integer.
    Number(u64),
    /// A string of at most 64 bytes.
    #[schemars(extend("maxLength" = REQUEST_ID_BYTES_MAX))]
    Text(Box<str>),
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RequestIdVisitor;

        impl Visitor<'_> for RequestIdVisitor {
            type Value = RequestId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number or a string of at most {REQUEST_ID_BYTES_MAX} bytes")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<RequestId, E> {
                Ok(RequestId::Number(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<RequestId, E> {
                if value.len() > REQUEST_ID_BYTES_MAX {
                    return Err(E::invalid_length(value.len(), &self));
                }
                Ok(RequestId::Text(value.into()))
            }
        }

        deserializer.deserialize_any(RequestIdVisitor)
    }
}

/// Serialises a frame and puts `id` first. The frame's own object is written as it
/// is: flattening it into another struct would buffer every field.
pub(crate) fn encode(frame: &impl Serialize, id: Option<&RequestId>) -> String {
    let mut text = json(frame);
    if let Some(id) = id {
        debug_assert!(text.starts_with("{\""), "a frame is a JSON object with a type");
        text.insert_str(1, &format!("\"id\":{},", json(id)));
    }
    text
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("frames hold only strings, numbers and lists of them")
}
