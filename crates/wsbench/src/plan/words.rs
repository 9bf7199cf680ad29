//! The words in which a plan is given.

use std::str::FromStr;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// How sends fall into time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Evenly, one sender after the other.
    Spread,
    /// All senders at the same moment.
    Burst,
    /// At random (a Poisson process), as independent users do.
    Poisson,
}

/// Where the token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LoginBy {
    /// Into the upgrade request.
    Header,
    /// Into a frame after the upgrade.
    Frame,
}

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// `metric,value` lines.
    Csv,
    /// One HTML page with plots, for browsers; needs no network.
    Html,
    /// GitHub-flavoured Markdown, for a job's summary.
    Markdown,
    /// JUnit XML, for CI.
    Junit,
}

/// The language of the text report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// A command that is run while the run goes on: what is done to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Action {
    /// When, after the ramp.
    pub at: Span,
    /// What the shell is given.
    pub command: String,
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let action = text.split_once(':').and_then(|(at, command)| {
            let command = command.trim().to_owned();
            Some(Self { at: at.trim().parse().ok()?, command })
        });
        action.filter(|action| !action.command.is_empty()).ok_or_else(|| {
            format!("{text:?} is nothing to run; write TIME:COMMAND, such as '15s:./restart.sh'")
        })
    }
}

impl TryFrom<String> for Action {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        format!("{}:{}", action.at, action.command)
    }
}

/// A stretch of time in which the rate goes in a straight line to a factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Stage {
    /// How long.
    pub time: Span,
    /// Where it ends: a factor of the plan's rate.
    pub factor: f64,
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stage = text.split_once(':').and_then(|(time, factor)| {
            Some(Self { time: time.trim().parse().ok()?, factor: factor.trim().parse().ok()? })
        });
        stage
            .filter(|stage| stage.factor >= 0.0 && stage.factor.is_finite())
            .ok_or_else(|| format!("{text:?} is not a stage; write TIME:FACTOR, such as 30s:2"))
    }
}

impl TryFrom<String> for Stage {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        format!("{}:{}", stage.time, stage.factor)
    }
}
