//! Scenarios in which connections break, stay away or read slowly.

use super::catalogue::{connected, everybody, messages, pongs, undisturbed};
use super::conversations::SingleEndToEnd;
use super::{Behaviour, Disruption, Help, Need, Scenario};
use crate::ledger::Cast;
use crate::metrics::Timing;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::Merged;

pub(super) struct OfflinePull;

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

pub(super) struct ReconnectStorm;

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

/// Who hung up should be there again.
fn came_back(merged: &Merged) -> Requirement {
    let back = merged.times(Timing::Reconnect).len() as f64;
    let share = 100.0 * back / (merged.counters.hangups as f64).max(1.0);
    Requirement::at_least("connections that came back (%)", share, 99.0)
}

pub(super) struct Flap;

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

    fn defaults(&self) -> Settings {
        Settings { flap_percent: Some(20.0), ..Settings::default() }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour { cast: everybody(plan), ..Behaviour::IDLE }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), came_back(merged)]
    }
}

pub(super) struct PresenceChurn;

impl Scenario for PresenceChurn {
    fn name(&self) -> &'static str {
        "presence-churn"
    }

    fn summary(&self) -> &'static str {
        "some come and go all the time, the others must not notice"
    }

    fn help(&self) -> Help {
        Help {
            does: "Of the connections --churn-percent come and go: every --flap-interval, \
                   --flap-percent of them say goodbye, stay away for --away (1 s) and log in \
                   again. The others stay and send a ping every --ping-interval (1 s): what \
                   they wait for is what all the coming and going costs everybody else. With \
                   Petrel all are in groups of --group-size (10), and who stays is told who of \
                   the group comes and goes. A server may keep a short absence to itself, as \
                   Petrel does for 10 s: --away 15s, or its presence.offline_after, to see \
                   every one.",
            measures: "Logins and goodbyes; the time until somebody is back; the round trip of \
                       the pings, corrected; the time from somebody's coming or going to each \
                       who is told of it.",
            passes: "99 % of the connections are established, 99 % come back, 99 % of the \
                     pings are answered, nobody is cut off who did not hang up, and in the end \
                     all who follow know who is there.",
            example: "wsbench presence-churn --target ws://localhost:8084/ws --conns 1000 --ramp 5s --duration 1m --flap-percent 20 --flap-interval 2s",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            flap_percent: Some(20.0),
            away: Some(Span::seconds(1)),
            ping_interval: Some(Span::seconds(1)),
            group_size: Some(10),
            ..Settings::default()
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let share_per_second = plan.flap_percent / 100.0 / plan.flap_interval.as_secs_f64();
        let follows = plan.abilities().presence > 0;
        Behaviour {
            cast: if follows { Cast::Silent { size: plan.group_size } } else { Cast::Nobody },
            follows,
            protocol_pings: true,
            disruption: Disruption::Flap {
                share_per_second,
                of: plan.churn_percent / 100.0,
                away: plan.away,
                goodbye: true,
            },
            reconnects: true,
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let wrong = merged.counters.presences_wrong as f64;
        let known = Requirement::at_most("followers who don't know who is there", wrong, 0.0);
        [connected(merged), came_back(merged), undisturbed(merged), known]
            .into_iter()
            .chain(pongs(merged))
            .collect()
    }
}

pub(super) struct SlowConsumer;

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
        Settings { msg_rate: Some(600.0), slow_percent: Some(30.0), ..Settings::default() }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        Behaviour { needs: &[Need::Relays], ..SingleEndToEnd.behaviour(plan) }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        vec![connected(merged), messages(merged)]
    }
}
