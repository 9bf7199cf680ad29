//! Commands that are run while a run goes on: a restart, a failure, whatever is to be
//! done to the server.

use std::process::{Child, Command, Stdio};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Nanos;
use crate::plan::Action;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The command.
    pub command: String,
    /// When it began, in seconds since the beginning of the run.
    pub at_seconds: f64,
    /// How it ended; none if it goes on.
    pub ended: Option<String>,
    /// It ended well.
    pub ok: bool,
}

/// The commands of a run.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// What is still to be run, and when.
    waiting: Vec<(Nanos, Action)>,
    running: Vec<(usize, Child)>,
    done: Vec<Done>,
    began: Nanos,
}

impl Actions {
    /// The ramp is over: the times count from now.
    pub(super) fn begin(&mut self, actions: &[Action], began: Nanos, now: Nanos) {
        self.began = began;
        self.waiting =
            actions.iter().map(|action| (now + action.at.nanos(), action.clone())).collect();
    }

    /// Runs what is due, and looks at what runs.
    pub(super) fn look(&mut self, now: Nanos) {
        let (due, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(at, _)| *at <= now);
        self.waiting = waiting;
        let due: Vec<(Nanos, Action)> = due;
        for (_, action) in due {
            self.start(action.command, now);
        }
        let done = &mut self.done;
        self.running.retain_mut(|(place, child)| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                done[*place].ok = status.success();
                done[*place].ended = Some(status.to_string());
                false
            }
            Err(error) => {
                done[*place].ended = Some(error.to_string());
                false
            }
        });
    }

    fn start(&mut self, command: String, now: Nanos) {
        // Standard output has the report and nothing else.
        let child = Command::new("sh")
            .arg("-c")
            .arg(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let at_seconds = now.saturating_sub(self.began) as f64 / 1e9;
        let mut done = Done { command, at_seconds, ended: None, ok: true };
        match child {
            Ok(child) => self.running.push((self.done.len(), child)),
            Err(error) => (done.ok, done.ended) = (false, Some(error.to_string())),
        }
        self.done.push(done);
    }

    /// The run is over. What still runs goes on: it may be the server.
    pub(super) fn finish(mut self, now: Nanos) -> Vec<Done> {
        self.waiting.clear();
        self.look(now);
        self.done
    }
}
