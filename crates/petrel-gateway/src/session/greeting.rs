//! What a session is told of itself at its start: `AUTH_OK`, with the limits in force.

use std::time::Duration;

use petrel_logic::budget;
use petrel_protocol::PROTOCOL_VERSION;
use petrel_protocol::frame::{AuthOk, Limits, Rates, ServerFrame};
use petrel_types::limits::{
    ACK_INTERVAL_MS, ACK_ITEMS_MAX, BODY_BYTES_MAX, BODY_UTF16_UNITS_MAX, EDIT_WINDOW_MS,
    FOCUS_CONVERSATIONS_MAX, FRAME_BYTES_MAX, GROUP_CHANGE_MEMBERS_MAX, GROUP_MEMBERS_MAX,
    GROUP_TITLE_UTF16_UNITS_MAX, PULL_EVENTS_MAX, RECALL_WINDOW_MS, RETRY_WINDOW_MS,
    SENDS_IN_FLIGHT_MAX, STATE_MEMBERS_MAX, SYNC_CONVERSATIONS_MAX,
};

use super::{Session, focus};

impl<S> Session<'_, S> {
    pub(super) fn auth_ok(&self) -> ServerFrame {
        let shared = &self.gateway.shared;
        ServerFrame::AuthOk(AuthOk {
            v: PROTOCOL_VERSION,
            from: self.outbox.user(),
            session_id: self.outbox.session(),
            epoch: shared.dependencies.epoch,
            ts: shared.dependencies.clock.now(),
            caps: self.heads.iter().map(|_| focus::CAPABILITY.to_owned()).collect(),
            limits: Limits {
                frame_bytes: FRAME_BYTES_MAX as u64,
                body_units: BODY_UTF16_UNITS_MAX as u64,
                body_bytes: BODY_BYTES_MAX as u64,
                sends_in_flight: SENDS_IN_FLIGHT_MAX as u64,
                pull_events: PULL_EVENTS_MAX,
                group_members: GROUP_MEMBERS_MAX as u64,
                change_members: GROUP_CHANGE_MEMBERS_MAX as u64,
                title_units: GROUP_TITLE_UTF16_UNITS_MAX as u64,
                state_members: STATE_MEMBERS_MAX,
                sync_conversations: SYNC_CONVERSATIONS_MAX,
                ack_items: ACK_ITEMS_MAX as u64,
                ack_interval_ms: ACK_INTERVAL_MS,
                focus_conversations: FOCUS_CONVERSATIONS_MAX as u64,
                head_members: shared.config.limits.head_members.into(),
                recall_window_ms: RECALL_WINDOW_MS,
                edit_window_ms: EDIT_WINDOW_MS,
                retry_window_ms: RETRY_WINDOW_MS,
                ping_interval_ms: milliseconds(shared.config.heartbeat.ping_interval),
                idle_timeout_ms: milliseconds(shared.config.heartbeat.idle_timeout),
                rates: shown(&shared.pace.of_session()),
            },
        })
    }
}

pub(crate) fn shown(rates: &budget::Rates) -> Rates {
    let (frames, sends, reads) = (rates.frames(), rates.sends(), rates.reads());
    Rates {
        frames_per_second: frames.per_second(),
        frames_burst: frames.burst(),
        sends_per_second: sends.per_second(),
        sends_burst: sends.burst(),
        reads_per_second: reads.per_second(),
        reads_burst: reads.burst(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
