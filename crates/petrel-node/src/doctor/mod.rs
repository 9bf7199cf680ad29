//! Is this machine, and what lies in the data directory, fit for the node that a
//! configuration describes?
//!
//! Everything is looked at and nothing is changed, but for one small file in the data
//! directory with which the disk is measured, and which is deleted again. Each finding
//! says what was found, what it means, and how it is changed.

mod clock;
mod disk;
mod files;
mod kernel;
mod ports;

use serde::Serialize;

use crate::NodeConfig;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// In order.
    Ok,
    /// Works, and could be better.
    Advice,
    /// Works until there is load, or an attacker.
    Warning,
    /// Does not work, or loses what it should keep.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, and what it is.
    pub what: String,
    /// What that means.
    pub why: String,
    /// How to change it, mostly a command.
    pub fix: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, what: what.into(), why: why.into(), fix: None }
    }

    fn bad(
        severity: Severity,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity, what: what.into(), why: why.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything. Takes a few seconds at most, for the disk.
pub fn examine(config: &NodeConfig) -> Vec<Finding> {
    let mut findings = kernel::examine(config.connections_max);
    findings.extend(disk::examine(&config.data_directory));
    findings.extend(files::examine(config));
    findings.extend(clock::examine(&config.data_directory));
    findings.extend(ports::examine(config));
    findings
}
