//! The JSON Schema of all frames, generated from the types.

use serde_json::{Value, json};

use super::{ClientFrame, RequestId, ServerFrame};
use crate::close::CloseReason;

/// The schema document kept in `docs/protocol.schema.json`.
pub fn json_schema() -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let client = generator.subschema_for::<ClientFrame>();
    let server = generator.subschema_for::<ServerFrame>();
    let close = generator.subschema_for::<CloseReason>();
    let request_id = generator.subschema_for::<RequestId>().to_value();

    // `id` belongs to the envelope, so the frames' types don't know it.
    let mut definitions = Value::Object(generator.take_definitions(true));
    for direction in ["ClientFrame", "ServerFrame"] {
        for frame in definitions[direction]["oneOf"].as_array_mut().into_iter().flatten() {
            frame["properties"]["id"] = request_id.clone();
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Petrel client protocol v1",
        "description": "The text frames of clients and of the server in canonical form, \
            and the reason in a close frame. Generated from crates/petrel-protocol.",
        "anyOf": [client, server, close],
        "$defs": definitions,
    })
}
