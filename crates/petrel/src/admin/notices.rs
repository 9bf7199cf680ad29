//! `petrel admin notices`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use petrel_node::AdminError;
use petrel_node::config::Span;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{AdminNotice, AdminNotices, NewNotice, NoticeSent};
use petrel_types::{Clock, SystemClock, TimestampMs};
use serde_json::json;

use super::{Desk, query, time_of};

/// Say something to everybody who is connected, and see what is said to those who connect.
///
/// A notice that holds for a time, or until it is withdrawn, is shown to everybody who
/// connects meanwhile, after a restart as well; one without either is said once.
#[derive(Debug, Subcommand)]
pub(crate) enum Notices {
    Send(Send),
    List(List),
    Withdraw(Withdraw),
}

/// Say something to everybody.
///
/// Example: petrel admin notices send --for 2h "Down for repairs from 6 to 7."
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// What to say: plain text of at most 1000 characters
    text: String,

    /// How long those who connect are told, too, as 30m, 2h or 7d
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until_withdrawn")]
    lasts: Option<Span>,

    /// Those who connect are told until it is withdrawn
    #[arg(long)]
    until_withdrawn: bool,
}

/// List the notices in force, newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with ids below this one, as the last line of a list says
    #[arg(long, value_name = "ID")]
    before: Option<u64>,

    /// The most notices listed, up to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Take a notice back. Those who see it are told so.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Its id, as `send` and `list` say
    id: u64,
}

impl Notices {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        match self {
            Self::Send(Send { text, lasts, until_withdrawn }) => {
                let until_ts = lasts.map(|Span(lasts)| {
                    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
                    TimestampMs::new(SystemClock.now().get().saturating_add(lasts_ms))
                });
                let body = json!(NewNotice { text, until_ts, until_withdrawn });
                desk.tell("POST", "/api/admin/notices", Some(body), sent).await
            }
            Self::List(List { before, limit }) => {
                let before = before.map(|before| before.to_string());
                let query = query(&[("before", before), ("limit", Some(limit.to_string()))]);
                desk.tell("GET", &format!("/api/admin/notices{query}"), None, listed).await
            }
            Self::Withdraw(Withdraw { id }) => {
                let path = format!("/api/admin/notices/{id}/withdraw");
                desk.tell("POST", &path, None, |Done {}| "Done.".to_owned()).await
            }
        }
    }
}

fn sent(sent: NoticeSent) -> String {
    let sessions = match sent.sessions {
        0 => "nobody is connected".to_owned(),
        1 => "on its way to 1 session".to_owned(),
        sessions => format!("on its way to {sessions} sessions"),
    };
    format!("Notice {}: {sessions}.", sent.notice.notice_id)
}

fn listed(found: AdminNotices) -> String {
    let mut out = String::new();
    for AdminNotice { notice_id, text, ts, until_ts, .. } in &found.notices {
        let until = until_ts.map_or_else(|| "withdrawn".to_owned(), time_of);
        let _ = writeln!(out, "{notice_id}  {}  until {until}  {text:?}", time_of(*ts));
    }
    if found.notices.is_empty() {
        out.push_str("No notice is in force.\n");
    }
    if let Some(next) = found.next {
        let _ = writeln!(out, "There may be more: --before {next}");
    }
    out
}
