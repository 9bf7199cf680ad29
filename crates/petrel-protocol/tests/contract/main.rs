//! Holds the crate to the contract with clients: the golden vectors, the JSON Schema
//! and the prose in `docs/`, and what must be true of every frame there can be.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod documents;
mod golden;
mod properties;
mod strategies;
