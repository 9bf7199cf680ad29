//! Scenarios in which users talk undisturbed.

use super::catalogue::{connected, everybody, messages, undisturbed};
use super::{Behaviour, Help, Need, Scenario};
use crate::ledger::Cast;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) struct Messaging;

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

pub(super) struct SingleEndToEnd;

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

pub(super) struct GroupFanout;

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
                   --group-senders of them speak. Each message is expected by all other \
                   members. With Petrel the groups are made after the ramp, by commands of at \
                   most 500 members, and nothing is measured before all of them stand. With \
                   --raw-send and {group} connections enter rooms by --raw-join. The \
                   connections of a group share a worker, so a group can't be larger than what \
                   one process may open.",
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

pub(super) struct Order;

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

pub(super) struct Soak;

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
            measures: "As messaging; the slopes of the server's memory and of the end-to-end \
                       p99 over time (Theil-Sen, first fifth left out) with their 95 % \
                       confidence intervals. Every twentieth of the run leaves a line behind.",
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
