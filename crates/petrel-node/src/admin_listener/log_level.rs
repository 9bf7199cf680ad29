//! `/debug/log-level`: what is logged, at run time.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::AdminListener;

type Change = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// Shows and changes what is logged. Whoever starts the log gives it to the node.
#[derive(Clone)]
pub struct LogControl {
    show: Arc<dyn Fn() -> String + Send + Sync>,
    change: Arc<Change>,
}

impl LogControl {
    /// Of two functions: one that tells the filter, one that sets another or says why not.
    pub fn new(
        show: impl Fn() -> String + Send + Sync + 'static,
        change: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { show: Arc::new(show), change: Arc::new(change) }
    }

    /// Of a program that does not log.
    pub fn none() -> Self {
        Self::new(|| "off".to_owned(), |_| Err("this program has no log".to_owned()))
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogControl").field("filter", &(self.show)()).finish()
    }
}

pub(super) async fn show(State(admin): State<AdminListener>) -> String {
    format!("{}\n", (admin.log.show)())
}

pub(super) async fn change(
    State(admin): State<AdminListener>,
    filter: String,
) -> (StatusCode, String) {
    let filter = filter.trim();
    match (admin.log.change)(filter) {
        Ok(()) => {
            tracing::warn!(filter, "the log filter was changed");
            (StatusCode::OK, format!("{filter}\n"))
        }
        Err(error) => (
            StatusCode::BAD_REQUEST,
            format!(
                "{filter:?} is no log filter ({error}); send a level (error, warn, info, debug, \
                 trace) or directives such as info,petrel_gateway=debug\n"
            ),
        ),
    }
}
