//! `petrel admin users`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use petrel_node::AdminError;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{
    AdminUser, AdminUserGroups, AdminUserShown, AdminUsers, ClearProfile, LoginsEnded,
    PasswordReset, ProfilePart,
};
use serde_json::json;

use super::{Desk, name_of, query, time_of};

/// List, show and change users. A user is named by id or by user name.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    List(List),
    Show(Named),
    Disable(Disable),
    Enable(Enable),
    Logout(Logout),
    ResetPassword(ResetPassword),
    MakeAdmin(MakeAdmin),
    UnmakeAdmin(UnmakeAdmin),
    Clear(Clear),
}

/// List users by id.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this in their user names or display names
    search: Option<String>,

    /// Only admins of the system
    #[arg(long)]
    admins: bool,

    /// Only those who are locked out
    #[arg(long)]
    disabled: bool,

    /// Only those with ids above this one, as the last line of a list says
    #[arg(long, value_name = "ID")]
    after: Option<u64>,

    /// The most users listed, up to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Show a user, with log-ins and groups.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Id or user name
    user: String,
}

/// Lock a user out: log-ins and sessions end at once, no token is good any more.
///
/// What others send to the user is stored as ever.
#[derive(Debug, Args)]
pub(crate) struct Disable {
    /// Id or user name
    user: String,

    /// Why, for other admins; the user is not told
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Let a user in again, who has to log in anew.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    /// Id or user name
    user: String,
}

/// End all log-ins and sessions of a user.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Id or user name
    user: String,
}

/// Take a user's password away, and print a code with which the user chooses another.
///
/// All log-ins end. The code is good once, for a day, and stored nowhere: give it to the user
/// by a way that you trust.
#[derive(Debug, Args)]
pub(crate) struct ResetPassword {
    /// Id or user name
    user: String,
}

/// Make a registered user an admin of the system.
#[derive(Debug, Args)]
pub(crate) struct MakeAdmin {
    /// Id or user name
    user: String,
}

/// Make an admin of the system an ordinary user. The last one stays.
#[derive(Debug, Args)]
pub(crate) struct UnmakeAdmin {
    /// Id or user name
    user: String,
}

/// Clear a user's display name or picture, which the user may choose anew.
///
/// The user's devices are told. It takes a running server.
#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// Id or user name
    user: String,

    /// What
    part: Part,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    DisplayName,
    Avatar,
}

impl Users {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        match self {
            Self::List(list) => list.carry_out(desk).await,
            Self::Show(Named { user }) => show(desk, &user).await,
            Self::Disable(Disable { user, reason }) => {
                let path = format!("/api/admin/users/{}/disable", desk.user(&user).await?);
                let body = json!({ "reason": reason });
                desk.tell("POST", &path, Some(body), |ended: LoginsEnded| {
                    format!("{user} is locked out; {} ended.", logins(ended.logins_ended))
                })
                .await
            }
            Self::Enable(Enable { user }) => {
                let path = format!("/api/admin/users/{}/enable", desk.user(&user).await?);
                let words = |Done {}| format!("{user} may log in again.");
                desk.tell("POST", &path, None, words).await
            }
            Self::Logout(Logout { user }) => {
                let path = format!("/api/admin/users/{}/logout", desk.user(&user).await?);
                let words =
                    |ended: LoginsEnded| format!("{user}: {} ended.", logins(ended.logins_ended));
                desk.tell("POST", &path, None, words).await
            }
            Self::ResetPassword(ResetPassword { user }) => {
                let path = format!("/api/admin/users/{}/reset-password", desk.user(&user).await?);
                desk.tell("POST", &path, None, reset).await
            }
            Self::MakeAdmin(MakeAdmin { user }) => Self::set_admin(desk, &user, true).await,
            Self::UnmakeAdmin(UnmakeAdmin { user }) => Self::set_admin(desk, &user, false).await,
            Self::Clear(Clear { user, part }) => {
                let path = format!("/api/admin/users/{}/clear", desk.user(&user).await?);
                let (part, what) = match part {
                    Part::DisplayName => (ProfilePart::DisplayName, "display name"),
                    Part::Avatar => (ProfilePart::Avatar, "avatar"),
                };
                let words = |Done {}| format!("{user} has no {what} any more.");
                desk.tell("POST", &path, Some(json!(ClearProfile { part })), words).await
            }
        }
    }

    pub(super) async fn set_admin(
        desk: &Desk,
        user: &str,
        admin: bool,
    ) -> Result<String, AdminError> {
        let id = desk.user(user).await?;
        let path = format!("/api/admin/users/{id}/admin");
        let what = if admin { "an admin" } else { "an admin no longer" };
        let words = |Done {}| format!("{user} ({id}) is {what}.");
        desk.tell("PUT", &path, Some(json!({ "admin": admin })), words).await
    }
}

