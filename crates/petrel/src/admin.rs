//! `petrel admin`.

mod audit;
mod groups;
mod limits;
mod notices;
mod statistics;
mod users;
mod words;

use std::io::{self, BufRead, IsTerminal, Read, Write};

use clap::{Args, Subcommand};
use petrel_node::{AdminError, Ask};
use petrel_protocol::http::Invite as InviteMade;
use petrel_protocol::http::admin::{AdminUser, AdminUsers, NewUser};
use petrel_types::{TimestampMs, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::exit::Failure;
use crate::settings::DataDirectory;

/// The longest password line that is read, in bytes. A longer one is refused anyway.
const PASSWORD_LINE_MAX: u64 = 1024;

/// Look after users, groups and what admins did.
///
/// On the data directory of a stopped server the commands work on the data itself; if a
/// server is at work in it, they ask that one, by the socket operator.sock in the directory.
/// So whoever may read the data may give them, and nobody else; everything that changes
/// something is written into the audit log.
///
/// The first admin comes to be by `petrel admin create-user --admin NAME`: nobody who only
/// reaches the server over the network can become one.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    data: DataDirectory,

    /// Print the answer as JSON, as the routes below /api/admin give it
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    CreateUser(CreateUser),
    GrantAdmin(GrantAdmin),
    Invite(Invite),
    #[command(subcommand)]
    Users(users::Users),
    #[command(subcommand)]
    Groups(groups::Groups),
    Audit(audit::Audit),
    Statistics(statistics::Statistics),
    #[command(subcommand)]
    Words(words::Words),
    #[command(subcommand)]
    Notices(notices::Notices),
    #[command(subcommand)]
    Limits(limits::Limits),
}

/// Create a user, also where registration is closed.
///
/// The password is asked for, or read as one line from standard input if that is no
/// terminal. It is never an argument, where every user of the machine could see it.
///
/// Example: petrel admin create-user --admin ada
#[derive(Debug, Args)]
struct CreateUser {
    /// The name to log in with
    username: String,

    /// Make the user an admin
    #[arg(long)]
    admin: bool,
}

/// Make a registered user an admin.
#[derive(Debug, Args)]
struct GrantAdmin {
    /// The name the user logs in with
    username: String,
}

/// Print a code with which people can register at a server started with --registration invite.
///
/// The code is stored nowhere; whoever has it can register. Everything that was invited
/// stays when the code ends.
#[derive(Debug, Args)]
struct Invite {
    /// How many people may register with it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    uses: u32,

    /// How long it lasts, in days
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
}

/// Whom the commands ask.
struct Desk {
    admin: petrel_node::Admin,
    json: bool,
}

impl Admin {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Asked for before the directory is locked: a person takes time to answer.
        let password = match &self.command {
            Command::CreateUser(_) => read_password().map_err(Failure::starting)?,
            _ => String::new(),
        };
        let data = self.data.path()?;
        let runtime = Runtime::new().map_err(Failure::starting)?;
        let told = runtime.block_on(async {
            let admin = petrel_node::Admin::open(&data)?;
            let desk = Desk { admin, json: self.json };
            let told = self.command.carry_out(&desk, password).await;
            desk.admin.close().await?;
            told
        });
        let told = told.map_err(Failure::starting)?;
        writeln!(io::stdout().lock(), "{}", told.trim_end()).map_err(Failure::running)
    }
}

impl Command {
    async fn carry_out(self, desk: &Desk, password: String) -> Result<String, AdminError> {
        match self {
            Self::CreateUser(CreateUser { username, admin }) => {
                let body = json!(NewUser { username, password, admin });
                desk.tell("POST", "/api/admin/users", Some(body), |user: AdminUser| {
                    let what = if user.admin { "an admin" } else { "a user" };
                    format!("{} is {what} with the id {}.", name_of(&user), user.user_id)
                })
                .await
            }
            Self::GrantAdmin(GrantAdmin { username }) => {
                users::Users::set_admin(desk, &username, true).await
            }
            Self::Invite(Invite { uses, days }) => {
                let body = json!({ "uses": uses, "days": days });
                let code = |made: InviteMade| made.code;
                desk.tell("POST", "/api/admin/invites", Some(body), code).await
            }
            Self::Users(users) => users.carry_out(desk).await,
            Self::Groups(groups) => groups.carry_out(desk).await,
            Self::Audit(audit) => audit.carry_out(desk).await,
            Self::Statistics(wanted) => wanted.carry_out(desk).await,
            Self::Words(words) => words.carry_out(desk).await,
            Self::Notices(notices) => notices.carry_out(desk).await,
            Self::Limits(limits) => limits.carry_out(desk).await,
        }
    }
}

impl Desk {
    /// Asks, and says the answer in words, or as it is.
    async fn tell<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
        words: impl FnOnce(T) -> String,
    ) -> Result<String, AdminError> {
        let ask = Ask { method, path: path.to_owned(), body };
        let answer: Value = self.admin.ask(ask).await?;
        if self.json {
            return Ok(format!("{answer:#}"));
        }
        let unreadable = |error| AdminError::Refused(format!("the answer can't be read: {error}"));
        serde_json::from_value(answer).map(words).map_err(unreadable)
    }

    async fn ask<T: DeserializeOwned>(&self, path: String) -> Result<T, AdminError> {
        self.admin.ask(Ask { method: "GET", path, body: None }).await
    }

    /// The id of a user who is named by it or by the name.
    async fn user(&self, named: &str) -> Result<UserId, AdminError> {
        // A name may be nothing but digits, but then an id is meant.
        if let Ok(id) = named.parse() {
            return Ok(UserId::new(id));
        }
        let path = format!("/api/admin/users?username={}", escaped(named));
        let found: AdminUsers = self.ask(path).await?;
        let user = found.users.first().map(|user| user.user_id);
        user.ok_or_else(|| AdminError::Refused(format!("nobody has the user name {named:?}")))
    }
}

/// A value in a query (RFC 3986, §2.1).
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().fold(String::new(), |mut out, byte| {
        match is_plain(byte) {
            true => out.push(byte.into()),
            false => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// The query of the parameters that are given, with its question mark.
fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| value.as_ref().map(|it| (name, it)));
    let given: Vec<_> = given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

fn name_of(user: &AdminUser) -> String {
    let external = || user.issuer.as_ref().zip(user.subject.as_ref());
    let external = || external().map(|(issuer, subject)| format!("{subject} ({issuer})"));
    user.username.clone().or_else(external).unwrap_or_else(|| "-".to_owned())
}

/// A time as people read it, in UTC.
fn time_of(time: TimestampMs) -> String {
    let seconds = time.get() / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970, after Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// One line, from a person or a program.
fn read_password() -> io::Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Once more: ")? != password {
            return Err(io::Error::other("the two passwords differ; nothing was created"));
        }
        return Ok(password);
    }
    let mut line = String::new();
    input.lock().take(PASSWORD_LINE_MAX).read_line(&mut line)?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_queries_are_written_as_others_read_them() {
        let time = |seconds: u64| time_of(TimestampMs::new(seconds * 1000));
        assert_eq!(time(0), "1970-01-01 00:00:00Z");
        assert_eq!(time(951_782_399), "2000-02-28 23:59:59Z");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00Z");
        assert_eq!(time(4_102_444_800), "2100-01-01 00:00:00Z");
        let parameters =
            [("a", Some("ü b&c".to_owned())), ("b", None), ("c", Some("1".to_owned()))];
        assert_eq!(query(&parameters), "?a=%C3%BC%20b%26c&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }
}
