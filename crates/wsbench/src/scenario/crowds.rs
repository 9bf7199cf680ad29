//! Scenarios in which one message means much work: for many recipients, or with receipts
//! for every message.

use super::catalogue::{connected, messages, undisturbed};
use super::{Behaviour, Help, Need, Receipts, Scenario};
use crate::ledger::Cast;
use crate::metrics::Timing;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) struct Broadcast;

impl Scenario for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn summary(&self) -> &'static str {
        "one sends, all get it"
    }

    fn help(&self) -> Help {
        Help {
            does: "All connections are in one group, and the first --group-senders of them (1) \
                   send --msg-rate messages a minute (60). Each message is expected at every \
                   other connection. With Petrel the group is made after the ramp; with \
                   --raw-send and {group} it is a room. One worker has all connections, so \
                   there are at most as many as one process may open.",
            measures: "End-to-end latency of every delivery, and per message its first and its \
                       last recipient: the last is how long a broadcast takes.",
            passes: "As messaging.",
            example: "wsbench broadcast --target ws://localhost:8084/ws --conns 5000 --ramp 5s --max-cps 2000 --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { msg_rate: Some(60.0), group_senders: Some(1), ..Settings::default() }
    }

    fn settle(&self, plan: &mut Plan) {
        plan.group_size = plan.conns;
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let cast = Cast::Groups { size: plan.conns, senders: plan.group_senders };
        Behaviour { cast, reconnects: true, needs: &[Need::Groups], ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}

pub(super) struct AckStress;

impl Scenario for AckStress {
    fn name(&self) -> &'static str {
        "ack-stress"
    }

    fn summary(&self) -> &'static str {
        "receipts for every single message: delivered, and read"
    }

    fn help(&self) -> Help {
        Help {
            does: "As single-e2e, but recipients acknowledge every message by itself, first \
                   delivered, then read, as soon as it is there, where they otherwise speak \
                   for many messages at once every 100 ms.",
            measures: "Send to ack apart from send to delivery; receipts sent and receipts \
                       relayed back to senders, a second and in all.",
            passes: "As messaging; two receipts went out for every delivery, and no connection \
                     was lost.",
            example: "wsbench ack-stress --target ws://localhost:8084/ws --conns 1000 --msg-interval 500ms --ramp 5s --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings { msg_rate: Some(600.0), ..Settings::default() }
    }

    fn behaviour(&self, _: &Plan) -> Behaviour {
        Behaviour {
            cast: Cast::Pairs { both_ways: false },
            receipts: Receipts::EveryMessage,
            reconnects: true,
            needs: &[Need::Relays, Need::Receipts],
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let wanted = 2 * merged.counters.deliveries;
        let acked = merged.times(Timing::Ack).len() as f64;
        vec![
            connected(merged),
            undisturbed(merged),
            messages(merged),
            Requirement::at_least("messages timed to their ack", acked, 1.0),
            Requirement::at_least("receipts", merged.counters.receipts_sent as f64, wanted as f64),
        ]
    }
}
