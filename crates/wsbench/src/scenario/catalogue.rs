//! The scenarios.

use super::{Behaviour, Disruption, Help, Need, Scenario};
use crate::ledger::Cast;
use crate::metrics::Timing;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) const ALL: &[&dyn Scenario] = &[
    &ConnectOnly,
    &Ping,
    &Messaging,
    &SingleEndToEnd,
    &GroupFanout,
    &Order,
    &OfflinePull,
    &ReconnectStorm,
    &Flap,
    &SlowConsumer,
    &ConnectRate,
    &Soak,
];

/// The least share of connections that must stand, in percent.
const CONNECTED_PERCENT: f64 = 99.0;
/// The least share of pings that must be answered, in percent.
const PONGS_PERCENT: f64 = 99.0;

fn connected(merged: &Merged) -> Requirement {
    Requirement::at_least(
        "connections established (%)",
        merged.connected_percent(),
        CONNECTED_PERCENT,
    )
}

fn pongs(merged: &Merged) -> Option<Requirement> {
    (merged.counters.pings_sent > 0)
        .then(|| Requirement::at_least("pings answered (%)", merged.pong_percent(), PONGS_PERCENT))
}

fn undisturbed(merged: &Merged) -> Requirement {
    Requirement::at_most("connections lost unasked", merged.counters.disconnects as f64, 0.0)
}

fn messages(merged: &Merged) -> Requirement {
    Requirement::at_least("messages sent", merged.tally.sent as f64, 1.0)
}

/// Who talks to whom when everybody talks: to a partner, or to the server.
fn everybody(plan: &Plan) -> Cast {
    if plan.abilities().relays { Cast::Pairs { both_ways: true } } else { Cast::Echo }
}

struct ConnectOnly;

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

struct Ping;

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

struct Messaging;

