//! Scenarios about connections themselves.

use super::catalogue::{connected, pongs};
use super::{Behaviour, Disruption, Help, Scenario};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) struct ConnectOnly;

impl Scenario for ConnectOnly {
    fn name(&self) -> &'static str {
        "connect-only"
    }

    fn summary(&self) -> &'static str {
        "open connections, hold them, ping them"
    }

    fn help(&self) -> Help {
        Help {
            does: "Opens --conns connections evenly over --ramp (at most --max-cps a second), \
                   holds them until --duration is over and sends a WebSocket ping on each every \
                   --ping-interval. Sockets are read all the time, the ramp included. A \
                   connection that breaks stays away.",
            measures: "Connections tried, established, failed, lost and left; the time to \
                       connect and to log in; pings, pongs and the round trip; memory per \
                       connection where the server is on this machine.",
            passes: "99 % of the connections are established, 99 % of the pings answered.",
            example: "wsbench connect-only --target ws://localhost:8084/ws --conns 10000 --ramp 30s --duration 1m",
        }
    }

    fn behaviour(&self, _: &Plan) -> Behaviour {
        Behaviour::IDLE
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        [Some(connected(merged)), pongs(merged)].into_iter().flatten().collect()
    }
}

pub(super) struct Ping;

impl Scenario for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn summary(&self) -> &'static str {
        "round trips of the protocol's own ping"
    }

    fn help(&self) -> Help {
        Help {
            does: "Like connect-only, with a ping on each connection every second: the \
                   protocol's own where it has one (Petrel's PING), else WebSocket's. Each pong \
                   names its ping, so an answer that takes longer than the interval is timed \
                   right.",
            measures: "The round trip, from the time the ping was due.",
            passes: "99 % of the connections are established, 99 % of the pings answered.",
            example: "wsbench ping --target ws://localhost:8084/ws --conns 500 --ramp 5s --duration 1m --ping-interval 1s",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { ping_interval: Some(Span::seconds(1)), ..Settings::default() }
    }

    fn behaviour(&self, _: &Plan) -> Behaviour {
        Behaviour { protocol_pings: true, ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        [Some(connected(merged)), pongs(merged)].into_iter().flatten().collect()
    }
}

pub(super) struct ConnectRate;

impl Scenario for ConnectRate {
    fn name(&self) -> &'static str {
        "connect-rate"
    }

    fn summary(&self) -> &'static str {
        "connections a second, faster and faster, until it no longer works"
    }

    fn help(&self) -> Help {
        Help {
            does: "Opens connections, logs in and closes them again, --rate-from a second for \
                   --step, then --rate-factor times as many, and so on until a step fails or \
                   the time is over. At most --conns are open at once.",
            measures: "For each step the rate reached, failures and the time to connect; the \
                       knee: the last step that worked.",
            passes: "The first step works: 99 % established, 95 % of the rate reached, connect \
                     p99 below 1 s.",
            example: "wsbench connect-rate --target ws://localhost:8084/ws --rate-from 500 --rate-factor 2 --step 5s --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            conns: Some(2000),
            ramp: Some(Span::default()),
            duration: Some(Span::seconds(60)),
            retry: Some(0),
            warmup: Some(Span::default()),
            ..Settings::default()
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let disruption =
            Disruption::Ladder { from: plan.rate_from, factor: plan.rate_factor, step: plan.step };
        Behaviour { disruption, ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let knee = merged.knee().map_or(0.0, |step| step.offered);
        vec![Requirement::at_least("connections a second that worked", knee, 1.0)]
    }
}