impl List {
    async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        let only = |wanted: bool| wanted.then(|| "true".to_owned());
        let query = query(&[
            ("search", self.search),
            ("admin", only(self.admins)),
            ("disabled", only(self.disabled)),
            ("after", self.after.map(|after| after.to_string())),
            ("limit", Some(self.limit.to_string())),
        ]);
        let path = format!("/api/admin/users{query}");
        desk.tell("GET", &path, None, |found: AdminUsers| {
            let mut out = String::new();
            for user in &found.users {
                let _ = writeln!(out, "{}", line(user));
            }
            if found.users.is_empty() {
                out.push_str("Nobody is found.\n");
            }
            if let Some(next) = found.next {
                let _ = writeln!(out, "There may be more: --after {next}");
            }
            out
        })
        .await
    }
}

async fn show(desk: &Desk, user: &str) -> Result<String, AdminError> {
    let id = desk.user(user).await?;
    let path = format!("/api/admin/users/{id}");
    if desk.json {
        return desk.tell("GET", &path, None, |_: AdminUserShown| String::new()).await;
    }
    let shown: AdminUserShown = desk.ask(path.clone()).await?;
    let groups: AdminUserGroups = desk.ask(format!("{path}/groups")).await?;
    let mut out = line(&shown.user);
    let registered = shown.user.created_ts.map_or_else(|| "-".to_owned(), time_of);
    let _ = write!(out, "\n  registered  {registered}");
    let _ =
        write!(out, "\n  last seen   {}", shown.seen_ts.map_or_else(|| "-".to_owned(), time_of));
    if let Some(name) = &shown.user.display_name {
        let _ = write!(out, "\n  called      {name}");
    }
    if let Some(avatar) = &shown.user.avatar {
        let _ = write!(out, "\n  picture     file {}", avatar.file_id);
    }
    if let Some(reason) = &shown.user.disabled_reason {
        let _ = write!(out, "\n  locked out  {reason}");
    }
    if let Some(sessions) = shown.sessions {
        let _ = write!(out, "\n  sessions    {sessions} open");
    }
    for login in &shown.logins {
        let device = [&login.device_id, &login.platform, &login.client];
        let device: Vec<_> = device.into_iter().flatten().map(String::as_str).collect();
        let (id, seen) = (login.login_id, time_of(login.seen_ts));
        let _ = write!(out, "\n  log-in {id}, seen {seen}  {}", device.join(", "));
    }
    for group in &groups.groups {
        let role = serde_json::to_value(group.role).unwrap_or_default();
        let role = role.as_str().unwrap_or_default();
        let _ = write!(out, "\n  group {} ({role})  {}", group.group_id, group.title);
    }
    if shown.more_logins || groups.next.is_some() {
        out.push_str("\n  … and more; --json and the routes page through them");
    }
    Ok(out)
}

fn line(user: &AdminUser) -> String {
    let mut line = format!("{}  {}", user.user_id, name_of(user));
    if let Some(name) = &user.display_name {
        let _ = write!(line, "  ({name})");
    }
    if user.admin {
        line.push_str("  admin");
    }
    if let Some(since) = user.disabled_ts {
        let _ = write!(line, "  locked out since {}", time_of(since));
    }
    line
}

fn reset(reset: PasswordReset) -> String {
    let PasswordReset { username, code, expires_ts, logins_ended } = reset;
    let (ended, until) = (logins(logins_ended), time_of(expires_ts));
    format!(
        "The password of {username} is no good any more; {ended} ended.\nUntil {until} this code takes another one, once:\n{code}"
    )
}

fn logins(count: u64) -> String {
    format!("{count} log-in{}", if count == 1 { "" } else { "s" })
}
