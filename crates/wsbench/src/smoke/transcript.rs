//! What was said and heard, for whoever wants to know why something failed.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that was said or heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When, in milliseconds after the beginning of the behaviour.
    pub at_ms: u64,
    /// Whose connection.
    pub who: String,
    /// `connected`, `sent`, `received` or `ended`.
    pub step: String,
    /// The frame, without its token.
    pub frame: Value,
}

/// Steps, in order.
#[derive(Debug)]
pub(super) struct Transcript {
    began: Instant,
    pub(super) steps: Vec<Step>,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), steps: Vec::new() }
    }

    pub(super) fn note(&mut self, who: &str, step: &str, frame: &Value) {
        let mut frame = frame.clone();
        if let Some(token) = frame.get_mut("token") {
            *token = "***".into();
        }
        self.steps.push(Step {
            at_ms: self.began.elapsed().as_millis() as u64,
            who: who.to_owned(),
            step: step.to_owned(),
            frame,
        });
    }
}
