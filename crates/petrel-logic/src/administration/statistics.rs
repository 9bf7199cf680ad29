//! How much there is and how much happens.

use petrel_protocol::http::admin::{RecentFigures, RecentStep, SystemFigures};

use super::{Administration, of_store};
use crate::Refusal;
use crate::activity::{self, day_of};

/// How many days those get who don't say.
const DAYS_DEFAULT: u32 = 30;

impl Administration {
    /// Counts of what there is, the last days, and the numbers of now.
    pub async fn statistics(&self, days: Option<u32>) -> Result<SystemFigures, Refusal> {
        let figures = self.store.figures().await.map_err(of_store)?;
        let now = self.clock.now();
        let wanted = days.unwrap_or(DAYS_DEFAULT);
        let read = activity::days(&*self.store, day_of(now), wanted).await;
        let (days, active_users) = read.map_err(of_store)?;
        let present = self.running.as_ref().map(|running| running.history.now());
        Ok(SystemFigures {
            ts: now,
            users: figures.users,
            disabled_users: figures.disabled_users,
            groups: figures.groups,
            logins: figures.logins,
            rows: figures.rows,
            store_bytes: figures.bytes,
            store_free_bytes: figures.free_bytes,
            files: figures.files,
            file_bytes: figures.file_bytes,
            days,
            active_users,
            now: present.unwrap_or_default(),
        })
    }

    /// What the numbers were of late.
    pub fn recent(&self, step: RecentStep, series: Option<&str>) -> Result<RecentFigures, Refusal> {
        let running = self.running()?;
        let names = series.into_iter().flat_map(|names| names.split(','));
        let wanted: Vec<_> =
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        Ok(running.history.recent(step, &wanted))
    }
}
