//! The steps of a rising load.

use super::super::Report;
use super::super::rising::{Rises, beyond_words, knee_load, mark_words, refusals, rises};
use super::Page;
use crate::worker::Plateau;

pub(super) fn plateaus(page: &mut Page, report: &Report) {
    let steps = &report.plateaus;
    match rises(report) {
        Some(Rises::Rate) => {
            page.section(["Messages a second, step by step", "消息速率阶梯"]);
            steps.iter().for_each(|step| rate(page, step));
            let carried = knee_load(report).map_or("-".to_owned(), |load| format!("{load:.0}/s"));
            page.value(["Knee", "拐点"], carried);
            let words = page.say(beyond_words(steps));
            page.value(["Beyond it", "超过拐点"], words);
        }
        Some(Rises::Connections) => {
            page.section(["Connections, step by step", "连接数阶梯"]);
            steps.iter().for_each(|step| connections(page, step));
        }
        None => {}
    }
}

fn two(times: Option<[f64; 2]>) -> String {
    times.map_or("-".to_owned(), |[p50, p99]| format!("{p50:.2}/{p99:.2}"))
}

fn rate(page: &mut Page, step: &Plateau) {
    let word = page.say(mark_words(step));
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
    for (reason, count) in refusals(step) {
        page.line(&format!("            {} {reason}: {count}", page.say(["refused", "拒绝"])));
    }
}

fn connections(page: &mut Page, step: &Plateau) {
    let word = page.say(mark_words(step));
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
