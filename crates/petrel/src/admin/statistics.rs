//! `petrel admin statistics`.

use std::fmt::Write as _;

use clap::Args;
use petrel_node::AdminError;
use petrel_protocol::http::admin::SystemFigures;

use super::{Desk, query, time_of};

/// Print how much there is, and how much happened in the last days.
#[derive(Debug, Args)]
pub(crate) struct Statistics {
    /// How many days back, up to 400
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
}

impl Statistics {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        let query = query(&[("days", Some(self.days.to_string()))]);
        desk.tell("GET", &format!("/api/admin/statistics{query}"), None, told).await
    }
}

fn told(figures: SystemFigures) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    let mut out = format!(
        "users      {} ({} locked out)\ngroups     {}\nlog-ins    {}\nstore      {:.1} MiB ({:.1} MiB free)\nfiles      {} ({:.1} MiB)\n",
        figures.users,
        figures.disabled_users,
        figures.groups,
        figures.logins,
        mebibytes(figures.store_bytes),
        mebibytes(figures.store_free_bytes),
        figures.files,
        mebibytes(figures.file_bytes),
    );
    for day in &figures.days {
        let date = time_of(day.ts);
        let date = date.split(' ').next().unwrap_or_default();
        let (messages, users) = (day.messages, day.active_users);
        let _ = writeln!(out, "{date}  {messages} messages  {users} active users");
    }
    let _ = writeln!(out, "{} users were active on these days.", figures.active_users);
    out
}
