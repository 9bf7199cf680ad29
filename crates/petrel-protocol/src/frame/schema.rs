//! The JSON Schema of all frames, generated from the types.

use serde_json::{Value, json};

use super::{ClientFrame, ServerFrame};
use crate::close::CloseReason;

/// The schema document kept in `docs/protocol.schema.json`.
pub fn json_schema() -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let client = generator.subschema_for::<ClientFrame>();
    let server = generator.subschema_for::<ServerFrame>();
    let close = generator.subschema_for::<CloseReason>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Petrel client protocol v1",
        "description": "Every text frame is one of these objects. Generated from crates/petrel-protocol.",
        "anyOf": [client, server, close],
        "$defs": generator.definitions(),
    })
}
