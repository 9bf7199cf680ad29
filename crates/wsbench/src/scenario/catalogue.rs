//! The list of scenarios, and what several of them require.

use super::Scenario;
use super::connections::{ConnectOnly, ConnectRate, Ping};
use super::conversations::{GroupFanout, Messaging, Order, SingleEndToEnd, Soak};
use super::crowds::{AckStress, Broadcast};
use super::disturbances::{Flap, OfflinePull, PresenceChurn, ReconnectStorm, SlowConsumer};
use super::rising::{BackpressureRamp, Step};
use crate::ledger::Cast;
use crate::plan::Plan;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) const ALL: &[&dyn Scenario] = &[
    &ConnectOnly,
    &Ping,
    &Messaging,
    &SingleEndToEnd,
    &GroupFanout,
    &Broadcast,
    &Order,
    &OfflinePull,
    &ReconnectStorm,
    &Flap,
    &PresenceChurn,
    &SlowConsumer,
    &BackpressureRamp,
    &AckStress,
    &ConnectRate,
    &Step,
    &Soak,
];

/// The least share of connections that must stand, in percent.
const CONNECTED_PERCENT: f64 = 99.0;
/// The least share of pings that must be answered, in percent.
const PONGS_PERCENT: f64 = 99.0;

pub(super) fn connected(merged: &Merged) -> Requirement {
    Requirement::at_least(
        "connections established (%)",
        merged.connected_percent(),
        CONNECTED_PERCENT,
    )
}

pub(super) fn pongs(merged: &Merged) -> Option<Requirement> {
    (merged.counters.pings_sent > 0)
        .then(|| Requirement::at_least("pings answered (%)", merged.pong_percent(), PONGS_PERCENT))
}

pub(super) fn undisturbed(merged: &Merged) -> Requirement {
    Requirement::at_most("connections lost unasked", merged.counters.disconnects as f64, 0.0)
}

pub(super) fn messages(merged: &Merged) -> Requirement {
    Requirement::at_least("messages sent", merged.tally.sent as f64, 1.0)
}

/// Who talks to whom when everybody talks: to a partner, or to the server.
pub(super) fn everybody(plan: &Plan) -> Cast {
    if plan.abilities().relays { Cast::Pairs { both_ways: true } } else { Cast::Echo }
}
