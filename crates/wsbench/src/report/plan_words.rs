//! A plan in a few sentences, as one would tell a colleague what was measured.

use crate::ledger::Cast;
use crate::plan::{Arrival, Plan};
use crate::plot::numbers::{grouped, rate};
use crate::scenario::Disruption;
use crate::span::Span;

/// What the plan asks for, in English and Chinese.
pub fn plan_in_words(plan: &Plan) -> [String; 2] {
    let sentences = [Some(connections(plan)), traffic(plan), pings(plan), disturbance(plan)];
    let [mut english, mut chinese] = [String::new(), String::new()];
    for [en, zh] in sentences.into_iter().flatten() {
        if !english.is_empty() {
            english.push(' ');
        }
        english += &en;
        chinese += &zh;
    }
    [english, chinese]
}

fn connections(plan: &Plan) -> [String; 2] {
    let conns = grouped(u64::from(plan.conns));
    let targets: Vec<_> = plan.targets.iter().map(ToString::to_string).collect();
    let targets = targets.join(", ");
    let adapter = format!("{:?}", plan.adapter).to_lowercase();
    let (ramp, hold) = (plan.ramp, plan.hold());
    if ramp == Span::default() {
        return [
            format!(
                "{conns} connections to {targets} (adapter {adapter}), opened at once, held for {hold}."
            ),
            format!("与 {targets}（适配器 {adapter}）同时建立 {conns} 个连接，保持 {hold}。"),
        ];
    }
    [
        format!(
            "{conns} connections to {targets} (adapter {adapter}), opened over {ramp}, held for {hold}."
        ),
        format!(
            "与 {targets}（适配器 {adapter}）建立 {conns} 个连接，{ramp} 内建完，保持 {hold}。"
        ),
    ]
}

fn traffic(plan: &Plan) -> Option<[String; 2]> {
    let cast = plan.scenario().behaviour(plan).cast;
    let who = match cast {
        Cast::Nobody | Cast::Silent { .. } => return None,
        Cast::Echo => [
            "each sends to the server and expects its own message back".to_owned(),
            "每个连接向服务端发送并等待回显".to_owned(),
        ],
        Cast::Pairs { both_ways: true } => {
            ["they talk in pairs, both ways".to_owned(), "两两互发消息".to_owned()]
        }
        Cast::Pairs { both_ways: false } => {
            ["half of them send to the other half".to_owned(), "一半连接向另一半发送".to_owned()]
        }
        _ => [
            format!("in groups of {}, of which {} speak", plan.group_size, plan.group_senders),
            format!("每 {} 个连接一组，其中 {} 个发言", plan.group_size, plan.group_senders),
        ],
    };
    let payload = plan.payload_size;
    let pace = match (plan.in_flight, plan.total_rate) {
        (Some(depth), _) => [
            format!("each sender keeps {depth} under way (closed loop)"),
            format!("每个发送者保持 {depth} 条在途（闭环）"),
        ],
        (None, Some(total)) => [
            format!("{} messages/s in all (open loop, {})", rate(total), arrival(plan)[0]),
            format!("总计 {} 条/秒（开环，{}）", rate(total), arrival(plan)[1]),
        ],
        (None, None) => [
            format!(
                "{} messages/s of each sender (open loop, {})",
                rate(plan.sender_rate),
                arrival(plan)[0]
            ),
            format!("每个发送者 {} 条/秒（开环，{}）", rate(plan.sender_rate), arrival(plan)[1]),
        ],
    };
    let stages = if plan.stages.is_empty() {
        [String::new(), String::new()]
    } else {
        let stages: Vec<_> = plan.stages.iter().map(|stage| String::from(*stage)).collect();
        let stages = stages.join(", ");
        [format!(", with the rate over time {stages}"), format!("，速率阶段 {stages}")]
    };
    let [english, chinese] = who;
    let mut capital = english.chars();
    let first = capital.next().map(|c| c.to_ascii_uppercase()).unwrap_or_default();
    Some([
        format!("{first}{}: {} of {payload} B{}.", capital.as_str(), pace[0], stages[0]),
        format!("{chinese}：{}，每条 {payload} 字节{}。", pace[1], stages[1]),
    ])
}

fn arrival(plan: &Plan) -> [&'static str; 2] {
    match plan.arrival {
        Arrival::Spread => ["evenly", "均匀"],
        Arrival::Burst => ["all at once", "同时"],
        Arrival::Poisson => ["at random", "随机"],
    }
}

fn pings(plan: &Plan) -> Option<[String; 2]> {
    (plan.ping_interval != Span::default()).then(|| {
        let every = plan.ping_interval;
        [format!("A ping every {every}."), format!("每 {every} 一次 Ping。")]
    })
}

fn disturbance(plan: &Plan) -> Option<[String; 2]> {
    let behaviour = plan.scenario().behaviour(plan);
    let slow = (behaviour.slow + behaviour.deaf > 0.0).then(|| {
        let (slow, deaf) = (plan.slow_percent, plan.no_read_percent);
        let delay = plan.slow_delay;
        [
            format!(
                "{slow} % of the recipients take {delay} for each message, {deaf} % read nothing."
            ),
            format!("{slow}% 的接收者每条消息耗时 {delay}，{deaf}% 完全不读。"),
        ]
    });
    match behaviour.disruption {
        Disruption::Storm { at, away } => Some([
            format!("All connections break {at} after the ramp and stay away for {away}."),
            format!("建连完成 {at} 后全部断开，离线 {away}。"),
        ]),
        Disruption::Flap { .. } => Some([
            format!(
                "Every {}, {} % of them break and come back.",
                plan.flap_interval, plan.flap_percent
            ),
            format!("每 {} 有 {}% 的连接断开并重连。", plan.flap_interval, plan.flap_percent),
        ]),
        Disruption::Absence { messages } => Some([
            format!(
                "Recipients are away while {messages} messages are sent to each, then come back."
            ),
            format!("接收者离线期间各有 {messages} 条消息，之后上线补拉。"),
        ]),
        Disruption::Ladder { from, factor, step } => Some([
            format!(
                "Connections are opened at {from}/s, then {factor} times as fast every {step}."
            ),
            format!("建连速率从 {from}/秒 开始，每 {step} 提高到 {factor} 倍。"),
        ]),
        _ => slow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::AdapterKind;
    use crate::settings::Settings;

    #[test]
    fn a_plan_is_told_in_sentences() {
        let plan = Plan::resolve(
            Some("messaging"),
            Settings {
                adapter: Some(AdapterKind::Echo),
                conns: Some(2000),
                rate: Some(5000.0),
                ramp: Some(Span::seconds(2)),
                duration: Some(Span::seconds(62)),
                ..Settings::default()
            },
        )
        .unwrap();
        let [english, chinese] = plan_in_words(&plan);
        assert_eq!(
            english,
            "2,000 connections to ws://localhost:8084/ws (adapter echo), opened over 2s, held for 1m. \
             Each sends to the server and expects its own message back: 5,000 messages/s in all \
             (open loop, evenly) of 128 B. A ping every 30s."
        );
        assert!(chinese.contains("2,000 个连接") && chinese.contains("5,000 条/秒"), "{chinese}");
    }
}
