//! `petrel admin limits`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use petrel_node::AdminError;
use petrel_protocol::http::admin::{AdminLimits, Changed};
use serde_json::{Map, Value, json};

use super::Desk;

/// The one limit that is no number.
const REGISTRATION: &str = "registration";

/// See and change limits of a server while it runs.
///
/// A change holds at once, and after a restart as well, whatever the configuration says, until
/// it is reset; with --until-restart it is gone with the next restart.
#[derive(Debug, Subcommand)]
pub(crate) enum Limits {
    /// List the limits, as they are and as they are configured
    List,
    Set(Set),
    Reset(Reset),
}

/// Change limits: all of those given, or none.
///
/// Example: petrel admin limits set registration=closed sessionSendsPerSecond=20 sessionSendsBurst=40
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Which, and what it is from now on; `registration` is open, invite or closed
    #[arg(required = true, value_name = "NAME=VALUE", value_parser = pair)]
    limits: Vec<(String, Value)>,

    /// It is as configured again after a restart
    #[arg(long)]
    until_restart: bool,
}

/// Have limits as they are configured.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Which
    #[arg(required = true)]
    limits: Vec<String>,
}

impl Limits {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        let (limits, until_restart) = match self {
            Self::List => return desk.tell("GET", "/api/admin/limits", None, listed).await,
            Self::Set(Set { limits, until_restart }) => (limits, until_restart),
            Self::Reset(Reset { limits }) => {
                (limits.into_iter().map(|name| (name, Value::Null)).collect(), false)
            }
        };
        let mut numbers: BTreeMap<_, _> = limits.into_iter().collect();
        let mut body = Map::new();
        if let Some(registration) = numbers.remove(REGISTRATION) {
            body.insert(REGISTRATION.to_owned(), registration);
        }
        body.insert("limits".to_owned(), json!(numbers));
        body.insert("untilRestart".to_owned(), json!(until_restart));
        desk.tell("PATCH", "/api/admin/limits", Some(Value::Object(body)), listed).await
    }
}

fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form NAME=VALUE"))?;
    let value = match name {
        REGISTRATION => json!(value),
        _ => json!(value.parse::<u64>().map_err(|_| format!("{value:?} is no number"))?),
    };
    Ok((name.to_owned(), value))
}

fn listed(found: AdminLimits) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String, configured: String, changed: Option<Changed>| {
        let changed = match changed {
            None => String::new(),
            Some(Changed::Kept) => format!("  (configured: {configured}; kept)"),
            Some(Changed::UntilRestart) => format!("  (configured: {configured}; until a restart)"),
        };
        let _ = writeln!(out, "{name:<28}  {value}{changed}");
    };
    let registration = found.registration;
    let (value, configured) = (registration.value.as_str(), registration.configured.as_str());
    line(REGISTRATION, value.to_owned(), configured.to_owned(), registration.changed);
    for limit in found.limits {
        let (value, configured) = (limit.value.to_string(), limit.configured.to_string());
        line(limit.name.as_str(), value, configured, limit.changed);
    }
    out
}
