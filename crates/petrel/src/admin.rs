//! `petrel admin`.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use petrel_node::AdminError;
use tokio::runtime::Runtime;

use crate::exit::Failure;
use crate::settings::DataDirectory;

/// The longest password line that is read, in bytes. A longer one is refused anyway.
const PASSWORD_LINE_MAX: u64 = 1024;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Create users, admins and invites, in the data directory of a stopped server.
///
/// The first admin comes to be like this: nobody who only reaches the server over the
/// network can become one.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    CreateUser(CreateUser),
    GrantAdmin(GrantAdmin),
    Invite(Invite),
}

/// Create a user, also where registration is closed.
///
/// The password is asked for, or read as one line from standard input if that is no
/// terminal. It is never an argument, where every user of the machine could see it.
///
/// Example: petrel admin create-user --admin ada
#[derive(Debug, Args)]
pub(crate) struct CreateUser {
    /// The name to log in with
    username: String,

    /// Make the user an admin
    #[arg(long)]
    admin: bool,

    #[command(flatten)]
    data: DataDirectory,
}

/// Make a registered user an admin.
#[derive(Debug, Args)]
pub(crate) struct GrantAdmin {
    /// The name the user logs in with
    username: String,

    #[command(flatten)]
    data: DataDirectory,
}

/// Print a code with which people can register at a server started with --registration invite.
///
/// The code is stored nowhere; whoever has it can register. Everything that was invited
/// stays when the code ends.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// How many people may register with it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    uses: u32,

    /// How long it lasts, in days
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,

    #[command(flatten)]
    data: DataDirectory,
}

impl Admin {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Asked for before the directory is locked: a person takes time to answer.
        let password = match &self {
            Self::CreateUser(_) => read_password().map_err(Failure::starting)?,
            Self::GrantAdmin(_) | Self::Invite(_) => String::new(),
        };
        let (Self::CreateUser(CreateUser { data, .. })
        | Self::GrantAdmin(GrantAdmin { data, .. })
        | Self::Invite(Invite { data, .. })) = &self;
        let data = data.path()?;
        let runtime = Runtime::new().map_err(Failure::starting)?;
        let told = runtime.block_on(async {
            let admin = petrel_node::Admin::open(&data)?;
            let told = self.carry_out(&admin, &password).await;
            admin.close().await?;
            told
        });
        let told = told.map_err(Failure::starting)?;
        writeln!(io::stdout().lock(), "{told}").map_err(Failure::running)
    }

    async fn carry_out(
        &self,
        admin: &petrel_node::Admin,
        password: &str,
    ) -> Result<String, AdminError> {
        match self {
            Self::CreateUser(CreateUser { username, admin: is_admin, .. }) => {
                let user = admin.create_user(username, password, *is_admin).await?;
                let what = if *is_admin { "an admin" } else { "a user" };
                Ok(format!("{} is {what} with the id {}.", user.username, user.id))
            }
            Self::GrantAdmin(GrantAdmin { username, .. }) => {
                let user = admin.grant_admin(username).await?;
                Ok(format!("{username} ({user}) is an admin."))
            }
            Self::Invite(Invite { uses, days, .. }) => {
                let lasts = Duration::from_secs(days * DAY_SECONDS);
                let (code, _) = admin.invite(*uses, lasts).await?;
                Ok(code)
            }
        }
    }
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
