//! `petrel token`.

use std::io::{self, Write};

use clap::Args;
use petrel_node::secrets::{self, Issuer};
use petrel_protocol::token::Claims;
use petrel_types::{Clock, SystemClock, UserId};

use crate::exit::Failure;
use crate::settings::DataDirectory;

/// The most tokens of one call.
const COUNT_MAX: u64 = 1_000_000;

/// Print access tokens, signed with the keys of a data directory: of the server that is to
/// accept them.
///
/// Ids from 10000000001 on are registered users; smaller ones are load-test users,
/// whom a server started with --bench-issuer lets in. The server need not be running.
///
/// Example: petrel token 1000001 --count 3
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The user to be
    user_id: u64,

    /// How many tokens, one a line, for as many consecutive users
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    count: u64,

    /// How long the tokens last, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 12 * 60 * 60, value_parser = clap::value_parser!(u64).range(1..=366 * 24 * 60 * 60))]
    ttl: u64,

    #[command(flatten)]
    data: DataDirectory,
}

impl Token {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let first = self.user_id;
        let issuer = issuer_of(first);
        let last = first.checked_add(self.count - 1);
        let Some(last) = last.filter(|last| first > 0 && issuer_of(*last) == issuer) else {
            return Err(Failure::starting(
                "user ids start at 1, and load-test and registered users need calls of their own",
            ));
        };
        let secret = secrets::load(&self.data.path()?, issuer).map_err(Failure::starting)?;
        let now = SystemClock.now();
        let mut out = io::BufWriter::new(io::stdout().lock());
        for user in first..=last {
            let claims = Claims::access(issuer.name(), UserId::new(user), now, self.ttl);
            writeln!(out, "{}", secret.sign(&claims)).map_err(Failure::running)?;
        }
        out.flush().map_err(Failure::running)
    }
}

fn issuer_of(user: u64) -> Issuer {
    if UserId::new(user).is_local() { Issuer::Local } else { Issuer::Bench }
}
