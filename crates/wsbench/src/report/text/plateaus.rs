//! The steps of a rising load.

use super::super::Report;
use super::Page;
use crate::scenario::Disruption;
use crate::worker::{BeyondKnee, Plateau, beyond_knee, knee};

/// The most reasons of refusal in one line.
const REASONS_SHOWN_MAX: usize = 3;

pub(super) fn plateaus(page: &mut Page, report: &Report) {
    let steps = &report.plateaus;
    match report.plan.behaviour().disruption {
        Disruption::RisingRate { .. } => {
            page.section(["Messages a second, step by step", "消息速率阶梯"]);
            steps.iter().for_each(|step| rate(page, step));
            let carried = knee(steps).map_or("-".to_owned(), |step| format!("{:.0}/s", step.load));
            page.value(["Knee", "拐点"], carried);
            let words = match beyond_knee(steps) {
                BeyondKnee::NotReached => ["not reached", "未到拐点"],
                BeyondKnee::SlowRise => ["a slow rise", "缓慢上升"],
                BeyondKnee::Explosion => ["an explosion", "突然恶化"],
                BeyondKnee::Refusal => ["refusals, latency stays", "拒绝服务，延迟不变"],
                BeyondKnee::GeneratorLimit => ["this generator's own limit", "压测端自身上限"],
            };
            let words = page.say(words);
            page.value(["Beyond it", "超过拐点"], words);
        }
        Disruption::RisingConnections { .. } => {
            page.section(["Connections, step by step", "连接数阶梯"]);
            steps.iter().for_each(|step| connections(page, step));
        }
        _ => {}
    }
}

fn mark(page: &Page, step: &Plateau) -> &'static str {
    match (step.worked, step.generator_was_late()) {
        (true, _) => page.say(["ok", "通过"]),
        (false, false) => page.say(["FAILED", "失败"]),
        (false, true) => page.say(["FAILED (generator late)", "失败（压测端迟发）"]),
    }
}

fn two(times: Option<[f64; 2]>) -> String {
    times.map_or("-".to_owned(), |[p50, p99]| format!("{p50:.2}/{p99:.2}"))
}

fn rate(page: &mut Page, step: &Plateau) {
    let word = mark(page, step);
    page.line(&format!(
        "  {:>8.0}/s  {} {:>8}  {} {:>8}  {} {:>8}  p50/p99 {:>16} ms  {word}",
        step.load,
        page.say(["sent", "发送"]),
        step.sent,
        page.say(["acked", "确认"]),
        step.acked,
        page.say(["delivered", "送达"]),
        step.delivered,
        two(step.e2e_ms),
    ));
    let mut refused: Vec<_> = step.refused.iter().collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (reason, count) in refused.into_iter().take(REASONS_SHOWN_MAX) {
        page.line(&format!("            {} {reason}: {count}", page.say(["refused", "拒绝"])));
    }
}

fn connections(page: &mut Page, step: &Plateau) {
    let word = mark(page, step);
    let memory = step
        .server_memory
        .map_or("-".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0));
    page.line(&format!(
        "  {:>7.0}  +{}/{}  {} {} ms  ping {} ms  {} {memory}  {word}",
        step.load,
        step.connected,
        step.attempted,
        page.say(["connect", "连接"]),
        two(step.connect_ms),
        two(step.ping_ms),
        page.say(["server", "服务端"]),
    ));
}
