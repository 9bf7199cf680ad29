//! Holds the crate to the contract with clients: the golden vectors, the JSON Schema
//! and the prose in `docs/`, and what must be true of every frame there can be.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::collections::BTreeSet;

mod documents;
mod golden;
mod properties;
mod strategies;

/// The `kind` of every change, as the schema has them.
fn kinds_of_changes() -> BTreeSet<String> {
    let schema = petrel_protocol::frame::json_schema();
    let variants = schema["$defs"]["Change"]["oneOf"].as_array().unwrap();
    let kinds = variants.iter().map(|variant| variant["properties"]["kind"]["const"].as_str());
    kinds.map(|kind| kind.unwrap().to_owned()).collect()
}
