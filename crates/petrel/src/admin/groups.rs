//! `petrel admin groups`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use petrel_node::AdminError;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{
    AdminGroup, AdminGroupShown, AdminGroups, ClearGroup, GroupPart,
};
use serde_json::json;

use super::{Desk, query};

/// List, show and change groups. What changes a group takes a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Groups {
    List(List),
    Show(Show),
    Dissolve(Dissolve),
    Remove(Remove),
    HandOver(HandOver),
    Clear(Clear),
}

/// List groups by id.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this in their titles
    search: Option<String>,

    /// Only those with ids above this one, as the last line of a list says
    #[arg(long, value_name = "ID")]
    after: Option<u64>,

    /// The most groups listed, up to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Show a group and who is in it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of the group
    group: u64,

    /// Only members with ids above this one, as the last line says
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

/// End a group for everybody. What was said stays readable to those who were in it.
#[derive(Debug, Args)]
pub(crate) struct Dissolve {
    /// The id of the group
    group: u64,
}

/// Take a member out of a group.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The id of the group
    group: u64,

    /// Id or user name
    user: String,
}

/// Make a member the owner of a group, whose owner is gone for instance.
#[derive(Debug, Args)]
pub(crate) struct HandOver {
    /// The id of the group
    group: u64,

    /// Id or user name
    user: String,
}

/// Clear what a group is called, says or looks like. Its members are told.
///
/// A group without a title of its own is called by its id.
#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// The id of the group
    group: u64,

    /// What
    part: Part,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    Title,
    Description,
    Announcement,
    Avatar,
}

impl Groups {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        let done = |Done {}| "Done.".to_owned();
        match self {
            Self::List(List { search, after, limit }) => {
                let query = query(&[
                    ("search", search),
                    ("after", after.map(|after| after.to_string())),
                    ("limit", Some(limit.to_string())),
                ]);
                desk.tell("GET", &format!("/api/admin/groups{query}"), None, listed).await
            }
            Self::Show(Show { group, after }) => {
                let query = query(&[("usersAfter", after.map(|after| after.to_string()))]);
                desk.tell("GET", &format!("/api/admin/groups/{group}{query}"), None, shown).await
            }
            Self::Dissolve(Dissolve { group }) => {
                desk.tell("POST", &format!("/api/admin/groups/{group}/dissolve"), None, done).await
            }
            Self::Remove(Remove { group, user }) => {
                let user = desk.user(&user).await?;
                let path = format!("/api/admin/groups/{group}/members/{user}/remove");
                desk.tell("POST", &path, None, done).await
            }
            Self::HandOver(HandOver { group, user }) => {
                let body = json!({ "user": desk.user(&user).await? });
                let path = format!("/api/admin/groups/{group}/hand-over");
                desk.tell("POST", &path, Some(body), done).await
            }
            Self::Clear(Clear { group, part }) => {
                let part = match part {
                    Part::Title => GroupPart::Title,
                    Part::Description => GroupPart::Description,
                    Part::Announcement => GroupPart::Announcement,
                    Part::Avatar => GroupPart::Avatar,
                };
                let path = format!("/api/admin/groups/{group}/clear");
                desk.tell("POST", &path, Some(json!(ClearGroup { part })), done).await
            }
        }
    }
}

fn line(group: &AdminGroup) -> String {
    let members = match group.members {
        0 => "dissolved".to_owned(),
        1 => "1 member".to_owned(),
        many => format!("{many} members"),
    };
    format!("{}  {}  {members}", group.group_id, group.title)
}

fn listed(found: AdminGroups) -> String {
    let mut out = String::new();
    for group in &found.groups {
        let _ = writeln!(out, "{}", line(group));
    }
    if found.groups.is_empty() {
        out.push_str("No group is found.\n");
    }
    if let Some(next) = found.next {
        let _ = writeln!(out, "There may be more: --after {next}");
    }
    out
}

fn shown(shown: AdminGroupShown) -> String {
    let mut out = format!("{}\n", line(&shown.group));
    let picture = shown.group.avatar.map(|avatar| format!("file {}", avatar.file_id));
    let texts = [
        ("description", shown.description),
        ("announcement", shown.announcement),
        ("picture", picture.or(shown.avatar_address)),
    ];
    for (what, text) in texts {
        if let Some(text) = text {
            // One line, whatever the members wrote.
            let text: String =
                text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
            let _ = writeln!(out, "  {what}: {text}");
        }
    }
    for member in &shown.members {
        let role = serde_json::to_value(member.role).unwrap_or_default();
        let nickname = member.nickname.as_deref().unwrap_or_default();
        let _ = writeln!(out, "  {}  {}  {nickname}", member.user_id, role.as_str().unwrap_or("?"));
    }
    if let Some(next) = shown.next {
        let _ = writeln!(out, "There are more: --after {next}");
    }
    out
}
