//! `petrel admin audit`.

use std::fmt::Write as _;

use clap::Args;
use petrel_node::AdminError;
use petrel_protocol::http::admin::{AuditEntry, AuditLog};

use super::{Desk, query, time_of};

/// Print what admins did, newest first: when, who, from where, what, to whom.
///
/// Who has no id was at the machine itself, and `local:1000` is the user of the machine.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only what this user did: id or user name
    #[arg(long, value_name = "USER")]
    actor: Option<String>,

    /// Only what was done to this user: id or user name
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Only what was done to this group
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    group: Option<u64>,

    /// Only what is called so, as userDisabled
    #[arg(long, value_name = "NAME")]
    action: Option<String>,

    /// Only records with numbers below this one, as the last line of a list says
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,

    /// The most records printed, up to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

impl Audit {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        let id = async |named: Option<String>| match named {
            Some(named) => desk.user(&named).await.map(|user| Some(user.to_string())),
            None => Ok(None),
        };
        let query = query(&[
            ("actor", id(self.actor).await?),
            ("user", id(self.user).await?),
            ("group", self.group.map(|group| group.to_string())),
            ("action", self.action),
            ("before", self.before.map(|before| before.to_string())),
            ("limit", Some(self.limit.to_string())),
        ]);
        let path = format!("/api/admin/audit{query}");
        desk.tell("GET", &path, None, |log: AuditLog| {
            let mut out = String::new();
            for entry in &log.records {
                let _ = writeln!(out, "{}", line(entry));
            }
            if log.records.is_empty() {
                out.push_str("Nothing is recorded.\n");
            }
            if let Some(next) = log.next {
                let _ = writeln!(out, "There may be more: --before {next}");
            }
            out
        })
        .await
    }
}

fn line(entry: &AuditEntry) -> String {
    let actor = entry.actor.map_or_else(|| "-".to_owned(), |actor| actor.to_string());
    let (time, source, action) = (time_of(entry.ts), &entry.source, entry.action);
    let mut line = format!("{}  {time}  {actor}  {source}  {action}", entry.number);
    if let Some(user) = entry.user {
        let _ = write!(line, "  user {user}");
    }
    if let Some(group) = entry.group {
        let _ = write!(line, "  group {group}");
    }
    if !entry.detail.is_empty() {
        let _ = write!(line, "  {}", entry.detail);
    }
    line
}