impl Scenario for Messaging {
    fn name(&self) -> &'static str {
        "messaging"
    }

    fn summary(&self) -> &'static str {
        "every connection sends --msg-rate messages a minute to its partner"
    }

    fn help(&self) -> Help {
        Help {
            does: "Connections 2k and 2k+1 write to each other, each --msg-rate messages per \
                   MINUTE. With the echo adapter each writes to the server and expects its own \
                   message back.",
            measures: "Send to ack, send to delivery and ack to delivery, corrected and raw; \
                       rates; and for every message whether it arrived, once, in order, \
                       unchanged, and at whom it was meant for.",
            passes: "99 % of the connections are established, and nothing is lost, duplicated, \
                     reordered, changed or delivered to others.",
            example: "wsbench messaging --target ws://localhost:8084/ws --conns 1000 --msg-rate 60 --duration 2m --ramp 10s",
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour { cast: everybody(plan), reconnects: true, ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}

struct SingleEndToEnd;

impl Scenario for SingleEndToEnd {
    fn name(&self) -> &'static str {
        "single-e2e"
    }

    fn summary(&self) -> &'static str {
        "even connections send, odd ones receive: end-to-end latency"
    }

    fn help(&self) -> Help {
        Help {
            does: "Connection 2k sends to 2k+1, a message every 100 ms (--msg-interval). With \
                   --role-pinned senders use the first target and recipients the last, so that \
                   every message crosses between two servers.",
            measures: "As messaging; senders and recipients are apart, so neither path hides \
                       the other.",
            passes: "As messaging.",
            example: "wsbench single-e2e --target ws://localhost:8084/ws --conns 400 --msg-interval 50ms --ramp 5s --duration 2m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { msg_rate: Some(600.0), ..Settings::default() }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let relays = plan.abilities().relays;
        let cast = if relays { Cast::Pairs { both_ways: false } } else { Cast::Echo };
        Behaviour { cast, reconnects: true, ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}

struct GroupFanout;

impl Scenario for GroupFanout {
    fn name(&self) -> &'static str {
        "group-fanout"
    }

    fn summary(&self) -> &'static str {
        "some members of each group speak, all get it"
    }

    fn help(&self) -> Help {
        Help {
            does: "Every --group-size consecutive connections are a group; the first \
                   --group-senders of them speak. Each message is expected by all other members.",
            measures: "End-to-end latency of every delivery, and per message the first and the \
                       last recipient.",
            passes: "As messaging.",
            example: "wsbench group-fanout --target ws://localhost:8084/ws --conns 200 --group-size 100 --group-senders 10 --msg-rate 60 --ramp 5s --duration 1m",
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let cast = Cast::Groups { size: plan.group_size, senders: plan.group_senders };
        Behaviour { cast, reconnects: true, needs: &[Need::Groups], ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}

struct Order;

impl Scenario for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn summary(&self) -> &'static str {
        "both sides of each conversation send at once, many under way"
    }

    fn help(&self) -> Help {
        Help {
            does: "Both partners of each conversation keep 16 messages under way (--in-flight), \
                   so that the server has to order concurrent senders. With the echo adapter, \
                   16 messages are under way on each connection.",
            measures: "Reordered messages and how deep, by the sender's own numbers; and \
                       deliveries that contradict the server's numbers.",
            passes: "As messaging, and no delivery contradicts the server's numbers.",
            example: "wsbench order --target ws://localhost:8084/ws --conns 20 --ramp 1s --duration 30s",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            in_flight: Some(16),
            conns: Some(20),
            ramp: Some(Span::seconds(1)),
            ..Settings::default()
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour { cast: everybody(plan), reconnects: true, ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let contradictions = merged.counters.places_out_of_order as f64;
        vec![
            connected(merged),
            messages(merged),
            Requirement::at_most("deliveries against the server's numbers", contradictions, 0.0),
        ]
    }
}

struct OfflinePull;

impl Scenario for OfflinePull {
    fn name(&self) -> &'static str {
        "offline-pull"
    }

    fn summary(&self) -> &'static str {
        "recipients go away, are written to, come back and read what they missed"
    }

    fn help(&self) -> Help {
        Help {
            does: "After the ramp every recipient hangs up. Each sender sends it \
                   --offline-messages messages (50). When all are acknowledged the recipients \
                   come back and read what they missed.",
            measures: "How many came, exactly; how long coming back and catching up took.",
            passes: "Every recipient has all of them, once, in order: 50 of 50.",
            example: "wsbench offline-pull --target ws://localhost:8084/ws --conns 200 --offline-messages 50 --ramp 2s --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { msg_rate: Some(600.0), ..Settings::default() }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour {
            cast: Cast::Pairs { both_ways: false },
            disruption: Disruption::Absence { messages: plan.offline_messages },
            reconnects: true,
            needs: &[Need::Relays, Need::History],
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, plan: &Plan, merged: &Merged) -> Vec<Requirement> {
        let wanted = u64::from(plan.conns / 2) * u64::from(plan.offline_messages);
        let arrived = merged.tally.recovered + merged.tally.delivered;
        vec![
            connected(merged),
            Requirement::at_least(
                "messages that absent recipients got",
                arrived as f64,
                wanted as f64,
            ),
        ]
    }
}

struct ReconnectStorm;

impl Scenario for ReconnectStorm {
    fn name(&self) -> &'static str {
        "reconnect-storm"
    }

    fn summary(&self) -> &'static str {
        "all connections break at once and come back"
    }

    fn help(&self) -> Help {
        Help {
            does: "Connections talk as in messaging. At --storm-at all of them break without a \
                   goodbye, stay away for --away and come back within --reconnect-jitter, with \
                   back-off where the server refuses. Unanswered messages are sent again where \
                   the protocol allows it, and recipients read what they missed.",
            measures: "The time until each connection is logged in again (p99 is the time to \
                       99 % of them, max to all), the time to catch up, and messages lost.",
            passes: "All come back, and nothing is lost, duplicated or reordered.",
            example: "wsbench reconnect-storm --target ws://localhost:8084/ws --conns 5000 --ramp 10s --duration 1m --msg-rate 6",
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let at = plan.storm_at.unwrap_or_else(|| plan.hold().scaled(1.0 / 3.0));
        Behaviour {
            cast: everybody(plan),
            disruption: Disruption::Storm { at, away: plan.away },
            reconnects: true,
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let back = merged.times(Timing::Reconnect).len() as f64;
        vec![
            connected(merged),
            Requirement::at_least(
                "connections that came back",
                back,
                merged.counters.hangups as f64,
            ),
        ]
    }
}

struct Flap;

impl Scenario for Flap {
    fn name(&self) -> &'static str {
        "flap"
    }

    fn summary(&self) -> &'static str {
        "some connections break all the time and come back"
    }

    fn help(&self) -> Help {
        Help {
            does: "Connections talk as in messaging. --flap-percent of them break every \
                   --flap-interval, spread over it, and come back within --reconnect-jitter.",
            measures: "As reconnect-storm.",
            passes: "99 % come back, and nothing is lost, duplicated or reordered.",
            example: "wsbench flap --target ws://localhost:8084/ws --conns 1000 --ramp 5s --duration 1m --flap-interval 2s --flap-percent 20",
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let share_per_second = plan.flap_percent / 100.0 / plan.flap_interval.as_secs_f64();
        Behaviour {
            cast: everybody(plan),
            disruption: Disruption::Flap { share_per_second },
            reconnects: true,
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let back = merged.times(Timing::Reconnect).len() as f64;
        let share = 100.0 * back / (merged.counters.hangups as f64).max(1.0);
        vec![
            connected(merged),
            Requirement::at_least("connections that came back (%)", share, 99.0),
        ]
    }
}

struct SlowConsumer;

impl Scenario for SlowConsumer {
    fn name(&self) -> &'static str {
        "slow-consumer"
    }

    fn summary(&self) -> &'static str {
        "some recipients read slowly, or not at all; the others must not notice"
    }

    fn help(&self) -> Help {
        Help {
            does: "As single-e2e, but --slow-percent of the recipients take --slow-delay for \
                   each message, and --no-read-percent read nothing. In the drain all read \
                   again, and come back if the server has closed them.",
            measures: "End-to-end latency of fast and slow recipients apart; connections that \
                       the server closed; messages that slow recipients found in the history.",
            passes: "As messaging: nothing is lost, also to slow recipients.",
            example: "wsbench slow-consumer --target ws://localhost:8084/ws --conns 200 --msg-interval 10ms --payload-size 4000 --slow-percent 30 --slow-delay 1s --ramp 2s --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { msg_rate: Some(600.0), ..Settings::default() }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour {
            slow: plan.slow_percent / 100.0,
            deaf: plan.no_read_percent / 100.0,
            needs: &[Need::Relays],
            ..SingleEndToEnd.behaviour(plan)
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}

struct ConnectRate;

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

struct Soak;

impl Scenario for Soak {
    fn name(&self) -> &'static str {
        "soak"
    }

    fn summary(&self) -> &'static str {
        "moderate load for a long time; does the server's memory grow?"
    }

    fn help(&self) -> Help {
        Help {
            does: "As messaging, one message a minute from each connection, for four hours. \
                   Where the server is on this machine its memory is recorded every 2 s.",
            measures: "As messaging; the slope of the server's memory over time (Theil-Sen, \
                       first fifth left out) with its 95 % confidence interval.",
            passes: "As messaging, no connection is lost, and the memory does not grow: the \
                     confidence interval of the slope reaches below 1 % of the memory an hour.",
            example: "wsbench soak --target ws://localhost:8084/ws --conns 30000 --duration 4h --ramp 10m --msg-rate 1 --ping-interval 45s",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            msg_rate: Some(1.0),
            duration: Some(Span::seconds(4 * 3600)),
            ramp: Some(Span::seconds(600)),
            ..Settings::default()
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Messaging.behaviour(plan)
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let memory = merged.server.as_ref().and_then(|server| server.memory_trend.as_ref());
        let growth = memory.map(|trend| {
            Requirement::at_most(
                "least plausible growth of the server's memory (% an hour)",
                trend.percent_per_hour_low,
                1.0,
            )
        });
        [Some(connected(merged)), Some(messages(merged)), Some(undisturbed(merged)), growth]
            .into_iter()
            .flatten()
            .collect()
    }
}
