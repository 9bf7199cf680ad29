//! Scenarios in which the load rises step by step.

use super::catalogue::{connected, everybody};
use super::{Behaviour, Disruption, Help, Scenario};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::{Merged, knee};

pub(super) struct BackpressureRamp;

impl Scenario for BackpressureRamp {
    fn name(&self) -> &'static str {
        "backpressure-ramp"
    }

    fn summary(&self) -> &'static str {
        "messages faster and faster, past the knee: slow rise, explosion or refusal?"
    }

    fn help(&self) -> Help {
        Help {
            does: "Connections talk as in messaging: --rate-from messages a second of all \
                   together for --step, then --rate-factor times as many, and so on until the \
                   time is over, whatever the server does.",
            measures: "For each step, by when a message was meant to be sent: what was sent, \
                       acknowledged and delivered, latency, refusals by reason; the knee; and \
                       how the server leaves it: a slow rise, an explosion (ten times the p99 \
                       within a step), or refusals at a latency that stays. A step in which \
                       this generator was late says so.",
            passes: "The first step works (99 % delivered, p99 within 1 s), and nothing is \
                     lost, duplicated or reordered, past the knee as well.",
            example: "wsbench backpressure-ramp --target ws://localhost:8084/ws --conns 200 --rate-from 1000 --rate-factor 1.5 --step 5s --ramp 2s --duration 1m",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            conns: Some(200),
            ramp: Some(Span::seconds(2)),
            duration: Some(Span::seconds(60)),
            rate_from: Some(1000),
            rate_factor: Some(1.5),
            warmup: Some(Span::default()),
            drain: Some(Span::seconds(30)),
            ..Settings::default()
        }
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let (from, factor, step) = (plan.rate_from, plan.rate_factor, plan.step);
        Behaviour {
            cast: everybody(plan),
            disruption: Disruption::RisingRate { from, factor, step },
            reconnects: true,
            ..Behaviour::IDLE
        }
    }

    fn requirements(&self, _: &Plan, merged: &Merged) -> Vec<Requirement> {
        let carried = knee(&merged.plateaus).map_or(0.0, |step| step.load);
        vec![connected(merged), Requirement::at_least("messages a second carried", carried, 1.0)]
    }
}

pub(super) struct Step;

impl Scenario for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn summary(&self) -> &'static str {
        "100, 1,000, 10,000, 50,000 connections, a plateau of each"
    }

    fn help(&self) -> Help {
        Help {
            does: "Opens connections up to the first of --sizes, at --max-cps, holds them for \
                   --step, goes on to the next size, and so on. Each connection is pinged with \
                   the protocol's own ping, if there is one, every --ping-interval (5 s).",
            measures: "For each size: connections tried, established and lost, the time to \
                       connect, the round trip on the plateau, the server's memory at its end.",
            passes: "Every size works: 99 % established, 99 % of the pings answered, nothing \
                     lost, p99 of both within 1 s.",
            example: "wsbench step --target ws://localhost:8084/ws --sizes 100,1000,10000 --step 10s --max-cps 2000",
        }
    }

    fn defaults(&self) -> Settings {
        Settings {
            sizes: Some(vec![100, 1000, 10_000, 50_000]),
            step: Some(Span::seconds(15)),
            ping_interval: Some(Span::seconds(5)),
            warmup: Some(Span::default()),
            ..Settings::default()
        }
    }

    /// The sizes say how many connections there are, and how long it takes.
    fn settle(&self, plan: &mut Plan) {
        plan.ramp = Span::default();
        plan.conns = plan.sizes.last().copied().unwrap_or(1).max(1);
        let growth = f64::from(plan.conns) / f64::from(plan.max_cps);
        let plateaus = plan.step.as_secs_f64() * plan.sizes.len() as f64;
        plan.duration = Span(std::time::Duration::from_secs_f64(growth + plateaus));
    }

    fn behaviour(&self, plan: &Plan) -> Behaviour {
        let disruption = Disruption::RisingConnections { step: plan.step };
        Behaviour { protocol_pings: true, disruption, ..Behaviour::IDLE }
    }

    fn requirements(&self, plan: &Plan, merged: &Merged) -> Vec<Requirement> {
        let carried = knee(&merged.plateaus).map_or(0.0, |step| step.load);
        vec![Requirement::at_least("connections carried", carried, f64::from(plan.conns))]
    }
}
