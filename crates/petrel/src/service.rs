//! Telling systemd what the server is doing (sd_notify(3)). Without systemd nothing
//! happens.

use sd_notify::{NotifyState, notify};

/// It serves.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// It drains.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = notify(&[state]) {
        tracing::warn!(%error, "systemd can't be told how the server is doing");
    }
}
